{#
  Report 5, lead journey: one definition for the mart (the stages of the seed) and the function (the
  stages that are asked for). §5b of reports.md, 5b of decisions.md.

  A query with one row per contact and step that it was counted at or skipped: contact_id, position,
  is_counted, is_advanced, is_skipped, is_still_here, time_to_next_ms (NULL = not timed).
    steps     a relation: position (1, 2, … without holes), stage_id, is_optional (never for position 1)
    contacts  the rows of dim_contacts to look at
#}
{% macro lead_journey(steps, contacts=ref('dim_contacts')) -%}
with

contacts as (
    select * from {{ contacts }}
),

entries as (
    select
        lifecycle_entries.contact_id as record_id,
        1 as walk_id,
        steps.position,
        lifecycle_entries.entered_at
    from {{ ref('fct_lifecycle_entries') }} as lifecycle_entries
    inner join {{ steps }} as steps on lifecycle_entries.lifecycle_stage = steps.stage_id
    where lifecycle_entries.contact_id in (select contact_id from contacts)
),

walk_steps as (
    select 1 as walk_id, position, is_optional
    from {{ steps }}
),

walked as (
    {{ walk_through_steps('walk_steps', 'entries') | indent(4) }}
),

counted as (
    select
        record_id as contact_id,
        position,
        counted_at,
        lead(position) over (partition by record_id order by position) as next_position,
        lead(counted_at) over (partition by record_id order by position) as next_counted_at
    from walked
    where counted_at is not null
),

-- How far one looks for the step that comes next: up to the next required one.
horizons as (
    select
        steps.position,
        min(case when later.position > steps.position and not later.is_optional then later.position end)
            as next_required_position
    from {{ steps }} as steps
    cross join {{ steps }} as later
    group by steps.position
),

furthest as (
    select contact_id, max(position) as position
    from counted
    group by contact_id
),

judged as (
    select
        furthest.contact_id,
        steps.position,
        counted.contact_id is not null as is_counted,
        coalesce(
            counted.next_position <= coalesce(horizons.next_required_position, counted.next_position), false
        ) as is_advanced,
        counted.contact_id is not null
        and coalesce(contacts.lifecycle_stage, '') = steps.stage_id as is_still_here,
        {{ duration_ms('counted.counted_at', 'counted.next_counted_at') }} as time_to_next_ms
    from furthest
    inner join {{ steps }} as steps on steps.position <= furthest.position
    inner join horizons on steps.position = horizons.position
    inner join contacts on furthest.contact_id = contacts.contact_id
    left join counted
        on furthest.contact_id = counted.contact_id
        and steps.position = counted.position
)

select
    contact_id,
    position,
    is_counted,
    is_advanced,
    not is_counted as is_skipped,
    is_still_here,
    -- Optional stages do not raise the floor, so that the next step may have been entered earlier (5b-3).
    case when is_advanced and time_to_next_ms >= 0 then time_to_next_ms end as time_to_next_ms
from judged
{%- endmacro %}


{# The measures of the lead journey as aggregates over rows of `lead_journey`, for a select list. #}
{% macro lead_journey_measures() -%}
count(case when is_counted then 1 end) as contact_count,
count(case when is_advanced then 1 end) as advanced_count,
count(case when is_skipped then 1 end) as skipped_count,
count(case when is_still_here then 1 end) as still_here_count,
cast(coalesce(sum(time_to_next_ms), 0) as bigint) as time_to_next_ms,
count(time_to_next_ms) as time_to_next_count
{%- endmacro %}


{# Their names, in order. #}
{% macro lead_journey_measure_names() %}
{{- return([
    'contact_count',
    'advanced_count',
    'skipped_count',
    'still_here_count',
    'time_to_next_ms',
    'time_to_next_count',
]) -}}
{% endmacro %}
