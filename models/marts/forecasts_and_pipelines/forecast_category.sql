{{ report_function(
    group_by=['pipeline'],
    arguments={
        'amount_field': ['total', 'weighted'],
        'status': ['all', 'open', 'won', 'lost', 'closed'],
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

deals as (
    select
        scope.*,
        buckets.bucket_start,
        mart.forecast_category,
        mart.deal_count,
        mart.total_amount,
        mart.weighted_amount,
        mart.forecast_amount,
        mart.conflict_count
    from {{ ref('rpt_forecast_category') }} as mart
    inner join scope
        on mart.owner_id = scope.owner_id
        and mart.pipeline_id = scope.pipeline_id
    inner join buckets
        on mart.close_date >= buckets.first_day
        and mart.close_date < buckets.end_day
    where {{ has_status('mart') }}
),

-- HubSpot's own categories always have a row where nothing groups them.
fixed_categories as (
    select unnest(['CLOSED', 'COMMIT', 'BEST_CASE', 'PIPELINE', 'OMIT', '(No category)']) as forecast_category
),

spine as (
    {{ report_spine('deals', ['forecast_category'], fixed='fixed_categories') }}
),

measured as (
    select
        spine.*,
        cast(coalesce(sum(deals.deal_count), 0) as bigint) as deal_count,
        coalesce(sum(deals.total_amount), 0) as total_amount,
        coalesce(sum(deals.weighted_amount), 0) as weighted_amount,
        coalesce(sum(deals.forecast_amount), 0) as forecast_amount,
        cast(coalesce(sum(deals.conflict_count), 0) as bigint) as conflict_count
    from spine
    left join deals
        on spine.group_id = deals.group_id
        and spine.bucket_start = deals.bucket_start
        and spine.forecast_category = deals.forecast_category
    group by all
),

chosen as (
    select
        *,
        case amount_field when 'weighted' then weighted_amount else total_amount end as chosen_amount
    from measured
),

final as (
    select
        * exclude (chosen_amount),
        chosen_amount / nullif(sum(chosen_amount) over (partition by group_id, bucket_start), 0) as amount_share,
        chosen_amount
    from chosen
)

select {{ report_columns(['chosen_amount']) }}
from final
order by {{ report_order('chosen_amount', then=[forecast_category_order('forecast_category'), 'forecast_category']) }}
