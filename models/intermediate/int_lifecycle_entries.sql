{{ config(materialized='view') }}
-- Each time a contact entered a lifecycle stage, under the id it then had; without any history, the
-- present stage from the creation on (5b-4).
with survivors as (
    select * from {{ changed(ref('int_contact_survivors'), 'contact_id') }}
),

contacts as (
    select contact_id, lifecyclestage, contact_created_at from {{ ref('int_contacts_dated') }}
),

settings as (
    select * from {{ ref('int_run_settings') }}
),

changes as (
    select * from {{ ref('int_contact_property_changes') }}
    where property_name = 'lifecyclestage'
),

without_history as (
    select
        survivors.contact_id,
        survivors.original_contact_id,
        cast(1 as bigint) as version_number,
        contacts.lifecyclestage as lifecycle_stage,
        contacts.contact_created_at as entered_at
    from survivors
    inner join contacts on survivors.original_contact_id = contacts.contact_id
    left join changes
        on survivors.original_contact_id = changes.contact_id and changes.version_number = 1
    where changes.contact_id is null
),

entries as (
    select
        survivors.contact_id,
        survivors.original_contact_id,
        changes.version_number,
        changes.value as lifecycle_stage,
        changes.changed_at as entered_at
    from survivors
    inner join changes on survivors.original_contact_id = changes.contact_id
    union all
    select * from without_history
),

final as (
    select
        contact_id,
        original_contact_id,
        version_number,
        lifecycle_stage,
        entered_at
    from entries
    cross join settings
    where
        lifecycle_stage is not null
        and entered_at < settings.run_ts
)

select * from final
