{{ config(materialized='incremental', incremental_strategy='by_key', unique_key=['activity_type', 'activity_id']) }}
-- Versions of hs_task_status before run_ts (H1), equal neighbours collapsed (H10). The first
-- version always stays, so that a task has rows here exactly when it has any history.
with all_versions as (
    select
        'task' as activity_type,
        task_id as activity_id,
        value as task_status,
        changed_at,
        version_sequence
    from {{ ref('stg_hubspot__task_property_history') }}
    where property_name = 'hs_task_status'
),

versions as (
    select * from {{ changed('all_versions', ['activity_type', 'activity_id']) }}
),

settings as (
    select * from {{ ref('int_run_settings') }}
),

ordered as (
    select
        versions.*,
        lag(versions.task_status) over (
            partition by versions.activity_id
            order by versions.changed_at, versions.version_sequence
        ) as previous_status,
        row_number() over (
            partition by versions.activity_id
            order by versions.changed_at, versions.version_sequence
        ) as version_number
    from versions
    cross join settings
    where versions.changed_at < settings.run_ts
),

final as (
    select
        activity_type,
        activity_id,
        version_number,
        task_status,
        changed_at
    from ordered
    where version_number = 1 or task_status is distinct from previous_status
)

select * from final
