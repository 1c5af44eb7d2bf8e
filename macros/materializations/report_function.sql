{#
  A report function: the model's SQL is the body of the table macro `<schema>.<name>(<signature>)`.
  It lies in the build database like a table and is created again in the published one:
  orchestration/report_functions.py gives the same statement from the manifest.

  Other engines have no function that takes named lists and inlines like this one. There the marts
  answer, and the model is a no-op with a log line.
#}
{% materialization report_function, default %}
    {{ log(model.name ~ ": report functions are DuckDB's; on " ~ target.type ~ " ask the mart") }}
    {% call noop_statement('main', 'SKIP') %}{% endcall %}
    {{ return({'relations': []}) }}
{% endmaterialization %}


{% materialization report_function, adapter='duckdb' %}
    {# Two-part names only: the published file is opened by itself, under any name. #}
    {% set body = sql | replace(adapter.quote(model.database) ~ '.', '') %}
    {% call statement('main') %}
        create or replace macro {{ adapter.quote(model.schema) }}.{{ adapter.quote(model.alias) }}(
            {{ config.get('meta')['function']['signature'] }}
        ) as table
        {{ body }}
    {% endcall %}
    {% do adapter.commit() %}
    {{ return({'relations': []}) }}
{% endmaterialization %}
