-- The contacts that a night computes anew: those of which the source has changed anything since the
-- build before, those that others were merged into, those of changed deals, activities, threads and
-- owners, and those to which time has come.
with

records as (
    select * from {{ ref('stg_hubspot__changed_records') }}
),

activities as (
    select activity_type as object_type, activity_id as record_id from {{ ref('int_activities_changed') }}
    union
    select object_type, record_id from records where object_type = 'deal'
),

associations as (
    select from_id as contact_id, to_type as record_type, to_id as record_id
    from {{ ref('stg_hubspot__associations') }}
    where from_type = 'contact'
    union all
    select to_id as contact_id, from_type as record_type, from_id as record_id
    from {{ ref('stg_hubspot__associations') }}
    where to_type = 'contact'
),

contacts as (
    select * from {{ ref('stg_hubspot__contacts') }}
),

versions as (
    select * from {{ ref('stg_hubspot__contact_property_history') }}
),

threads as (
    select * from {{ ref('stg_hubspot__conversation_threads') }}
),

settings as (
    select * from {{ ref('int_run_settings') }}
),

touched as (
    select record_id as contact_id
    from records
    where object_type = 'contact'
    union
    select associations.contact_id
    from associations
    inner join activities
        on associations.record_type = activities.object_type
        and associations.record_id = activities.record_id
    union
    select threads.contact_id
    from threads
    inner join records on threads.thread_id = records.record_id
    where records.object_type = 'conversation_thread'
    union
    select contacts.contact_id
    from contacts
    inner join records on contacts.owner_id = records.record_id
    where records.object_type = 'owner'
    union
    select contacts.contact_id
    from contacts
    inner join settings
        on coalesce(contacts.createdate, contacts.created_at)
        between settings.follows_run_ts and settings.run_ts
    union
    select versions.contact_id
    from versions
    inner join settings on versions.changed_at between settings.follows_run_ts and settings.run_ts
),

survivors as (
    select merged.survivor_id as contact_id
    from {{ ref('int_contacts_merged') }} as merged
    inner join touched on merged.merged_contact_id = touched.contact_id
),

final as (
    select contact_id from touched where contact_id is not null
    union
    select contact_id from survivors
)

select * from final
