{{ report_function(
    group_by=['source', 'pipeline'],
    arguments={'status': ['won', 'lost', 'closed', 'open', 'all']},
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
    select * from {{ report_deal_scope() }}
),

-- From core, because the mart holds won deals only.
fct_deals as (
    select * from {{ ref('fct_deals') }}
),

deals as (
    select
        scope.* exclude (group_id, group_label),
        case group_by when 'source' then fct_deals.source else scope.group_id end as group_id,
        case group_by when 'source' then fct_deals.source else scope.group_label end as group_label,
        buckets.bucket_start,
        fct_deals.deal_id,
        fct_deals.source,
        fct_deals.company_amount
    from fct_deals
    inner join scope
        on fct_deals.owner_id = scope.owner_id
        and fct_deals.pipeline_id = scope.pipeline_id
    inner join buckets
        on fct_deals.close_date >= buckets.first_day
        and fct_deals.close_date < buckets.end_day
    where {{ has_status('fct_deals') }}
),

spine as (
    {{ report_spine('deals', ['source']) }}
),

measured as (
    select
        spine.*,
        count(deals.deal_id) as deal_count,
        coalesce(sum(deals.company_amount), 0) as total_amount
    from spine
    left join deals
        on spine.group_id = deals.group_id
        and spine.bucket_start = deals.bucket_start
        and spine.source = deals.source
    group by all
),

-- Where sources are the groups, a share is of all of them.
final as (
    select
        *,
        total_amount / nullif(sum(total_amount) over (
            partition by case group_by when 'source' then 'all' else group_id end, bucket_start
        ), 0) as amount_share
    from measured
)

select {{ report_columns() }}
from final
order by {{ report_order('deal_count', then=['deal_count desc', 'source']) }}
