{{ report_function(
    arguments={
        'close_from': none,
        'close_to': none,
        'categories': {'each_of': deal_change_categories()},
    },
) }}

-- Rows, newest first; a page is a range of dates. Groups and buckets only label them.
with

request as materialized (
    {{ report_request(problems=[
        wrong_close_range(),
        "select 'cumulative: rows have no running totals; leave it out' where cumulative",
    ]) }}
),

buckets as (
    select buckets.*
    from request
    cross join {{ report_buckets() }} as buckets
),

scope as (
    select * from {{ report_deal_scope() }}
),

final as (
    select
        scope.group_id,
        scope.group_label,
        scope.parent_team_id,
        scope.depth,
        buckets.bucket_start,
        mart.*,
        coalesce(
            mart.frame_date >= cast(coalesce(close_from, buckets.first_day) as date)
            and mart.frame_date < cast(coalesce(close_to, buckets.end_day) as date),
            false
        ) as is_inside
    from {{ ref('rpt_deal_change_history') }} as mart
    inner join scope
        on mart.owner_id = scope.owner_id
        and mart.pipeline_id = scope.pipeline_id
    inner join buckets
        on mart.changed_date >= buckets.first_day
        and mart.changed_date < buckets.end_day
    where categories is null or mart.category in ({{ asked('categories') }})
)

select {{ report_columns() }}
from final
order by changed_at desc, change_id desc, group_id
