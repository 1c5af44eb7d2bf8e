{{ report_function(
    arguments={
        'activity_types': {'each_of': ['call', 'meeting', 'task', 'email']},
        'direction': [none, 'OUTBOUND', 'INBOUND', '(No direction)', 'EMAIL', 'INCOMING_EMAIL'],
    },
    has_pipelines=false,
) }}

-- Rows, newest first; a page is a range of dates. Groups and buckets only label them.
with

request as materialized (
    {{ report_request(problems=[
        "select 'cumulative: rows have no running totals; leave it out' where cumulative"
    ]) }}
),

buckets as (
    select buckets.*
    from request
    cross join {{ report_buckets() }} as buckets
),

scope as (
    select * from {{ report_scope() }}
),

-- Two days lie between local days and instants at most, in any time zone: few rows are dated, not all.
activities as (
    select
        mart.*,
        {{ local_date('mart.occurred_at', 'build_info.time_zone') }} as occurred_date
    from {{ ref('rpt_team_activity_timeline') }} as mart
    cross join {{ ref('build_info') }} as build_info
    where mart.occurred_at >= (select min(first_day) from buckets) - interval '2 days'
        and mart.occurred_at < (select max(end_day) from buckets) + interval '2 days'
        and (activity_types is null or mart.activity_type in ({{ asked('activity_types') }}))
        and (direction is null or mart.direction = direction)
),

final as (
    select
        scope.group_id,
        scope.group_label,
        scope.parent_team_id,
        scope.depth,
        buckets.bucket_start,
        activities.* exclude (occurred_date)
    from activities
    inner join scope
        on activities.owner_id = scope.owner_id
    inner join buckets
        on activities.occurred_date >= buckets.first_day
        and activities.occurred_date < buckets.end_day
)

select {{ report_columns() }}
from final
order by
    occurred_at desc,
    activity_type,
    case when translate(activity_id, '0123456789', '') = '' then length(activity_id) end desc nulls last,
    activity_id desc,
    group_id
