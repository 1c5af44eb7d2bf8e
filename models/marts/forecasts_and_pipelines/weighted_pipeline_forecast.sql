{{ report_function(
    group_by=['stage', 'pipeline'],
    arguments={
        'probability': ['deal', 'stage'],
        'status': ['all', 'open', 'won', 'lost', 'closed'],
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

-- From core, because the mart knows the deal's own probability only.
deals as (
    select
        scope.* replace (
            case group_by when 'stage' then fct_deals.stage_id else scope.group_id end as group_id,
            case group_by when 'stage' then fct_deals.stage_label else scope.group_label end as group_label
        ),
        buckets.bucket_start,
        fct_deals.deal_id,
        fct_deals.pipeline_label,
        fct_deals.stage_id,
        fct_deals.stage_label,
        fct_deals.stage_position,
        fct_deals.probability_by_stage as stage_probability,
        fct_deals.deal_status,
        fct_deals.company_amount,
        case probability when 'stage' then fct_deals.weighted_amount_by_stage else fct_deals.weighted_amount end as weighted_amount
    from {{ ref('fct_deals') }} as fct_deals
    inner join scope
        on fct_deals.owner_id = scope.owner_id
        and fct_deals.pipeline_id = scope.pipeline_id
    inner join buckets
        on fct_deals.close_date >= buckets.first_day
        and fct_deals.close_date < buckets.end_day
    where {{ has_status('fct_deals') }}
),

-- The stages of each pipeline in the settings: zeros where no deal is in one.
configured_stages as (
    select
        dim_stages.pipeline_id,
        dim_stages.pipeline_label,
        dim_stages.stage_id,
        dim_stages.stage_label,
        dim_stages.stage_position,
        {{ deal_probability('dim_stages.stage_class', 'null', 'dim_stages.probability') }} as stage_probability,
        case when dim_stages.stage_class in ('won', 'lost') then dim_stages.stage_class else 'open' end as deal_status
    from {{ ref('dim_stages') }} as dim_stages
    where dim_stages.is_known and not dim_stages.is_archived
),

group_pipelines as (
    select distinct group_id, group_label, parent_team_id, depth, pipeline_id from deals
    union
    select 'all', 'all', null, null, pipeline_id
    from {{ ref('dim_pipelines') }}
    where group_by = 'none'
        and (pipelines is not null or not is_archived)
        and (pipelines is null or pipeline_id in (
            {{ named_ids('pipelines', ref('dim_pipelines'), 'pipeline_id', 'pipeline_label') }}
        ))
),

group_stages as (
    select group_pipelines.*, configured_stages.* exclude (pipeline_id)
    from group_pipelines
    inner join configured_stages on group_pipelines.pipeline_id = configured_stages.pipeline_id
    where (group_by <> 'stage' or configured_stages.stage_id = group_pipelines.group_id)
        and {{ has_status('configured_stages') }}
    union
    select
        group_id,
        group_label,
        parent_team_id,
        depth,
        pipeline_id,
        pipeline_label,
        stage_id,
        stage_label,
        stage_position,
        stage_probability,
        deal_status
    from deals
),

spine as (
    select
        group_stages.group_id,
        group_stages.group_label,
        group_stages.parent_team_id,
        group_stages.depth,
        buckets.bucket_start,
        group_stages.* exclude (group_id, group_label, parent_team_id, depth),
        buckets.is_last_bucket
    from group_stages
    cross join buckets
),

final as (
    select
        spine.*,
        count(deals.deal_id) as deal_count,
        coalesce(sum(deals.company_amount), 0) as total_amount,
        coalesce(sum(deals.weighted_amount), 0) as weighted_amount,
        coalesce(sum(deals.weighted_amount) filter (where deals.deal_status = 'open'), 0) as weighted_open_amount,
        coalesce(sum(deals.company_amount) filter (where deals.deal_status = 'won'), 0) as won_amount
    from spine
    left join deals
        on spine.group_id = deals.group_id
        and spine.bucket_start = deals.bucket_start
        and spine.pipeline_id = deals.pipeline_id
        and spine.stage_id = deals.stage_id
    group by all
)

select {{ report_columns() }}
from final
order by {{ report_order('deal_count', then=['pipeline_label', 'pipeline_id', 'stage_position nulls last', 'stage_label', 'stage_id']) }}
