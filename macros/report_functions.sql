{#
  What all report functions share (marts.md, "The report functions"). Here: their signature and the
  parts that depend on it. What is plain SQL is a helper function in schema core: report_problems,
  report_scope, report_deal_scope, report_buckets.
#}

{# Arguments of every report function, in order, with their defaults. #}
{% macro common_arguments() %}
{{ return(
    "date_from, date_to, group_by := 'owner', owners := NULL, teams := NULL, pipelines := NULL, "
    ~ "include_subteams := false, bucket := NULL, cumulative := false"
) }}
{% endmacro %}


{#
  Heads the file of a report function and declares it.
    group_by       groupings beside none, owner and team
    arguments      the report's own: {name: default}, where the default is
                     [a, b, …]          one of these values, the first by default (none = NULL)
                     {'each_of': […]}   a list of these values, all by default
                     true, false        true or false
                     none, 'x'          that value, not checked here
    has_pipelines  false where the report's records have no pipeline: `pipelines` is then an error
#}
{% macro report_function(group_by=[], arguments={}, has_pipelines=true) %}
{% set signature = [common_arguments()] %}
{% for name, default in arguments.items() %}
    {% if default is mapping %}
        {% do signature.append(name ~ ' := NULL') %}
    {% elif default is sequence and default is not string %}
        {% do signature.append(name ~ ' := ' ~ sql_literal(default[0])) %}
    {% else %}
        {% do signature.append(name ~ ' := ' ~ sql_literal(default)) %}
    {% endif %}
{% endfor %}
{{ config(
    materialized='report_function',
    meta={'function': {
        'signature': signature | join(', '),
        'group_by': ['none', 'owner', 'team'] + group_by,
        'arguments': arguments,
        'has_pipelines': has_pipelines,
    }},
) }}
{% endmacro %}


{# Heads a helper function: its arguments as text. #}
{% macro helper_function(signature) %}
{{ config(materialized='report_function', meta={'function': {'signature': signature, 'is_helper': true}}) }}
{% endmacro %}


{% macro sql_literal(value) %}
{{- return(
    'NULL' if value is none
    else (value | string | lower) if value is boolean or value is number
    else "'" ~ (value | replace("'", "''")) ~ "'"
) -}}
{% endmacro %}


{#
  Body of the CTE `request`: raises an error that names every wrong argument and what is allowed, and
  is one row, or none where the source lacks what the report needs (K11): no buckets then, and no
  rows, instead of wrong zeros. Materialized and joined by `buckets`, so that it is always evaluated.
    names      the report's own arguments that list names: {argument: [relation, id column, label column]}
    problems   further selects of one problem each, for what no list of values says
#}
{% macro report_request(names={}, problems=[]) %}
{%- set common_problems = ref('report_problems')
    ~ '(date_from, date_to, owners, teams, pipelines, include_subteams, bucket, cumulative)' -%}
{%- set mart = 'rpt_' ~ model.name | replace('_summary', '') -%}
{%- set function = model.config.meta.function if execute else {} -%}
select true as is_valid
from (
    select string_agg(problem, '; ' order by problem) as problems
    from (
        select problem from {{ common_problems }}
        union all
        {{ wrong_value('group_by', function.group_by or []) }}
        {% for name, default in (function.arguments or {}).items() -%}
        {% if default is mapping -%}
        union all
        {{ wrong_values(name, default['each_of']) }}
        {% elif default is boolean -%}
        union all
        {{ no_boolean(name) }}
        {% elif default is sequence and default is not string -%}
        union all
        {{ wrong_value(name, default) }}
        {% endif -%}
        {% endfor -%}
        {% for name, source in names.items() -%}
        union all
        {{ wrong_names(name, source[0], source[1], source[2]) }}
        {% endfor -%}
        {% for select_problem in problems -%}
        union all
        {{ select_problem }}
        {% endfor -%}
        {% if not function.has_pipelines -%}
        union all
        select 'pipelines: the records of this report have no pipeline; leave it out' where pipelines is not null
        {% endif -%}
    ) as found
) as all_found
where case when problems is null then true else error(problems) end
    and not exists (select 1 from {{ ref('fct_missing_inputs') }} where report = '{{ mart }}')
{%- endmacro %}


{# Select of one problem where the argument is neither true nor false. #}
{% macro no_boolean(argument) -%}
select '{{ argument }} must be true or false' as problem
where try_cast({{ argument }} as boolean) is null
{%- endmacro %}


{# Select of one problem where the argument is none of the values; NULL only where it is among them. #}
{% macro wrong_value(argument, allowed) -%}
{%- set texts = allowed | reject('none') | list -%}
select '{{ argument }} must be one of: {{ texts | join(", ") }}' as problem
where coalesce({{ argument }} not in ({{ quoted(texts) }}), {{ 'false' if none in allowed else 'true' }})
{%- endmacro %}


{# Select of the elements of a list argument; of none where it is NULL or no list. #}
{% macro asked(argument) -%}
select unnest(try_cast({{ argument }} as varchar[]))
{%- endmacro %}


{# Select of one problem where a list argument is no list. #}
{% macro wrong_list(argument, example) -%}
select '{{ argument }} must be a list, such as [''{{ example }}'']' as problem
where {{ argument }} is not null
    and try_cast({{ argument }} as varchar[]) is null
{%- endmacro %}


{# Select of one problem per element of a list argument that is none of the values. #}
{% macro wrong_values(argument, allowed) -%}
{{ wrong_list(argument, allowed[0]) }}
union all
select '{{ argument }} has ' || coalesce(value, 'NULL') || '; choose from: {{ allowed | join(", ") }}'
from ({{ asked(argument) }} as value) as asked
where coalesce(value not in ({{ quoted(allowed) }}), true)
{%- endmacro %}


{# Select of one problem per name that is no id and not the label of exactly one id. #}
{% macro wrong_names(argument, relation, id, label) -%}
{{ wrong_list(argument, 'id or name') }}
union all
select '{{ argument }} has ' || coalesce(name, 'NULL') || ', which is '
    || case when match_count = 0 then 'unknown' else 'ambiguous' end
    || '; choose from: ' || choices
from (
    select
        asked.name,
        count(known.id) filter (where known.label = asked.name) as match_count,
        count(known.id) filter (where known.id = asked.name) as id_count,
        string_agg(
            case when known.id = known.label then known.id else known.label || ' (' || known.id || ')' end,
            ', ' order by known.label, known.id
        ) as choices
    from (select distinct name from ({{ asked(argument) }} as name) as asked_names) as asked
    cross join (select distinct {{ id }} as id, {{ label }} as label from {{ relation }}) as known
    group by asked.name
) as matched
where id_count = 0 and match_count <> 1
{%- endmacro %}


{# Select of the ids that a list of names means: an id means itself, a label the id that bears it. #}
{% macro named_ids(argument, relation, id, label) -%}
select {{ id }}
from {{ relation }}
where {{ id }} in ({{ asked(argument) }})
    or {{ label }} in (
        {{ asked(argument) }}
        except
        select {{ id }} from {{ relation }}
    )
{%- endmacro %}


{% macro quoted(values) %}
{%- set literals = [] -%}
{%- for value in values %}{% do literals.append(sql_literal(value)) %}{% endfor -%}
{{- return(literals | join(', ')) -}}
{% endmacro %}


{# Select of one problem where the close-date range of a window report ends before it begins. #}
{% macro wrong_close_range() -%}
select 'close_to must not lie before close_from; each is date_from or date_to unless given' as problem
where cast(coalesce(close_to, date_to) as date) < cast(coalesce(close_from, date_from) as date)
{%- endmacro %}


{# The helper functions, called with the arguments of the report function. #}
{% macro report_scope() %}{{ ref('report_scope') }}(group_by, owners, teams, include_subteams){% endmacro %}
{% macro report_deal_scope() %}{{ ref('report_deal_scope') }}(group_by, owners, teams, include_subteams, pipelines){% endmacro %}
{% macro report_buckets() %}{{ ref('report_buckets') }}(date_from, date_to, bucket, cumulative){% endmacro %}


{#
  The records of a relation whose day lies in the range that is asked for, for functions that do more
  with each than count it: the query ends with a predicate, to which others can be added.
#}
{% macro asked_records(relation, day) -%}
select *
    from {{ relation }}
    where {{ day }} >= (select min(first_day) from buckets)
        and {{ day }} < (select max(end_day) from buckets)
{%- endmacro %}


{#
  Body of the CTE `spine`: the rows that the report has, each with every bucket. The grouping `none`
  always has its row.
    categories   columns of `records` that make rows of their own
    fixed        a CTE with the categories that `none` always has, though no record is in them; without
                 it `none` has those of the records only
#}
{% macro report_spine(records, categories=[], fixed=none) -%}
{%- set group_columns = ['group_id', 'group_label', 'parent_team_id', 'depth'] -%}
select
    {% for column in group_columns -%}
    rows_found.{{ column }},
    {% endfor -%}
    buckets.bucket_start,
    {%- for column in categories %}
    rows_found.{{ column }},
    {%- endfor %}
    buckets.is_last_bucket
from (
    select distinct {{ (group_columns + categories) | join(', ') }} from {{ records }}
    {%- if fixed or not categories %}
    union
    select {{ (["'all'", "'all'", 'null', 'null'] + categories) | join(', ') }}
    {%- if fixed %} from {{ fixed }}{% endif %}
    where group_by = 'none'
    {%- endif %}
) as rows_found
cross join buckets
{%- endmacro %}


{#
  The report's columns: `bucket_start` and the place in the team tree only where they are asked,
  never those that only serve the order, and others only on a condition on the arguments
  (`only_where`: {condition: columns}).
#}
{% macro report_columns(order_only=[], only_where={}) -%}
columns(lambda c:
    (c <> 'bucket_start' or bucket is not null)
    and (c not in ('parent_team_id', 'depth') or (group_by = 'team' and include_subteams))
    and c not in ({{ quoted(['is_last_bucket'] + order_only) }})
    {%- for condition, columns in only_where.items() %}
    and (c not in ({{ quoted(columns) }}) or {{ condition }})
    {%- endfor %}
)
{%- endmacro %}


{# The deals that the argument `status` of a report function asks for. #}
{% macro has_status(deals) -%}
(status in ('all', {{ deals }}.deal_status) or (status = 'closed' and {{ deals }}.deal_status in ('won', 'lost')))
{%- endmacro %}


{#
  Order of a report: groups by their first measure over the range (its last point where it is
  cumulative), within them buckets, then `then`. Ties by label and id.
#}
{% macro report_order(first_measure, then=[]) -%}
sum({{ first_measure }}) filter (where not cumulative or is_last_bucket) over (partition by group_id) desc,
    group_label,
    group_id,
    bucket_start
    {%- for key in then %},
    {{ key }}
    {%- endfor %}
{%- endmacro %}


{# A mart's measures, added up from rows of a relation that has them; 0 where there are none. #}
{% macro measure_sums(rows, measures) -%}
{%- for measure in measures -%}
{%- set type = decimal_type(2) if measure.endswith('_amount') else 'bigint' -%}
cast(coalesce(sum({{ rows }}.{{ measure }}), 0) as {{ type }}) as {{ measure }}
{%- if not loop.last %},
{% endif %}
{%- endfor %}
{%- endmacro %}
