{{ report_function(
    group_by=['activity_type'],
    arguments={
        'activity_types': {'each_of': ['call', 'meeting', 'task', 'email', 'note']},
    },
    has_pipelines=false,
) }}

with

request as materialized (
    {{ report_request() }}
),

buckets as (
    select buckets.*
    from request
    cross join {{ report_buckets() }} as buckets
),

scope as (
    select * from {{ report_scope() }}
),

asked_activity_types as (
    select activity_type
    from (select unnest(['call', 'meeting', 'task', 'email', 'note']) as activity_type) as all_activity_types
    where activity_types is null or activity_type in ({{ asked('activity_types') }})
),

activities as (
    select
        scope.* exclude (group_id, group_label),
        case group_by when 'activity_type' then mart.activity_type else scope.group_id end as group_id,
        case group_by when 'activity_type' then mart.activity_type else scope.group_label end as group_label,
        buckets.bucket_start,
        mart.activity_type,
        mart.activity_count
    from {{ ref('rpt_completed_activities') }} as mart
    inner join asked_activity_types
        on mart.activity_type = asked_activity_types.activity_type
    inner join scope
        on mart.owner_id = scope.owner_id
    inner join buckets
        on mart.completed_date >= buckets.first_day
        and mart.completed_date < buckets.end_day
),

spine as (
    {{ report_spine('activities', ['activity_type'], fixed='asked_activity_types') }}
),

final as (
    select
        spine.*,
        cast(coalesce(sum(activities.activity_count), 0) as bigint) as activity_count
    from spine
    left join activities
        on spine.group_id = activities.group_id
        and spine.bucket_start = activities.bucket_start
        and spine.activity_type = activities.activity_type
    group by all
)

select {{ report_columns() }}
from final
order by {{ report_order('activity_count', then=['activity_count desc', 'activity_type']) }}
