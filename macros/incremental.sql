{#
  Nights that cost what changed. A keyed model, of which each row belongs to one record, is configured by

      materialized='incremental', incremental_strategy='by_key', unique_key='deal_id'

  (or 'contact_id', or ['activity_type', 'activity_id']). In a full build it is a table like any other. In a
  night, the rows of all changed keys are deleted, and those that its query gives are inserted; the query
  reads only the rows of changed keys, where it takes its imports through `changed`.

  Its law: the rows of a key depend on the rows of that key, and beside them only on what forces a full
  build (orchestration/plan.py) or puts the key into int_*_changed. Nothing in it may move with time alone.
  tests/test_incremental.py holds nights against full builds, row by row.
#}


{# The relation of the keys to compute anew tonight, for the key columns (a name, or a list of names). #}
{% macro changed_keys(key) -%}
    {%- if key == 'deal_id' -%} {{ ref('int_deals_changed') }}
    {%- elif key == 'contact_id' -%} {{ ref('int_contacts_changed') }}
    {%- elif key == ['activity_type', 'activity_id'] -%} {{ ref('int_activities_changed') }}
    {%- else -%} {{ exceptions.raise_compiler_error("no list of changed keys for " ~ key) }}
    {%- endif -%}
{%- endmacro %}


{#
  A relation in a from clause: all of it in a full build, in a night the rows of changed keys. `columns` are
  the names of the key in that relation, if they differ.
#}
{% macro changed(relation, key, columns=none) -%}
    {#- While dbt parses, it learns of the dependency here. -#}
    {%- set keys = changed_keys(key) if not execute or is_in_a_night() else none -%}
    {%- if execute and is_in_a_night() -%}
    (
        select *
        from {{ relation }} as of_all
        where exists (
            select 1
            from {{ keys }} as changed_keys
            where {{ matching_keys('changed_keys', 'of_all', key, columns) }}
        )
    )
    {%- else -%}
    {{ relation }}
    {%- endif -%}
{%- endmacro %}


{#
  Whether the build follows another one. A view that takes its imports through `changed` has in a night the
  rows of changed keys only: nobody but keyed models of the same key may read it.
#}
{% macro is_in_a_night() -%}
    {#- Nor does a unit test, which has no relation; a full build does not ask for one, nor for a database. -#}
    {%- if this is none or should_full_refresh() -%}
        {{- return(false) -}}
    {%- endif -%}
    {%- if model.config.materialized == 'view' -%}
        {{- return(load_relation(this) is not none) -}}
    {%- endif -%}
    {{- return(is_incremental()) -}}
{%- endmacro %}


{% macro matching_keys(keys, rows, key, columns=none) -%}
    {%- set names = [key] if key is string else key -%}
    {%- set their_names = names if columns is none else ([columns] if columns is string else columns) -%}
    {%- for name in names -%}
    {{ keys }}.{{ name }} = {{ rows }}.{{ their_names[loop.index0] }}{{ ' and ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}


{# dbt calls this for incremental_strategy='by_key'. #}
{% macro get_incremental_by_key_sql(arguments) -%}
    {%- set columns = get_quoted_csv(arguments['dest_columns'] | map(attribute='name')) -%}
    delete from {{ arguments['target_relation'] }} as of_all
    where exists (
        select 1
        from {{ changed_keys(arguments['unique_key']) }} as changed_keys
        where {{ matching_keys('changed_keys', 'of_all', arguments['unique_key']) }}
    );
    insert into {{ arguments['target_relation'] }} ({{ columns }})
    select {{ columns }}
    from {{ arguments['temp_relation'] }}
{%- endmacro %}
