-- By the as-of state: a deal that is won and lost within one timestamp shows only what came last (H7),
-- and won to another won stage is no new closing (14f).
{{ config(materialized='incremental', incremental_strategy='by_key', unique_key='deal_id') }}
with

states as (
    select * from {{ changed(ref('fct_deal_states'), 'deal_id') }}
),

settings as (
    select * from {{ ref('int_run_settings') }}
),

followed as (
    select
        deal_id,
        valid_from,
        deal_status,
        lag(deal_status) over (partition by deal_id order by valid_from) as previous_status
    from states
),

status_changes as (
    select
        *,
        lead(valid_from) over (partition by deal_id order by valid_from) as next_change_at
    from followed
    where previous_status is null or previous_status <> deal_status
),

final as (
    select
        status_changes.deal_id,
        status_changes.valid_from as closed_at,
        {{ local_date('status_changes.valid_from', 'settings.time_zone') }} as closed_date,
        status_changes.deal_status,
        status_changes.previous_status,
        status_changes.next_change_at as ended_at
    from status_changes
    cross join settings
    where status_changes.deal_status in ('won', 'lost')
)

select * from final
