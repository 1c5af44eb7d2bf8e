with

deals as (
    select * from {{ ref('fct_deals') }}
),

final as (
    select
        close_date,
        owner_id,
        owner_name,
        team_id,
        team_name,
        pipeline_id,
        pipeline_label,
        count(*) as closed_count,
        count(*) filter (where is_won) as won_count,
        count(company_amount) filter (where is_won) as won_with_amount_count,
        cast(coalesce(sum(company_amount) filter (where is_won), 0) as decimal(38, 2)) as won_amount,
        count(*) filter (where is_won and is_valid_cycle) as valid_won_count,
        cast(coalesce(sum(cycle_ms) filter (where is_won and is_valid_cycle), 0) as bigint) as days_to_win_ms
    from deals
    where is_closed
        and close_date is not null
    group by close_date, owner_id, owner_name, team_id, team_name, pipeline_id, pipeline_label
)

select * from final
