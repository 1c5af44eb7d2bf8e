{{ report_function(
    arguments={
        'engagement_types': {'each_of': ['EMAIL', 'CALL', 'CONVERSATION_SESSION', 'TASK', 'MEETING_EVENT']},
        'sources': none,
    },
    has_pipelines=false,
) }}

-- Rows, newest assignment first; a page is a range of dates. Groups and buckets only label them.
with

request as materialized (
    {{ report_request(
        names={'sources': [ref('dim_contacts'), 'source', 'source']},
        problems=["select 'cumulative: rows have no running totals; leave it out' where cumulative"],
    ) }}
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
    from {{ ref('rpt_lead_response_time') }} as mart
    inner join {{ ref('dim_contacts') }} as dim_contacts
        on mart.contact_id = dim_contacts.contact_id
    inner join scope
        on mart.owner_id = scope.owner_id
    inner join buckets
        on mart.assigned_date >= buckets.first_day
        and mart.assigned_date < buckets.end_day
    where (engagement_types is null or mart.first_engagement_type in ({{ asked('engagement_types') }}))
        and (sources is null or dim_contacts.source in ({{ asked('sources') }}))
)

select {{ report_columns() }}
from final
order by
    assigned_at desc,
    case when translate(contact_id, '0123456789', '') = '' then length(contact_id) end desc nulls last,
    contact_id desc,
    group_id
