{#
  Marts that add up what keyed models hold. A full build makes them like any table. In a night they are moved
  by what changed: what their query gives for the rows of changed keys as they were is taken away, and
  what it gives for these rows as they are is added.

  Its law: every column is a measure (`config.meta.report.measures`) or a key. A measure is never NULL, and
  for two sets of records without a key in common it is the sum of those of each; all measures are zero
  where there is no record. What time alone moves (macros/moved_by_time.sql) is not in it. Beside keyed models
  of one key the query reads only what forces a full build. tests/test_incremental.py holds it.
#}
{% materialization sums, adapter='duckdb' %}
    {% if load_cached_relation(this) is none or should_full_refresh() %}
        {% do drop_what_was_there() %}
        {% call statement('main') %}{{ create_table_as(false, this.incorporate(type='table'), sql) }}{% endcall %}
    {% else %}
        {% call statement('main') %}{{ add_what_changed(sql) }}{% endcall %}
    {% endif %}
    {% do adapter.commit() %}
    {{ return({'relations': [this.incorporate(type='table')]}) }}
{% endmaterialization %}


{% macro add_what_changed(sql) -%}
    {%- set measures = config.get('meta').report.measures | list -%}
    {%- set columns = adapter.get_columns_in_relation(this) | map(attribute='name') | list -%}
    {%- set keys = columns | reject('in', measures) | join(', ') -%}
    {%- set is_any -%} {% for measure in measures %}sum({{ measure }}) <> 0{{ ' or ' if not loop.last }}{% endfor %} {%- endset -%}
    {%- set sums -%} {% for measure in measures %}sum({{ measure }}) as {{ measure }}{{ ', ' if not loop.last }}{% endfor %} {%- endset -%}
    {%- set is_touched -%}
        exists (
            select 1
            from touched_{{ this.identifier }} as touched
            where {% for key in columns if key not in measures -%}
                touched.{{ key }} is not distinct from of_all.{{ key }}{{ ' and ' if not loop.last }}
            {%- endfor %}
        )
    {%- endset -%}
    {%- set texts = {'before': sql, 'now': sql} -%}
    {%- for id in model.depends_on.nodes if is_keyed(graph.nodes.get(id)) -%}
        {%- set node = graph.nodes[id] -%}
        {%- set relation = api.Relation.create(node.database, node.schema, node.alias) -%}
        {%- do texts.update({
            'before': texts['before'] | replace(node.relation_name, rows_before(relation)),
            'now': texts['now'] | replace(node.relation_name, rows_now(relation)),
        }) -%}
    {%- endfor %}
    create or replace temp table touched_{{ this.identifier }} as
    select {{ keys }}, {{ sums }}
    from (
        select {{ keys }}, {{ measures | join(', ') }}
        from ({{ texts['now'] }}) as records_now
        union all
        select {{ keys }}, -{{ measures | join(', -') }}
        from ({{ texts['before'] }}) as records_before
    ) as moved
    group by {{ keys }}
    having {{ is_any }};

    insert into touched_{{ this.identifier }}
    select {{ keys }}, {{ measures | join(', ') }}
    from {{ this }} as of_all
    where {{ is_touched }};

    delete from {{ this }} as of_all
    where {{ is_touched }};

    insert into {{ this }} ({{ keys }}, {{ measures | join(', ') }})
    select {{ keys }}, {{ sums }}
    from touched_{{ this.identifier }}
    group by {{ keys }}
    having {{ is_any }};

    drop table touched_{{ this.identifier }}
{%- endmacro %}


{# Whether a node of the graph is a keyed model. #}
{% macro is_keyed(node) -%}
    {{- return(node and node.resource_type == 'model' and node.config.incremental_strategy == 'by_key') -}}
{%- endmacro %}


{# Whether some mart adds up the model that is being made. #}
{% macro is_added_up() -%}
    {%- set marts = graph.nodes.values() | selectattr('config.materialized', 'equalto', 'sums') -%}
    {{- return(model.unique_id in marts | map(attribute='depends_on.nodes') | sum(start=[])) -}}
{%- endmacro %}


{#
  Where the rows of changed keys of a keyed model are kept, as they were before tonight and as they are.
  Publication drops what is no model.
#}
{% macro rows_before(relation) %}{{ return(beside(relation, '_before')) }}{% endmacro %}
{% macro rows_now(relation) %}{{ return(beside(relation, '_now')) }}{% endmacro %}
{% macro beside(relation, suffix) -%}
    {{- return(adapter.quote(relation.database) ~ '.' ~ adapter.quote(relation.schema) ~ '.' ~ adapter.quote(relation.identifier ~ suffix)) -}}
{%- endmacro %}
