{{ report_function(
    group_by=['pipeline'],
    arguments={
        'status': ['all', 'won', 'lost', 'closed', 'open'],
        'measure': ['cumulative', 'latest'],
        'open_visit': ['run_ts', 'exclude'],
        'owner_basis': ['current', 'as_of'],
    },
) }}

with

request as materialized (
    {{ report_request() }}
),

buckets as (
    select buckets.*
    from request
    cross join {{ report_buckets() }} as buckets
),

scope as (
    select * from {{ report_deal_scope() }}
),

asked_deals as (
    {{ asked_records(ref('fct_deals'), 'close_date') }}
        and {{ has_status('fct_deals') }}
        and pipeline_id in (select pipeline_id from scope)
),

-- From core for the medians over deals.
visits as (
    select
        visits.deal_id,
        visits.visit_number,
        visits.stage_id,
        visits.duration_ms,
        visits.is_last_visit,
        visits.is_latest_to_stage,
        asked_deals.close_date,
        asked_deals.pipeline_id,
        asked_deals.owner_id
    from {{ ref('fct_deal_stage_visits') }} as visits
    inner join asked_deals on visits.deal_id = asked_deals.deal_id
    where visits.is_in_present_pipeline
        and visits.stage_class in ('open', 'unknown')
        and (open_visit = 'run_ts' or not visits.is_open_visit)
),

-- The latest visit is the latest of those that are let in.
latest_of_others as (
    select deal_id, stage_id, max(visit_number) as visit_number
    from visits
    where open_visit = 'exclude'
    group by deal_id, stage_id
),

judged_visits as (
    select
        visits.*,
        case open_visit
            when 'exclude' then visits.visit_number = latest_of_others.visit_number
            else visits.is_latest_to_stage
        end as is_latest
    from visits
    left join latest_of_others
        on visits.deal_id = latest_of_others.deal_id
        and visits.stage_id = latest_of_others.stage_id
),

-- The whole visit goes to the present owner, or each part of it to whoever held the deal then.
owned_visits as (
    select *, duration_ms as owned_ms, is_last_visit as is_still_here
    from judged_visits
    where owner_basis = 'current'
    union all
    select
        judged_visits.* replace (parts.owner_id as owner_id),
        parts.duration_ms as owned_ms,
        judged_visits.is_last_visit and parts.is_last_owner as is_still_here
    from judged_visits
    inner join {{ ref('fct_deal_stage_visit_owners') }} as parts
        on judged_visits.deal_id = parts.deal_id
        and judged_visits.visit_number = parts.visit_number
    where owner_basis = 'as_of'
),

-- Several parts of a visit may be one group's.
group_visits as (
    select
        scope.group_id,
        buckets.bucket_start,
        owned_visits.pipeline_id,
        owned_visits.stage_id,
        owned_visits.deal_id,
        owned_visits.visit_number,
        owned_visits.is_latest,
        sum(owned_visits.owned_ms) as owned_ms,
        bool_or(owned_visits.is_still_here) as is_still_here
    from owned_visits
    inner join scope
        on owned_visits.owner_id = scope.owner_id
        and owned_visits.pipeline_id = scope.pipeline_id
    inner join buckets
        on owned_visits.close_date >= buckets.first_day
        and owned_visits.close_date < buckets.end_day
    group by all
),

deal_stages as (
    select
        group_id,
        bucket_start,
        pipeline_id,
        stage_id,
        deal_id,
        count(*) as visit_count,
        cast(sum(owned_ms) as bigint) as total_time_ms,
        cast(sum(owned_ms) filter (where is_latest) as bigint) as latest_time_ms,
        case measure when 'latest' then latest_time_ms else total_time_ms end as measured_time_ms,
        bool_or(is_still_here) as is_still_here
    from group_visits
    group by all
),

measured as (
    select
        group_id,
        bucket_start,
        pipeline_id,
        stage_id,
        count(*) as deal_count,
        sum(visit_count) as visit_count,
        sum(total_time_ms) as total_time_ms,
        sum(latest_time_ms) as latest_time_ms,
        count(*) filter (where is_still_here) as still_in_stage_count,
        avg(measured_time_ms) as average_time_ms,
        median(cast(measured_time_ms as double)) as median_time_ms
    from deal_stages
    group by all
),

measured_stages as (
    select distinct pipeline_id, stage_id from measured
),

-- Every step of a pipeline, and stages without a position where deals have been in them.
stages as (
    select
        dim_pipelines.pipeline_id,
        dim_pipelines.pipeline_label,
        dim_pipelines.is_archived as is_archived_pipeline,
        dim_stages.stage_id,
        dim_stages.stage_label,
        dim_stages.stage_position
    from {{ ref('dim_stages') }} as dim_stages
    inner join {{ ref('dim_pipelines') }} as dim_pipelines
        on dim_stages.pipeline_id = dim_pipelines.pipeline_id
    left join measured_stages
        on dim_stages.pipeline_id = measured_stages.pipeline_id
        and dim_stages.stage_id = measured_stages.stage_id
    where (dim_stages.stage_class = 'open' and dim_stages.stage_position is not null)
        or measured_stages.stage_id is not null
),

group_stages as (
    select scope.group_id, scope.group_label, scope.parent_team_id, scope.depth, stages.*
    from (select distinct group_id, pipeline_id from measured) as found
    inner join scope
        on found.group_id = scope.group_id
        and found.pipeline_id = scope.pipeline_id
    inner join stages on found.pipeline_id = stages.pipeline_id
    union
    select 'all', 'all', null, null, stages.*
    from stages
    where group_by = 'none'
        and (pipelines is not null or not is_archived_pipeline)
        and (pipelines is null or pipeline_id in (
            {{ named_ids('pipelines', ref('dim_pipelines'), 'pipeline_id', 'pipeline_label') }}
        ))
),

final as (
    select
        spine.group_id,
        spine.group_label,
        spine.parent_team_id,
        spine.depth,
        buckets.bucket_start,
        buckets.is_last_bucket,
        spine.pipeline_id,
        spine.pipeline_label,
        spine.stage_id,
        spine.stage_label,
        spine.stage_position,
        coalesce(measured.deal_count, 0) as deal_count,
        cast(coalesce(measured.visit_count, 0) as bigint) as visit_count,
        cast(coalesce(measured.total_time_ms, 0) as bigint) as total_time_ms,
        cast(coalesce(measured.latest_time_ms, 0) as bigint) as latest_time_ms,
        coalesce(measured.still_in_stage_count, 0) as still_in_stage_count,
        measured.average_time_ms,
        measured.median_time_ms
    from group_stages as spine
    cross join buckets
    left join measured
        on spine.group_id = measured.group_id
        and buckets.bucket_start = measured.bucket_start
        and spine.pipeline_id = measured.pipeline_id
        and spine.stage_id = measured.stage_id
)

select {{ report_columns() }}
from final
order by {{ report_order('deal_count', then=['pipeline_label', 'pipeline_id', 'stage_position nulls last', 'stage_id']) }}
