{#
  The macros of dialect.sql on Spark, in its order; what they mean is said there. Nothing else belongs here.
#}

{% macro spark__instant_type() %}timestamp{% endmacro %}

{% macro spark__local_date(instant, time_zone) %}cast(from_utc_timestamp({{ instant }}, {{ time_zone }}) as date){% endmacro %}

{% macro spark__raw_midnight(day, time_zone) %}to_utc_timestamp(cast({{ day }} as timestamp), {{ time_zone }}){% endmacro %}

{% macro spark__epoch_ms(instant) %}unix_millis({{ instant }}){% endmacro %}

{% macro spark__split_to_rows(text, delimiter) %}explode(split({{ text }}, '{{ delimiter }}')){% endmacro %}

{% macro spark__trimmed(text) -%}
trim(both ' \u00A0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200A\u202F\u205F\u3000' from {{ text }})
{%- endmacro %}

{% macro spark__collapse_whitespace(text) -%}
{%- set collapsed %}regexp_replace({{ text }}, '[ \\t\\n\\r\\f\\x0B]+', ' '){% endset -%}
{{ trimmed(collapsed) }}
{%- endmacro %}

{% macro spark__without_case(text) %}lower(translate({{ text }}, '\u03A3\u0130', '\u03C3i')){% endmacro %}

{% macro spark__days_between(first_day, last_day) %}explode(sequence({{ first_day }}, {{ last_day }}, interval 1 day)){% endmacro %}
