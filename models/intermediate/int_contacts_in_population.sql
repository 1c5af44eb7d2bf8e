{{ config(materialized='view') }}
-- The contacts that reports count (C10, P1).
with

contacts as (
    select * from {{ ref('int_contacts_dated') }}
),

merged as (
    select * from {{ ref('int_contacts_merged') }}
),

settings as (
    select * from {{ ref('int_run_settings') }}
),

final as (
    select contacts.*
    from contacts
    cross join settings
    left join merged on contacts.contact_id = merged.merged_contact_id
    where
        contacts.is_archived is distinct from true
        and contacts.hard_deleted_at is null
        and contacts.merged_into_id is null
        and (contacts.contact_created_at is null or contacts.contact_created_at < settings.run_ts)
        and merged.merged_contact_id is null
)

select * from final
