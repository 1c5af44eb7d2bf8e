{#
  The macros of dialect.sql on Postgres, in its order; what they mean is said there. Nothing else belongs here.
#}

{% macro postgres__epoch_ms(instant) %}cast(floor(extract(epoch from {{ instant }}) * 1000) as bigint){% endmacro %}

{% macro postgres__split_to_rows(text, delimiter) %}unnest(string_to_array({{ text }}, '{{ delimiter }}')){% endmacro %}

{% macro postgres__marts_suffix() %}_next{% endmacro %}

{% macro postgres__analyzed(relation) -%}
{%- if config.get('materialized') in ('table', 'incremental') %}analyze {{ relation }}{% endif -%}
{%- endmacro %}

{% macro postgres__code_points(text) %}{{ text }} collate "C"{% endmacro %}

{% macro postgres__trimmed(text) -%}
trim({{ text }}, U&'\0009\000A\000D \00A0\1680\2000\2001\2002\2003\2004\2005\2006\2007\2008\2009\200A\202F\205F\3000')
{%- endmacro %}

{% macro postgres__without_case(text) -%}
lower(translate({{ text }}, U&'\03A3\0130', U&'\03C3i') collate "und-x-icu")
{%- endmacro %}

{% macro postgres__money(amount, factor) -%}
case
    when abs({{ amount }} * coalesce({{ factor }}, 1)) < 1e36
        then cast(round({{ amount }} * coalesce({{ factor }}, 1), 2) as decimal(38, 2))
end
{%- endmacro %}

{% macro postgres__days_between(first_day, last_day) -%}
generate_series(cast({{ first_day }} as timestamp), cast({{ last_day }} as timestamp), interval '1 day')
{%- endmacro %}

{% macro postgres__value_in_force(value, number, window) -%}
(array_agg({{ value }}) filter (where {{ number }} is not null) over {{ window }})[count({{ number }}) over {{ window }}]
{%- endmacro %}

{% macro postgres__latest(value, order_by) %}(array_agg({{ value }} order by {{ order_by }} desc))[1]{% endmacro %}
