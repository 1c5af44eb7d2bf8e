{{ report_function(
    group_by=['pipeline'],
    arguments={'cohort': ['closed', 'created']},
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

-- From core, because the mart holds closed deals by close date only.
cohort_deals as (
    select
        *,
        case cohort when 'created' then created_date else close_date end as cohort_date
    from {{ ref('fct_deals') }}
    where cohort = 'created' or is_closed
),

-- The range before has as many days and ends where the range begins. Its deals are moved on by its
-- length, so that they fall on the bucket that they are compared with.
dated_deals as (
    select *, false as is_previous, cohort_date as report_date
    from cohort_deals
    union all
    select
        *,
        true as is_previous,
        cohort_date + cast(try_cast(date_to as date) - try_cast(date_from as date) as integer) as report_date
    from cohort_deals
),

deals as (
    select
        scope.*,
        buckets.bucket_start,
        dated_deals.is_previous,
        dated_deals.is_closed,
        dated_deals.is_won,
        dated_deals.company_amount,
        dated_deals.is_won and dated_deals.is_valid_cycle as is_valid_won,
        dated_deals.cycle_ms
    from dated_deals
    inner join scope
        on dated_deals.owner_id = scope.owner_id
        and dated_deals.pipeline_id = scope.pipeline_id
    inner join buckets
        on dated_deals.report_date >= buckets.first_day
        and dated_deals.report_date < buckets.end_day
),

present_deals as (
    select * from deals where not is_previous
),

spine as (
    {{ report_spine('present_deals') }}
),

both_ranges as (
    select spine.*, ranges.is_previous
    from spine
    cross join (values (false), (true)) as ranges (is_previous)
),

measured as (
    select
        both_ranges.*,
        count(*) filter (where deals.is_closed) as closed_count,
        count(*) filter (where deals.is_won) as won_count,
        count(deals.company_amount) filter (where deals.is_won) as won_with_amount_count,
        coalesce(sum(deals.company_amount) filter (where deals.is_won), 0) as won_amount,
        count(*) filter (where deals.is_valid_won) as valid_won_count,
        cast(coalesce(sum(deals.cycle_ms) filter (where deals.is_valid_won), 0) as bigint) as days_to_win_ms,
        count(deals.group_id) as opportunity_count
    from both_ranges
    left join deals
        on both_ranges.group_id = deals.group_id
        and both_ranges.bucket_start = deals.bucket_start
        and both_ranges.is_previous = deals.is_previous
    group by all
),

derived as (
    select
        *,
        won_count / nullif(opportunity_count, 0) as win_rate,
        won_amount / nullif(won_with_amount_count, 0) as average_won_amount,
        days_to_win_ms / 86400000 / nullif(valid_won_count, 0) as average_days_to_win,
        -- opportunities × win rate = won deals: those without an amount count with the average.
        won_count * average_won_amount / average_days_to_win as velocity,
        won_amount / average_days_to_win as velocity_observed
    from measured
),

final as (
    select
        present.* exclude (is_previous),
        previous.win_rate as previous_win_rate,
        previous.average_won_amount as previous_average_won_amount,
        previous.average_days_to_win as previous_average_days_to_win,
        previous.velocity as previous_velocity,
        previous.velocity_observed as previous_velocity_observed
    from derived as present
    inner join derived as previous
        on present.group_id = previous.group_id
        and present.bucket_start = previous.bucket_start
    where not present.is_previous and previous.is_previous
)

select {{ report_columns() }}
from final
order by {{ report_order('closed_count') }}
