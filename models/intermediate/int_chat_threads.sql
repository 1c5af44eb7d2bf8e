{{ config(materialized='view') }}
-- Conversation threads that count as chats: the original channel is live chat or Facebook
-- Messenger, neither spam nor archived (2, 2a).
with threads as (
    select * from {{ ref('stg_hubspot__conversation_threads') }}
),

channels as (
    select * from {{ ref('stg_hubspot__conversation_channels') }}
),

settings as (
    select * from {{ ref('int_run_settings') }}
),

final as (
    select
        threads.thread_id,
        threads.created_at,
        threads.closed_at,
        coalesce(threads.status, 'OPEN') as status,
        threads.contact_id,
        channels.channel_kind,
        -- Actors are 'A-<user id>' for agents; bots and the system have other letters.
        case when threads.assigned_to like 'A-_%' then substr(threads.assigned_to, 3) end as assigned_user_id
    from threads
    inner join channels on threads.original_channel_id = channels.channel_id
    cross join settings
    where
        channels.channel_kind in ('LIVE_CHAT', 'FB_MESSENGER')
        and threads.is_spam is distinct from true
        and threads.is_archived is distinct from true
        and threads.merged_into_id is null
        and threads.hard_deleted_at is null
        and (threads.created_at is null or threads.created_at < settings.run_ts)
)

select * from final
