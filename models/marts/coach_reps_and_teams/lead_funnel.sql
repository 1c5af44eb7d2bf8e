{{ report_function(
    group_by=['source'],
    arguments={
        'sources': none,
    },
    has_pipelines=false,
) }}

with

request as materialized (
    {{ report_request(names={'sources': [ref('rpt_lead_funnel'), 'source', 'source']}) }}
),

buckets as (
    select buckets.*
    from request
    cross join {{ report_buckets() }} as buckets
),

scope as (
    select * from {{ report_scope() }}
),

contacts as (
    select
        scope.* exclude (group_id, group_label),
        case group_by when 'source' then mart.source else scope.group_id end as group_id,
        case group_by when 'source' then mart.source else scope.group_label end as group_label,
        buckets.bucket_start,
        mart.source,
        mart.lead_count,
        mart.assigned_count,
        mart.worked_count,
        mart.unworked_count,
        mart.with_deal_count,
        mart.won_count,
        mart.deal_before_contact_count,
        mart.time_to_first_engagement_ms,
        mart.time_to_first_engagement_count,
        mart.time_to_deal_ms,
        mart.time_to_deal_count,
        mart.time_to_win_ms,
        mart.time_to_win_count
    from {{ ref('rpt_lead_funnel') }} as mart
    inner join scope
        on mart.owner_id = scope.owner_id
    inner join buckets
        on mart.created_date >= buckets.first_day
        and mart.created_date < buckets.end_day
    where sources is null or mart.source in ({{ asked('sources') }})
),

spine as (
    {{ report_spine('contacts', ['source']) }}
),

measured as (
    select
        spine.*,
        cast(coalesce(sum(contacts.lead_count), 0) as bigint) as lead_count,
        cast(coalesce(sum(contacts.assigned_count), 0) as bigint) as assigned_count,
        cast(coalesce(sum(contacts.worked_count), 0) as bigint) as worked_count,
        cast(coalesce(sum(contacts.unworked_count), 0) as bigint) as unworked_count,
        cast(coalesce(sum(contacts.with_deal_count), 0) as bigint) as with_deal_count,
        cast(coalesce(sum(contacts.won_count), 0) as bigint) as won_count,
        cast(coalesce(sum(contacts.deal_before_contact_count), 0) as bigint) as deal_before_contact_count,
        cast(coalesce(sum(contacts.time_to_first_engagement_ms), 0) as bigint) as time_to_first_engagement_ms,
        cast(coalesce(sum(contacts.time_to_first_engagement_count), 0) as bigint)
            as time_to_first_engagement_count,
        cast(coalesce(sum(contacts.time_to_deal_ms), 0) as bigint) as time_to_deal_ms,
        cast(coalesce(sum(contacts.time_to_deal_count), 0) as bigint) as time_to_deal_count,
        cast(coalesce(sum(contacts.time_to_win_ms), 0) as bigint) as time_to_win_ms,
        cast(coalesce(sum(contacts.time_to_win_count), 0) as bigint) as time_to_win_count
    from spine
    left join contacts
        on spine.group_id = contacts.group_id
        and spine.bucket_start = contacts.bucket_start
        and spine.source = contacts.source
    group by all
),

final as (
    select
        *,
        worked_count / nullif(assigned_count, 0) as worked_rate,
        with_deal_count / nullif(lead_count, 0) as deal_rate,
        won_count / nullif(lead_count, 0) as win_rate,
        time_to_first_engagement_ms / nullif(time_to_first_engagement_count, 0)
            as average_time_to_first_engagement_ms,
        time_to_deal_ms / nullif(time_to_deal_count, 0) as average_time_to_deal_ms,
        time_to_win_ms / nullif(time_to_win_count, 0) as average_time_to_win_ms
    from measured
)

select {{ report_columns() }}
from final
order by {{ report_order('lead_count', then=['lead_count desc', 'source']) }}
