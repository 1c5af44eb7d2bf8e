{{ config(materialized='view') }}
-- Every contact id whose history belongs to a contact of the population: its own, and those of all
-- contacts merged into it, directly or through another one (P2).
with merged as (
    select * from {{ ref('int_contacts_merged') }}
),

contacts as (
    select contact_id from {{ ref('int_contacts_in_population') }}
),

followed as (
    {{ all_reached(
        start='merged', steps='merged', from='merged_contact_id', to='survivor_id',
        position='survivor_id', carried='merged_contact_id'
    ) | indent }}
),

final as (
    select
        contact_id as original_contact_id,
        contact_id
    from contacts
    union all
    select
        followed.merged_contact_id,
        contacts.contact_id
    from followed
    inner join contacts on followed.survivor_id = contacts.contact_id
)

select * from final
