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
),

-- From core for the medians over deals. The latest visit is the latest of those that are let in.
visits as (
    select
        *,
        visit_number = max(visit_number) over (partition by deal_id, stage_id) as is_latest
    from {{ ref('fct_deal_stage_visits') }}
    where is_in_present_pipeline
        and stage_class in ('open', 'unknown')
        and (open_visit = 'run_ts' or not is_open_visit)
        and deal_id in (select deal_id from asked_deals)
),

-- The whole visit goes to the present owner, or each part of it to whoever held the deal then.
owned_visits as (
    select visits.*, fct_deals.owner_id, visits.duration_ms as owned_ms, visits.is_last_visit as is_still_here
    from visits
    inner join {{ ref('fct_deals') }} as fct_deals on visits.deal_id = fct_deals.deal_id
    where owner_basis = 'current'
    union all
    select visits.*, parts.owner_id, parts.duration_ms as owned_ms, visits.is_last_visit and parts.is_last_owner
    from visits
    inner join {{ ref('fct_deal_stage_visit_owners') }} as parts
        on visits.deal_id = parts.deal_id
        and visits.visit_number = parts.visit_number
    where owner_basis = 'as_of'
),

deal_stages as (
    select
        scope.group_id,
        scope.group_label,
        scope.parent_team_id,
        scope.depth,
        buckets.bucket_start,
        fct_deals.pipeline_id,
        owned_visits.stage_id,
        owned_visits.deal_id,
        count(distinct owned_visits.visit_number) as visit_count,
        cast(sum(owned_visits.owned_ms) as bigint) as total_time_ms,
        cast(sum(owned_visits.owned_ms) filter (where owned_visits.is_latest) as bigint) as latest_time_ms,
        case measure when 'latest' then latest_time_ms else total_time_ms end as measured_time_ms,
        bool_or(owned_visits.is_still_here) as is_still_here
    from owned_visits
    inner join {{ ref('fct_deals') }} as fct_deals on owned_visits.deal_id = fct_deals.deal_id
    inner join scope
        on owned_visits.owner_id = scope.owner_id
        and fct_deals.pipeline_id = scope.pipeline_id
    inner join buckets
        on fct_deals.close_date >= buckets.first_day
        and fct_deals.close_date < buckets.end_day
    where {{ has_status('fct_deals') }}
    group by all
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
    where (dim_stages.stage_class = 'open' and dim_stages.stage_position is not null)
        or (dim_stages.pipeline_id, dim_stages.stage_id) in (select pipeline_id, stage_id from deal_stages)
),

group_stages as (
    select deal_stages.group_id, deal_stages.group_label, deal_stages.parent_team_id, deal_stages.depth, stages.*
    from deal_stages
    inner join stages on deal_stages.pipeline_id = stages.pipeline_id
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
        count(deal_stages.deal_id) as deal_count,
        cast(coalesce(sum(deal_stages.visit_count), 0) as bigint) as visit_count,
        cast(coalesce(sum(deal_stages.total_time_ms), 0) as bigint) as total_time_ms,
        cast(coalesce(sum(deal_stages.latest_time_ms), 0) as bigint) as latest_time_ms,
        count(*) filter (where deal_stages.is_still_here) as still_in_stage_count,
        avg(deal_stages.measured_time_ms) as average_time_ms,
        median(cast(deal_stages.measured_time_ms as double)) as median_time_ms
    from group_stages as spine
    cross join buckets
    left join deal_stages
        on spine.group_id = deal_stages.group_id
        and buckets.bucket_start = deal_stages.bucket_start
        and spine.pipeline_id = deal_stages.pipeline_id
        and spine.stage_id = deal_stages.stage_id
    group by all
)

select {{ report_columns() }}
from final
order by {{ report_order('deal_count', then=['pipeline_label', 'pipeline_id', 'stage_position nulls last', 'stage_id']) }}
