-- The contacts that reports count (C10, P1), with their creation instant as for deals (H2).
with contacts as (
    select * from {{ ref('stg_hubspot__contacts') }}
),

versions as (
    select * from {{ ref('stg_hubspot__contact_property_history') }}
),

merged as (
    select * from {{ ref('int_contacts_merged') }}
),

settings as (
    select * from {{ ref('int_run_settings') }}
),

undated as (
    select contact_id
    from contacts
    where createdate is null and created_at is null
),

first_versions as (
    select
        versions.contact_id,
        min(versions.changed_at) as first_version_at
    from versions
    inner join undated on versions.contact_id = undated.contact_id
    group by versions.contact_id
),

dated as (
    select
        contacts.*,
        coalesce(contacts.createdate, contacts.created_at, first_versions.first_version_at) as contact_created_at
    from contacts
    left join first_versions on contacts.contact_id = first_versions.contact_id
),

final as (
    select dated.*
    from dated
    cross join settings
    where
        dated.is_archived is not true
        and dated.hard_deleted_at is null
        and dated.merged_into_id is null
        and (dated.contact_created_at is null or dated.contact_created_at < settings.run_ts)
        and not exists (
            select 1
            from merged
            where merged.merged_contact_id = dated.contact_id
        )
)

select * from final
