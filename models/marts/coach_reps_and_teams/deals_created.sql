{{ report_function(
    group_by=['pipeline'],
    arguments={
        'created_basis': ['createdate', 'hs_createdate'],
        'owner_basis': ['current', 'as_of'],
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

-- From core, because the mart knows one creation date and the present owner only.
created_deals as (
    select
        deal_id,
        case created_basis when 'hs_createdate' then hs_created_date else created_date end as report_date,
        case owner_basis when 'as_of' then owner_id_at_creation else owner_id end as owner_id,
        pipeline_id,
        company_amount
    from {{ ref('fct_deals') }}
),

deals as (
    select
        scope.*,
        buckets.bucket_start,
        created_deals.deal_id,
        created_deals.company_amount
    from created_deals
    inner join scope
        on created_deals.owner_id = scope.owner_id
        and created_deals.pipeline_id = scope.pipeline_id
    inner join buckets
        on created_deals.report_date >= buckets.first_day
        and created_deals.report_date < buckets.end_day
),

spine as (
    {{ report_spine('deals') }}
),

measured as (
    select
        spine.*,
        count(deals.deal_id) as deal_count,
        count(deals.company_amount) as deal_with_amount_count,
        coalesce(sum(deals.company_amount), 0) as total_amount
    from spine
    left join deals
        on spine.group_id = deals.group_id
        and spine.bucket_start = deals.bucket_start
    group by all
),

final as (
    select
        *,
        total_amount / nullif(deal_with_amount_count, 0) as average_amount
    from measured
)

select {{ report_columns() }}
from final
order by {{ report_order('deal_count') }}
