-- The waterfall of every standard period, deal by deal: change period = close-date period = the
-- period, from that of the first creation to the running one, which ends at run_ts (14b).
{{ config(materialized='incremental', incremental_strategy='by_key', unique_key='deal_id') }}
with

periods as (
    select * from {{ ref('dim_periods') }}
),

settings as (
    select * from {{ ref('int_run_settings') }}
),

first_creation as (
    select min(deal_created_at) as created_at from {{ ref('int_deal_histories') }}
),

windows as (
    select
        periods.period_id as window_id,
        periods.begin_at,
        least(periods.end_at, settings.run_ts) as end_at,
        periods.period_start as due_from,
        periods.period_end as due_to,
        settings.time_zone
    from periods
    cross join settings
    inner join first_creation on periods.end_at > first_creation.created_at
    where periods.begin_at <= settings.run_ts
),

lines as (
    {{ deal_pipeline_waterfall(
        'windows',
        states=changed(ref('fct_deal_states'), 'deal_id'),
        closings=changed(ref('fct_deal_closings'), 'deal_id'),
    ) }}
),

final as (
    select
        periods.period_grain,
        periods.period_start,
        lines.deal_id,
        lines.category,
        lines.sub_type,
        lines.amount
    from lines
    inner join periods on lines.window_id = periods.period_id
)

select * from final
