{#
  All rules of one table, in one query: a node of dbt's for each rule takes dbt longer than the rule.
    unique  sets of columns that are unique together, by the name of the rule
    rows    boolean expressions that are true of every row (a NULL fails too), by the name of the rule
  Fails with one row per broken rule: its name, and how many keys or rows break it.
  orchestration/table_rules.py gives each rule a result of its own.
#}
{% test keeps_rules(model, unique={}, rows={}) %}
{{ config(fail_calc='coalesce(sum(row_count), 0)') }}
{%- if rows %}
with counted as (
    select
    {%- for rule in rows.values() %}
        count(case when not coalesce({{ rule }}, false) then 1 end) as rule_{{ loop.index }}
        {{- ',' if not loop.last }}
    {%- endfor %}
    from {{ rows_to_hold(model) }}
)
{% endif %}
{%- for name, columns in unique.items() %}
select '{{ name }}' as rule_name, count(*) as row_count
from (
    select 1 as one
    from {{ rows_to_hold(model, columns) }}
    group by {{ columns | join(', ') }}
    having count(*) > 1
) as duplicated_keys
having count(*) > 0
{{ 'union all' if rows or not loop.last }}
{%- endfor %}
{%- for name in rows %}
select '{{ name }}' as rule_name, rule_{{ loop.index }} as row_count from counted where rule_{{ loop.index }} > 0
{{ 'union all' if not loop.last }}
{%- endfor %}
{% endtest %}
