-- Days that follow each other within one timestamp count like all others (H7). The first day holds
-- from the creation on (H3, H5): it is what the first change replaced, or what never changed.
{{ config(materialized='incremental', incremental_strategy='by_key', unique_key='deal_id') }}
with

changes as (
    select
        deal_id,
        change_number,
        changed_at,
        category = 'auto_close_date' as is_auto_close_date,
        cast(old_value as date) as old_close_date,
        cast(new_value as date) as new_close_date,
        cast(row_number() over (partition by deal_id order by change_number) as bigint) as step_number
    from {{ changed(ref('fct_deal_changes'), 'deal_id') }}
    where property = 'closedate'
        and category <> 'lapsed'
),

states as (
    select * from {{ changed(ref('fct_deal_states'), 'deal_id') }}
),

first_stages as (
    select
        before_creation.deal_id,
        stages.stage_pipeline_id,
        stages.stage_id
    from {{ changed(ref('int_deal_stages_before_creation'), 'deal_id') }} as before_creation
    inner join {{ ref('int_stage_pairs_resolved') }} as stages
        on before_creation.pipeline_id = stages.pipeline_id
        and before_creation.stage_id = stages.stage_id
),

first_days as (
    select
        states.deal_id,
        cast(0 as bigint) as step_number,
        states.valid_from as set_at,
        case when changes.deal_id is null then states.close_date else changes.old_close_date end as close_date
    from states
    left join changes
        on states.deal_id = changes.deal_id
        and changes.step_number = 1
    where states.state_number = 1
),

days as (
    select deal_id, step_number, set_at, close_date
    from first_days
    union all
    select deal_id, step_number, changed_at as set_at, new_close_date as close_date
    from changes
),

left_days as (
    select
        days.deal_id,
        days.step_number + 1 as day_number,
        days.close_date,
        days.set_at,
        changes.changed_at as left_at,
        changes.new_close_date as next_close_date,
        changes.is_auto_close_date as is_left_by_closing,
        changes.deal_id is null as is_last
    from days
    left join changes
        on days.deal_id = changes.deal_id
        and days.step_number + 1 = changes.step_number
),

-- The stage strictly before the day was left (C1, 15c); a day left at the creation itself finds no state.
final as (
    select
        left_days.deal_id,
        left_days.day_number,
        left_days.close_date,
        left_days.set_at,
        left_days.left_at,
        left_days.next_close_date,
        left_days.is_left_by_closing,
        left_days.is_last,
        coalesce(states.stage_pipeline_id, first_stages.stage_pipeline_id) as stage_pipeline_id,
        coalesce(states.stage_id, first_stages.stage_id) as stage_id
    from left_days
    left join states
        on left_days.deal_id = states.deal_id
        and states.valid_from < left_days.left_at
        and (states.valid_to is null or states.valid_to >= left_days.left_at)
    left join first_stages
        on left_days.deal_id = first_stages.deal_id
        and left_days.left_at is not null
)

select * from final
