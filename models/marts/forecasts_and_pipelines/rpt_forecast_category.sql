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
        forecast_category,
        {{ forecast_category_order('forecast_category') }} as forecast_category_order,
        deal_status,
        owner_id,
        owner_name,
        team_id,
        team_name,
        pipeline_id,
        pipeline_label,
        count(*) as deal_count,
        cast(coalesce(sum(company_amount), 0) as {{ decimal_type(2) }}) as total_amount,
        cast(coalesce(sum(weighted_amount), 0) as {{ decimal_type(2) }}) as weighted_amount,
        cast(coalesce(sum(forecast_amount), 0) as {{ decimal_type(2) }}) as forecast_amount,
        count(case when has_forecast_conflict then 1 end) as conflict_count
    from deals
    where close_date is not null
        and not exists (select 1 from missing_inputs where report = 'rpt_forecast_category')
    group by
        close_date,
        forecast_category,
        deal_status,
        owner_id,
        owner_name,
        team_id,
        team_name,
        pipeline_id,
        pipeline_label
)

select * from final
