{{ report_function(
    group_by=['stage', 'pipeline'],
    arguments={'direction': ['later', 'any'], 'include_via_close': true},
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

-- A bucket is a time frame like the whole range: close dates moved out of it, not out of the range.
windows as (
    select
        bucket_start as window_id,
        first_day as frame_from,
        end_day as frame_to
    from buckets
),

pushed_deals as (
    {{ deal_push_rate(
        'windows',
        "(next_close_date is null or next_close_date >= frame_to"
        ~ " or (direction = 'any' and next_close_date < frame_from))"
        ~ " and (include_via_close or not is_left_by_closing)"
    ) }}
),

deals as (
    select
        scope.* replace (
            case group_by when 'stage' then stages.stage_id else scope.group_id end as group_id,
            -- One id is one group, even where two pipelines call it differently.
            case group_by
                when 'stage' then min(stages.stage_label) over (partition by stages.stage_id)
                else scope.group_label
            end as group_label
        ),
        pushed_deals.window_id as bucket_start,
        pushed_deals.* exclude (window_id, stage_id)
    from pushed_deals
    inner join {{ ref('fct_deals') }} as fct_deals on pushed_deals.deal_id = fct_deals.deal_id
    inner join {{ ref('dim_stages') }} as stages
        on pushed_deals.stage_pipeline_id = stages.pipeline_id
        and pushed_deals.stage_id = stages.stage_id
    inner join scope
        on fct_deals.owner_id = scope.owner_id
        and fct_deals.pipeline_id = scope.pipeline_id
),

spine as (
    {{ report_spine('deals') }}
),

measured as (
    select
        spine.*,
        {%- for measure in deal_push_rate_counts() %}
        cast(coalesce(sum(deals.{{ measure }}), 0) as bigint) as {{ measure }},
        {%- endfor %}
        coalesce(sum(deals.pushed_amount), 0) as pushed_amount
    from spine
    left join deals
        on spine.group_id = deals.group_id
        and spine.bucket_start = deals.bucket_start
    group by all
),

final as (
    select
        *,
        pushed_count / nullif(eligible_count, 0) as push_rate,
        (pushed_count - returned_count) / nullif(eligible_count, 0) as net_push_rate,
        push_count / nullif(pushed_count, 0) as average_pushes,
        pushed_days / nullif(timed_push_count, 0) as average_days_pushed
    from measured
)

select {{ report_columns() }}
from final
order by {{ report_order('eligible_count') }}
