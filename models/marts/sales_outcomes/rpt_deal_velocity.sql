with

deals as (
    select * from {{ ref('fct_deals') }}
),

final as (
    select
        close_date,
        deal_status,
        owner_id,
        owner_name,
        team_id,
        team_name,
        pipeline_id,
        pipeline_label,
        count(*) filter (where is_valid_cycle) as deal_count,
        count(*) filter (where not is_valid_cycle) as excluded_count,
        cast(coalesce(sum(cycle_ms) filter (where is_valid_cycle), 0) as bigint) as days_to_close_ms
    from deals
    where is_closed
        and close_date is not null
    group by close_date, deal_status, owner_id, owner_name, team_id, team_name, pipeline_id, pipeline_label
)

select * from final
