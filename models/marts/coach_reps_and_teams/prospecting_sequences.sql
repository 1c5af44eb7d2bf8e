{{ report_function(
    group_by=['sequence'],
    arguments={
        'sequences': none,
    },
    has_pipelines=false,
) }}

with

request as materialized (
    {{ report_request(names={
        'sequences': [ref('rpt_prospecting_sequences'), 'sequence_id', 'sequence_name'],
    }) }}
),

buckets as (
    select buckets.*
    from request
    cross join {{ report_buckets() }} as buckets
),

scope as (
    select * from {{ report_scope() }}
),

asked_sequences as (
    {{ named_ids('sequences', ref('rpt_prospecting_sequences'), 'sequence_id', 'sequence_name') }}
),

-- From core, because a contact is counted once over the whole range.
enrollments as (
    select
        scope.* exclude (group_id, group_label),
        case group_by when 'sequence' then facts.sequence_id else scope.group_id end as group_id,
        case group_by when 'sequence' then facts.sequence_name else scope.group_label end as group_label,
        buckets.bucket_start,
        facts.contact_id,
        facts.sequence_id,
        facts.sequence_name,
        facts.status,
        facts.email_sent_count,
        facts.has_reply,
        facts.has_bounce,
        facts.has_meeting
    from {{ ref('fct_sequence_enrollments') }} as facts
    inner join scope
        on facts.owner_id = scope.owner_id
    inner join buckets
        on facts.enrolled_date >= buckets.first_day
        and facts.enrolled_date < buckets.end_day
    where (sequences is null or facts.sequence_id in (select sequence_id from asked_sequences))
),

spine as (
    {{ report_spine('enrollments', ['sequence_id', 'sequence_name']) }}
),

measured as (
    select
        spine.*,
        count(enrollments.contact_id) as enrollment_count,
        count(distinct enrollments.contact_id) as contact_count,
        count(*) filter (where enrollments.status = 'active') as active_count,
        count(*) filter (where enrollments.status = 'finished') as finished_count,
        count(*) filter (where enrollments.status = 'unenrolled') as unenrolled_count,
        cast(coalesce(sum(enrollments.email_sent_count), 0) as bigint) as email_sent_count,
        count(*) filter (where enrollments.has_reply) as replied_count,
        count(*) filter (where enrollments.has_bounce) as bounced_count,
        count(*) filter (where enrollments.has_meeting) as meeting_booked_count
    from spine
    left join enrollments
        on spine.group_id = enrollments.group_id
        and spine.bucket_start = enrollments.bucket_start
        and spine.sequence_id = enrollments.sequence_id
    group by all
),

final as (
    select
        *,
        replied_count / nullif(enrollment_count, 0) as reply_rate,
        meeting_booked_count / nullif(enrollment_count, 0) as meeting_rate,
        bounced_count / nullif(enrollment_count, 0) as bounce_rate
    from measured
)

select {{ report_columns() }}
from final
order by {{ report_order(
    'enrollment_count', then=['enrollment_count desc', 'sequence_name', 'sequence_id']
) }}
