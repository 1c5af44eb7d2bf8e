{{ config(materialized='incremental', incremental_strategy='by_key', unique_key='contact_id') }}
with

contacts as (
    select * from {{ changed(ref('dim_contacts'), 'contact_id') }}
),

stages as (
    select * from {{ ref('dim_lifecycle_stages') }}
),

steps as (
    select
        journey_position as position,
        stage_id,
        stage_label,
        is_optional
    from stages
    where journey_position is not null
),

contact_steps as (
    {{ lead_journey('steps', changed(ref('dim_contacts'), 'contact_id')) | indent(4) }}
),

final as (
    select
        contact_steps.contact_id,
        contacts.created_date,
        contact_steps.position,
        steps.stage_id,
        steps.stage_label,
        steps.is_optional,
        contacts.owner_id,
        contacts.owner_name,
        contacts.team_id,
        contacts.team_name,
        contact_steps.is_counted,
        contact_steps.is_advanced,
        contact_steps.is_skipped,
        contact_steps.is_still_here,
        contact_steps.time_to_next_ms
    from contact_steps
    inner join steps on contact_steps.position = steps.position
    inner join contacts on contact_steps.contact_id = contacts.contact_id
)

select * from final
