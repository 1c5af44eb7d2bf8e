{{ config(materialized='view') }}
-- The first engagement of the present owner since the assignment, computed from the records.
-- Joined on contact and owner, then the earliest: no range join to blow up on contacts with very many
-- activities.
with assignments as (
    select * from {{ changed(ref('int_contact_assignments'), 'contact_id') }}
),

engagements as (
    select * from {{ ref('int_engagements_from_activities') }}
    union all
    select * from {{ ref('int_engagements_from_chats') }}
),

settings as (
    select * from {{ ref('int_run_settings') }}
),

counted as (
    select engagements.*
    from engagements
    inner join assignments
        on engagements.contact_id = assignments.contact_id and engagements.owner_id = assignments.owner_id
    cross join settings
    where
        engagements.engaged_at >= assignments.assigned_at
        and engagements.engaged_at <= settings.run_ts
),

earliest as (
    select
        contact_id,
        min(engaged_at) as engaged_at
    from counted
    group by contact_id
),

-- Only those of the same instant need be put in order.
ranked as (
    select
        counted.*,
        row_number() over (
            partition by counted.contact_id
            order by
                case counted.engagement_type
                    when 'email' then 1 when 'call' then 2 when 'chat' then 3 when 'task' then 4 else 5
                end,
                {{ id_order('counted.engagement_id') }}
        ) as engagement_number
    from counted
    inner join earliest
        on counted.contact_id = earliest.contact_id and counted.engaged_at = earliest.engaged_at
),

final as (
    select
        contact_id,
        engaged_at,
        -- HubSpot's names, as in hs_sa_first_engagement_object_type.
        case engagement_type
            when 'email' then 'EMAIL'
            when 'call' then 'CALL'
            when 'chat' then 'CONVERSATION_SESSION'
            when 'task' then 'TASK'
            when 'meeting' then 'MEETING_EVENT'
        end as engagement_type,
        engagement_id,
        coalesce(description, 'EMPTY_DESCRIPTION') as description
    from ranked
    where engagement_number = 1
)

select * from final
