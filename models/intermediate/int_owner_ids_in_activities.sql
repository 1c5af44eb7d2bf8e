-- Every owner that activities, contacts, companies, leads, chats or goals name, so that
-- dim_owners has a row for each: also for owners the account no longer lists (P7) and for users
-- without an owner, as 'user:<id>' (P8).
with users as (
    select * from {{ ref('int_users_mapped_to_owners') }}
),

named_owners as (
    {% for table in ['calls', 'meetings', 'tasks', 'emails', 'notes', 'communications', 'contacts', 'companies', 'leads'] -%}
    select owner_id from {{ ref('stg_hubspot__' ~ table) }}
    union distinct
    {% endfor -%}
    select value as owner_id
    from {{ ref('stg_hubspot__contact_property_history') }}
    where property_name = 'hubspot_owner_id'
),

named_users as (
    select substr(assigned_to, 3) as user_id
    from {{ ref('stg_hubspot__conversation_threads') }}
    where assigned_to like 'A-%'
    union distinct
    select hs_assignee_user_id as user_id
    from {{ ref('stg_hubspot__goal_targets') }}
),

final as (
    select
        owner_id,
        cast(null as {{ text_type() }}) as user_id
    from named_owners
    where owner_id is not null
    union all
    select
        'user:' || named_users.user_id as owner_id,
        named_users.user_id
    from named_users
    left join users on named_users.user_id = users.user_id
    where
        named_users.user_id <> ''
        and users.user_id is null
)

select * from final
