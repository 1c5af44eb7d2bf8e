-- Every version counts here, also several at one timestamp: a stage passed in the same second was
-- visited, for no time at all (H7, 11b).
{{ config(
    materialized='incremental',
    incremental_strategy='by_key',
    unique_key='deal_id',
    post_hook="{{ visits_to_now(this) if is_in_a_night() else '' }}",
) }}
{% set entries_in_order = '(partition by entries.deal_id order by entries.entry_number)' -%}
{% set visits_in_order = '(partition by deal_id order by entry_number)' -%}
with

entries as (
    select * from {{ changed(ref('int_deal_stage_entries'), 'deal_id') }}
),

histories as (
    select * from {{ changed(ref('int_deal_histories'), 'deal_id') }}
),

deals as (
    select * from {{ changed(ref('int_deals_in_population'), 'deal_id') }}
),

stages as (
    select * from {{ ref('int_stage_pairs_resolved') }}
),

settings as (
    select * from {{ ref('int_run_settings') }}
),

-- The first visit starts at the first stage version, not at the creation (11b).
placed as (
    select
        entries.deal_id,
        entries.entry_number,
        entries.entered_at,
        entries.stage_id,
        stages.stage_pipeline_id,
        stages.stage_label,
        stages.stage_class,
        stages.stage_position,
        lag(entries.stage_id) over {{ entries_in_order }} as previous_stage_id,
        lag(stages.stage_pipeline_id) over {{ entries_in_order }} as previous_pipeline_id
    from entries
    inner join histories on entries.deal_id = histories.deal_id
    inner join stages
        on entries.pipeline_id = stages.pipeline_id
        and entries.stage_id = stages.stage_id
    where entries.entered_at >= histories.first_stage_at
),

visits as (
    select
        *,
        cast(row_number() over {{ visits_in_order }} as bigint) as visit_number,
        lead(entered_at) over {{ visits_in_order }} as exited_at,
        lead(entry_number) over {{ visits_in_order }} is null as is_last_visit,
        lead(entry_number) over (
            partition by deal_id, stage_pipeline_id, stage_id order by entry_number
        ) is null as is_latest_to_stage
    from placed
    where previous_stage_id is null
        or stage_id <> previous_stage_id
        or stage_pipeline_id <> previous_pipeline_id
),

final as (
    select
        visits.deal_id,
        visits.visit_number,
        visits.stage_pipeline_id as pipeline_id,
        visits.stage_id,
        visits.stage_label,
        visits.stage_class,
        visits.stage_position,
        visits.entered_at,
        visits.exited_at,
        {{ duration_ms('visits.entered_at', 'coalesce(visits.exited_at, settings.run_ts)') }} as duration_ms,
        visits.is_last_visit as is_open_visit,
        visits.is_last_visit,
        visits.is_latest_to_stage,
        visits.stage_pipeline_id = coalesce(deals.pipeline_id, 'none') as is_in_present_pipeline
    from visits
    inner join deals on visits.deal_id = deals.deal_id
    cross join settings
)

select * from final
