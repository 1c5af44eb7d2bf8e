{#
  Report 17, historical snapshots, reconstructed from history: one definition for the mart (standard
  dates) and the function (the dates that are asked for).

  A query with one row per combination of `keys` and stretch of snapshot dates in which its measures
  are constant and not zero: first_date (the first snapshot that shows them), next_date (the first one
  that no longer does; NULL: all later ones do), the keys, deal_count, total_amount, weighted_amount,
  unknown_count. The snapshot of a day is the state at its end (today's: at run_ts), so a state is in
  the snapshots from the day on which it begins to the day before the one on which it ends.
    dates  a relation with snapshot_date, unique, none after the day of run_ts
    keys   what to add up by: {name: expression over snapshot_deals}
    where  which states to look at, as a condition on fct_deal_states

  No row per deal and date, nor per key and date: what enters and leaves is added up per key and date,
  and runs on. A level holds for many dates, which `snapshots_shown` spells out where they are read.
#}
{% macro snapshot_levels(dates, keys, where='true') -%}
{%- set key_names = keys.keys() | join(', ') -%}
{%- set measures = ['deal_count', 'total_amount', 'weighted_amount', 'unknown_count'] -%}
{% set in_order = '(partition by ' ~ key_names ~ ' order by snapshot_date)' -%}
{% set so_far -%}
(partition by {{ key_names }} order by snapshot_date rows between unbounded preceding and current row)
{%- endset -%}
with

states as (
    select * from {{ ref('fct_deal_states') }}
),

deals as (
    select * from {{ ref('fct_deals') }}
),

-- For each day on which anything changed, the first snapshot that shows it.
change_days as (
    select valid_from_date as day from states group by valid_from_date
),

first_dates as (
    select change_days.day, min(dates.snapshot_date) as snapshot_date
    from change_days
    inner join {{ dates }} as dates on dates.snapshot_date >= change_days.day
    group by change_days.day
),

shown_states as (
    select
        states.*,
        begins.snapshot_date as first_date,
        ends.snapshot_date as end_date
    from states
    inner join first_dates as begins on states.valid_from_date = begins.day
    left join first_dates as ends on states.valid_to_date = ends.day
    where (ends.snapshot_date is null or ends.snapshot_date > begins.snapshot_date)
        and {{ where }}
),

-- The present owner, the pipeline at the time (14a). A deal with a lost value counts apart, and what
-- is lost is called unknown (17c).
snapshot_deals as (
    select
        shown_states.first_date,
        shown_states.end_date,
        deals.owner_id,
        {%- for name, is_unknown in [
            ('pipeline_id', 'is_pipeline_unknown'),
            ('stage_pipeline_id', 'is_stage_unknown'),
            ('stage_id', 'is_stage_unknown'),
            ('deal_status', 'is_stage_unknown'),
            ('forecast_category', 'is_forecast_category_unknown'),
            ('amount_band', 'is_amount_unknown'),
        ] %}
        case when shown_states.{{ is_unknown }} then 'unknown' else shown_states.{{ name }} end as {{ name }},
        {%- endfor %}
        shown_states.company_amount,
        shown_states.weighted_amount,
        shown_states.is_stage_unknown
        or shown_states.is_pipeline_unknown
        or shown_states.is_amount_unknown
        or shown_states.is_forecast_category_unknown as is_unknown
    from shown_states
    inner join deals on shown_states.deal_id = deals.deal_id
),

counted as (
    select
        first_date,
        end_date,
        {%- for name, expression in keys.items() %}
        {{ expression }} as {{ name }},
        {%- endfor %}
        sum(case when is_unknown then 0 else 1 end) as deal_count,
        coalesce(sum(case when not is_unknown then company_amount end), 0) as total_amount,
        coalesce(sum(case when not is_unknown then weighted_amount end), 0) as weighted_amount,
        sum(case when is_unknown then 1 else 0 end) as unknown_count
    from snapshot_deals
    group by first_date, end_date{% for expression in keys.values() %}, {{ expression }}{% endfor %}
),

movements as (
    select first_date as snapshot_date, {{ key_names }}, {{ measures | join(', ') }}
    from counted
    union all
    select end_date, {{ key_names }}, -{{ measures | join(', -') }}
    from counted
    where end_date is not null
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
