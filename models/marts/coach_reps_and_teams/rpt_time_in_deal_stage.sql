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

final as (
    select
        deals.close_date,
        deals.deal_status,
        visits.stage_id,
        visits.stage_label,
        visits.stage_position,
        deals.owner_id,
        deals.owner_name,
        deals.team_id,
        deals.team_name,
        deals.pipeline_id,
        deals.pipeline_label,
        count(distinct visits.deal_id) as deal_count,
        count(*) as visit_count,
        cast(sum(visits.duration_ms) as bigint) as total_time_ms,
        cast(coalesce(sum(case when visits.is_latest_to_stage then visits.duration_ms end), 0) as bigint) as latest_time_ms,
        count(case when visits.is_last_visit then 1 end) as still_in_stage_count
    from visits
    inner join deals on visits.deal_id = deals.deal_id
    where deals.close_date is not null
    group by
        deals.close_date,
        deals.deal_status,
        visits.stage_id,
        visits.stage_label,
        visits.stage_position,
        deals.owner_id,
        deals.owner_name,
        deals.team_id,
        deals.team_name,
        deals.pipeline_id,
        deals.pipeline_label
)

select * from final
