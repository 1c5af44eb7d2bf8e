{{ report_function(
    group_by=['pipeline'],
    arguments={'owner_basis': ['current', 'as_of']},
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

-- From core, because the mart knows the present owner only.
closed_deals as (
    select
        close_date,
        case owner_basis when 'as_of' then owner_id_at_close else owner_id end as owner_id,
        pipeline_id,
        is_won,
        is_lost,
        company_amount
    from {{ ref('fct_deals') }}
    where is_closed
),

deals as (
    select
        scope.*,
        buckets.bucket_start,
        closed_deals.is_won,
        closed_deals.is_lost,
        closed_deals.company_amount
    from closed_deals
    inner join scope
        on closed_deals.owner_id = scope.owner_id
        and closed_deals.pipeline_id = scope.pipeline_id
    inner join buckets
        on closed_deals.close_date >= buckets.first_day
        and closed_deals.close_date < buckets.end_day
),

spine as (
    {{ report_spine('deals') }}
),

measured as (
    select
        spine.*,
        count(*) filter (where deals.is_won) as won_count,
        count(*) filter (where deals.is_lost) as lost_count,
        coalesce(sum(deals.company_amount) filter (where deals.is_won), 0) as won_amount,
        coalesce(sum(deals.company_amount) filter (where deals.is_lost), 0) as lost_amount
    from spine
    left join deals
        on spine.group_id = deals.group_id
        and spine.bucket_start = deals.bucket_start
    group by all
),

final as (
    select
        *,
        won_count / nullif(won_count + lost_count, 0) as win_rate,
        won_amount / nullif(won_amount + lost_amount, 0) as win_rate_amount
    from measured
)

select {{ report_columns() }}
from final
order by {{ report_order('won_count') }}
