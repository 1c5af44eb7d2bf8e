{#
  Tables and views on Spark. Every build there is whole, so a keyed model is a table like any other. Tables
  are Parquet. dbt's own way asks for columns and comments, statements of a tenth of a second each that make
  two hundred models minutes; and it knows no contract of a table of Parquet.

  Without what the project does not use on Spark: hooks, grants and comments (the views that readers see
  have those).
#}
{% materialization table, adapter='spark' %}
    {{ return(made_on_spark('table', sql)) }}
{% endmaterialization %}


{% materialization incremental, adapter='spark' %}
    {{ return(made_on_spark('table', sql)) }}
{% endmaterialization %}


{#
  A query of a view is planned as often as it is named, with all views below it, and so is computed: only
  those of raw tables are views, which compute nothing.
#}
{% materialization view, adapter='spark' %}
    {% do find_raw_tables() %}
    {{ return(made_on_spark('view' if model.sources else 'table', sql)) }}
{% endmaterialization %}


{% macro made_on_spark(type, query) %}
    {% set existing = load_cached_relation(this) %}
    {% if existing is not none %}
        {% call statement('drop_existing') %}drop {{ existing.type }} if exists {{ existing }}{% endcall %}
    {% endif %}
    {% set relation = this.incorporate(type=type) %}
    {% call statement('main') -%}
        create {{ type }} {{ relation }} {{ 'using parquet' if type == 'table' }} as
        {{ query }}
    {%- endcall %}
    {% if model.config.get('contract', {}).enforced %}
        {% do keep_contract(relation) %}
    {% endif %}
    {{ return({'relations': [relation]}) }}
{% endmacro %}


{# Raw tables lie in a folder as folders of Parquet, unless they are in the metastore already. #}
{% macro find_raw_tables() %}
    {% set folder = env_var('SALES_REPORTS_DBT_SPARK_RAW', '') | replace("'", "\\'") %}
    {% if folder %}
        {% for _, name in model.sources %}
            {% set raw_table = source('hubspot', name) %}
            {% call statement() %}create schema if not exists {{ raw_table.schema }}{% endcall %}
            {% call statement() %}drop table if exists {{ raw_table }}{% endcall %}
            {% call statement() -%}
                create table {{ raw_table }} using parquet location '{{ folder }}/{{ name }}'
            {%- endcall %}
        {% endfor %}
    {% endif %}
{% endmacro %}


{# Raises an error unless a table has the columns of its model's contract, in their order and of their types. #}
{% macro keep_contract(relation) %}
    {% set expected = [] %}
    {% for column in model.columns.values() %}
        {% do expected.append(column.name ~ ' ' ~ spark_type(column.data_type)) %}
    {% endfor %}
    {% set actual = [] %}
    {% for row in run_query('describe table ' ~ relation) %}
        {% do actual.append(row[0] ~ ' ' ~ row[1]) %}
    {% endfor %}
    {% if actual != expected %}
        {% do exceptions.raise_compiler_error(
            relation ~ ' does not keep its contract: it has ' ~ actual | reject('in', expected) | join(', ')
            ~ ' instead of ' ~ expected | reject('in', actual) | join(', ')
        ) %}
    {% endif %}
{% endmacro %}


{# Spark's name of a type. #}
{% macro spark_type(name) %}
    {% set names = {
        'varchar': 'string', 'timestamptz': 'timestamp', 'double precision': 'double', 'integer': 'int'
    } %}
    {{ return(names.get(name, name | replace(', ', ','))) }}
{% endmacro %}


{# dbt's own way knows no texts without a length, and puts them between quotes as they are. #}
{% materialization seed, adapter='spark' %}
    {% set seed = load_agate_table() %}
    {% do store_result('agate_table', response='OK', agate_table=seed) %}
    {% set types = model.config.get('column_types') or {} %}
    {% set columns = [] %}
    {% for name in seed.column_names %}
        {% set type = spark_type(types.get(name, adapter.convert_type(seed, loop.index0))) %}
        {% do columns.append('cast(' ~ name ~ ' as ' ~ type ~ ') as ' ~ name) %}
    {% endfor %}
    {% set rows = [] %}
    {% for row in seed.rows %}
        {% set values = [] %}
        {% for value in row %}
            {% set text = value | string | replace('\\', '\\\\') | replace("'", "\\'") %}
            {% do values.append('null' if value is none else "'" ~ text ~ "'") %}
        {% endfor %}
        {% do rows.append('(' ~ values | join(', ') ~ ')') %}
    {% endfor %}
    {% set query -%}
        select {{ columns | join(', ') }}
        from values
            {{ rows | join(',\n            ') }}
            as seed ({{ seed.column_names | join(', ') }})
    {%- endset %}
    {{ return(made_on_spark('table', query)) }}
{% endmaterialization %}
