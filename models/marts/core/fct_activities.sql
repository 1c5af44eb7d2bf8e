{{ config(materialized='incremental', incremental_strategy='by_key', unique_key=['activity_type', 'activity_id']) }}
with activities as (
    select * from {{ changed(ref('int_activities_in_population'), ['activity_type', 'activity_id']) }}
),

owners as (
    select * from {{ ref('dim_owners') }}
),

settings as (
    select * from {{ ref('int_run_settings') }}
),

final as (
    select
        activities.activity_type,
        activities.activity_id,
        activities.activity_at,
        {{ local_date('activities.activity_at', 'settings.time_zone') }} as activity_date,
        activities.created_at,
        {{ local_date('activities.created_at', 'settings.time_zone') }} as created_date,
        coalesce(activities.owner_id, 'none') as owner_id,
        owners.owner_name,
        owners.team_id,
        owners.team_name,
        case
            when settings.include_personal_data or activities.activity_type not in ('call', 'email')
                then activities.title
        end as title,
        activities.direction,
        activities.status,
        activities.outcome_id,
        activities.outcome_label,
        activities.subtype,
        activities.duration_ms,
        activities.start_at,
        {{ local_date('activities.start_at', 'settings.time_zone') }} as start_date,
        activities.end_at,
        activities.due_at,
        activities.is_completed,
        case when activities.is_completed then activities.completed_at end as completed_at,
        case
            when activities.is_completed
                then {{ local_date('activities.completed_at', 'settings.time_zone') }}
        end as completed_date,
        activities.occurred_at,
        activities.occurred_at is not null and case activities.activity_type
            when 'call' then activities.occurred_at <= settings.run_ts
            when 'meeting' then activities.occurred_at <= settings.run_ts
            when 'task' then activities.is_completed
            when 'email' then activities.is_completed or coalesce(activities.direction, '') = 'INCOMING_EMAIL'
            else false
        end as is_on_timeline,
        activities.activity_type = 'call' and activities.outcome_id in (
            -- HubSpot's own outcome "Connected", whatever its label, and those that the account names (K15).
            'f240bbac-87c9-4f6e-bf70-924b57d47db7'
            {%- for outcome in var('connected_outcomes') %},
            '{{ escape_single_quotes(outcome) }}'
            {%- endfor %}
        ) as is_connected,
        activities.activity_type = 'meeting'
        and activities.outcome_id in ('none', 'SCHEDULED')
        and coalesce(activities.start_at < settings.run_ts, false) as is_past_without_outcome,
        activities.activity_type = 'task'
        and not activities.is_completed
        and coalesce(activities.due_at < settings.run_ts, false) as is_overdue,
        activities.activity_type = 'task'
        and activities.is_completed
        and coalesce(activities.completed_at > activities.due_at, false) as is_completed_late,
        activities.open_count,
        activities.click_count,
        activities.reply_count,
        activities.sent_via
    from activities
    cross join settings
    left join owners on coalesce(activities.owner_id, 'none') = owners.owner_id
)

select * from final
