{{ config(materialized=added_up()) }}
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
        count(case when is_valid_cycle then 1 end) as deal_count,
        count(case when not is_valid_cycle then 1 end) as excluded_count,
        cast(coalesce(sum(case when is_valid_cycle then cycle_ms end), 0) as bigint) as days_to_close_ms
    from deals
    where is_closed
        and close_date is not null
    group by close_date, deal_status, owner_id, owner_name, team_id, team_name, pipeline_id, pipeline_label
)

select * from final
