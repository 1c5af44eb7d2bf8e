{{ report_function(
    group_by=['meeting_type'],
    arguments={
        'meeting_types': none,
    },
    has_pipelines=false,
) }}

with

request as materialized (
    {{ report_request(names={
        'meeting_types': [ref('rpt_meeting_outcomes'), 'meeting_type', 'meeting_type'],
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

-- Meetings that are over and still scheduled stand apart from those to come: nobody set their
-- outcome (7a).
split_outcomes as (
    select *
    from {{ ref('rpt_meeting_outcomes') }}
    where meeting_outcome_id <> 'SCHEDULED'
    union all
    select * replace (
        meeting_count - past_without_outcome_count as meeting_count,
        0 as past_without_outcome_count
    )
    from {{ ref('rpt_meeting_outcomes') }}
    where meeting_outcome_id = 'SCHEDULED'
    union all
    select * replace (
        'Scheduled (past)' as meeting_outcome,
        past_without_outcome_count as meeting_count
    )
    from {{ ref('rpt_meeting_outcomes') }}
    where meeting_outcome_id = 'SCHEDULED'
),

meetings as (
    select
        scope.* exclude (group_id, group_label),
        case group_by when 'meeting_type' then mart.meeting_type else scope.group_id end as group_id,
        case group_by when 'meeting_type' then mart.meeting_type else scope.group_label end as group_label,
        buckets.bucket_start,
        mart.meeting_outcome_id,
        mart.meeting_outcome,
        mart.meeting_type,
        mart.meeting_count,
        mart.completed_count,
        mart.no_show_count,
        mart.canceled_count,
        mart.past_without_outcome_count
    from split_outcomes as mart
    inner join scope
        on mart.owner_id = scope.owner_id
    inner join buckets
        on mart.start_date >= buckets.first_day
        and mart.start_date < buckets.end_day
    where mart.meeting_count > 0
        and (meeting_types is null or mart.meeting_type in ({{ asked('meeting_types') }}))
),

-- HubSpot's own outcomes, for every type that meetings of the account have.
fixed_categories as (
    select
        outcomes.meeting_outcome_id,
        outcomes.meeting_outcome,
        types.meeting_type
    from (
        values
        ('SCHEDULED', 'SCHEDULED'),
        ('SCHEDULED', 'Scheduled (past)'),
        ('COMPLETED', 'COMPLETED'),
        ('RESCHEDULED', 'RESCHEDULED'),
        ('NO_SHOW', 'NO_SHOW'),
        ('CANCELED', 'CANCELED'),
        ('none', '(No outcome)')
    ) as outcomes (meeting_outcome_id, meeting_outcome)
    cross join (select distinct meeting_type from {{ ref('rpt_meeting_outcomes') }}) as types
    where meeting_types is null or types.meeting_type in ({{ asked('meeting_types') }})
),

spine as (
    {{ report_spine(
        'meetings', ['meeting_outcome_id', 'meeting_outcome', 'meeting_type'], fixed='fixed_categories'
    ) }}
),

measured as (
    select
        spine.*,
        cast(coalesce(sum(meetings.meeting_count), 0) as bigint) as meeting_count,
        cast(coalesce(sum(meetings.completed_count), 0) as bigint) as completed_count,
        cast(coalesce(sum(meetings.no_show_count), 0) as bigint) as no_show_count,
        cast(coalesce(sum(meetings.canceled_count), 0) as bigint) as canceled_count,
        cast(coalesce(sum(meetings.past_without_outcome_count), 0) as bigint) as past_without_outcome_count
    from spine
    left join meetings
        on spine.group_id = meetings.group_id
        and spine.bucket_start = meetings.bucket_start
        and spine.meeting_outcome_id = meetings.meeting_outcome_id
        and spine.meeting_outcome = meetings.meeting_outcome
        and spine.meeting_type = meetings.meeting_type
    group by all
),

-- Rates are of the whole group, and leave out what is neither held nor missed.
final as (
    select
        *,
        meeting_count / nullif(sum(meeting_count) over of_group, 0) as meeting_share,
        sum(completed_count) over of_group
            / nullif(sum(completed_count + no_show_count + canceled_count) over of_group, 0) as held_rate,
        sum(no_show_count) over of_group
            / nullif(sum(completed_count + no_show_count + canceled_count) over of_group, 0) as no_show_rate
    from measured
    window of_group as (partition by group_id, bucket_start)
)

select {{ report_columns() }}
from final
order by {{ report_order(
    'meeting_count', then=['meeting_count desc', 'meeting_outcome', 'meeting_outcome_id', 'meeting_type']
) }}
