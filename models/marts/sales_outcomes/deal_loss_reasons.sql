{{ report_function(group_by=['loss_reason', 'pipeline']) }}

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

loss_reasons as (
    select
        scope.* exclude (group_id, group_label),
        case group_by when 'loss_reason' then mart.loss_reason else scope.group_id end as group_id,
        case group_by when 'loss_reason' then mart.loss_reason else scope.group_label end as group_label,
        buckets.bucket_start,
        mart.loss_reason,
        mart.deal_count,
        mart.total_amount
    from {{ ref('rpt_deal_loss_reasons') }} as mart
    inner join scope
        on mart.owner_id = scope.owner_id
        and mart.pipeline_id = scope.pipeline_id
    inner join buckets
        on mart.close_date >= buckets.first_day
        and mart.close_date < buckets.end_day
),

-- A deal with two reasons stands in two rows of the mart, so that a group's deals are counted in core.
lost_deals as (
    select
        case group_by when 'loss_reason' then 'all' else scope.group_id end as group_id,
        buckets.bucket_start,
        count(*) as lost_count
    from {{ ref('fct_deals') }} as fct_deals
    inner join scope
        on fct_deals.owner_id = scope.owner_id
        and fct_deals.pipeline_id = scope.pipeline_id
    inner join buckets
        on fct_deals.close_date >= buckets.first_day
        and fct_deals.close_date < buckets.end_day
    where fct_deals.is_lost
    group by all
),

spine as (
    {{ report_spine('loss_reasons', ['loss_reason']) }}
),

measured as (
    select
        spine.*,
        cast(coalesce(sum(loss_reasons.deal_count), 0) as bigint) as deal_count,
        coalesce(sum(loss_reasons.total_amount), 0) as total_amount
    from spine
    left join loss_reasons
        on spine.group_id = loss_reasons.group_id
        and spine.bucket_start = loss_reasons.bucket_start
        and spine.loss_reason = loss_reasons.loss_reason
    group by all
),

final as (
    select
        measured.*,
        measured.deal_count / lost_deals.lost_count as deal_share
    from measured
    left join lost_deals
        on measured.bucket_start = lost_deals.bucket_start
        and lost_deals.group_id = case group_by when 'loss_reason' then 'all' else measured.group_id end
)

select {{ report_columns() }}
from final
order by {{ report_order('deal_count', then=['deal_count desc', 'loss_reason']) }}
