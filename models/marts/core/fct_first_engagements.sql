{{ config(materialized='incremental', incremental_strategy='by_key', unique_key='contact_id') }}
with engagements as (
    select * from {{ ref('int_first_engagements_chosen') }}
),

contacts as (
    select * from {{ changed(ref('dim_contacts'), 'contact_id') }}
),

business_days as (
    select * from {{ ref('dim_business_days') }}
),

settings as (
    select * from {{ ref('int_run_settings') }}
),

dated as (
    select
        engagements.*,
        {{ local_date('engagements.assigned_at', 'settings.time_zone') }} as assigned_date,
        {{ local_date('engagements.engaged_at', 'settings.time_zone') }} as engaged_date
    from engagements
    cross join settings
),

-- Business time on the clock of dim_business_days at both instants.
clocked as (
    select
        dated.*,
        start_day.business_ms_before
        + coalesce(least(greatest({{ duration_ms('start_day.opens_at', 'dated.assigned_at') }}, 0), start_day.business_ms), 0)
            as assigned_business_ms,
        end_day.business_ms_before
        + coalesce(least(greatest({{ duration_ms('end_day.opens_at', 'dated.engaged_at') }}, 0), end_day.business_ms), 0)
            as engaged_business_ms
    from dated
    left join business_days as start_day on dated.assigned_date = start_day.date_day
    left join business_days as end_day on dated.engaged_date = end_day.date_day
),

final as (
    select
        clocked.contact_id,
        contacts.owner_id,
        contacts.owner_name,
        contacts.team_id,
        contacts.team_name,
        contacts.source,
        clocked.assigned_at,
        clocked.assigned_date,
        clocked.engaged_at as first_engagement_at,
        clocked.engagement_type as first_engagement_type,
        clocked.engagement_id as first_engagement_id,
        clocked.description as first_engagement_description,
        clocked.response_time_ms,
        clocked.engaged_business_ms - clocked.assigned_business_ms as response_business_ms,
        clocked.is_stored_value,
        clocked.differs_from_stored
    from clocked
    inner join contacts on clocked.contact_id = contacts.contact_id
)

select * from final
