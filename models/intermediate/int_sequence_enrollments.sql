-- Enrolments of contacts in sequences: each new value of hs_latest_sequence_enrolled_date, with the
-- sequence as of that version and the window up to the next enrolment (8a).
with property_values as (
    select * from {{ ref('int_sequence_property_values') }}
),

contacts as (
    select * from {{ ref('int_contacts_in_population') }}
),

known_sequences as (
    select * from {{ ref('stg_hubspot__sequences') }}
),

settings as (
    select * from {{ ref('int_run_settings') }}
),

enrolled as (
    select
        contact_id,
        version_number,
        changed_at,
        instant_value as enrolled_at
    from property_values
    where
        property_name = 'hs_latest_sequence_enrolled_date'
        and instant_value is not null
),

-- Without any history of the dates the present values make the one enrolment.
sequences_as_of as (
    select
        enrolled.*,
        case
            when enrolled.changed_at is null then contacts.hs_latest_sequence_enrolled
            else sequences.value
        end as sequence_id,
        row_number() over (
            partition by enrolled.contact_id, enrolled.version_number
            order by coalesce(sequences.version_number, 0) desc
        ) as choice
    from enrolled
    inner join contacts on enrolled.contact_id = contacts.contact_id
    left join property_values as sequences
        on
            enrolled.contact_id = sequences.contact_id
            and sequences.property_name = 'hs_latest_sequence_enrolled'
            and (
                sequences.changed_at <= enrolled.changed_at
                or sequences.changed_at is null
            )
),

numbered as (
    select
        contact_id,
        cast(row_number() over (partition by contact_id order by enrolled_at, version_number) as bigint) as enrollment_number,
        enrolled_at,
        lead(enrolled_at) over (partition by contact_id order by enrolled_at, version_number) as next_enrolled_at,
        sequence_id
    from sequences_as_of
    where choice = 1
),

final as (
    select
        numbered.contact_id,
        numbered.enrollment_number,
        numbered.enrolled_at,
        numbered.next_enrolled_at,
        coalesce(numbered.next_enrolled_at, settings.run_ts) as window_end_at,
        coalesce(numbered.sequence_id, 'none') as sequence_id,
        case
            when numbered.sequence_id is null then '(No sequence)'
            else coalesce(known_sequences.sequence_name, 'Sequence ' || numbered.sequence_id)
        end as sequence_name
    from numbered
    cross join settings
    left join known_sequences on numbered.sequence_id = known_sequences.sequence_id
)

select * from final
