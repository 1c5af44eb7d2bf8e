-- The contacts that a night computes anew: those of which the source has changed anything since the
-- build before, those of changed owners and chats, those of deals and activities that changed in what is said
-- of contacts, those to which time has come, and all that were merged into one another with them, as they
-- share one history (P2).
with merged as (
    select * from {{ ref('int_contacts_merged') }}
),

changed_records as (
    select * from {{ ref('stg_hubspot__changed_records') }}
),

settings as (
    select * from {{ ref('int_run_settings') }}
),

contacts as (
    select * from {{ ref('stg_hubspot__contacts') }}
),

contacts_by_time as (
    select * from {{ ref('stg_hubspot__contacts') }}
),

versions as (
    select * from {{ ref('stg_hubspot__contact_property_history') }}
),

threads as (
    select * from {{ ref('stg_hubspot__conversation_threads') }}
),

messages as (
    select * from {{ ref('stg_hubspot__conversation_messages') }}
),

-- Once per direction, and contacts once per question: what is read twice, DuckDB first writes down whole.
associations as (
    select * from {{ ref('stg_hubspot__associations') }}
),

associations_back as (
    select * from {{ ref('stg_hubspot__associations') }}
),

records as (
    select activity_type as record_type, activity_id as record_id
    from {{ ref('int_activities_changed') }}
    where concerns_contacts
    union all
    select 'deal' as record_type, deal_id as record_id
    from {{ ref('int_deals_changed') }}
    where concerns_contacts
),

touched as (
    select record_id as contact_id
    from changed_records
    where object_type = 'contact'
    union distinct
    select associations.from_id as contact_id
    from associations
    inner join records
        on associations.to_type = records.record_type
        and associations.to_id = records.record_id
    where associations.from_type = 'contact'
    union distinct
    select associations_back.to_id as contact_id
    from associations_back
    inner join records
        on associations_back.from_type = records.record_type
        and associations_back.from_id = records.record_id
    where associations_back.to_type = 'contact'
    union distinct
    select contacts.contact_id
    from contacts
    inner join changed_records
        on changed_records.object_type = 'owner'
        and contacts.owner_id = changed_records.record_id
    union distinct
    select threads.contact_id
    from threads
    inner join changed_records
        on changed_records.object_type = 'conversation_thread'
        and threads.thread_id = changed_records.record_id
    union distinct
    select threads.contact_id
    from threads
    cross join settings
    left join messages on threads.thread_id = messages.thread_id
    where threads.created_at between settings.follows_run_ts and settings.run_ts
        or messages.created_at between settings.follows_run_ts and settings.run_ts
    union distinct
    select contacts_by_time.contact_id
    from contacts_by_time
    cross join settings
    where contacts_by_time.createdate between settings.follows_run_ts and settings.run_ts
        or contacts_by_time.created_at between settings.follows_run_ts and settings.run_ts
        or contacts_by_time.hs_sa_first_engagement_date between settings.follows_run_ts and settings.run_ts
    union distinct
    select versions.contact_id
    from versions
    cross join settings
    where versions.changed_at between settings.follows_run_ts and settings.run_ts
),

-- Up to those that others were merged into, and down again to all that were merged into these.
survivors as (
    {{ all_reached(
        start='touched', steps='merged', from='merged_contact_id', to='survivor_id', position='contact_id'
    ) | indent }}
),

relatives as (
    {{ all_reached(
        start='survivors', steps='merged', from='survivor_id', to='merged_contact_id', position='contact_id'
    ) | indent }}
),

final as (
    select contact_id
    from relatives
    where contact_id is not null
)

select * from final
