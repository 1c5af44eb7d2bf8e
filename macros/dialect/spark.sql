{#
  The macros of dialect.sql on Spark, in its order; what they mean is said there. Nothing else belongs here.
#}

{% macro spark__instant_type() %}timestamp{% endmacro %}

{% macro spark__text_type() %}string{% endmacro %}

{% macro spark__local_date(instant, time_zone) %}cast(from_utc_timestamp({{ instant }}, {{ time_zone }}) as date){% endmacro %}

{# Spark takes the first of two: the second one is what the clock of some hours later makes of it, if it fits. #}
{% macro spark__raw_midnight(day, time_zone) -%}
{%- set local = 'cast(' ~ day ~ ' as timestamp)' -%}
{%- set later = shifted('to_utc_timestamp(' ~ shifted(local, 6, 'hour') ~ ', ' ~ time_zone ~ ')', -6, 'hour') -%}
greatest(
    to_utc_timestamp({{ local }}, {{ time_zone }}),
    case when from_utc_timestamp({{ later }}, {{ time_zone }}) = {{ local }} then {{ later }} end
)
{%- endmacro %}

{% macro spark__local_midnight(day, time_zone) %}to_utc_timestamp(cast({{ day }} as timestamp), {{ time_zone }}){% endmacro %}

{% macro spark__epoch_ms(instant) %}unix_millis({{ instant }}){% endmacro %}

{% macro spark__split_to_rows(text, delimiter) %}explode(split({{ text }}, '{{ delimiter }}')){% endmacro %}

{# dbt-spark turns ANSI off, and then a small number is written with an exponent as soon as it is a text. #}
{% macro spark__number_text(number) -%}
trim(trailing '.' from trim(trailing '0' from concat(
    case when {{ number }} < 0 then '-' else '' end,
    floor(abs({{ number }})),
    '.',
    lpad(cast(abs({{ number }}) % 1 * 10000000000 as bigint), 10, '0')
)))
{%- endmacro %}

{% macro spark__marts_suffix() %}_{{ env_var('SALES_REPORTS_DBT_BUILD', 'next') }}{% endmacro %}

{% macro spark__trimmed(text) -%}
trim(both '\t\n\r \u00A0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200A\u202F\u205F\u3000' from {{ text }})
{%- endmacro %}

{% macro spark__collapse_whitespace(text) -%}
{%- set collapsed %}regexp_replace({{ text }}, '[ \\t\\n\\r\\f\\x0B]+', ' '){% endset -%}
trim({{ collapsed }})
{%- endmacro %}

{% macro spark__without_case(text) %}lower(translate({{ text }}, '\u03A3\u0130', '\u03C3i')){% endmacro %}

{#
  The product of two decimals keeps no more than 38 digits, of which all but six stand before the point:
  ten thousand millionths are multiplied as whole numbers.
#}
{% macro spark__money(amount, factor) -%}
{%- set parts -%}
cast({{ amount }} * 10000000000 as decimal(38, 0)) * cast({{ factor }} * 10000000000 as decimal(38, 0))
{%- endset -%}
case
    when {{ factor }} is null
        then cast(round({{ amount }}, 2) as decimal(38, 2))
    when abs(cast({{ amount }} as double) * cast({{ factor }} as double)) < 1e17
        then cast(round({{ parts }}, -18) * 0.00000000000000000001 as decimal(38, 2))
    else try_cast(cast({{ amount }} as double) * cast({{ factor }} as double) as decimal(38, 2))
end
{%- endmacro %}

{% macro spark__days_between(first_day, last_day) %}explode(sequence({{ first_day }}, {{ last_day }}, interval 1 day)){% endmacro %}

{% macro spark__double_type() %}double{% endmacro %}

{% macro spark__months_after(day, number) %}add_months({{ day }}, {{ number }}){% endmacro %}

{# The difference of two dates is an interval. #}
{% macro spark__days_from(first_day, day) %}datediff({{ day }}, {{ first_day }}){% endmacro %}

{% macro spark__iso_weekday(day) %}(weekday({{ day }}) + 1){% endmacro %}

{% macro spark__joined_texts(text, position, delimiter) -%}
string_agg({{ text }}, '{{ delimiter }}') within group (order by {{ position }})
{%- endmacro %}

{% macro spark__value_in_force(value, number, window) -%}
case
    when last_value(case when {{ number }} is not null then {{ value }} is not null end) ignore nulls over {{ window }}
        then last_value({{ value }}) ignore nulls over {{ window }}
end
{%- endmacro %}

{# A recursion cannot drop rows that it has had, so that each way says where it has been. #}
{% macro spark__all_reached(start, steps, from, to, position, carried) -%}
with recursive reached as (
    select {{ carried ~ ', ' if carried }}{{ position }}, array({{ position }}) as passed
    from {{ start }}
    union all
    select {{ 'reached.' ~ carried ~ ', ' if carried }}steps.{{ to }}, array_append(reached.passed, steps.{{ to }})
    from reached
    inner join {{ steps }} as steps on reached.{{ position }} = steps.{{ from }}
    where not array_contains(reached.passed, steps.{{ to }})
)

select distinct {{ carried ~ ', ' if carried }}{{ position }} from reached
{%- endmacro %}
