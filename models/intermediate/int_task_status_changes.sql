-- Versions of hs_task_status before run_ts (H1), equal neighbours collapsed (H10). The first
-- version always stays, so that a task has rows here exactly when it has any history.
with versions as (
    select * from {{ ref('stg_hubspot__task_property_history') }}
),

settings as (
    select * from {{ ref('int_run_settings') }}
),

ordered as (
    select
        versions.task_id,
        versions.value as task_status,
        versions.changed_at,
        versions.version_sequence,
        lag(versions.value) over (
            partition by versions.task_id
            order by versions.changed_at, versions.version_sequence
        ) as previous_status,
        row_number() over (
            partition by versions.task_id
            order by versions.changed_at, versions.version_sequence
        ) as version_number
    from versions
    cross join settings
    where
        versions.property_name = 'hs_task_status'
        and versions.changed_at < settings.run_ts
),

final as (
    select
        task_id,
        version_number,
        task_status,
        changed_at
    from ordered
    where version_number = 1 or task_status is distinct from previous_status
)

select * from final
