{{ config(materialized='view') }}
-- Messages that an owner's user wrote in a chat with a contact (6c), whoever the chat is assigned to.
with chats as (
    select * from {{ ref('int_chat_threads') }}
),

messages as (
    select * from {{ ref('stg_hubspot__conversation_messages') }}
),

owners as (
    select * from {{ ref('stg_hubspot__owners') }}
),

final as (
    select
        chats.contact_id,
        owners.owner_id,
        messages.created_at as engaged_at,
        'chat' as engagement_type,
        chats.thread_id as engagement_id,
        chats.channel_kind as description
    from messages
    inner join chats on messages.thread_id = chats.thread_id
    inner join owners on messages.sender = 'A-' || owners.user_id
    where chats.contact_id is not null
)

select * from final
