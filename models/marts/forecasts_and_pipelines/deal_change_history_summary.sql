{{ report_function(
    group_by=['stage', 'category', 'changed_by'],
    arguments={
        'close_from': none,
        'close_to': none,
        'categories': {'each_of': deal_change_categories()},
    },
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

-- A bucket has its own days as change range, and as close-date range unless that is given.
changes as (
    select
        scope.* replace (
            case group_by
                when 'stage' then mart.stage_id
                when 'category' then mart.category
                when 'changed_by' then mart.changed_by_owner_id
                else scope.group_id
            end as group_id,
            case group_by
                -- One id is one group, even where two pipelines call it differently.
                when 'stage' then min(mart.stage_label) over (partition by mart.stage_id)
                when 'category' then mart.category
                when 'changed_by' then mart.changed_by_name
                else scope.group_label
            end as group_label
        ),
        buckets.bucket_start,
        mart.deal_id,
        mart.category,
        coalesce(
            mart.frame_date >= cast(coalesce(close_from, buckets.first_day) as date)
            and mart.frame_date < cast(coalesce(close_to, buckets.end_day) as date),
            false
        ) as is_inside,
        mart.delta_amount,
        coalesce(mart.delta_amount, mart.deal_amount, 0) as amount,
        mart.changed_at,
        mart.change_id
    from {{ ref('rpt_deal_change_history') }} as mart
    inner join scope
        on mart.owner_id = scope.owner_id
        and mart.pipeline_id = scope.pipeline_id
    inner join buckets
        on mart.changed_date >= buckets.first_day
        and mart.changed_date < buckets.end_day
),

deal_cells as (
    select
        group_id,
        group_label,
        parent_team_id,
        depth,
        bucket_start,
        category,
        is_inside,
        deal_id,
        count(*) as change_count,
        sum(amount) as amount,
        sum(delta_amount) as delta_amount,
        arg_max(amount, (changed_at, change_id)) as last_amount
    from changes
    group by all
),

-- Ups and downs of one deal's amount meet, though they stand in two categories.
net_amounts as (
    select
        *,
        sum(delta_amount) over (
            partition by
                case group_by when 'category' then 'all' else group_id end, bucket_start, is_inside, deal_id
        ) as net_delta
    from deal_cells
    where category in ('amount_increased', 'amount_decreased')
),

-- Net: each deal counts once. An amount that went up and down again has not changed.
net_cells as (
    select
        * exclude (net_delta),
        case category when 'amount_increased' then greatest(net_delta, 0) else least(net_delta, 0) end as net_amount
    from net_amounts
    union all
    select *, last_amount as net_amount
    from deal_cells
    where category not in ('amount_increased', 'amount_decreased')
),

sums as (
    select
        group_id,
        group_label,
        parent_team_id,
        depth,
        bucket_start,
        category,
        is_inside,
        count(*) as deal_count,
        sum(change_count) as change_count,
        sum(amount) as amount,
        sum(net_amount) as net_amount
    from net_cells
    where categories is null or category in ({{ asked('categories') }})
    group by all
),

all_categories as (
    select category, is_inside
    from (select unnest({{ deal_change_categories() }}) as category) as categories_in_order
    cross join (values (true), (false)) as sides (is_inside)
),

spine as (
    {{ report_spine('sums', ['category', 'is_inside'], fixed='all_categories') }}
),

final as (
    select
        spine.*,
        coalesce(sums.deal_count, 0) as deal_count,
        cast(coalesce(sums.change_count, 0) as bigint) as change_count,
        coalesce(sums.amount, 0) as amount,
        coalesce(sums.net_amount, 0) as net_amount
    from spine
    left join sums
        on spine.group_id = sums.group_id
        and spine.bucket_start = sums.bucket_start
        and spine.category = sums.category
        and spine.is_inside = sums.is_inside
    where categories is null or spine.category in ({{ asked('categories') }})
)

select {{ report_columns() }}
from final
order by {{ report_order(
    'deal_count',
    then=['list_position(' ~ deal_change_categories() ~ ', category)', 'is_inside desc'],
) }}
