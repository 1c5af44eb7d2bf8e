{{ config(materialized=added_up()) }}
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
        count(case when is_won then 1 end) as won_count,
        count(case when is_lost then 1 end) as lost_count,
        cast(coalesce(sum(case when is_won then company_amount end), 0) as {{ decimal_type(2) }}) as won_amount,
        cast(coalesce(sum(case when is_lost then company_amount end), 0) as {{ decimal_type(2) }}) as lost_amount
    from deals
    where is_closed
        and close_date is not null
    group by close_date, owner_id, owner_name, team_id, team_name, pipeline_id, pipeline_label
)

select * from final
