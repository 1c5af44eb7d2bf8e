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
        count(*) filter (where is_completed) as completed_count,
        count(*) filter (where outcome_id = 'NO_SHOW') as no_show_count,
        count(*) filter (where outcome_id = 'CANCELED') as canceled_count,
        count(*) filter (where is_past_without_outcome) as past_without_outcome_count
    from meetings
    where start_date is not null
        and not exists (select 1 from missing_inputs where report = 'rpt_meeting_outcomes')
    group by start_date, outcome_id, outcome_label, subtype, owner_id, owner_name, team_id, team_name
)

select * from final
