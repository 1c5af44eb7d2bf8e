{{ report_function(
    arguments={
        'direction': [none, 'INBOUND', 'OUTBOUND', '(No direction)'],
        'outcomes': none,
    },
    has_pipelines=false,
) }}

with

request as materialized (
    {{ report_request(names={'outcomes': [ref('dim_call_outcomes'), 'call_outcome_id', 'call_outcome']}) }}
),

buckets as (
    select buckets.*
    from request
    cross join {{ report_buckets() }} as buckets
),

scope as (
    select * from {{ report_scope() }}
),

asked_outcomes as (
    {{ named_ids('outcomes', ref('dim_call_outcomes'), 'call_outcome_id', 'call_outcome') }}
),

fixed_categories as (
    select directions.call_direction, dim_call_outcomes.call_outcome_id, dim_call_outcomes.call_outcome
    from {{ ref('dim_call_outcomes') }} as dim_call_outcomes
    cross join (values ('INBOUND'), ('OUTBOUND'), ('(No direction)')) as directions (call_direction)
    where (direction is null or directions.call_direction = direction)
        and (
            (outcomes is null and dim_call_outcomes.is_offered)
            or dim_call_outcomes.call_outcome_id in (select call_outcome_id from asked_outcomes)
        )
),

calls as (
    select
        scope.*,
        buckets.bucket_start,
        mart.call_direction,
        mart.call_outcome_id,
        mart.call_outcome,
        mart.call_count,
        mart.timed_call_count,
        mart.total_duration_ms
    from {{ ref('rpt_call_outcomes') }} as mart
    inner join scope
        on mart.owner_id = scope.owner_id
    inner join buckets
        on mart.activity_date >= buckets.first_day
        and mart.activity_date < buckets.end_day
    where (direction is null or mart.call_direction = direction)
        and (outcomes is null or mart.call_outcome_id in (select call_outcome_id from asked_outcomes))
),

spine as (
    {{ report_spine('calls', ['call_direction', 'call_outcome_id', 'call_outcome'], fixed='fixed_categories') }}
),

measured as (
    select
        spine.*,
        cast(coalesce(sum(calls.call_count), 0) as bigint) as call_count,
        cast(coalesce(sum(calls.timed_call_count), 0) as bigint) as timed_call_count,
        cast(coalesce(sum(calls.total_duration_ms), 0) as bigint) as total_duration_ms
    from spine
    left join calls
        on spine.group_id = calls.group_id
        and spine.bucket_start = calls.bucket_start
        and spine.call_direction = calls.call_direction
        and spine.call_outcome_id = calls.call_outcome_id
    group by all
),

final as (
    select
        *,
        call_count / nullif(sum(call_count) over (partition by group_id, bucket_start), 0) as call_share,
        total_duration_ms / nullif(timed_call_count, 0) as average_duration_ms
    from measured
)

select {{ report_columns() }}
from final
order by {{ report_order('call_count', then=['call_count desc', 'call_outcome', 'call_outcome_id', 'call_direction']) }}
