{{ config(materialized=added_up()) }}
with

deals as (
    select * from {{ ref('fct_deals') }}
),

missing_inputs as (
    select * from {{ ref('int_missing_inputs') }}
),

final as (
    select
        close_date,
        source,
        owner_id,
        owner_name,
        team_id,
        team_name,
        pipeline_id,
        pipeline_label,
        count(*) as deal_count,
        cast(coalesce(sum(company_amount), 0) as {{ decimal_type(2) }}) as total_amount
    from deals
    where is_won
        and close_date is not null
        and not exists (select 1 from missing_inputs where report = 'rpt_deal_revenue_by_source')
    group by close_date, source, owner_id, owner_name, team_id, team_name, pipeline_id, pipeline_label
)

select * from final
