{{ config(materialized='incremental', incremental_strategy='by_key', unique_key='deal_id') }}
with

periods as (
    select * from {{ ref('dim_periods') }}
),

stages as (
    select * from {{ ref('dim_stages') }}
),

windows as (
    select
        period_id as window_id,
        period_start as frame_from,
        period_end as frame_to
    from periods
),

pushed_deals as (
    {{ deal_push_rate('windows', close_days=changed(ref('fct_deal_close_days'), 'deal_id')) }}
),

final as (
    select
        periods.period_grain,
        periods.period_start,
        pushed_deals.deal_id,
        stages.pipeline_id as stage_pipeline_id,
        stages.stage_id,
        stages.stage_label,
        {%- for measure in deal_push_rate_counts() %}
        cast(pushed_deals.{{ measure }} as bigint) as {{ measure }},
        {%- endfor %}
        cast(pushed_deals.pushed_amount as {{ decimal_type(2) }}) as pushed_amount
    from pushed_deals
    inner join periods on pushed_deals.window_id = periods.period_id
    inner join stages
        on pushed_deals.stage_pipeline_id = stages.pipeline_id
        and pushed_deals.stage_id = stages.stage_id
)

select * from final
