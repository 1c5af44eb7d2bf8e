{#- Of each type, the instants that its models hold against run_ts. -#}
{% set instants = {
    'call': ['hs_timestamp', 'hs_createdate', 'created_at'],
    'meeting': ['hs_meeting_start_time', 'hs_timestamp', 'hs_createdate', 'created_at'],
    'task': ['hs_timestamp', 'hs_task_completion_date', 'hs_createdate', 'created_at', 'updated_at'],
    'email': ['hs_timestamp', 'hs_createdate', 'created_at'],
    'note': ['created_at'],
} %}
-- The activities that a night computes anew: those of which the source has changed anything since the
-- build before, those of owners that have changed and of records whose name or place in the population
-- may have, and those to which time has come. What is said of contacts is made of the activity alone, not of
-- its owner or its other records: only activities that have changed themselves concern their contacts.
with

changed_records as (
    select * from {{ ref('stg_hubspot__changed_records') }}
),

settings as (
    select * from {{ ref('int_run_settings') }}
),

deals as (
    select * from {{ ref('int_deals_changed') }}
),

activities as (
    {% for type in instants -%}
    select '{{ type }}' as activity_type, {{ type }}_id as activity_id, owner_id
    from {{ ref('stg_hubspot__' ~ type ~ 's') }}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

come_of_time as (
    {% for type, columns in instants.items() -%}
    select '{{ type }}' as activity_type, activities.{{ type }}_id as activity_id
    from {{ ref('stg_hubspot__' ~ type ~ 's') }} as activities
    cross join settings
    where
        {%- for column in columns %}
        {{ 'or ' if not loop.first }}activities.{{ column }} between settings.follows_run_ts and settings.run_ts
        {%- endfor %}
    union all
    {% endfor -%}
    select 'task' as activity_type, versions.task_id as activity_id
    from {{ ref('stg_hubspot__task_property_history') }} as versions
    cross join settings
    where versions.changed_at between settings.follows_run_ts and settings.run_ts
),

-- Contacts and companies that were created in the future, until now, count from now on.
records as (
    select object_type as record_type, record_id from changed_records
    where object_type in ('contact', 'company') and concerns_activities
    union distinct
    select 'deal' as record_type, deal_id as record_id from deals where concerns_activities
    {%- for type, plural in {'contact': 'contacts', 'company': 'companies'}.items() %}
    union distinct
    select '{{ type }}' as record_type, {{ plural }}.{{ type }}_id as record_id
    from {{ ref('stg_hubspot__' ~ plural) }} as {{ plural }}
    cross join settings
    where coalesce({{ plural }}.createdate, {{ plural }}.created_at)
        between settings.follows_run_ts and settings.run_ts
    {%- endfor %}
),

-- Once per direction: what is read twice, DuckDB first writes down whole, and there are millions.
associations as (
    select * from {{ ref('stg_hubspot__associations') }}
),

associations_back as (
    select * from {{ ref('stg_hubspot__associations') }}
),

touched as (
    select
        object_type as activity_type,
        record_id as activity_id,
        true as concerns_contacts
    from changed_records
    where object_type in ('call', 'meeting', 'task', 'email', 'note')
    union all
    select
        associations.from_type as activity_type,
        associations.from_id as activity_id,
        false as concerns_contacts
    from associations
    inner join records
        on associations.to_type = records.record_type
        and associations.to_id = records.record_id
    where associations.from_type in ('call', 'meeting', 'task', 'email', 'note')
    union all
    select
        associations_back.to_type as activity_type,
        associations_back.to_id as activity_id,
        false as concerns_contacts
    from associations_back
    inner join records
        on associations_back.from_type = records.record_type
        and associations_back.from_id = records.record_id
    where associations_back.to_type in ('call', 'meeting', 'task', 'email', 'note')
    union all
    select
        activities.activity_type,
        activities.activity_id,
        false as concerns_contacts
    from activities
    inner join changed_records
        on changed_records.object_type = 'owner'
        and activities.owner_id = changed_records.record_id
    union all
    select
        activity_type,
        activity_id,
        true as concerns_contacts
    from come_of_time
),

final as (
    select
        activity_type,
        activity_id,
        max(case when concerns_contacts then 1 else 0 end) = 1 as concerns_contacts
    from touched
    group by activity_type, activity_id
)

select * from final
