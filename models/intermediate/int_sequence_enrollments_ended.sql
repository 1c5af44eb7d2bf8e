-- Whether HubSpot noted a finish or an unenrolment inside the window of an enrolment (8a).
with enrollments as (
    select * from {{ ref('int_sequence_enrollments') }}
),

endings as (
    select * from {{ ref('int_sequence_property_values') }}
    where property_name in ('hs_latest_sequence_finished_date', 'hs_latest_sequence_unenrolled_date')
),

final as (
    select
        enrollments.contact_id,
        enrollments.enrollment_number,
        max(case when endings.property_name = 'hs_latest_sequence_finished_date' then 1 else 0 end) = 1 as is_finished,
        max(case when endings.property_name = 'hs_latest_sequence_unenrolled_date' then 1 else 0 end) = 1 as is_unenrolled
    from enrollments
    inner join endings
        on
            enrollments.contact_id = endings.contact_id
            and endings.instant_value >= enrollments.enrolled_at
            and endings.instant_value < enrollments.window_end_at
    group by enrollments.contact_id, enrollments.enrollment_number
)

select * from final
