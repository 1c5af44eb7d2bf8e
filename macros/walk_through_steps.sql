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
with recursive walk as (
    select
        record_id,
        walk_id,
        cast(1 as bigint) as position,
        min(entered_at) as counted_at,
        min(entered_at) as floor_at
    from {{ entries }}
    where position = 1
    group by record_id, walk_id

    union all

    select
        record_id,
        walk_id,
        position,
        counted_at,
        case when is_optional then floor_at else counted_at end as floor_at
    from (
        select
            walk.record_id,
            walk.walk_id,
            steps.position,
            steps.is_optional,
            walk.floor_at,
            (
                select min(entries.entered_at)
                from {{ entries }} as entries
                where entries.record_id = walk.record_id
                    and entries.walk_id = walk.walk_id
                    and entries.position = steps.position
                    and entries.entered_at >= walk.floor_at
            ) as counted_at
        from walk
        inner join {{ steps }} as steps
            on walk.walk_id = steps.walk_id
            and steps.position = walk.position + 1
        where walk.floor_at is not null
    ) as next_step
)

select
    record_id,
    walk_id,
    position,
    counted_at
from walk
{%- endmacro %}
