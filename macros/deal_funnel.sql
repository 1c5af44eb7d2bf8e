{#
  Report 13, deal funnel: one definition for the mart (every open stage, in order, all required) and
  the function (the stages that are asked for).

  A query with one row per deal and step: deal_id, position, stage_id, stage_label and the measures of
  the mart, for deals that reached a step at all (13a). "Now" is the deal row.
    steps  a relation: pipeline_id, position (1, 2, … without holes; the last is Won), stage_id
           ('won' for Won), stage_label, stage_position (in the settings), is_optional, is_won_step
    deals  the rows of fct_deals to look at
#}
{% macro deal_funnel(steps, deals=ref('fct_deals')) -%}
with

deals as (
    select * from {{ deals }}
),

-- Visits to the pipeline that the deal is in now (13a).
visits as (
    select *
    from {{ ref('fct_deal_stage_visits') }}
    where is_in_present_pipeline
        and deal_id in (select deal_id from deals)
),

-- Several won stages are one step, and count only while the deal is won.
entries as (
    select
        visits.deal_id as record_id,
        steps.pipeline_id as walk_id,
        steps.position,
        visits.entered_at,
        visits.duration_ms
    from visits
    inner join deals on visits.deal_id = deals.deal_id
    inner join {{ steps }} as steps
        on visits.pipeline_id = steps.pipeline_id
        and (
            (visits.stage_id = steps.stage_id and not steps.is_won_step)
            or (steps.is_won_step and visits.stage_class = 'won' and deals.is_won)
        )
    where deals.created_date is not null
),

walk_steps as (
    select pipeline_id as walk_id, position, is_optional
    from {{ steps }}
),

walked as (
    {{ walk_through_steps('walk_steps', 'entries') | indent(4) }}
),

step_entries as (
    select
        record_id,
        position,
        sum(duration_ms) as duration_ms
    from entries
    group by record_id, position
),

-- Where a deal came in, as a place in the settings: won is behind all open stages, and stages without
-- a place are before them (13c).
first_visits as (
    select
        visits.deal_id,
        case when visits.stage_class = 'won' then 1000000 else coalesce(visits.stage_position, 0) end as stage_position
    from visits
    inner join (
        select deal_id, min(visit_number) as visit_number
        from visits
        group by deal_id
    ) as first_numbers
        on visits.deal_id = first_numbers.deal_id
        and visits.visit_number = first_numbers.visit_number
),

-- M(d): Won if the deal is won now, else the furthest step it ever visited.
furthest as (
    select deal_id, max(position) as position
    from (
        select record_id as deal_id, position
        from step_entries
        union all
        select deals.deal_id, steps.position
        from deals
        inner join {{ steps }} as steps on deals.pipeline_id = steps.pipeline_id
        where steps.is_won_step
            and deals.is_won
            and deals.created_date is not null
    ) as reached
    group by deal_id
),

judged as (
    select
        deals.deal_id,
        deals.deal_status,
        deals.stage_id as present_stage_id,
        deals.stage_pipeline_id as present_pipeline_id,
        deals.company_amount,
        steps.pipeline_id,
        steps.position,
        steps.stage_id,
        steps.stage_label,
        steps.is_won_step,
        furthest.position as furthest_position,
        step_entries.record_id is not null or (steps.is_won_step and deals.is_won) as is_entered,
        coalesce(step_entries.duration_ms, 0) as duration_ms,
        steps.stage_position < coalesce(first_visits.stage_position, 0) as is_before_first_visit,
        walked.counted_at is not null as is_strict
    from deals
    inner join {{ steps }} as steps on deals.pipeline_id = steps.pipeline_id
    inner join furthest on deals.deal_id = furthest.deal_id
    left join step_entries
        on deals.deal_id = step_entries.record_id
        and steps.position = step_entries.position
    left join walked
        on deals.deal_id = walked.record_id
        and steps.pipeline_id = walked.walk_id
        and steps.position = walked.position
    left join first_visits on deals.deal_id = first_visits.deal_id
),

measured as (
    select
        deal_id,
        position,
        stage_id,
        stage_label,
        is_entered,
        not is_entered and furthest_position > position as is_skipped,
        not is_entered and furthest_position > position and is_before_first_visit as is_skipped_at_creation,
        furthest_position >= position as is_reached,
        is_strict,
        furthest_position > position as is_next_reached,
        deal_status = 'lost' and furthest_position = position as is_lost_here,
        deal_status = 'open' and furthest_position = position as is_open_here,
        case
            when is_won_step then deal_status = 'won'
            else present_stage_id = stage_id and present_pipeline_id = pipeline_id
        end as is_current_here,
        case when is_entered then coalesce(company_amount, 0) else 0 end as entered_amount,
        case when is_won_step then 0 else duration_ms end as time_in_stage_ms,
        is_entered and not is_won_step as is_timed
    from judged
)

select * from measured
where is_reached or is_current_here
{%- endmacro %}


{# The measures of report 13 as aggregates over rows of `deal_funnel`, for a select list. #}
{% macro deal_funnel_measures() -%}
{%- for flag in ['entered', 'skipped', 'skipped_at_creation', 'reached'] %}
count(case when is_{{ flag }} then 1 end) as {{ flag }}_count,
{%- endfor %}
count(case when is_strict then 1 end) as strict_count,
{%- for flag in ['next_reached', 'lost_here', 'open_here', 'current_here'] %}
count(case when is_{{ flag }} then 1 end) as {{ flag }}_count,
{%- endfor %}
cast(coalesce(sum(entered_amount), 0) as {{ decimal_type(2) }}) as entered_amount,
cast(coalesce(sum(time_in_stage_ms), 0) as bigint) as time_in_stage_ms,
count(case when is_timed then 1 end) as time_in_stage_count
{%- endmacro %}


{# Their names, in order. #}
{% macro deal_funnel_measure_names() %}
{{- return([
    'entered_count',
    'skipped_count',
    'skipped_at_creation_count',
    'reached_count',
    'strict_count',
    'next_reached_count',
    'lost_here_count',
    'open_here_count',
    'current_here_count',
    'entered_amount',
    'time_in_stage_ms',
    'time_in_stage_count',
]) -}}
{% endmacro %}


{# Select of one problem where the function is not asked about exactly one pipeline (13). #}
{% macro one_pipeline(asked_pipelines) -%}
select 'pipelines must name exactly one pipeline; choose from: ' || choices as problem
from (
    select string_agg(pipeline_label || ' (' || pipeline_id || ')', ', ' order by pipeline_label, pipeline_id) as choices
    from {{ ref('dim_pipelines') }}
) as all_pipelines
where (select count(*) from {{ asked_pipelines }}) <> 1
    and choices is not null
{%- endmacro %}


{# Select of one problem where the step that begins the walk is to be optional (5b). #}
{% macro optional_first_step(steps) -%}
select 'optional_stages has ' || stage_label || ', the first stage of the funnel, which cannot be optional' as problem
from (
    select stage_id, stage_label
    from {{ steps }}
    order by position
    limit 1
) as first_step
where stage_id in ({{ asked('optional_stages') }})
    or stage_label in ({{ asked('optional_stages') }})
{%- endmacro %}
