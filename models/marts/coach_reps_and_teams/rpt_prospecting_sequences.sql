with

enrollments as (
    select * from {{ ref('fct_sequence_enrollments') }}
),

missing_inputs as (
    select * from {{ ref('int_missing_inputs') }}
),

final as (
    select
        enrolled_date,
        sequence_id,
        sequence_name,
        owner_id,
        owner_name,
        team_id,
        team_name,
        count(*) as enrollment_count,
        count(distinct contact_id) as contact_count,
        count(*) filter (where status = 'active') as active_count,
        count(*) filter (where status = 'finished') as finished_count,
        count(*) filter (where status = 'unenrolled') as unenrolled_count,
        cast(sum(email_sent_count) as bigint) as email_sent_count,
        count(*) filter (where has_reply) as replied_count,
        count(*) filter (where has_bounce) as bounced_count,
        count(*) filter (where has_meeting) as meeting_booked_count
    from enrollments
    where not exists (select 1 from missing_inputs where report = 'rpt_prospecting_sequences')
    group by enrolled_date, sequence_id, sequence_name, owner_id, owner_name, team_id, team_name
)

select * from final
