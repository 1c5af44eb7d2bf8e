{{ config(materialized='view') }}
-- The activities that reports count: neither archived, deleted nor merged (C10, P1), and created
-- before run_ts (H1). Planned ones, dated later, are in.
with activities as (
    {% for types in ['calls', 'meetings', 'tasks', 'emails', 'notes'] -%}
    select * from {{ ref('int_' ~ types ~ '_as_activities') }}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

settings as (
    select * from {{ ref('int_run_settings') }}
),

final as (
    select activities.*
    from activities
    cross join settings
    where
        activities.is_archived is distinct from true
        and activities.merged_into_id is null
        and activities.hard_deleted_at is null
        and (activities.created_at is null or activities.created_at < settings.run_ts)
)

select * from final
