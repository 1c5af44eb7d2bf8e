{% set known_statuses = "['NOT_STARTED', 'IN_PROGRESS', 'WAITING', 'DEFERRED', 'COMPLETED']" %}
{{ report_function(
    arguments={
        'task_types': none,
    },
    has_pipelines=false,
) }}

with

known_types as (
    select distinct subtype from {{ ref('fct_activities') }} where activity_type = 'task'
),

request as materialized (
    {{ report_request(names={'task_types': ['known_types', 'subtype', 'subtype']}) }}
),

buckets as (
    select buckets.*
    from request
    cross join {{ report_buckets() }} as buckets
),

scope as (
    select * from {{ report_scope() }}
),

-- From core, because the mart does not know the type of a task.
tasks as (
    select
        scope.*,
        buckets.bucket_start,
        facts.activity_id,
        facts.status as task_status,
        facts.is_overdue
    from {{ ref('fct_activities') }} as facts
    inner join scope
        on facts.owner_id = scope.owner_id
    inner join buckets
        on facts.created_date >= buckets.first_day
        and facts.created_date < buckets.end_day
    where facts.activity_type = 'task'
        and (task_types is null or facts.subtype in ({{ asked('task_types') }}))
),

known_statuses as (
    select unnest({{ known_statuses }}) as task_status
),

spine as (
    {{ report_spine('tasks', ['task_status'], fixed='known_statuses') }}
),

measured as (
    select
        spine.*,
        count(tasks.activity_id) as task_count,
        count(*) filter (where tasks.is_overdue) as overdue_count
    from spine
    left join tasks
        on spine.group_id = tasks.group_id
        and spine.bucket_start = tasks.bucket_start
        and spine.task_status = tasks.task_status
    group by all
),

-- The rate is of all tasks of the group.
final as (
    select
        *,
        coalesce(sum(task_count) filter (where task_status = 'COMPLETED') over of_group, 0)
            / nullif(sum(task_count) over of_group, 0) as completion_rate
    from measured
    window of_group as (partition by group_id, bucket_start)
)

select {{ report_columns() }}
from final
order by {{ report_order(
    'task_count', then=['list_position(' ~ known_statuses ~ ', task_status) nulls last', 'task_status']
) }}
