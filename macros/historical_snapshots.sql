{#
  Report 17, historical snapshots, reconstructed from history: one definition for the mart (standard
  dates) and the function (the dates that are asked for).

  A query with one row per combination of `keys` and stretch of snapshot dates in which its measures
  are constant and not zero: first_date (the first snapshot that shows them), next_date (the first one
  that no longer does; NULL: all later ones do), the keys, deal_count, total_amount, weighted_amount,
  unknown_count. The snapshot of a day is the state at its end (today's: at run_ts), so a state is in
  the snapshots from the day on which it begins to the day before the one on which it ends.
    dates  a relation with snapshot_date, unique, of days in dim_dates, none after the day of run_ts
    keys   what to add up by: {name: expression over the columns of `spans`}
    spans  a query of what there was: from_date, to_date (NULL: it still is), what the keys need, and
           the measures; `spans_of_states` or `spans_of_levels`

  No row per deal and date, nor per key and date: what enters and leaves is added up per key and date,
  and runs on. A level holds for many dates, which `snapshots_shown` spells out where they are read.
#}
{% macro snapshot_levels(dates, keys, spans) -%}
{%- set key_names = keys.keys() | join(', ') -%}
{%- set measures = ['deal_count', 'total_amount', 'weighted_amount', 'unknown_count'] -%}
{% set in_order = '(partition by ' ~ key_names ~ ' order by snapshot_date)' -%}
{% set so_far -%}
(partition by {{ key_names }} order by snapshot_date rows between unbounded preceding and current row)
{%- endset -%}
with

bounds as (
    select min(snapshot_date) as first_date
    from {{ dates }}
),

-- For each day between the dates, the first snapshot that shows what happened on it.
first_dates as (
    select calendar.date_day as day, min(dates.snapshot_date) as snapshot_date
    from {{ ref('dim_dates') }} as calendar
    inner join {{ dates }} as dates on dates.snapshot_date >= calendar.date_day
    inner join bounds on calendar.date_day >= bounds.first_date
    group by calendar.date_day
),

spans as (
    {{ spans | indent(4) }}
),

-- What began before the first snapshot is in it, unless it was over by then.
seen as (
    select
        spans.*,
        case when spans.from_date < bounds.first_date then bounds.first_date else spans.from_date end as seen_from
    from spans
    cross join bounds
    where spans.to_date is null
        or spans.to_date > bounds.first_date
),

shown as (
    select
        seen.*,
        begins.snapshot_date as first_date,
        ends.snapshot_date as end_date
    from seen
    inner join first_dates as begins on seen.seen_from = begins.day
    left join first_dates as ends on seen.to_date = ends.day
    where ends.snapshot_date is null
        or ends.snapshot_date > begins.snapshot_date
),

counted as (
    select
        first_date,
        end_date,
        {%- for name, expression in keys.items() %}
        {{ expression }} as {{ name }},
        {%- endfor %}
        {%- for measure in measures %}
        sum({{ measure }}) as {{ measure }}{{ ',' if not loop.last }}
        {%- endfor %}
    from shown
    group by first_date, end_date{% for expression in keys.values() %}, {{ expression }}{% endfor %}
),

-- What is counted comes on its first date, and goes on its last one.
movements as (
    select
        case when sides.side = 1 then counted.first_date else counted.end_date end as snapshot_date,
        {%- for name in keys %}
        counted.{{ name }},
        {%- endfor %}
        {%- for measure in measures %}
        sides.side * counted.{{ measure }} as {{ measure }}{{ ',' if not loop.last }}
        {%- endfor %}
    from counted
    cross join (select 1 as side union all select -1 as side) as sides
    where sides.side = 1
        or counted.end_date is not null
),

moved as (
    select
        snapshot_date,
        {{ key_names }},
        {%- for measure in measures %}
        sum({{ measure }}) as {{ measure }}{{ ',' if not loop.last }}
        {%- endfor %}
    from movements
    group by snapshot_date, {{ key_names }}
),

levels as (
    select
        snapshot_date,
        {{ key_names }},
        {%- for measure in measures %}
        sum({{ measure }}) over {{ so_far }} as {{ measure }},
        {%- endfor %}
        lead(snapshot_date) over {{ in_order }} as next_date
    from moved
)

select
    snapshot_date as first_date,
    next_date,
    {{ key_names }},
    cast(deal_count as bigint) as deal_count,
    cast(total_amount as {{ decimal_type(2) }}) as total_amount,
    cast(weighted_amount as {{ decimal_type(2) }}) as weighted_amount,
    cast(unknown_count as bigint) as unknown_count
from levels
where deal_count + unknown_count > 0
{%- endmacro %}


{#
  What `snapshot_levels` adds up: the states of deals.
    where  which of them, as a condition on fct_deal_states
#}
{% macro spans_of_states(where='true') -%}
select
    states.valid_from_date as from_date,
    states.valid_to_date as to_date,
    deals.owner_id,
    -- The present owner, the pipeline at the time (14a). A deal with a lost value counts apart, and what
    -- is lost is called unknown (17c).
    {%- for name, is_unknown in [
        ('pipeline_id', 'is_pipeline_unknown'),
        ('stage_pipeline_id', 'is_stage_unknown'),
        ('stage_id', 'is_stage_unknown'),
        ('deal_status', 'is_stage_unknown'),
        ('forecast_category', 'is_forecast_category_unknown'),
        ('amount_band', 'is_amount_unknown'),
    ] %}
    case when states.{{ is_unknown }} then 'unknown' else states.{{ name }} end as {{ name }},
    {%- endfor %}
    case when states.is_unknown then 0 else 1 end as deal_count,
    case when not states.is_unknown then coalesce(states.company_amount, 0) else 0 end as total_amount,
    case when not states.is_unknown then coalesce(states.weighted_amount, 0) else 0 end as weighted_amount,
    case when states.is_unknown then 1 else 0 end as unknown_count
from (
    select
        *,
        is_stage_unknown
        or is_pipeline_unknown
        or is_amount_unknown
        or is_forecast_category_unknown as is_unknown
    from {{ ref('fct_deal_states') }}
    where {{ where }}
) as states
inner join {{ ref('fct_deals') }} as deals on states.deal_id = deals.deal_id
{%- endmacro %}


{#
  The same of the mart's dates: its own levels, which are few where states are many.
    where  which of them, as a condition on fct_snapshot_levels
#}
{% macro spans_of_levels(where='true') -%}
select
    first_date as from_date,
    next_date as to_date,
    owner_id,
    pipeline_id,
    stage_pipeline_id,
    stage_id,
    forecast_category,
    amount_band,
    deal_count,
    total_amount,
    weighted_amount,
    unknown_count
from {{ ref('fct_snapshot_levels') }}
where {{ where }}
{%- endmacro %}


{#
  A query with one row per level and date of `dates` that shows it: snapshot_date and all of the level.
  There are few stretches of dates, however many levels: dates are looked for by stretch.
#}
{% macro snapshots_shown(levels, dates) -%}
{%- set end_date = "coalesce(levels.next_date, cast('9999-12-31' as date))" -%}
select
    days.snapshot_date,
    levels.*
from {{ levels }} as levels
inner join (
    select
        stretches.first_date,
        stretches.end_date,
        dates.snapshot_date
    from (
        select levels.first_date, {{ end_date }} as end_date
        from {{ levels }} as levels
        group by levels.first_date, {{ end_date }}
    ) as stretches
    inner join {{ dates }} as dates
        on dates.snapshot_date >= stretches.first_date
        and dates.snapshot_date < stretches.end_date
) as days
    on levels.first_date = days.first_date
    and {{ end_date }} = days.end_date
{%- endmacro %}


{# Band of a company amount, lower edge inclusive (17b). Edges: the variable amount_band_edges. #}
{% macro amount_band(amount) -%}
{%- set bands = amount_bands() -%}
case
    when {{ amount }} is null then '{{ bands[0] }}'
    when {{ amount }} < 0 then '{{ bands[1] }}'
    {%- for edge in var('amount_band_edges') %}
    when {{ amount }} < {{ edge }} then '{{ bands[loop.index + 1] }}'
    {%- endfor %}
    else '{{ bands[-1] }}'
end
{%- endmacro %}


{# The bands in their order: no amount, below 0, then from edge to edge. #}
{% macro amount_bands() %}
{%- set bands = ['none', 'negative'] -%}
{%- set edges = [0] + var('amount_band_edges') -%}
{%- for edge in edges[1:] -%}
    {%- do bands.append(short_number(edges[loop.index0]) ~ '-' ~ short_number(edge)) -%}
{%- endfor -%}
{%- do bands.append(short_number(edges[-1]) ~ '+') -%}
{{- return(bands) -}}
{% endmacro %}


{% macro short_number(number) %}
{%- set thousands = (number // 1000) | int -%}
{{- return((thousands ~ 'k') if number and number % 1000 == 0 else number | string) -}}
{% endmacro %}
