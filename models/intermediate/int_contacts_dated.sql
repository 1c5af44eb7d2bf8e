{{ config(materialized='view') }}
-- Every contact with its creation instant as for deals (H2): what is stored, else its first version of
-- any property before run_ts (H1).
with

contacts as (
    select * from {{ ref('stg_hubspot__contacts') }}
),

versions as (
    select * from {{ ref('stg_hubspot__contact_property_history') }}
),

settings as (
    select * from {{ ref('int_run_settings') }}
),

undated as (
    select contact_id
    from {{ ref('stg_hubspot__contacts') }}
    where createdate is null and created_at is null
),

-- Without a condition on run_ts, so that engines see at once where nobody is undated.
first_versions as (
    select
        versions.contact_id,
        min(versions.changed_at) as first_version_at
    from versions
    inner join undated on versions.contact_id = undated.contact_id
    group by versions.contact_id
),

final as (
    select
        contacts.*,
        coalesce(
            contacts.createdate,
            contacts.created_at,
            case when first_versions.first_version_at < settings.run_ts then first_versions.first_version_at end
        ) as contact_created_at
    from contacts
    cross join settings
    left join first_versions on contacts.contact_id = first_versions.contact_id
)

select * from final
