{{ config(materialized=added_up()) }}
with

-- Each meeting has one ending; what is none of HubSpot's is pending (8b).
meetings as (
    select
        *,
        case
            when is_completed then 'held'
            when outcome_id = 'NO_SHOW' then 'no_show'
            when outcome_id = 'CANCELED' then 'canceled'
            when outcome_id = 'RESCHEDULED' then 'rescheduled'
            else 'pending'
        end as ending
    from {{ ref('fct_activities') }}
    where activity_type = 'meeting'
),

missing_inputs as (
    select * from {{ ref('int_missing_inputs') }}
),

final as (
    select
        created_date as booked_date,
        owner_id,
        owner_name,
        team_id,
        team_name,
        count(*) as booked_count,
        count(case when ending = 'held' then 1 end) as held_count,
        count(case when ending = 'no_show' then 1 end) as no_show_count,
        count(case when ending = 'canceled' then 1 end) as canceled_count,
        count(case when ending = 'rescheduled' then 1 end) as rescheduled_count,
        count(case when ending = 'pending' then 1 end) as pending_count,
        cast(coalesce(sum({{ duration_ms('created_at', 'start_at') }}), 0) as bigint) as lead_time_ms
    from meetings
    where created_date is not null
        and not exists (select 1 from missing_inputs where report = 'rpt_prospecting_meetings')
    group by created_date, owner_id, owner_name, team_id, team_name
)

select * from final
