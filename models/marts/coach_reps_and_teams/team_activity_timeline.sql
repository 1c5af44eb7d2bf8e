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

final as (
    select
        scope.group_id,
        scope.group_label,
        scope.parent_team_id,
        scope.depth,
        buckets.bucket_start,
        mart.*
    from {{ ref('rpt_team_activity_timeline') }} as mart
    cross join {{ ref('build_info') }} as build_info
    inner join scope
        on mart.owner_id = scope.owner_id
    inner join buckets
        on {{ local_date('mart.occurred_at', 'build_info.time_zone') }} >= buckets.first_day
        and {{ local_date('mart.occurred_at', 'build_info.time_zone') }} < buckets.end_day
    where (activity_types is null or mart.activity_type in ({{ asked('activity_types') }}))
        and (direction is null or mart.direction = direction)
)

select {{ report_columns() }}
from final
order by
    occurred_at desc,
    activity_type,
    case when translate(activity_id, '0123456789', '') = '' then length(activity_id) end desc nulls last,
    activity_id desc,
    group_id
