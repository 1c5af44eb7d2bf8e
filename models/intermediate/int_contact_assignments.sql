{{ config(materialized='incremental', incremental_strategy='by_key', unique_key='contact_id') }}
-- When the present owner of a contact was assigned: the last time the owner value became that
-- owner; without such a version, HubSpot's own date. Saving the same owner again starts nothing;
-- A to B and back to A starts at the second A (6a).
with contacts as (
    select * from {{ changed(ref('int_contacts_in_population'), 'contact_id') }}
),

last_changes as (
    select
        contact_id,
        value as owner_id,
        max(changed_at) as changed_at
    from {{ ref('int_contact_property_changes') }}
    where property_name = 'hubspot_owner_id'
    group by contact_id, value
),

assigned as (
    select
        contacts.contact_id,
        contacts.owner_id,
        coalesce(last_changes.changed_at, contacts.hubspot_owner_assigneddate) as assigned_at
    from contacts
    left join last_changes
        on contacts.contact_id = last_changes.contact_id and contacts.owner_id = last_changes.owner_id
    where contacts.owner_id is not null
),

final as (
    select
        contact_id,
        owner_id,
        assigned_at
    from assigned
    where assigned_at is not null
)

select * from final
