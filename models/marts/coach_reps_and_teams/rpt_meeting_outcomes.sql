{{ config(materialized=added_up()) }}
with

meetings as (
    select * from {{ ref('fct_activities') }} where activity_type = 'meeting'
),

missing_inputs as (
    select * from {{ ref('int_missing_inputs') }}
),

final as (
    select
        start_date,
        outcome_id as meeting_outcome_id,
        outcome_label as meeting_outcome,
        subtype as meeting_type,
        owner_id,
        owner_name,
        team_id,
        team_name,
        count(*) as meeting_count,
        count(case when is_completed then 1 end) as completed_count,
        count(case when outcome_id = 'NO_SHOW' then 1 end) as no_show_count,
        count(case when outcome_id = 'CANCELED' then 1 end) as canceled_count,
        count(case when is_past_without_outcome then 1 end) as past_without_outcome_count
    from meetings
    where start_date is not null
        and not exists (select 1 from missing_inputs where report = 'rpt_meeting_outcomes')
    group by start_date, outcome_id, outcome_label, subtype, owner_id, owner_name, team_id, team_name
)

select * from final
