{#
  Every difference between the engines that the models meet, one dispatched macro each; the list of
  them is in models/overview.md ("Engines"). default__ is DuckDB's, and that of all engines that have
  no branch of their own: those stand in one file per engine beside this one. Nothing else belongs here.
#}

{# The type of an instant (UTC). #}
{% macro instant_type() %}{{ return(adapter.dispatch('instant_type')()) }}{% endmacro %}
{% macro default__instant_type() %}timestamptz{% endmacro %}

{# The type of a text of any length. #}
{% macro text_type() %}{{ return(adapter.dispatch('text_type')()) }}{% endmacro %}
{% macro default__text_type() %}varchar{% endmacro %}

{# The type of an exact number with so many digits after the point, and of an inexact one. #}
{% macro decimal_type(digits) %}{{ return(adapter.dispatch('decimal_type')(digits)) }}{% endmacro %}
{% macro default__decimal_type(digits) %}decimal(38, {{ digits }}){% endmacro %}
{% macro double_type() %}{{ return(adapter.dispatch('double_type')()) }}{% endmacro %}
{% macro default__double_type() %}double precision{% endmacro %}

{# Local calendar date of an instant in a time zone (C3). NULL gives NULL. #}
{% macro local_date(instant, time_zone) %}{{ return(adapter.dispatch('local_date')(instant, time_zone)) }}{% endmacro %}
{% macro default__local_date(instant, time_zone) %}cast(timezone({{ time_zone }}, {{ instant }}) as date){% endmacro %}

{# The instant at which the engine places local midnight of a date; see local_midnight. #}
{% macro raw_midnight(day, time_zone) %}{{ return(adapter.dispatch('raw_midnight')(day, time_zone)) }}{% endmacro %}
{% macro default__raw_midnight(day, time_zone) %}timezone({{ time_zone }}, cast({{ day }} as timestamp)){% endmacro %}

{#
  First instant of a local day (H13). Where midnight occurs twice (America/Havana) raw_midnight is the
  second one. The first one is midnight by the offset of the evening before; it counts if it lies
  on the day, which it does not where the clock went back before midnight.
#}
{% macro local_midnight(day, time_zone) %}{{ return(adapter.dispatch('local_midnight')(day, time_zone)) }}{% endmacro %}
{% macro default__local_midnight(day, time_zone) -%}
{%- set midnight = raw_midnight(day, time_zone) -%}
{%- set evening = shifted("cast(" ~ day ~ " as timestamp)", -6, 'hour') -%}
{%- set by_evening = shifted(raw_midnight(evening, time_zone), 6, 'hour') -%}
case
    when {{ local_date(by_evening, time_zone) }} = {{ day }} then least({{ by_evening }}, {{ midnight }})
    else {{ midnight }}
end
{%- endmacro %}

{# An instant, or a local time, so many units later: microsecond to hour. #}
{% macro shifted(time, number, unit) %}{{ return(adapter.dispatch('shifted')(time, number, unit)) }}{% endmacro %}
{% macro default__shifted(time, number, unit) %}({{ time }} + {{ number }} * interval '1 {{ unit }}'){% endmacro %}

{# A date so many days or months later. #}
{% macro days_after(day, number) %}{{ return(adapter.dispatch('days_after')(day, number)) }}{% endmacro %}
{% macro default__days_after(day, number) %}({{ day }} + {{ number }}){% endmacro %}
{% macro months_after(day, number) %}{{ return(adapter.dispatch('months_after')(day, number)) }}{% endmacro %}
{% macro default__months_after(day, number) %}cast({{ day }} + {{ number }} * interval '1 month' as date){% endmacro %}

{# How many days a date lies after another one. #}
{% macro days_from(first_day, day) %}{{ return(adapter.dispatch('days_from')(first_day, day)) }}{% endmacro %}
{% macro default__days_from(first_day, day) %}({{ day }} - {{ first_day }}){% endmacro %}

{# The first day of the week (from Monday), month, quarter or year of a date. #}
{% macro start_of(period, day) %}{{ return(adapter.dispatch('start_of')(period, day)) }}{% endmacro %}
{% macro default__start_of(period, day) %}cast(date_trunc('{{ period }}', cast({{ day }} as timestamp)) as date){% endmacro %}

{# 1 = Monday … 7 = Sunday. #}
{% macro iso_weekday(day) %}{{ return(adapter.dispatch('iso_weekday')(day)) }}{% endmacro %}
{% macro default__iso_weekday(day) %}extract(isodow from {{ day }}){% endmacro %}

{# The date of a year, month and day. #}
{% macro date_of(year, month, day) %}{{ return(adapter.dispatch('date_of')(year, month, day)) }}{% endmacro %}
{% macro default__date_of(year, month, day) %}make_date({{ year }}, {{ month }}, {{ day }}){% endmacro %}

{# The least and the greatest of several expressions, of those that are not NULL. #}
{% macro least_known(expressions) %}{{ return(adapter.dispatch('least_known')(expressions)) }}{% endmacro %}
{% macro default__least_known(expressions) %}least({{ expressions | join(', ') }}){% endmacro %}
{% macro greatest_known(expressions) %}{{ return(adapter.dispatch('greatest_known')(expressions)) }}{% endmacro %}
{% macro default__greatest_known(expressions) %}greatest({{ expressions | join(', ') }}){% endmacro %}

{# Whole milliseconds since 1970 of an instant, rounded down (BIGINT). #}
{% macro epoch_ms(instant) %}{{ return(adapter.dispatch('epoch_ms')(instant)) }}{% endmacro %}
{# DuckDB's own epoch_ms rounds to the nearest. #}
{% macro default__epoch_ms(instant) %}cast(floor(epoch_us({{ instant }}) / 1000) as bigint){% endmacro %}

{# Milliseconds from one instant to another (BIGINT, C9). NULL if either is NULL. #}
{% macro duration_ms(from_instant, to_instant) %}({{ epoch_ms(to_instant) }} - {{ epoch_ms(from_instant) }}){% endmacro %}

{#
  One row per part of a delimited text: `split_to_rows` in a select list, whose from clause ends in
  `from_split` of the same text: engines that make no rows in a select list make them there.
#}
{% macro split_to_rows(text, delimiter) %}{{ return(adapter.dispatch('split_to_rows')(text, delimiter)) }}{% endmacro %}
{% macro default__split_to_rows(text, delimiter) %}unnest(string_split({{ text }}, '{{ delimiter }}')){% endmacro %}
{% macro from_split(text, delimiter) %}{{ return(adapter.dispatch('from_split')(text, delimiter)) }}{% endmacro %}
{% macro default__from_split(text, delimiter) %}{% endmacro %}

{# A part of a delimited text, the first is 1. #}
{% macro text_part(text, delimiter, number) %}{{ return(adapter.dispatch('text_part')(text, delimiter, number)) }}{% endmacro %}
{% macro default__text_part(text, delimiter, number) %}split_part({{ text }}, '{{ delimiter }}', {{ number }}){% endmacro %}

{# A decimal as people write it: without the zeros that its type adds. #}
{% macro number_text(number) %}{{ return(adapter.dispatch('number_text')(number)) }}{% endmacro %}
{% macro default__number_text(number) -%}
trim(trailing '.' from trim(trailing '0' from cast(cast({{ number }} as {{ decimal_type(10) }}) as {{ text_type() }})))
{%- endmacro %}

{#
  Schemas are named as in marts.md, without the target's prefix. Where readers see the marts of the last
  build while the next one is made, the latter has other names: Postgres renames them in the end
  (orchestration/engines/postgres_publication.py), on Spark each build has names of its own.
#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{- custom_schema_name | trim if custom_schema_name else target.schema -}}
    {%- if custom_schema_name in ('core', 'reports') -%}
        {{- adapter.dispatch('marts_suffix')() -}}
    {%- endif -%}
{%- endmacro %}
{% macro default__marts_suffix() %}{% endmacro %}

{#
  After a table is made: what the planner is to know of it. Postgres learns it by itself a minute later, and
  until then plans as if every table were nearly empty, which takes some models minutes instead of seconds.
#}
{% macro analyzed(relation) %}{{ return(adapter.dispatch('analyzed')(relation)) }}{% endmacro %}
{% macro default__analyzed(relation) %}{% endmacro %}

{# A text as a sort key: by Unicode code point (C8), whatever the collation of the database. #}
{% macro code_points(text) %}{{ return(adapter.dispatch('code_points')(text)) }}{% endmacro %}
{% macro default__code_points(text) %}{{ text }}{% endmacro %}

{# In an order by: ids of digits in numeric order, all others after them by code point (6c). #}
{% macro id_order(id) %}{{ return(adapter.dispatch('id_order')(id)) }}{% endmacro %}
{% macro default__id_order(id) -%}
case when translate({{ id }}, '0123456789', '') = '' then length({{ id }}) end nulls last, {{ code_points(id) }}
{%- endmacro %}

{#
  A text without outer blanks (H10, P7), also those that came along from a web page or a word processor: every
  space character of Unicode, which DuckDB takes for a blank and others do not, tabs and ends of lines.
#}
{% macro trimmed(text) %}{{ return(adapter.dispatch('trimmed')(text)) }}{% endmacro %}
{% macro default__trimmed(text) -%}
{%- set outer_blanks = [9, 10, 13, 32, 160, 5760] + range(8192, 8203) | list + [8239, 8287, 12288] -%}
{#- Given characters, trim() costs many times more: only where there is one that it does not know by itself. -#}
case
    when contains({{ text }}, chr(9)) or contains({{ text }}, chr(10)) or contains({{ text }}, chr(13))
        then trim({{ text }}, {% for code in outer_blanks %}{{ '' if loop.first else ' || ' }}chr({{ code }}){% endfor %})
    else trim({{ text }})
end
{%- endmacro %}

{# A text without outer blanks, each run of ASCII whitespace made one blank. #}
{% macro collapse_whitespace(text) %}{{ return(adapter.dispatch('collapse_whitespace')(text)) }}{% endmacro %}
{% macro default__collapse_whitespace(text) -%}
{%- set collapsed %}regexp_replace({{ text }}, '[ \t\n\r\f\v]+', ' ', 'g'){% endset -%}
trim({{ collapsed }}, ' ')
{%- endmacro %}

{#
  A text to compare without regard to case, each character by itself as DuckDB does. Others lower some
  characters by what stands around them, Postgres by the rules of the database's language at that.
#}
{% macro without_case(text) %}{{ return(adapter.dispatch('without_case')(text)) }}{% endmacro %}
{% macro default__without_case(text) %}lower({{ text }}){% endmacro %}

{#
  An amount times a factor (NULL = 1), rounded once to cents, half away from zero (P9, P10). DuckDB's
  product of two decimals overflows above 10^18: amounts that no deal has, but that must not stop a
  build, go through doubles there. Where even DECIMAL(38,2) cannot hold them they become NULL.
#}
{% macro money(amount, factor) %}{{ return(adapter.dispatch('money')(amount, factor)) }}{% endmacro %}
{% macro default__money(amount, factor) -%}
case
    when {{ factor }} is null
        then cast(round({{ amount }}, 2) as decimal(38, 2))
    when abs(cast({{ amount }} as double) * cast({{ factor }} as double)) < 1e17
        then cast(round({{ amount }} * {{ factor }}, 2) as decimal(38, 2))
    else try_cast(cast({{ amount }} as double) * cast({{ factor }} as double) as decimal(38, 2))
end
{%- endmacro %}

{#
  One row per day from the first to the last date, as timestamps or dates: `days_between` in a select list,
  whose from clause ends in `from_days_between` of the same dates. Postgres would count in the time zone of
  the session, where a day may lack the hour at which it begins.
#}
{% macro days_between(first_day, last_day) %}{{ return(adapter.dispatch('days_between')(first_day, last_day)) }}{% endmacro %}
{% macro default__days_between(first_day, last_day) %}unnest(generate_series({{ first_day }}, {{ last_day }}, interval '1 day')){% endmacro %}
{% macro from_days_between(first_day, last_day) %}{{ return(adapter.dispatch('from_days_between')(first_day, last_day)) }}{% endmacro %}
{% macro default__from_days_between(first_day, last_day) %}{% endmacro %}

{# An aggregate: texts joined in the order of another column; NULLs are left out. #}
{% macro joined_texts(text, position, delimiter=',') %}{{ return(adapter.dispatch('joined_texts')(text, position, delimiter)) }}{% endmacro %}
{% macro default__joined_texts(text, position, delimiter) %}string_agg({{ text }}, '{{ delimiter }}' order by {{ position }}){% endmacro %}

{#
  How a mart is kept that only spells out what core holds: where columns are read by themselves, not at
  all, so that nobody writes, publishes and reads many times what it says.
#}
{% macro spelled_out() %}{{ return(adapter.dispatch('spelled_out')()) }}{% endmacro %}
{% macro default__spelled_out() %}table{% endmacro %}
{% macro duckdb__spelled_out() %}view{% endmacro %}

{# How a mart is kept that adds up keyed models: where there are nights, moved by what changed (sums.sql). #}
{% macro added_up() %}{{ return(adapter.dispatch('added_up')()) }}{% endmacro %}
{% macro default__added_up() %}table{% endmacro %}
{% macro duckdb__added_up() %}sums{% endmacro %}

{#
  In a select list, over a window from the first row up to the present one: the last value that was set.
  A row sets one where `number` is not NULL, which grows along the window; the value set may be NULL.
  Postgres knows no IGNORE NULLS, but can collect what was set.
#}
{% macro value_in_force(value, number, window) %}{{ return(adapter.dispatch('value_in_force')(value, number, window)) }}{% endmacro %}
{% macro default__value_in_force(value, number, window) -%}
case
    when last_value(case when {{ number }} is not null then {{ value }} is not null end ignore nulls) over {{ window }}
        then last_value({{ value }} ignore nulls) over {{ window }}
end
{%- endmacro %}

{# An aggregate: the value of the row whose `order_by` is the greatest; neither of them is NULL. #}
{% macro latest(value, order_by) %}{{ return(adapter.dispatch('latest')(value, order_by)) }}{% endmacro %}
{% macro default__latest(value, order_by) %}max_by({{ value }}, {{ order_by }}){% endmacro %}

{#
  A CTE that grows from itself: the rows of the select `first`, and those of the select `next` for as long as it
  gives any; in it, `from [rows]` reads those of the step before under the name of the CTE. It stands in a list
  that `with_recursive` opens. Trino needs the names of the columns, BigQuery in both selects.
#}
{% macro with_recursive() %}{{ return(adapter.dispatch('with_recursive')()) }}{% endmacro %}
{% macro default__with_recursive() %}with recursive{% endmacro %}
{% macro recursive_cte(name, columns, first, next) %}{{ return(adapter.dispatch('recursive_cte')(name, columns, first, next)) }}{% endmacro %}
{% macro default__recursive_cte(name, columns, first, next) -%}
{{ name }} ({{ columns | join(', ') }}) as (
    {{ first }}
    union all
    {{ next | replace('[rows]', name) }}
)
{%- endmacro %}

{#
  A select: the rows of `start`, and those that steps lead to from there, one after another. `position` is
  the column that steps move, from their column `from` to their column `to`; `carried` is kept as it was
  at the start. Ends on cycles: each row comes once.
#}
{% macro all_reached(start, steps, from, to, position, carried=none) %}{{ return(adapter.dispatch('all_reached')(start, steps, from, to, position, carried)) }}{% endmacro %}
{% macro default__all_reached(start, steps, from, to, position, carried) -%}
with recursive reached as (
    select {{ carried ~ ', ' if carried }}{{ position }}
    from {{ start }}
    union distinct
    select {{ 'reached.' ~ carried ~ ', ' if carried }}steps.{{ to }} as {{ position }}
    from reached
    inner join {{ steps }} as steps on reached.{{ position }} = steps.{{ from }}
)

select * from reached
{%- endmacro %}
