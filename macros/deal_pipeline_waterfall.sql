{#
  Report 14, deal pipeline waterfall: one definition for the mart (standard periods) and the function
  (the windows that are asked for).

  A query with one row per window, deal and category: window_id, deal_id, category, sub_type, amount.
  `amount` is signed as it enters the balance (14c): begin and all that follows add up to end.
    windows  a relation with window_id (of any type); the change period C: begin_at and end_at,
             instants up to run_ts; the close-date period P: due_from and due_to, days; time_zone.
             Both periods are half-open.
    amount   the amount of a deal's state: company_amount or weighted_amount
    states, closings  the rows of fct_deal_states and fct_deal_closings to look at

  A state is *due* while it is open and its close day has not passed: from valid_from to valid_to or
  to the midnight after the close day (lapses_at), whichever comes first. As of t, a change at t has
  not happened yet (C1), but a lapse at t has, since a close day is judged by day(t) (H14).
#}
{% macro deal_pipeline_waterfall(
    windows, amount='company_amount', states=ref('fct_deal_states'), closings=ref('fct_deal_closings')
) -%}
with

states as (
    select
        deal_id,
        valid_from,
        valid_to,
        deal_status,
        close_date,
        coalesce({{ amount }}, 0) as amount
    from {{ states }}
),

closings as (
    select * from {{ closings }}
),

-- The days on which deals were due or were closed, with the windows whose P holds them. They are
-- few, so that states find their windows by equality.
days as (
    select close_date as day from states where deal_status = 'open' and close_date is not null
    union distinct
    select closed_date from closings
),

window_days as (
    select
        windows.window_id,
        windows.begin_at,
        windows.end_at,
        days.day,
        {{ local_midnight(days_after('days.day', 1), 'windows.time_zone') }} as lapses_at
    from {{ windows }} as windows
    inner join days on days.day >= windows.due_from and days.day < windows.due_to
),

-- The stretches of C that a deal spent in the window.
due_states as (
    select
        window_days.window_id,
        states.deal_id,
        states.valid_from,
        states.amount,
        states.valid_from < window_days.begin_at as is_at_begin,
        window_days.lapses_at > window_days.end_at
        and (states.valid_to is null or states.valid_to >= window_days.end_at) as is_at_end
    from states
    inner join window_days on states.close_date = window_days.day
    where states.deal_status = 'open'
        and states.valid_from < window_days.lapses_at
        and states.valid_from < window_days.end_at
        and window_days.lapses_at > window_days.begin_at
        and (states.valid_to is null or states.valid_to >= window_days.begin_at)
),

due_deals as (
    select
        window_id,
        deal_id,
        max(case when is_at_begin then amount end) as begin_amount,
        -- At E, or when the deal left for the last time (14d).
        {{ latest('amount', 'valid_from') }} as last_amount,
        max(case when is_at_end then 1 else 0 end) = 1 as is_at_end
    from due_states
    group by window_id, deal_id
),

-- Closed as of E, by a change in C on a day in P.
closed_deals as (
    select window_days.window_id, closings.deal_id
    from closings
    inner join window_days on closings.closed_date = window_days.day
    where closings.closed_at >= window_days.begin_at
        and closings.closed_at < window_days.end_at
        and (closings.ended_at is null or closings.ended_at >= window_days.end_at)
),

touched_deals as (
    select
        coalesce(due_deals.window_id, closed_deals.window_id) as window_id,
        coalesce(due_deals.deal_id, closed_deals.deal_id) as deal_id,
        due_deals.begin_amount,
        due_deals.last_amount,
        coalesce(due_deals.is_at_end, false) as is_at_end,
        closed_deals.deal_id is not null as is_closed
    from due_deals
    full outer join closed_deals
        on due_deals.window_id = closed_deals.window_id
        and due_deals.deal_id = closed_deals.deal_id
),

-- How each deal stood at both ends of C; no status at B: it was not created yet.
deals_at_ends as (
    select
        touched_deals.*,
        {{ local_date('windows.begin_at', 'windows.time_zone') }} as begin_date,
        windows.due_from,
        windows.due_to,
        at_begin.deal_status as begin_status,
        at_begin.close_date as begin_close_date,
        at_end.deal_status as end_status,
        at_end.close_date as end_close_date,
        at_end.amount as end_amount
    from touched_deals
    inner join {{ windows }} as windows on touched_deals.window_id = windows.window_id
    inner join states as at_end
        on touched_deals.deal_id = at_end.deal_id
        and at_end.valid_from < windows.end_at
        and (at_end.valid_to is null or at_end.valid_to >= windows.end_at)
    left join states as at_begin
        on touched_deals.deal_id = at_begin.deal_id
        and at_begin.valid_from < windows.begin_at
        and (at_begin.valid_to is null or at_begin.valid_to >= windows.begin_at)
),

-- The first that fits: still in the window; closed inside it; closed all along, which is nothing; left.
outcomes as (
    select
        *,
        case
            when is_at_end then 'end'
            when is_closed and end_status is distinct from begin_status then end_status
            when end_status <> 'open' and end_status is not distinct from begin_status then null
            when last_amount is not null then 'pushed'
        end as outcome,
        case
            when is_at_end or (is_closed and end_status is distinct from begin_status) then end_amount
            else last_amount
        end as outcome_amount
    from deals_at_ends
),

lines as (
    select window_id, deal_id, 'begin' as category, null as sub_type, begin_amount as amount
    from outcomes
    where begin_amount is not null
    union all
    select
        window_id,
        deal_id,
        case
            when begin_status is null then 'created'
            when begin_status = 'open' then 'pulled'
            else 'reopened'
        end,
        case
            when coalesce(begin_status, 'none') <> 'open' then null
            when begin_close_date is null then 'no_close_date'
            when begin_close_date < begin_date then 'redated_after_lapse'
            when begin_close_date >= due_to then 'from_later'
            else 'from_earlier'
        end,
        outcome_amount
    from outcomes
    where begin_amount is null and outcome is not null
    union all
    select
        window_id,
        deal_id,
        case when outcome_amount > begin_amount then 'increased' else 'decreased' end,
        null,
        outcome_amount - begin_amount
    from outcomes
    where outcome_amount <> begin_amount
    union all
    select
        window_id,
        deal_id,
        outcome,
        case
            when outcome <> 'pushed' then null
            when end_status <> 'open' then 'closed_outside'
            when end_close_date is null then 'cleared'
            when end_close_date >= due_to then 'later'
            when end_close_date < due_from then 'earlier'
            else 'lapsed'
        end,
        case when outcome = 'end' then outcome_amount else -outcome_amount end
    from outcomes
    where outcome is not null
)

select
    window_id,
    deal_id,
    category,
    cast(sub_type as {{ text_type() }}) as sub_type,
    cast(amount as {{ decimal_type(2) }}) as amount
from lines
{%- endmacro %}


{# The categories in the order of the balance; as a DuckDB list, for the function. #}
{% macro deal_pipeline_waterfall_categories() %}
{{- return(
    "['begin', 'created', 'pulled', 'reopened', 'moved_in', 'increased', 'decreased', "
    ~ "'pushed', 'lost', 'won', 'moved_out', 'removed', 'end']"
) -}}
{% endmacro %}
