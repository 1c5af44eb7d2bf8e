{#
  Report 15, deal push rate: one definition for the mart (standard periods) and the function (the time
  frames that are asked for).

  A query with one row per frame and deal that ever had a close day in it (eligible): window_id,
  deal_id, stage_pipeline_id, stage_id and the measures of the mart. The stage is that of the first
  push; without a push it is the present one (15c).
    windows  a relation with window_id (of any type), frame_from and frame_to (days, half-open)
    is_push  when leaving a day of the frame is a push: by default for a day after it, or for none (15b)
    close_days  the rows of fct_deal_close_days to look at
#}
{% macro deal_push_rate(windows, is_push='(next_close_date is null or next_close_date >= frame_to)', close_days=ref('fct_deal_close_days')) -%}
with

close_days as (
    select * from {{ close_days }}
),

deals as (
    select * from {{ ref('fct_deals') }}
),

-- Days are few: they find their frames first, so that close days find theirs by equality.
days as (
    select close_date as day from close_days where close_date is not null group by close_date
),

frame_days as (
    select
        windows.window_id,
        windows.frame_from,
        windows.frame_to,
        days.day
    from {{ windows }} as windows
    inner join days on days.day >= windows.frame_from and days.day < windows.frame_to
),

days_in_frame as (
    select
        frame_days.window_id,
        frame_days.frame_from,
        frame_days.frame_to,
        close_days.*
    from close_days
    inner join frame_days on close_days.close_date = frame_days.day
),

pushes as (
    select
        *,
        case when left_at is not null and {{ is_push }} then 1 else 0 end as push_count,
        {{ days_from('close_date', 'next_close_date') }} as pushed_days
    from days_in_frame
),

pushed_deals as (
    select
        window_id,
        deal_id,
        max(push_count) as pushed_count,
        max(case when is_last then 1 else 0 end) as is_back,
        max(case when next_close_date < frame_from then 1 else 0 end) as pulled_out_count,
        min(case when push_count = 1 then case when is_left_by_closing then 1 else 0 end end)
            as is_all_by_closing,
        sum(push_count) as push_count,
        sum(case when next_close_date is not null then push_count else 0 end) as timed_push_count,
        sum(case when push_count = 1 then pushed_days end) as pushed_days,
        min(case when push_count = 1 then day_number end) as first_push_number
    from pushes
    group by window_id, deal_id
)

select
    pushed_deals.window_id,
    pushed_deals.deal_id,
    coalesce(close_days.stage_pipeline_id, deals.stage_pipeline_id) as stage_pipeline_id,
    coalesce(close_days.stage_id, deals.stage_id) as stage_id,
    1 as eligible_count,
    pushed_deals.pushed_count,
    pushed_deals.pushed_count * pushed_deals.is_back as returned_count,
    pushed_deals.pulled_out_count,
    coalesce(pushed_deals.is_all_by_closing, 0) as via_close_count,
    pushed_deals.push_count,
    pushed_deals.timed_push_count,
    coalesce(pushed_deals.pushed_days, 0) as pushed_days,
    case when pushed_deals.pushed_count = 1 then coalesce(deals.company_amount, 0) else 0 end as pushed_amount
from pushed_deals
inner join deals on pushed_deals.deal_id = deals.deal_id
left join close_days
    on pushed_deals.deal_id = close_days.deal_id
    and pushed_deals.first_push_number = close_days.day_number
{%- endmacro %}


{# Its measures that are whole numbers, in the order of the mart. #}
{% macro deal_push_rate_counts() %}
{{- return([
    'eligible_count',
    'pushed_count',
    'returned_count',
    'pulled_out_count',
    'via_close_count',
    'push_count',
    'timed_push_count',
    'pushed_days',
]) -}}
{% endmacro %}
