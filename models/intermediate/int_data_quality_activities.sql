-- What is missing on the activities and chats of the population, by the raw column it is about.
with

activities as (
    select * from {{ ref('fct_activities') }}
),

chats as (
    select * from {{ ref('int_chat_threads') }}
),

owners as (
    select * from {{ ref('stg_hubspot__owners') }}
),

settings as (
    select * from {{ ref('int_run_settings') }}
),

records as (
    select
        activities.*,
        activities.activity_type || 's' as table_name,
        activities.owner_id <> 'none' and owners.owner_id is null as has_unknown_owner,
        settings.run_ts
    from activities
    cross join settings
    left join owners on activities.owner_id = owners.owner_id
),

final as (
    select 'no_date' as issue, table_name, 'hs_timestamp' as column_name, activity_id as record_id
    from records
    -- Reports go by a meeting's start, which hs_timestamp only stands in for.
    where activity_at is null and activity_type <> 'meeting'
    union all
    select 'no_date', table_name, 'hs_createdate', activity_id from records
    where created_at is null
    union all
    select 'no_date', table_name, 'hs_meeting_start_time', activity_id from records
    where activity_type = 'meeting' and start_at is null
    union all
    select 'no_date', table_name, 'hs_task_completion_date', activity_id from records
    where activity_type = 'task' and is_completed and completed_at is null
    union all
    select 'no_owner', table_name, 'hubspot_owner_id', activity_id from records
    where owner_id = 'none'
    union all
    select 'unknown_owner', table_name, 'hubspot_owner_id', activity_id from records
    where has_unknown_owner
    union all
    -- 7a
    select 'past_meeting_without_outcome', table_name, 'hs_meeting_outcome', activity_id from records
    where activity_type = 'meeting'
        and outcome_id in ('none', 'SCHEDULED')
        and start_at < run_ts
    union all
    select 'no_owner', 'conversation_threads', 'assigned_to', thread_id from chats
    where assigned_user_id is null
)

select * from final
