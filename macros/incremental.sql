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


{# The model that lists the keys to compute anew tonight, for the key columns (a name, or a list of names). #}
{% macro list_of_changed_keys(key) -%}
    {%- set lists = {
        'deal_id': 'int_deals_changed',
        'contact_id': 'int_contacts_changed',
        'activity_type, activity_id': 'int_activities_changed',
    } -%}
    {%- set columns = key if key is string else key | join(', ') -%}
    {%- if columns not in lists -%}
        {{- exceptions.raise_compiler_error("no list of changed keys for " ~ columns) -}}
    {%- endif -%}
    {{- return(lists[columns]) -}}
{%- endmacro %}


{#
  A relation in a from clause: all of it in a full build, in a night the rows of changed keys. `columns` are
  the names of the key in that relation, if they differ.
#}
{% macro changed(relation, key, columns=none) -%}
    {#- While dbt parses, it learns of the dependency here. -#}
    {%- set keys = ref(list_of_changed_keys(key)) if not execute or is_in_a_night() else none -%}
    {%- if execute and is_in_a_night() -%}
    {{ rows_of_keys(relation, keys, key, columns) }}
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


{#
  What a rule of a table is held against: all rows, but in a night, of a table whose rows belong to records,
  those of changed ones. The others were held when they were written, and are the same since. `unique` are the
  columns of a rule that compares rows with one another: without the key among them, it needs all.
  Views say it in their config: `meta.rows_of`, the key, or `meta.rows_of_day`, of which a night looks at today.
#}
{% macro rows_to_hold(relation, unique=none) -%}
    {%- set models = {} -%}
    {%- if execute and invocation_args_dict.which == 'build' and not should_full_refresh() -%}
        {%- for node in graph.nodes.values() if node.resource_type == 'model' -%}
            {%- do models.update({node.name: node}) -%}
        {%- endfor -%}
    {%- endif -%}
    {%- set config = models[relation.identifier].config if relation.identifier in models else {} -%}
    {#- Not by ref, which would have the rule depend on it: the model comes after its list as it is. -#}
    {%- set key = config.unique_key if config.incremental_strategy == 'by_key' else config.get('meta', {}).get('rows_of') -%}
    {%- set columns = [key] if key is string else key -%}
    {%- set staged = staged_records(relation.identifier) -%}
    {%- if key and (unique is none or not columns | reject('in', unique) | list) -%}
        {{ rows_of_keys(relation, models[list_of_changed_keys(key)].relation_name, key) }}
    {%- elif models and staged -%}
        {{ rows_of_changed_records(relation, models['stg_hubspot__changed_records'].relation_name, staged) }}
    {%- elif models and config.get('meta', {}).get('rows_of_day') -%}
        {#- As a constant: only so is a view asked for no other day. -#}
        {%- set today = run_query('select run_date from ' ~ models['int_run_settings'].relation_name)[0][0] -%}
        (select * from {{ relation }} where {{ config.meta.rows_of_day }} = cast('{{ today }}' as date))
    {%- else -%}
        {{ relation }}
    {%- endif -%}
{%- endmacro %}


{#
  Whose rows a staging table has: the columns with the type (or itself, in quotes) and id of each record that a
  row is about. None if its rows are few, or about no record that the load lists (_changed_records).
#}
{% macro staged_records(name) -%}
    {%- set found = [] -%}
    {%- for type in ['deal', 'contact', 'company', 'call', 'meeting', 'task', 'email', 'note'] -%}
        {%- if name in ['stg_hubspot__' ~ plural_of(type), 'stg_hubspot__' ~ type ~ '_property_history'] -%}
            {%- do found.append(["'" ~ type ~ "'", type ~ '_id']) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if name == 'stg_hubspot__associations' -%}
        {%- do found.extend([['from_type', 'from_id'], ['to_type', 'to_id']]) -%}
    {%- endif -%}
    {{- return(found) -}}
{%- endmacro %}


{% macro plural_of(type) -%}
    {{- return('companies' if type == 'company' else type ~ 's') -}}
{%- endmacro %}


{# Rows about changed records, as the load lists them: those without an id, and pairs of deals and companies,
  are not listed (orchestration/ingest/concerns.py), and looked at always. #}
{% macro rows_of_changed_records(relation, changed_records, records) -%}
(
        select *
        from {{ relation }} as of_all
        where
            {%- for type, id in records %}
            {{ 'or ' if not loop.first }}of_all.{{ id }} is null
            or exists (
                select 1
                from {{ changed_records }} as changed_records
                where changed_records.object_type = {{ type if type[0] == "'" else 'of_all.' ~ type }}
                    and changed_records.record_id = of_all.{{ id }}
            )
            {%- endfor %}
            {%- if records | length > 1 %}
            or (of_all.from_type in ('deal', 'company') and of_all.to_type in ('deal', 'company'))
            {%- endif %}
    )
{%- endmacro %}


{#
  Found before anything is joined to them, as nights are on DuckDB only, and it may think that better. Of a table
  their places are found first, by the key alone: then DuckDB decodes other columns only where such rows are.
#}
{% macro rows_of_keys(relation, keys, key, columns=none) -%}
    {%- set are_of_key -%}
        exists (
            select 1
            from {{ keys }} as changed_keys
            where {{ matching_keys('changed_keys', 'of_all', key, columns) }}
        )
    {%- endset -%}
(
        with rows_of_keys as materialized (
            select *
            from {{ relation }} as of_all
            {%- if is_written(relation) %}
            where rowid in (select rowid from {{ relation }} as of_all where {{ are_of_key }})
            {%- else %}
            where {{ are_of_key }}
            {%- endif %}
        )

        select * from rows_of_keys
    )
{%- endmacro %}


{# Whether a relation is a model that is written, and no view. #}
{% macro is_written(relation) -%}
    {%- set found = [] -%}
    {%- for node in graph.nodes.values() if node.resource_type == 'model' and node.alias == relation.identifier -%}
        {%- do found.append(node.config.materialized in ['table', 'incremental']) -%}
    {%- endfor -%}
    {{- return(found == [true]) -}}
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
    {%- set target, key = arguments['target_relation'], arguments['unique_key'] -%}
    {%- set keys = ref(list_of_changed_keys(key)) -%}
    {%- set columns = get_quoted_csv(arguments['dest_columns'] | map(attribute='name')) -%}
    {%- if is_added_up() -%}
    create or replace table {{ rows_before(target) }} as
    select * from {{ rows_of_keys(target, keys, key) }} as rows_before;
    {% endif -%}
    delete from {{ target }} as of_all
    where exists (
        select 1
        from {{ keys }} as changed_keys
        where {{ matching_keys('changed_keys', 'of_all', key) }}
    );
    insert into {{ target }} ({{ columns }})
    select {{ columns }}
    from {{ arguments['temp_relation'] }}
    {%- if is_added_up() -%}
    ;
    create or replace table {{ rows_now(target) }} as
    from {{ arguments['temp_relation'] }}
    {%- endif -%}
{%- endmacro %}
