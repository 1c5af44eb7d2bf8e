{{ config(materialized='view') }}
-- HubSpot's stored first engagement while it belongs to the present assignment, else ours (6b).
with assignments as (
    select * from {{ changed(ref('int_contact_assignments'), 'contact_id') }}
),

recomputed as (
    select * from {{ ref('int_first_engagements_recomputed') }}
),

contacts as (
    select * from {{ ref('int_contacts_in_population') }}
),

settings as (
    select * from {{ ref('int_run_settings') }}
),

compared as (
    select
        assignments.contact_id,
        assignments.assigned_at,
        contacts.hs_sa_first_engagement_date,
        contacts.hs_sa_first_engagement_object_type,
        contacts.hs_first_engagement_object_id,
        contacts.hs_sa_first_engagement_descr,
        contacts.hs_time_to_first_engagement,
        recomputed.engaged_at,
        recomputed.engagement_type,
        recomputed.engagement_id,
        recomputed.description,
        {{ duration_ms('assignments.assigned_at', 'recomputed.engaged_at') }} as recomputed_response_ms,
        coalesce(
            contacts.hs_time_to_first_engagement is not null
            and contacts.hubspot_owner_assigneddate = assignments.assigned_at
            and contacts.hs_sa_first_engagement_date >= assignments.assigned_at
            and contacts.hs_sa_first_engagement_date <= settings.run_ts,
            false
        ) as is_stored_value
    from assignments
    inner join contacts on assignments.contact_id = contacts.contact_id
    left join recomputed on assignments.contact_id = recomputed.contact_id
    cross join settings
),

final as (
    select
        contact_id,
        assigned_at,
        case when is_stored_value then hs_sa_first_engagement_date else engaged_at end as engaged_at,
        case when is_stored_value then hs_sa_first_engagement_object_type else engagement_type end as engagement_type,
        case when is_stored_value then hs_first_engagement_object_id else engagement_id end as engagement_id,
        case when is_stored_value then hs_sa_first_engagement_descr else description end as description,
        case when is_stored_value then hs_time_to_first_engagement else recomputed_response_ms end as response_time_ms,
        is_stored_value,
        hs_time_to_first_engagement is not null
        and hs_time_to_first_engagement is distinct from recomputed_response_ms as differs_from_stored
    from compared
)

select * from final
