-- The activities that a night computes anew: those of which the source has changed anything since the
-- build before, those of changed records, people and owners, and those to which time has come.
with

records as (
    select * from {{ ref('stg_hubspot__changed_records') }}
),

associations as (
    select from_type as activity_type, from_id as activity_id, to_type as record_type, to_id as record_id
    from {{ ref('stg_hubspot__associations') }}
    union all
    select to_type as activity_type, to_id as activity_id, from_type as record_type, from_id as record_id
    from {{ ref('stg_hubspot__associations') }}
),

activities as (
    {% for types in ['calls', 'meetings', 'tasks', 'emails', 'notes'] -%}
    select activity_type, activity_id, owner_id, created_at, activity_at, start_at, due_at, completed_at
    from {{ ref('int_' ~ types ~ '_as_activities') }}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

settings as (
    select * from {{ ref('int_run_settings') }}
),

final as (
    select object_type as activity_type, record_id as activity_id
    from records
    where object_type in ('call', 'meeting', 'task', 'email', 'note')
    union
    select associations.activity_type, associations.activity_id
    from associations
    inner join records
        on associations.record_type = records.object_type
        and associations.record_id = records.record_id
    where associations.activity_type in ('call', 'meeting', 'task', 'email', 'note')
    union
    select activities.activity_type, activities.activity_id
    from activities
    inner join records on activities.owner_id = records.record_id
    where records.object_type = 'owner'
    union
    select activities.activity_type, activities.activity_id
    from activities
    inner join settings
        on activities.created_at between settings.follows_run_ts and settings.run_ts
        or activities.activity_at between settings.follows_run_ts and settings.run_ts
        or activities.start_at between settings.follows_run_ts and settings.run_ts
        or activities.due_at between settings.follows_run_ts and settings.run_ts
        or activities.completed_at between settings.follows_run_ts and settings.run_ts
)

select * from final
