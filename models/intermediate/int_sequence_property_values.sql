{{ config(materialized='incremental', incremental_strategy='by_key', unique_key='contact_id') }}
-- What is known of a contact's sequences: every change of the four properties or, for a property
-- without any history, its present value, which then held all along (H5: changed_at is NULL).
with contacts as (
    select * from {{ changed(ref('int_contacts_in_population'), 'contact_id') }}
),

changes as (
    select * from {{ ref('int_contact_property_changes') }}
    where property_name like 'hs_latest_sequence_%'
),

present as (
    select
        contact_id,
        'hs_latest_sequence_enrolled' as property_name,
        hs_latest_sequence_enrolled as value,
        cast(null as {{ instant_type() }}) as instant_value
    from contacts
    where hs_latest_sequence_enrolled is not null
    {%- for property in ['enrolled', 'finished', 'unenrolled'] %}
    union all
    select
        contact_id,
        'hs_latest_sequence_{{ property }}_date' as property_name,
        cast(null as {{ text_type() }}) as value,
        hs_latest_sequence_{{ property }}_date as instant_value
    from contacts
    where hs_latest_sequence_{{ property }}_date is not null
    {%- endfor %}
),

final as (
    select
        changes.contact_id,
        changes.property_name,
        changes.version_number,
        changes.value,
        changes.instant_value,
        changes.changed_at
    from changes
    inner join contacts on changes.contact_id = contacts.contact_id
    union all
    select
        present.contact_id,
        present.property_name,
        cast(1 as bigint) as version_number,
        present.value,
        present.instant_value,
        cast(null as {{ instant_type() }}) as changed_at
    from present
    left join changes
        on
            present.contact_id = changes.contact_id
            and present.property_name = changes.property_name
            and changes.version_number = 1
    where changes.contact_id is null
)

select * from final
