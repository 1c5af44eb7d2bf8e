{{ report_function(
    group_by=['pipeline'],
    arguments={'close_from': none, 'close_to': none, 'amount_field': ['total', 'weighted']},
) }}

with

request as materialized (
    {{ report_request(problems=[wrong_close_range()]) }}
),

buckets as (
    select buckets.*
    from request
    cross join {{ report_buckets() }} as buckets
),

scope as (
    select * from {{ report_deal_scope() }}
),

-- A bucket is a window like the whole range: its own days are the change range, and the close-date
-- range unless that is given. Nothing is known after run_ts (K12); a window that begins later has
-- nothing to show (14b).
windows as (
    select
        buckets.bucket_start as window_id,
        {{ local_midnight('buckets.first_day', 'build_info.time_zone') }} as begin_at,
        least({{ local_midnight('buckets.end_day', 'build_info.time_zone') }}, build_info.run_ts) as end_at,
        cast(coalesce(close_from, buckets.first_day) as date) as due_from,
        cast(coalesce(close_to, buckets.end_day) as date) as due_to,
        build_info.time_zone
    from buckets
    cross join {{ ref('build_info') }} as build_info
    where {{ local_midnight('buckets.first_day', 'build_info.time_zone') }} <= build_info.run_ts
),

lines as (
    {{ deal_pipeline_waterfall(
        'windows',
        amount="case amount_field when 'weighted' then weighted_amount else company_amount end",
    ) }}
),

deals as (
    select
        scope.*,
        lines.window_id as bucket_start,
        lines.category,
        lines.amount
    from lines
    inner join {{ ref('fct_deals') }} as fct_deals on lines.deal_id = fct_deals.deal_id
    inner join scope
        on fct_deals.owner_id = scope.owner_id
        and fct_deals.pipeline_id = scope.pipeline_id
),

spine as (
    {{ report_spine('deals') }}
),

categories as (
    select unnest({{ deal_pipeline_waterfall_categories() }}) as category
),

final as (
    select
        spine.*,
        categories.category,
        count(deals.category) as deal_count,
        coalesce(sum(deals.amount), 0) as amount
    from spine
    cross join categories
    left join deals
        on spine.group_id = deals.group_id
        and spine.bucket_start = deals.bucket_start
        and categories.category = deals.category
    group by all
)

select {{ report_columns() }}
from final
order by {{ report_order(
    'deal_count',
    then=['list_position(' ~ deal_pipeline_waterfall_categories() ~ ', category)'],
) }}
