{#
  The macros of dialect.sql on Snowflake, in its order; what they mean is said there. Compiled and parsed
  by tests, never run. Nothing else belongs here.

  Instants are TIMESTAMP_NTZ in UTC, as the raw tables must have them: TIMESTAMP_TZ keeps an offset, which a
  cast to a date would follow. A bare `timestamp` means TIMESTAMP_NTZ by Snowflake's default.

  Which of two equal local times the engine takes, where the clock goes back, was not tried: `local_midnight`
  is right for either; opening hours of a business that fall into that hour are not.
#}

{% macro snowflake__instant_type() %}timestamp_ntz{% endmacro %}

{% macro snowflake__local_date(instant, time_zone) -%}
cast(convert_timezone('UTC', {{ time_zone }}, {{ instant }}) as date)
{%- endmacro %}

{% macro snowflake__raw_midnight(day, time_zone) -%}
convert_timezone({{ time_zone }}, 'UTC', cast({{ day }} as timestamp_ntz))
{%- endmacro %}

{# Intervals are constants, which no number multiplies. #}
{% macro snowflake__shifted(time, number, unit) %}dateadd('{{ unit }}', {{ number }}, {{ time }}){% endmacro %}
{% macro snowflake__months_after(day, number) %}dateadd('month', {{ number }}, {{ day }}){% endmacro %}

{# date_trunc begins a week where the parameter WEEK_START says. #}
{% macro snowflake__start_of(period, day) -%}
{%- if period == 'week' -%}
dateadd('day', 1 - dayofweekiso(cast({{ day }} as date)), cast({{ day }} as date))
{%- else -%}
date_trunc('{{ period }}', cast({{ day }} as date))
{%- endif -%}
{%- endmacro %}

{% macro snowflake__iso_weekday(day) %}dayofweekiso({{ day }}){% endmacro %}

{% macro snowflake__date_of(year, month, day) %}date_from_parts({{ year }}, {{ month }}, {{ day }}){% endmacro %}

{% macro snowflake__least_known(expressions) %}least_ignore_nulls({{ expressions | join(', ') }}){% endmacro %}
{% macro snowflake__greatest_known(expressions) %}greatest_ignore_nulls({{ expressions | join(', ') }}){% endmacro %}

{# Nothing says how EPOCH_MILLISECOND rounds. #}
{% macro snowflake__epoch_ms(instant) -%}
cast(floor(date_part(epoch_microsecond, {{ instant }}) / 1000) as bigint)
{%- endmacro %}

{# Only table functions make rows. #}
{% macro snowflake__split_to_rows(text, delimiter) %}cast(parts.value as varchar){% endmacro %}
{% macro snowflake__from_split(text, delimiter) -%}
, lateral flatten(input => split({{ text }}, '{{ delimiter }}')) as parts
{%- endmacro %}

{# TRIM takes no TRAILING. #}
{% macro snowflake__number_text(number) -%}
rtrim(rtrim(cast(cast({{ number }} as {{ decimal_type(10) }}) as varchar), '0'), '.')
{%- endmacro %}

{# Without characters given, the ASCII blank only is taken off. #}
{% macro snowflake__trimmed(text) -%}
trim({{ text }}, '\t\n\r \u00A0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200A\u202F\u205F\u3000')
{%- endmacro %}

{# All are replaced without a flag; \v in a literal would be the letter. #}
{% macro snowflake__collapse_whitespace(text) -%}
{%- set collapsed %}regexp_replace({{ text }}, '[ \t\n\r\f\x0B]+', ' '){% endset -%}
trim({{ collapsed }}, ' ')
{%- endmacro %}

{% macro snowflake__without_case(text) %}lower(translate({{ text }}, '\u03A3\u0130', '\u03C3i')){% endmacro %}

{#
  A product of two NUMBERs keeps 12 digits after the point, and may so be rounded twice. Whole numbers are
  multiplied exactly, up to 38 digits: ten-billionths times ten-billionths; their last 18 digits are cut off
  after half a cent was added, which leaves cents, so that no quotient is rounded.
#}
{% macro snowflake__money(amount, factor) -%}
{%- set exact -%}
(abs(cast({{ amount }} * 10000000000 as number(38, 0)) * cast({{ factor }} * 10000000000 as number(38, 0))) + 500000000000000000)
{%- endset -%}
case
    when {{ factor }} is null
        then cast(round({{ amount }}, 2) as number(38, 2))
    when abs(cast({{ amount }} as double)) < 1e17
        and abs(cast({{ factor }} as double)) < 1e17
        and abs(cast({{ amount }} as double) * cast({{ factor }} as double)) < 1e17
        then cast(
            sign({{ amount }}) * sign({{ factor }}) * (({{ exact }} - mod({{ exact }}, 1000000000000000000)) / 1000000000000000000) / 100
            as number(38, 2)
        )
    when abs(cast({{ amount }} as double) * cast({{ factor }} as double)) < 1e36
        then cast(cast({{ amount }} as double) * cast({{ factor }} as double) as number(38, 2))
end
{%- endmacro %}

{% macro snowflake__days_between(first_day, last_day) -%}
dateadd('day', cast(day_numbers.value as integer), {{ first_day }})
{%- endmacro %}
{% macro snowflake__from_days_between(first_day, last_day) -%}
, lateral flatten(input => array_generate_range(0, datediff('day', {{ first_day }}, {{ last_day }}) + 1)) as day_numbers
{%- endmacro %}

{# LISTAGG of nothing is an empty text. #}
{% macro snowflake__joined_texts(text, position, delimiter) -%}
nullif(listagg({{ text }}, '{{ delimiter }}') within group (order by {{ position }}), '')
{%- endmacro %}

{# IGNORE NULLS stands behind the call. #}
{% macro snowflake__value_in_force(value, number, window) -%}
case
    when last_value(case when {{ number }} is not null then {{ value }} is not null end) ignore nulls over {{ window }}
        then last_value({{ value }}) ignore nulls over {{ window }}
end
{%- endmacro %}

{# A recursion is a UNION ALL: each way says where it has been, so that cycles end. #}
{% macro snowflake__all_reached(start, steps, from, to, position, carried) -%}
{%- set kept = [carried] if carried else [] -%}
{%- set first -%}
    select {{ (kept + [position]) | join(', ') }}, array_construct({{ position }})
    from {{ start }}
{%- endset -%}
{%- set next -%}
    select {{ 'reached.' ~ carried ~ ', ' if carried }}steps.{{ to }}, array_append(reached.passed, steps.{{ to }})
    from [rows]
    inner join {{ steps }} as steps on reached.{{ position }} = steps.{{ from }}
    where not array_contains(to_variant(steps.{{ to }}), reached.passed)
{%- endset -%}
{{ with_recursive() }} {{ recursive_cte('reached', kept + [position, 'passed'], first, next) }}

select distinct {{ (kept + [position]) | join(', ') }} from reached
{%- endmacro %}
