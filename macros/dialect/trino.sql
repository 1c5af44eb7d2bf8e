{#
  The macros of dialect.sql on Trino, in its order; what they mean is said there. Compiled and parsed by
  tests, never run. Nothing else belongs here.

  Which of two equal local times the engine takes, where the clock goes back, was not tried: `local_midnight`
  is right for either; opening hours of a business that fall into that hour are not.
#}

{# Without a precision they are whole milliseconds. #}
{% macro trino__instant_type() %}timestamp(6) with time zone{% endmacro %}

{% macro trino__double_type() %}double{% endmacro %}

{# AT TIME ZONE takes a constant only. #}
{% macro trino__local_date(instant, time_zone) %}cast(at_timezone({{ instant }}, {{ time_zone }}) as date){% endmacro %}

{% macro trino__raw_midnight(day, time_zone) -%}
at_timezone(with_timezone(cast({{ day }} as timestamp), {{ time_zone }}), 'UTC')
{%- endmacro %}

{# No intervals in words, and none of milliseconds. No numbers added to dates; their difference is an interval. #}
{% macro trino__shifted(time, number, unit) -%}
({{ time }} + {{ number }} * interval {{ "'0.001' second" if unit == 'millisecond' else "'1' " ~ unit }})
{%- endmacro %}
{% macro trino__days_after(day, number) %}date_add('day', {{ number }}, {{ day }}){% endmacro %}
{% macro trino__months_after(day, number) %}date_add('month', {{ number }}, {{ day }}){% endmacro %}
{% macro trino__days_from(first_day, day) %}date_diff('day', {{ first_day }}, {{ day }}){% endmacro %}

{% macro trino__iso_weekday(day) %}day_of_week({{ day }}){% endmacro %}

{% macro trino__date_of(year, month, day) -%}
cast(format('%04d-%02d-%02d', {{ year }}, {{ month }}, {{ day }}) as date)
{%- endmacro %}

{# LEAST and GREATEST are NULL where one argument is. #}
{% macro trino__least_known(expressions) -%}
array_min(filter(array[{{ expressions | join(', ') }}], known -> known is not null))
{%- endmacro %}
{% macro trino__greatest_known(expressions) -%}
array_max(filter(array[{{ expressions | join(', ') }}], known -> known is not null))
{%- endmacro %}

{# to_unixtime is a double, whose thousandfold may fall short of the millisecond. #}
{% macro trino__epoch_ms(instant) -%}
date_diff('millisecond', timestamp '1970-01-01 00:00:00 UTC', date_trunc('millisecond', {{ instant }}))
{%- endmacro %}

{# UNNEST stands in a from clause. #}
{% macro trino__split_to_rows(text, delimiter) %}parts.part{% endmacro %}
{% macro trino__from_split(text, delimiter) -%}
cross join unnest(split({{ text }}, '{{ delimiter }}')) as parts (part)
{%- endmacro %}

{# Literals know no backslash, but have Unicode of their own. #}
{% macro trino__trimmed(text) -%}
trim(both U&'\0009\000A\000D \00A0\1680\2000\2001\2002\2003\2004\2005\2006\2007\2008\2009\200A\202F\205F\3000' from {{ text }})
{%- endmacro %}

{# All are replaced without a flag; the pattern is Java's, whose \v is more than the vertical tab. #}
{% macro trino__collapse_whitespace(text) -%}
{%- set collapsed %}regexp_replace({{ text }}, '[ \t\n\r\f\x0B]+', ' '){% endset -%}
trim(both ' ' from {{ collapsed }})
{%- endmacro %}

{# A sequence has at most 10,000 elements, a calendar more days: years first, then the days of each. #}
{% macro trino__days_between(first_day, last_day) %}calendar.calendar_day{% endmacro %}
{% macro trino__from_days_between(first_day, last_day) -%}
cross join unnest(sequence({{ first_day }}, {{ last_day }}, interval '1' year)) as years (year_begins)
cross join unnest(sequence(
    years.year_begins, least({{ last_day }}, date_add('day', -1, date_add('year', 1, years.year_begins))), interval '1' day
)) as calendar (calendar_day)
{%- endmacro %}

{# The standard's name for it. #}
{% macro trino__joined_texts(text, position, delimiter) -%}
listagg({{ text }}, '{{ delimiter }}') within group (order by {{ position }})
{%- endmacro %}

{# IGNORE NULLS stands behind the call. #}
{% macro trino__value_in_force(value, number, window) -%}
case
    when last_value(case when {{ number }} is not null then {{ value }} is not null end) ignore nulls over {{ window }}
        then last_value({{ value }}) ignore nulls over {{ window }}
end
{%- endmacro %}

{#
  A recursion is a UNION ALL with named columns: each way says where it has been, so that cycles end. It goes as
  deep as the session property max_recursion_depth (10 unless set).
#}
{% macro trino__all_reached(start, steps, from, to, position, carried) -%}
{%- set kept = [carried] if carried else [] -%}
{%- set first -%}
    select {{ (kept + [position]) | join(', ') }}, array[{{ position }}]
    from {{ start }}
{%- endset -%}
{%- set next -%}
    select {{ 'reached.' ~ carried ~ ', ' if carried }}steps.{{ to }}, reached.passed || steps.{{ to }}
    from [rows]
    inner join {{ steps }} as steps on reached.{{ position }} = steps.{{ from }}
    where not contains(reached.passed, steps.{{ to }})
{%- endset -%}
{{ with_recursive() }} {{ recursive_cte('reached', kept + [position, 'passed'], first, next) }}

select distinct {{ (kept + [position]) | join(', ') }} from reached
{%- endmacro %}
