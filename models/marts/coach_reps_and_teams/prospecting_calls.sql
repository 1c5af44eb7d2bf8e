{{ report_function(
    arguments={
        'direction': ['OUTBOUND', 'INBOUND', '(No direction)', none],
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

-- From core, because the mart holds outgoing calls only and knows no contacts.
calls as (
    select
        scope.*,
        buckets.bucket_start,
        facts.activity_id,
        facts.activity_date,
        facts.is_connected,
        facts.duration_ms
    from {{ ref('fct_activities') }} as facts
    inner join scope
        on facts.owner_id = scope.owner_id
    inner join buckets
        on facts.activity_date >= buckets.first_day
        and facts.activity_date < buckets.end_day
    where facts.activity_type = 'call'
        and (direction is null or facts.direction = direction)
),

contacts as (
    select
        calls.group_id,
        calls.bucket_start,
        count(distinct records.record_id) as distinct_contact_count
    from calls
    inner join {{ ref('bridge_activity_records') }} as records
        on records.activity_type = 'call'
        and calls.activity_id = records.activity_id
        and records.record_type = 'contact'
    group by all
),

spine as (
    {{ report_spine('calls') }}
),

measured as (
    select
        spine.*,
        count(calls.activity_id) as call_count,
        count(*) filter (where calls.is_connected) as connected_count,
        count(calls.duration_ms) as timed_call_count,
        cast(coalesce(sum(calls.duration_ms), 0) as bigint) as talk_time_ms,
        count(distinct calls.owner_id || '/' || calls.activity_date) as active_day_count
    from spine
    left join calls
        on spine.group_id = calls.group_id
        and spine.bucket_start = calls.bucket_start
    group by all
),

final as (
    select
        measured.*,
        measured.connected_count / nullif(measured.call_count, 0) as connect_rate,
        coalesce(contacts.distinct_contact_count, 0) as distinct_contact_count,
        measured.talk_time_ms / nullif(measured.timed_call_count, 0) as average_call_duration_ms,
        measured.call_count / nullif(measured.active_day_count, 0) as calls_per_active_day
    from measured
    left join contacts
        on measured.group_id = contacts.group_id
        and measured.bucket_start = contacts.bucket_start
)

select {{ report_columns() }}
from final
order by {{ report_order('call_count') }}
