{#
  The walk through stages in order that reports 5 (lead journey) and 13 (funnel, strict) share (§5b).

  A query with one row per record and step of its walk, as far as the walk goes:
  record_id, walk_id, position, counted_at (instant; NULL = not counted at this step).
    steps    a relation: walk_id, position (1, 2, … without holes), is_optional (never for position 1)
    entries  a relation: record_id, walk_id, position, entered_at

  At each step the earliest entry counts that is not before the floor. A required step moves the floor
  to its entry, and ends the walk where it has none; an optional step does neither. Records that never
  entered the first step are in no row.
#}
{% macro walk_through_steps(steps, entries) -%}
{{ with_recursive() }}
-- The earliest entry not before a floor is the one whose predecessor lies before it: found by a join,
-- where asking each walk for its earliest entry takes some engines through all of them every time.
ordered_entries as (
    select
        record_id,
        walk_id,
        position,
        entered_at,
        lag(entered_at) over (partition by record_id, walk_id, position order by entered_at) as previous_entered_at
    from {{ entries }}
),

{%- set first -%}
    select
        record_id,
        walk_id,
        cast(1 as bigint) as position,
        entered_at as counted_at,
        entered_at as floor_at
    from ordered_entries
    where position = 1
        and previous_entered_at is null
{%- endset -%}
{%- set next -%}
    select
        walk.record_id,
        walk.walk_id,
        steps.position,
        entries.entered_at as counted_at,
        case when steps.is_optional then walk.floor_at else entries.entered_at end as floor_at
    from [rows]
    inner join {{ steps }} as steps
        on walk.walk_id = steps.walk_id
        and steps.position = walk.position + 1
    left join ordered_entries as entries
        on walk.record_id = entries.record_id
        and walk.walk_id = entries.walk_id
        and steps.position = entries.position
        and entries.entered_at >= walk.floor_at
        and (entries.previous_entered_at is null or entries.previous_entered_at < walk.floor_at)
    where walk.floor_at is not null
{%- endset %}
{{ recursive_cte('walk', ['record_id', 'walk_id', 'position', 'counted_at', 'floor_at'], first, next) }}

select
    record_id,
    walk_id,
    position,
    counted_at
from walk
{%- endmacro %}
