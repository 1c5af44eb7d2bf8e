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
        count(*) filter (where is_won) as won_count,
        count(*) filter (where is_lost) as lost_count,
        cast(coalesce(sum(company_amount) filter (where is_won), 0) as decimal(38, 2)) as won_amount,
        cast(coalesce(sum(company_amount) filter (where is_lost), 0) as decimal(38, 2)) as lost_amount
    from deals
    where is_closed
        and close_date is not null
    group by close_date, owner_id, owner_name, team_id, team_name, pipeline_id, pipeline_label
)

select * from final
