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

meetings as (
    select
        scope.*,
        buckets.bucket_start,
        mart.booked_count,
        mart.held_count,
        mart.no_show_count,
        mart.canceled_count,
        mart.rescheduled_count,
        mart.pending_count,
        mart.lead_time_ms
    from {{ ref('rpt_prospecting_meetings') }} as mart
    inner join scope
        on mart.owner_id = scope.owner_id
    inner join buckets
        on mart.booked_date >= buckets.first_day
        and mart.booked_date < buckets.end_day
),

spine as (
    {{ report_spine('meetings') }}
),

measured as (
    select
        spine.*,
        cast(coalesce(sum(meetings.booked_count), 0) as bigint) as booked_count,
        cast(coalesce(sum(meetings.held_count), 0) as bigint) as held_count,
        cast(coalesce(sum(meetings.no_show_count), 0) as bigint) as no_show_count,
        cast(coalesce(sum(meetings.canceled_count), 0) as bigint) as canceled_count,
        cast(coalesce(sum(meetings.rescheduled_count), 0) as bigint) as rescheduled_count,
        cast(coalesce(sum(meetings.pending_count), 0) as bigint) as pending_count,
        cast(coalesce(sum(meetings.lead_time_ms), 0) as bigint) as lead_time_ms
    from spine
    left join meetings
        on spine.group_id = meetings.group_id
        and spine.bucket_start = meetings.bucket_start
    group by all
),

final as (
    select
        *,
        held_count / nullif(held_count + no_show_count + canceled_count, 0) as held_rate,
        lead_time_ms / nullif(booked_count, 0) as average_lead_time_ms
    from measured
)

select {{ report_columns() }}
from final
order by {{ report_order('booked_count') }}
