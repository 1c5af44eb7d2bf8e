{{ report_function(
    group_by=['pipeline'],
    arguments={
        'status': ['closed', 'won', 'lost'],
        'avg_basis': ['exact', 'days_to_close'],
    },
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

-- From core for the percentiles. HubSpot's days_to_close is rounded down to whole days, deal by deal.
closed_deals as (
    select
        close_date,
        owner_id,
        pipeline_id,
        deal_status,
        is_valid_cycle,
        cycle_ms,
        case
            when not is_valid_cycle then null
            when avg_basis = 'days_to_close' then cycle_ms // 86400000 * 86400000
            else cycle_ms
        end as counted_ms
    from {{ ref('fct_deals') }}
    where is_closed
),

deals as (
    select
        scope.*,
        buckets.bucket_start,
        closed_deals.is_valid_cycle,
        closed_deals.cycle_ms,
        closed_deals.counted_ms
    from closed_deals
    inner join scope
        on closed_deals.owner_id = scope.owner_id
        and closed_deals.pipeline_id = scope.pipeline_id
    inner join buckets
        on closed_deals.close_date >= buckets.first_day
        and closed_deals.close_date < buckets.end_day
    where {{ has_status('closed_deals') }}
),

spine as (
    {{ report_spine('deals') }}
),

final as (
    select
        spine.*,
        count(*) filter (where deals.is_valid_cycle) as deal_count,
        count(*) filter (where not deals.is_valid_cycle) as excluded_count,
        cast(coalesce(sum(deals.cycle_ms) filter (where deals.is_valid_cycle), 0) as bigint) as days_to_close_ms,
        avg(deals.counted_ms) / 86400000 as average_days_to_close,
        median(cast(deals.counted_ms as double)) / 86400000 as median_days_to_close,
        quantile_cont(cast(deals.counted_ms as double), 0.9) / 86400000 as p90_days_to_close
    from spine
    left join deals
        on spine.group_id = deals.group_id
        and spine.bucket_start = deals.bucket_start
    group by all
)

select {{ report_columns() }}
from final
order by {{ report_order('deal_count') }}
