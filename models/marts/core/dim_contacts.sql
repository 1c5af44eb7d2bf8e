{{ config(materialized='incremental', incremental_strategy='by_key', unique_key='contact_id') }}
with contacts as (
    select * from {{ changed(ref('int_contacts_in_population'), 'contact_id') }}
),

owners as (
    select * from {{ ref('dim_owners') }}
),

settings as (
    select * from {{ ref('int_run_settings') }}
),

final as (
    select
        contacts.contact_id,
        case when settings.include_personal_data then contacts.email end as email,
        case when settings.include_personal_data then contacts.firstname end as first_name,
        case when settings.include_personal_data then contacts.lastname end as last_name,
        contacts.lifecyclestage as lifecycle_stage,
        contacts.hs_lead_status as lead_status,
        coalesce(contacts.hs_analytics_source, '(No source)') as source,
        contacts.contact_created_at as created_at,
        {{ local_date('contacts.contact_created_at', 'settings.time_zone') }} as created_date,
        coalesce(contacts.owner_id, 'none') as owner_id,
        owners.owner_name,
        owners.team_id,
        owners.team_name
    from contacts
    cross join settings
    left join owners on coalesce(contacts.owner_id, 'none') = owners.owner_id
)

select * from final
