{{ report_function(
    arguments={
        'stages': none,
        'optional_stages': none,
        'cohort': ['created', 'closed'],
    },
) }}
{% set cohort_date = "case cohort when 'closed' then close_date else created_date end" %}

with

-- The pipeline that the funnel is of: the one that is named, or the only one that there is (13).
asked_pipelines as (
    select pipeline_id, pipeline_label
    from {{ ref('dim_pipelines') }}
    where (pipelines is null and not is_archived and pipeline_id <> 'none')
        or pipeline_id in (
            {{ named_ids('pipelines', ref('dim_pipelines'), 'pipeline_id', 'pipeline_label') }}
        )
),

standard_steps as (
    select *
    from {{ ref('dim_deal_funnel_steps') }}
    where pipeline_id in (select pipeline_id from asked_pipelines)
),

open_steps as (
    select * from standard_steps where not is_won_step
),

optional_ids as (
    {{ named_ids('optional_stages', 'open_steps', 'stage_id', 'stage_label') }}
),

asked_steps as (
    select
        *,
        coalesce(
            list_position(try_cast(stages as varchar[]), stage_id),
            list_position(try_cast(stages as varchar[]), stage_label)
        ) as asked_place
    from standard_steps
    where stages is null
        or is_won_step
        or stage_id in (
            {{ named_ids('stages', 'open_steps', 'stage_id', 'stage_label') }}
        )
),

-- The stages that are asked for, in the order in which they are asked, then Won.
steps as (
    select
        * exclude (asked_place) replace (
            row_number() over (partition by pipeline_id order by is_won_step, asked_place, position) as position,
            stage_id in (select stage_id from optional_ids) as is_optional
        )
    from asked_steps
),

request as materialized (
    {{ report_request(
        names={
            'stages': ['open_steps', 'stage_id', 'stage_label'],
            'optional_stages': ['open_steps', 'stage_id', 'stage_label'],
        },
        problems=[one_pipeline('asked_pipelines'), optional_first_step('steps')],
    ) }}
),

buckets as (
    select buckets.*
    from request
    cross join {{ report_buckets() }} as buckets
),

scope as (
    select * from {{ report_deal_scope() }}
),

-- The mart has walked through all stages, in their order and each required, for the deals of each day of
-- creation. Else the deals walk that are asked for, and no others.
walking_deals as (
    {{ asked_records(ref('fct_deals'), cohort_date) }}
        and pipeline_id in (select pipeline_id from scope)
        and (cohort = 'created' or is_closed)
        and (cohort = 'closed' or stages is not null or optional_stages is not null)
),

walked_steps as (
    {{ deal_funnel('steps', 'walking_deals') | indent(4) }}
),

owner_steps as (
    select
        created_date as cohort_date,
        stage_position,
        owner_id,
        pipeline_id,
        {{ deal_funnel_measure_names() | join(',\n        ') }}
    from {{ ref('rpt_deal_funnel') }}
    where cohort = 'created'
        and stages is null
        and optional_stages is null
    union all
    select
        {{ cohort_date }} as cohort_date,
        walked_steps.position as stage_position,
        walking_deals.owner_id,
        walking_deals.pipeline_id,
        {{ deal_funnel_measures() | indent(8) }}
    from walked_steps
    inner join walking_deals on walked_steps.deal_id = walking_deals.deal_id
    group by {{ cohort_date }}, walked_steps.position, walking_deals.owner_id, walking_deals.pipeline_id
),

deals as (
    select
        scope.* exclude (pipeline_id),
        buckets.bucket_start,
        owner_steps.* exclude (cohort_date, owner_id, pipeline_id)
    from owner_steps
    inner join scope
        on owner_steps.owner_id = scope.owner_id
        and owner_steps.pipeline_id = scope.pipeline_id
    inner join buckets
        on owner_steps.cohort_date >= buckets.first_day
        and owner_steps.cohort_date < buckets.end_day
),

spine as (
    {{ report_spine('deals') }}
),

measured as (
    select
        spine.*,
        steps.position as stage_position,
        steps.stage_id,
        steps.stage_label,
        {{ measure_sums('deals', deal_funnel_measure_names()) | indent(8) }}
    from spine
    cross join steps
    left join deals
        on spine.group_id = deals.group_id
        and spine.bucket_start = deals.bucket_start
        and steps.position = deals.stage_position
    group by all
),

final as (
    select
        *,
        case when stage_id <> 'won' then next_reached_count / nullif(reached_count, 0) end as next_step_rate,
        reached_count
        / nullif(first_value(reached_count) over (partition by group_id, bucket_start order by stage_position), 0) as cumulative_rate,
        time_in_stage_ms / nullif(time_in_stage_count, 0) as average_time_in_stage_ms
    from measured
)

select {{ report_columns() }}
from final
order by {{ report_order('case when stage_position = 1 then reached_count end', then=['stage_position']) }}
