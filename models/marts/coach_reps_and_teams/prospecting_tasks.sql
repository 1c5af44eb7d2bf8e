{{ report_function(
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

tasks as (
    select
        scope.*,
        buckets.bucket_start,
        mart.created_count,
        mart.completed_count,
        mart.overdue_count,
        mart.completed_late_count,
        mart.timed_completed_count,
        mart.time_to_complete_ms
    from {{ ref('rpt_prospecting_tasks') }} as mart
    inner join scope
        on mart.owner_id = scope.owner_id
    inner join buckets
        on mart.created_date >= buckets.first_day
        and mart.created_date < buckets.end_day
),

spine as (
    {{ report_spine('tasks') }}
),

measured as (
    select
        spine.*,
        cast(coalesce(sum(tasks.created_count), 0) as bigint) as created_count,
        cast(coalesce(sum(tasks.completed_count), 0) as bigint) as completed_count,
        cast(coalesce(sum(tasks.overdue_count), 0) as bigint) as overdue_count,
        cast(coalesce(sum(tasks.completed_late_count), 0) as bigint) as completed_late_count,
        cast(coalesce(sum(tasks.timed_completed_count), 0) as bigint) as timed_completed_count,
        cast(coalesce(sum(tasks.time_to_complete_ms), 0) as bigint) as time_to_complete_ms
    from spine
    left join tasks
        on spine.group_id = tasks.group_id
        and spine.bucket_start = tasks.bucket_start
    group by all
),

final as (
    select
        *,
        completed_count / nullif(created_count, 0) as completion_rate,
        time_to_complete_ms / nullif(timed_completed_count, 0) as average_time_to_complete_ms
    from measured
)

select {{ report_columns() }}
from final
order by {{ report_order('created_count') }}
