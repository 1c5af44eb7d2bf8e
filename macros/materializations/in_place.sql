{#
  Tables and views on DuckDB, made under their own names in one transaction. dbt's own way makes them
  under another name, renames them and drops what was there: three statements and their macros more for
  each of two hundred models. DuckDB takes back a failed transaction whole, and nobody reads a build
  while it is made.

  Without what the project does not use on DuckDB: hooks, grants, indexes and comments (publication
  writes those).
#}
{% materialization table, adapter='duckdb' %}
    {% do drop_what_was_there() %}
    {% set relation = this.incorporate(type='table') %}
    {% call statement('main') %}{{ create_table_as(false, relation, sql) }}{% endcall %}
    {% do adapter.commit() %}
    {{ return({'relations': [relation]}) }}
{% endmaterialization %}


{% materialization view, adapter='duckdb' %}
    {% do drop_what_was_there() %}
    {% set relation = this.incorporate(type='view') %}
    {% call statement('main') %}{{ create_view_as(relation, sql) }}{% endcall %}
    {% do adapter.commit() %}
    {{ return({'relations': [relation]}) }}
{% endmaterialization %}


{% macro drop_what_was_there() %}
    {% set existing = load_cached_relation(this) %}
    {% if existing is not none %}
        {% call statement('drop_existing') %}drop {{ existing.type }} {{ existing }}{% endcall %}
    {% endif %}
{% endmacro %}
