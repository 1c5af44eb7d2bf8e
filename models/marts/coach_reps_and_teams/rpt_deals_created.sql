{{ config(materialized=added_up()) }}
with

deals as (
    select * from {{ ref('fct_deals') }}
),

final as (
    select
        created_date,
        owner_id,
        owner_name,
        team_id,
        team_name,
        pipeline_id,
        pipeline_label,
        count(*) as deal_count,
        count(company_amount) as deal_with_amount_count,
        cast(coalesce(sum(company_amount), 0) as {{ decimal_type(2) }}) as total_amount
    from deals
    where created_date is not null
    group by created_date, owner_id, owner_name, team_id, team_name, pipeline_id, pipeline_label
)

select * from final
