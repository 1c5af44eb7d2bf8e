{{ config(materialized='view') }}
-- Tasks in the columns that all activities share. hs_timestamp is the due date. HubSpot may fill
-- hs_task_completion_date with the due date of an open task, so it is read for completed ones only;
-- after it come the last change to COMPLETED, then updated_at (3a).
with tasks as (
    select * from {{ ref('stg_hubspot__tasks') }}
),

completions as (
    select
        activity_id as task_id,
        max(changed_at) as last_completed_at
    from {{ ref('int_task_status_changes') }}
    where task_status = 'COMPLETED'
    group by activity_id
),

dated as (
    select
        tasks.*,
        coalesce(tasks.hs_task_status, 'NOT_STARTED') as task_status,
        case
            when tasks.hs_task_status = 'COMPLETED'
                then coalesce(tasks.hs_task_completion_date, completions.last_completed_at, tasks.updated_at)
        end as completed_at
    from tasks
    left join completions on tasks.task_id = completions.task_id
),

final as (
    select
        'task' as activity_type,
        task_id as activity_id,
        hs_timestamp as activity_at,
        coalesce(hs_createdate, created_at) as created_at,
        owner_id,
        hs_task_subject as title,
        cast(null as {{ text_type() }}) as direction,
        task_status as status,
        cast(null as {{ text_type() }}) as outcome_id,
        cast(null as {{ text_type() }}) as outcome_label,
        coalesce(hs_task_type, '(No type)') as subtype,
        cast(null as bigint) as duration_ms,
        cast(null as {{ instant_type() }}) as start_at,
        cast(null as {{ instant_type() }}) as end_at,
        hs_timestamp as due_at,
        task_status = 'COMPLETED' as is_completed,
        completed_at,
        completed_at as occurred_at,
        cast(null as bigint) as open_count,
        cast(null as bigint) as click_count,
        cast(null as bigint) as reply_count,
        cast(null as {{ text_type() }}) as sent_via,
        is_archived,
        merged_into_id,
        hard_deleted_at
    from dated
)

select * from final
