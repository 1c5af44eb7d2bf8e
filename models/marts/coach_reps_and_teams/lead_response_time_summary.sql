{{ report_function(
    group_by=['engagement_type', 'source'],
    arguments={
        'engagement_types': {'each_of': ['EMAIL', 'CALL', 'CONVERSATION_SESSION', 'TASK', 'MEETING_EVENT']},
        'sources': none,
    },
    has_pipelines=false,
) }}

with

request as materialized (
    {{ report_request(names={'sources': [ref('dim_contacts'), 'source', 'source']}) }}
),

buckets as (
    select buckets.*
    from request
    cross join {{ report_buckets() }} as buckets
),

scope as (
    select * from {{ report_scope() }}
),

-- Contacts with which their owner has not engaged so far are a type of their own.
typed as (
    select
        *,
        case
            when first_engagement_at is null then 'none'
            else coalesce(first_engagement_type, '(No type)')
        end as engagement_type_id,
        case
            when first_engagement_at is null then '(Not engaged)'
            else coalesce(first_engagement_type, '(No type)')
        end as engagement_type
    from {{ ref('rpt_lead_response_time') }}
),

contacts as (
    select
        scope.* exclude (group_id, group_label),
        case group_by
            when 'engagement_type' then mart.engagement_type_id
            when 'source' then dim_contacts.source
            else scope.group_id
        end as group_id,
        case group_by
            when 'engagement_type' then mart.engagement_type
            when 'source' then dim_contacts.source
            else scope.group_label
        end as group_label,
        buckets.bucket_start,
        mart.contact_id,
        mart.first_engagement_at is not null as is_engaged,
        mart.response_time_ms
    from typed as mart
    inner join {{ ref('dim_contacts') }} as dim_contacts
        on mart.contact_id = dim_contacts.contact_id
    inner join scope
        on mart.owner_id = scope.owner_id
    inner join buckets
        on mart.assigned_date >= buckets.first_day
        and mart.assigned_date < buckets.end_day
    where (engagement_types is null or mart.first_engagement_type in ({{ asked('engagement_types') }}))
        and (sources is null or dim_contacts.source in ({{ asked('sources') }}))
),

spine as (
    {{ report_spine('contacts') }}
),

measured as (
    select
        spine.*,
        count(contacts.contact_id) as contact_count,
        count(*) filter (where contacts.is_engaged) as engaged_count,
        count(*) filter (where not contacts.is_engaged) as unengaged_count,
        avg(contacts.response_time_ms) as average_response_time_ms,
        quantile_cont(cast(contacts.response_time_ms as double), 0.5) as median_response_time_ms,
        quantile_cont(cast(contacts.response_time_ms as double), 0.9) as p90_response_time_ms,
        count(*) filter (where contacts.response_time_ms <= 5 * 60000) as within_5m_count,
        count(*) filter (where contacts.response_time_ms <= 60 * 60000) as within_1h_count,
        count(*) filter (where contacts.response_time_ms <= 24 * 60 * 60000) as within_24h_count
    from spine
    left join contacts
        on spine.group_id = contacts.group_id
        and spine.bucket_start = contacts.bucket_start
    group by all
),

-- Rates are of all contacts, also of those that nobody engaged with (6).
final as (
    select
        * exclude (within_5m_count, within_1h_count, within_24h_count),
        within_5m_count / nullif(contact_count, 0) as within_5m_rate,
        within_1h_count / nullif(contact_count, 0) as within_1h_rate,
        within_24h_count / nullif(contact_count, 0) as within_24h_rate
    from measured
)

select {{ report_columns() }}
from final
order by {{ report_order('contact_count') }}
