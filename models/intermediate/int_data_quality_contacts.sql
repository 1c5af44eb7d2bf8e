-- What is missing, lost or contradictory about the contacts of the population, by the raw column or
-- property it is about.
{{ config(materialized='incremental', incremental_strategy='by_key', unique_key='contact_id') }}
with

contacts as (
    select * from {{ changed(ref('int_contacts_in_population'), 'contact_id') }}
),

owners as (
    select * from {{ ref('stg_hubspot__owners') }}
),

assignments as (
    select * from {{ changed(ref('int_contact_assignments'), 'contact_id') }}
),

engagements as (
    select * from {{ changed(ref('fct_first_engagements'), 'contact_id') }}
),

gaps as (
    select * from {{ ref('stg_hubspot__history_gaps') }} where table_name = 'contact_property_history'
),

merged as (
    select * from {{ ref('int_contacts_merged') }}
),

found as (
    select 'no_date' as issue, 'contacts' as table_name, 'createdate' as column_name, contact_id
    from contacts
    where contact_created_at is null
    union all
    select 'no_owner', 'contacts', 'hubspot_owner_id', contact_id from contacts
    where owner_id is null
    union all
    select 'unknown_owner', 'contacts', 'hubspot_owner_id', contact_id from contacts
    where owner_id is not null
        and not exists (select 1 from owners where owners.owner_id = contacts.owner_id)
    union all
    -- 6a: nothing says since when the owner has had the contact.
    select 'no_date', 'contacts', 'hubspot_owner_assigneddate', contact_id from contacts
    where owner_id is not null
        and not exists (select 1 from assignments where assignments.contact_id = contacts.contact_id)
    union all
    -- 6b
    select 'stored_value_differs', 'contacts', 'hs_time_to_first_engagement', contact_id from engagements
    where differs_from_stored
    union all
    select 'truncated_history', 'contact_property_history', gaps.property_name, gaps.object_id
    from gaps
    inner join contacts on gaps.object_id = contacts.contact_id
    where gaps.gap_to > contacts.contact_created_at
    union all
    select 'merged', 'contact_property_history', 'lifecyclestage', contacts.contact_id
    from contacts
    inner join merged on contacts.contact_id = merged.survivor_id
),

final as (
    select
        issue,
        table_name,
        column_name,
        contact_id
    from found
    group by issue, table_name, column_name, contact_id
)

select * from final
