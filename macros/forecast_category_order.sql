{#
  Place of a forecast category in report 16 (INTEGER, 1 = most certain): CLOSED, COMMIT, MOST_LIKELY,
  BEST_CASE, PIPELINE, OMIT, CLOSED_LOST, then the account's own, last (No category).
#}
{% macro forecast_category_order(forecast_category) -%}
case {{ forecast_category }}
    {%- for category in ['CLOSED', 'COMMIT', 'MOST_LIKELY', 'BEST_CASE', 'PIPELINE', 'OMIT', 'CLOSED_LOST'] %}
    when '{{ category }}' then {{ loop.index }}
    {%- endfor %}
    when '(No category)' then 9
    else 8
end
{%- endmacro %}
