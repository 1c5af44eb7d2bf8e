-- What happened between the contact's present owner and the contact because of an enrolment (8a):
-- outgoing e-mails in the window, meetings booked within 30 days of 86,400,000 ms.
with enrollments as (
    select * from {{ ref('int_sequence_enrollments') }}
),

contacts as (
    select * from {{ ref('dim_contacts') }}
),

activities as (
    select * from {{ ref('fct_activities') }}
    where activity_type = 'meeting' or (activity_type = 'email' and direction = 'EMAIL')
),

contacts_of_activities as (
    select * from {{ ref('bridge_activity_records') }}
    where record_type = 'contact'
),

matched as (
    select
        enrollments.contact_id,
        enrollments.enrollment_number,
        enrollments.enrolled_at,
        enrollments.window_end_at,
        activities.activity_type,
        activities.status,
        activities.reply_count,
        case
            when activities.activity_type = 'email' then activities.activity_at else activities.created_at
        end as counted_at
    from enrollments
    inner join contacts on enrollments.contact_id = contacts.contact_id
    inner join contacts_of_activities on enrollments.contact_id = contacts_of_activities.record_id
    inner join activities
        on
            contacts_of_activities.activity_type = activities.activity_type
            and contacts_of_activities.activity_id = activities.activity_id
            and contacts.owner_id = activities.owner_id
),

final as (
    select
        contact_id,
        enrollment_number,
        cast(sum(
            case
                when activity_type = 'email' and coalesce(status, 'SENT') not in ('FAILED', 'SCHEDULED', 'SENDING')
                    then 1
                else 0
            end
        ) as bigint) as email_sent_count,
        max(case when activity_type = 'email' and reply_count > 0 then 1 else 0 end) = 1 as has_reply,
        max(case when activity_type = 'email' and status = 'BOUNCED' then 1 else 0 end) = 1 as has_bounce,
        max(case when activity_type = 'meeting' then 1 else 0 end) = 1 as has_meeting
    from matched
    where
        counted_at >= enrolled_at
        and (
            (activity_type = 'email' and counted_at < window_end_at)
            or (activity_type = 'meeting' and {{ duration_ms('enrolled_at', 'counted_at') }} < 30 * cast(86400000 as bigint))
        )
    group by contact_id, enrollment_number
)

select * from final
