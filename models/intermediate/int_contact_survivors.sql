{{ config(materialized='view') }}
{# The recursion ends on cycles too: union keeps each pair once. #}
-- Every contact id whose history belongs to a contact of the population: its own, and those of all
-- contacts merged into it, directly or through another one (P2).
with recursive merged as (
    select * from {{ ref('int_contacts_merged') }}
),

contacts as (
    select contact_id from {{ ref('int_contacts_in_population') }}
),

followed as (
    select
        merged_contact_id as original_contact_id,
        survivor_id
    from merged
    union
    select
        followed.original_contact_id,
        merged.survivor_id
    from followed
    inner join merged on followed.survivor_id = merged.merged_contact_id
),

final as (
    select
        contact_id as original_contact_id,
        contact_id
    from contacts
    union all
    select
        followed.original_contact_id,
        contacts.contact_id
    from followed
    inner join contacts on followed.survivor_id = contacts.contact_id
)

select * from final
