{{ config(materialized='view') }}
-- What counts as an owner engaging with a contact, among activities (6c): outgoing e-mails and
-- calls of any status, meetings at their start, tasks when they were set to in progress or completed.
with contacts_of_activities as (
    select * from {{ changed(ref('bridge_activity_records'), 'contact_id', columns='record_id') }}
    where record_type = 'contact'
),

activities as (
    select
        contacts_of_activities.record_id as contact_id,
        activities.*
    from {{ ref('fct_activities') }} as activities
    inner join contacts_of_activities
        on activities.activity_type = contacts_of_activities.activity_type
        and activities.activity_id = contacts_of_activities.activity_id
),

task_changes as (
    select * from {{ ref('int_task_status_changes') }}
),

dated as (
    select
        contact_id,
        activity_type,
        activity_id,
        owner_id,
        start_at as engaged_at,
        nullif(outcome_id, 'none') as description
    from activities
    where activity_type = 'meeting'
    union all
    select
        contact_id,
        activity_type,
        activity_id,
        owner_id,
        activity_at as engaged_at,
        status as description
    from activities
    where
        activity_type = 'call'
        or (
            activity_type = 'email'
            and direction = 'EMAIL'
            {%- if var('automated_email_sources') %}
            and coalesce(sent_via, '') not in (
                {%- for source in var('automated_email_sources') %}
                '{{ escape_single_quotes(source) }}'{{ ',' if not loop.last }}
                {%- endfor %}
            )
            {%- endif %}
        )
    union all
    select
        activities.contact_id,
        activities.activity_type,
        activities.activity_id,
        activities.owner_id,
        task_changes.changed_at as engaged_at,
        task_changes.task_status as description
    from activities
    inner join task_changes on activities.activity_id = task_changes.activity_id
    where
        activities.activity_type = 'task'
        and task_changes.task_status in ('IN_PROGRESS', 'COMPLETED')
    union all
    select
        activities.contact_id,
        activities.activity_type,
        activities.activity_id,
        activities.owner_id,
        activities.completed_at as engaged_at,
        activities.status as description
    from activities
    left join task_changes
        on activities.activity_id = task_changes.activity_id and task_changes.version_number = 1
    where
        activities.activity_type = 'task'
        and activities.is_completed
        and task_changes.activity_id is null
),

final as (
    select
        contact_id,
        owner_id,
        engaged_at,
        activity_type as engagement_type,
        activity_id as engagement_id,
        description
    from dated
)

select * from final
