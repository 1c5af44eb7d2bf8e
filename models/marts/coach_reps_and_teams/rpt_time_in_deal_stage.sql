with

deals as (
    select * from {{ ref('fct_deals') }}
),

-- Closed stages would grow for ever; visits elsewhere belong to a pipeline that the deal has left (11b).
visits as (
    select *
    from {{ ref('fct_deal_stage_visits') }}
    where is_in_present_pipeline
        and stage_class in ('open', 'unknown')
),

-- A deal's visits to a stage first: it counts once, and DuckDB computes a count of distinct values beside sums
-- in two passes that it joins by all keys.
stays as (
    select
        deal_id,
        stage_id,
        stage_label,
        stage_position,
        count(*) as visit_count,
        sum(duration_ms) as total_time_ms,
        coalesce(sum(case when is_latest_to_stage then duration_ms end), 0) as latest_time_ms,
        count(case when is_last_visit then 1 end) as still_in_stage_count
    from visits
    group by deal_id, stage_id, stage_label, stage_position
),

final as (
    select
        deals.close_date,
        deals.deal_status,
        stays.stage_id,
        stays.stage_label,
        stays.stage_position,
        deals.owner_id,
        deals.owner_name,
        deals.team_id,
        deals.team_name,
        deals.pipeline_id,
        deals.pipeline_label,
        count(*) as deal_count,
        cast(sum(stays.visit_count) as bigint) as visit_count,
        cast(sum(stays.total_time_ms) as bigint) as total_time_ms,
        cast(sum(stays.latest_time_ms) as bigint) as latest_time_ms,
        cast(sum(stays.still_in_stage_count) as bigint) as still_in_stage_count
    from stays
    inner join deals on stays.deal_id = deals.deal_id
    where deals.close_date is not null
    group by
        deals.close_date,
        deals.deal_status,
        stays.stage_id,
        stays.stage_label,
        stays.stage_position,
        deals.owner_id,
        deals.owner_name,
        deals.team_id,
        deals.team_name,
        deals.pipeline_id,
        deals.pipeline_label
)

select * from final
