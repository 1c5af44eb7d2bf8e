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
        count(case when status = 'active' then 1 end) as active_count,
        count(case when status = 'finished' then 1 end) as finished_count,
        count(case when status = 'unenrolled' then 1 end) as unenrolled_count,
        cast(sum(email_sent_count) as bigint) as email_sent_count,
        count(case when has_reply then 1 end) as replied_count,
        count(case when has_bounce then 1 end) as bounced_count,
        count(case when has_meeting then 1 end) as meeting_booked_count
    from enrollments
    where not exists (select 1 from missing_inputs where report = 'rpt_prospecting_sequences')
    group by enrolled_date, sequence_id, sequence_name, owner_id, owner_name, team_id, team_name
)

select * from final
