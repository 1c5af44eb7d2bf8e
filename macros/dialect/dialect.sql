{#
  Every difference between the engines that the models meet, one dispatched macro each; the list of
  them is in models/overview.md ("Engines"). default__ is DuckDB's, and that of all engines that have
  no branch of their own: those stand in one file per engine beside this one. Nothing else belongs here.
#}

{# The type of an instant (UTC). #}
{% macro instant_type() %}{{ return(adapter.dispatch('instant_type')()) }}{% endmacro %}
{% macro default__instant_type() %}timestamptz{% endmacro %}

{# Local calendar date of an instant in a time zone (C3). NULL gives NULL. #}
{% macro local_date(instant, time_zone) %}{{ return(adapter.dispatch('local_date')(instant, time_zone)) }}{% endmacro %}
{% macro default__local_date(instant, time_zone) %}cast(timezone({{ time_zone }}, {{ instant }}) as date){% endmacro %}

{# The instant at which the engine places local midnight of a date; see local_midnight. #}
{% macro raw_midnight(day, time_zone) %}{{ return(adapter.dispatch('raw_midnight')(day, time_zone)) }}{% endmacro %}
{% macro default__raw_midnight(day, time_zone) %}timezone({{ time_zone }}, cast({{ day }} as timestamp)){% endmacro %}

{#
  First instant of a local day (H13). Where midnight occurs twice (America/Havana) engines choose the
  second one. The first one is midnight by the offset of the evening before; it counts if it lies
  on the day, which it does not where the clock went back before midnight.
#}
{% macro local_midnight(day, time_zone) -%}
{%- set midnight = raw_midnight(day, time_zone) -%}
{%- set by_evening = raw_midnight("(cast(" ~ day ~ " as timestamp) - interval '6 hours')", time_zone) ~ " + interval '6 hours'" -%}
case
    when {{ local_date(by_evening, time_zone) }} = {{ day }} then least({{ by_evening }}, {{ midnight }})
    else {{ midnight }}
end
{%- endmacro %}

{# Whole milliseconds since 1970 of an instant, rounded down (BIGINT). #}
{% macro epoch_ms(instant) %}{{ return(adapter.dispatch('epoch_ms')(instant)) }}{% endmacro %}
{# DuckDB's own epoch_ms rounds to the nearest. #}
{% macro default__epoch_ms(instant) %}cast(floor(epoch_us({{ instant }}) / 1000) as bigint){% endmacro %}

{# Milliseconds from one instant to another (BIGINT, C9). NULL if either is NULL. #}
{% macro duration_ms(from_instant, to_instant) %}({{ epoch_ms(to_instant) }} - {{ epoch_ms(from_instant) }}){% endmacro %}

{# In a select list: one row per part of a delimited text. #}
{% macro split_to_rows(text, delimiter) %}{{ return(adapter.dispatch('split_to_rows')(text, delimiter)) }}{% endmacro %}
{% macro default__split_to_rows(text, delimiter) %}unnest(string_split({{ text }}, '{{ delimiter }}')){% endmacro %}

{#
  Schemas are named as in marts.md, without the target's prefix. On Postgres the marts are built beside
  those that readers see, which a swap of names replaces (orchestration/engines/postgres_publication.py).
#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{- custom_schema_name | trim if custom_schema_name else target.schema -}}
    {%- if target.type == 'postgres' and custom_schema_name in ('core', 'reports') %}_next{% endif -%}
{%- endmacro %}

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
{% macro id_order(id) -%}
case when translate({{ id }}, '0123456789', '') = '' then length({{ id }}) end nulls last, {{ code_points(id) }}
{%- endmacro %}

{#
  A text without outer blanks, also those that came along from a web page or a word processor: every
  space character of Unicode, which DuckDB takes for a blank and others do not.
#}
{% macro trimmed(text) %}{{ return(adapter.dispatch('trimmed')(text)) }}{% endmacro %}
{% macro default__trimmed(text) %}trim({{ text }}){% endmacro %}

{# A text without outer blanks, each run of ASCII whitespace made one blank. #}
{% macro collapse_whitespace(text) %}{{ return(adapter.dispatch('collapse_whitespace')(text)) }}{% endmacro %}
{% macro default__collapse_whitespace(text) -%}
{%- set collapsed %}regexp_replace({{ text }}, '[ \t\n\r\f\v]+', ' ', 'g'){% endset -%}
{{ trimmed(collapsed) }}
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
  In a select list: one row per day from the first to the last date, as timestamps. Postgres would count
  in the time zone of the session, where a day may lack the hour at which it begins.
#}
{% macro days_between(first_day, last_day) %}{{ return(adapter.dispatch('days_between')(first_day, last_day)) }}{% endmacro %}
{% macro default__days_between(first_day, last_day) %}unnest(generate_series({{ first_day }}, {{ last_day }}, interval '1 day')){% endmacro %}

{# An aggregate: texts joined by commas in the order of another column; NULLs are left out. #}
{% macro joined_texts(text, position) %}{{ return(adapter.dispatch('joined_texts')(text, position)) }}{% endmacro %}
{% macro default__joined_texts(text, position) %}string_agg({{ text }}, ',' order by {{ position }}){% endmacro %}

{#
  How a mart is kept that only spells out what core holds: where columns are read by themselves, not at
  all, so that nobody writes, publishes and reads many times what it says.
#}
{% macro spelled_out() %}{{ return(adapter.dispatch('spelled_out')()) }}{% endmacro %}
{% macro default__spelled_out() %}table{% endmacro %}
{% macro duckdb__spelled_out() %}view{% endmacro %}

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
