{{ report_function(
    group_by=['pipeline'],
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

-- From core for the median, which the mart's sums cannot give.
fct_deals as (
    select * from {{ ref('fct_deals') }}
),

deals as (
    select
        scope.*,
        buckets.bucket_start,
        fct_deals.deal_id,
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
    {{ report_spine('deals') }}
),

measured as (
    select
        spine.*,
        count(deals.deal_id) as deal_count,
        count(deals.company_amount) as deal_with_amount_count,
        coalesce(sum(deals.company_amount), 0) as total_amount,
        median(cast(deals.company_amount as double)) as median_amount
    from spine
    left join deals
        on spine.group_id = deals.group_id
        and spine.bucket_start = deals.bucket_start
    group by all
),

final as (
    select
        * exclude (median_amount),
        total_amount / nullif(deal_with_amount_count, 0) as average_amount,
        median_amount
    from measured
)

select {{ report_columns() }}
from final
order by {{ report_order('deal_count') }}
