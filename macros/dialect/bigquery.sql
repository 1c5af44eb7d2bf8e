{#
  The macros of dialect.sql on BigQuery, in its order; what they mean is said there. Compiled and parsed by
  tests, never run. Nothing else belongs here.

  TIMESTAMP is an instant, also where models cast a date to it: a local time is then one that is read in UTC.

  Which of two equal local times the engine takes, where the clock goes back, was not tried: `local_midnight`
  is right for either; opening hours of a business that fall into that hour are not.
#}

{% macro bigquery__instant_type() %}timestamp{% endmacro %}

{% macro bigquery__text_type() %}string{% endmacro %}

{# NUMERIC has 29 digits before the point; types with parameters are for columns only. #}
{% macro bigquery__decimal_type(digits) %}bignumeric{% endmacro %}
{% macro bigquery__double_type() %}float64{% endmacro %}

{% macro bigquery__local_date(instant, time_zone) %}date({{ instant }}, {{ time_zone }}){% endmacro %}

{% macro bigquery__raw_midnight(day, time_zone) %}timestamp(cast({{ day }} as datetime), {{ time_zone }}){% endmacro %}

{# Functions take the unit as a keyword. A difference of dates would be an interval. #}
{% macro bigquery__shifted(time, number, unit) %}timestamp_add({{ time }}, interval ({{ number }}) {{ unit }}){% endmacro %}
{% macro bigquery__days_after(day, number) %}date_add({{ day }}, interval ({{ number }}) day){% endmacro %}
{% macro bigquery__months_after(day, number) %}date_add({{ day }}, interval ({{ number }}) month){% endmacro %}
{% macro bigquery__days_from(first_day, day) %}date_diff({{ day }}, {{ first_day }}, day){% endmacro %}

{# WEEK begins on Sunday. #}
{% macro bigquery__start_of(period, day) -%}
date_trunc(cast({{ day }} as date), {{ 'isoweek' if period == 'week' else period }})
{%- endmacro %}

{# 1 = Sunday there. #}
{% macro bigquery__iso_weekday(day) %}(mod(extract(dayofweek from {{ day }}) + 5, 7) + 1){% endmacro %}

{% macro bigquery__date_of(year, month, day) %}date({{ year }}, {{ month }}, {{ day }}){% endmacro %}

{# LEAST and GREATEST are NULL where one argument is; aggregates are not. #}
{% macro bigquery__least_known(expressions) -%}
(select min(known) from unnest([{{ expressions | join(', ') }}]) as known)
{%- endmacro %}
{% macro bigquery__greatest_known(expressions) -%}
(select max(known) from unnest([{{ expressions | join(', ') }}]) as known)
{%- endmacro %}

{# Rounds down. #}
{% macro bigquery__epoch_ms(instant) %}unix_millis({{ instant }}){% endmacro %}

{# UNNEST stands in a from clause. #}
{% macro bigquery__split_to_rows(text, delimiter) %}delimited_part{% endmacro %}
{% macro bigquery__from_split(text, delimiter) -%}
cross join unnest(split({{ text }}, '{{ delimiter }}')) as delimited_part
{%- endmacro %}

{% macro bigquery__text_part(text, delimiter, number) -%}
case when {{ text }} is not null then coalesce(split({{ text }}, '{{ delimiter }}')[safe_offset({{ number - 1 }})], '') end
{%- endmacro %}

{# A cast adds no zeros. #}
{% macro bigquery__number_text(number) %}cast({{ number }} as string){% endmacro %}

{# Ordered aggregates take no NULLS LAST. #}
{% macro bigquery__id_order(id) -%}
case when translate({{ id }}, '0123456789', '') = '' then length({{ id }}) else 2147483647 end, {{ code_points(id) }}
{%- endmacro %}

{% macro bigquery__trimmed(text) -%}
trim({{ text }}, '\t\n\r \u00A0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200A\u202F\u205F\u3000')
{%- endmacro %}

{# All are replaced without a flag. #}
{% macro bigquery__collapse_whitespace(text) -%}
{%- set collapsed %}regexp_replace({{ text }}, r'[ \t\n\r\f\v]+', ' '){% endset -%}
trim({{ collapsed }}, ' ')
{%- endmacro %}

{% macro bigquery__without_case(text) %}lower(translate({{ text }}, '\u03A3\u0130', '\u03C3i')){% endmacro %}

{# BIGNUMERIC holds 38 digits on either side of the point: products of two amounts are exact. #}
{% macro bigquery__money(amount, factor) -%}
case
    when abs(cast({{ amount }} as float64) * cast(coalesce({{ factor }}, 1) as float64)) < 1e36
        then round(cast({{ amount }} as bignumeric) * cast(coalesce({{ factor }}, 1) as bignumeric), 2)
end
{%- endmacro %}

{% macro bigquery__days_between(first_day, last_day) %}calendar_day{% endmacro %}
{% macro bigquery__from_days_between(first_day, last_day) -%}
cross join unnest(generate_date_array({{ first_day }}, {{ last_day }})) as calendar_day
{%- endmacro %}

{#
  WITH RECURSIVE stands at the top of a statement only, which neither a macro's query nor a model with a contract
  does. So the steps are written out, as many as pipelines have stages; one more would be an error.
#}
{% macro bigquery__with_recursive() %}with{% endmacro %}
{% macro bigquery__recursive_cte(name, columns, first, next, steps=20) -%}
{{ name }}_1 as (
    {{ first }}
),
{%- for step in range(1, steps + 1) %}

{{ name }}_{{ step + 1 }} as (
    {{ next | replace('[rows]', name ~ '_' ~ step ~ ' as ' ~ name) }}
),
{%- endfor %}

{{ name }} as (
    {%- for step in range(1, steps + 1) %}
    select * from {{ name }}_{{ step }}
    union all
    {%- endfor %}
    select * from {{ name }}_{{ steps + 1 }}
    where error('{{ name }} goes further than {{ steps }} steps')
)
{%- endmacro %}

{# Each way says where it has been, so that cycles end. #}
{% macro bigquery__all_reached(start, steps, from, to, position, carried) -%}
{%- set kept = [carried] if carried else [] -%}
{%- set first -%}
    select {{ (kept + [position]) | join(', ') }}, [{{ position }}] as passed
    from {{ start }}
{%- endset -%}
{%- set next -%}
    select {{ 'reached.' ~ carried ~ ', ' if carried }}steps.{{ to }} as {{ position }}, array_concat(reached.passed, [steps.{{ to }}]) as passed
    from [rows]
    inner join {{ steps }} as steps on reached.{{ position }} = steps.{{ from }}
    where steps.{{ to }} not in unnest(reached.passed)
{%- endset -%}
{{ with_recursive() }} {{ recursive_cte('reached', kept + [position, 'passed'], first, next) }}

select distinct {{ (kept + [position]) | join(', ') }} from reached
{%- endmacro %}
