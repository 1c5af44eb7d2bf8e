with chats as (
    select * from {{ ref('int_chat_threads') }}
),

users as (
    select * from {{ ref('int_users_mapped_to_owners') }}
),

owners as (
    select * from {{ ref('dim_owners') }}
),

settings as (
    select * from {{ ref('int_run_settings') }}
),

assigned as (
    select
        chats.*,
        coalesce(users.owner_id, 'user:' || chats.assigned_user_id, 'none') as owner_id
    from chats
    left join users on chats.assigned_user_id = users.user_id
),

final as (
    select
        assigned.thread_id,
        assigned.created_at,
        {{ local_date('assigned.created_at', 'settings.time_zone') }} as created_date,
        assigned.closed_at,
        case assigned.channel_kind
            when 'LIVE_CHAT' then 'live_chat'
            when 'FB_MESSENGER' then 'facebook_messenger'
        end as channel,
        assigned.status,
        assigned.status = 'CLOSED' as is_closed,
        assigned.contact_id,
        assigned.owner_id,
        owners.owner_name,
        owners.team_id,
        owners.team_name
    from assigned
    cross join settings
    left join owners on assigned.owner_id = owners.owner_id
)

select * from final
