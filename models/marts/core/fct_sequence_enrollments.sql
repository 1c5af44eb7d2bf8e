with enrollments as (
    select * from {{ ref('int_sequence_enrollments') }}
),

ended as (
    select * from {{ ref('int_sequence_enrollments_ended') }}
),

answered as (
    select * from {{ ref('int_sequence_enrollments_answered') }}
),

contacts as (
    select * from {{ ref('dim_contacts') }}
),

settings as (
    select * from {{ ref('int_run_settings') }}
),

final as (
    select
        enrollments.contact_id,
        enrollments.enrollment_number,
        enrollments.enrolled_at,
        {{ local_date('enrollments.enrolled_at', 'settings.time_zone') }} as enrolled_date,
        enrollments.window_end_at,
        enrollments.sequence_id,
        enrollments.sequence_name,
        contacts.owner_id,
        contacts.owner_name,
        contacts.team_id,
        contacts.team_name,
        case
            when ended.is_finished then 'finished'
            when ended.is_unenrolled or enrollments.next_enrolled_at is not null then 'unenrolled'
            else 'active'
        end as status,
        coalesce(answered.email_sent_count, 0) as email_sent_count,
        coalesce(answered.has_reply, false) as has_reply,
        coalesce(answered.has_bounce, false) as has_bounce,
        coalesce(answered.has_meeting, false) as has_meeting
    from enrollments
    inner join contacts on enrollments.contact_id = contacts.contact_id
    left join ended
        on
            enrollments.contact_id = ended.contact_id
            and enrollments.enrollment_number = ended.enrollment_number
    left join answered
        on
            enrollments.contact_id = answered.contact_id
            and enrollments.enrollment_number = answered.enrollment_number
    cross join settings
)

select * from final
