{{ config(materialized=added_up()) }}
with

calls as (
    select * from {{ ref('fct_activities') }} where activity_type = 'call'
),

missing_inputs as (
    select * from {{ ref('int_missing_inputs') }}
),

final as (
    select
        activity_date,
        direction as call_direction,
        outcome_id as call_outcome_id,
        outcome_label as call_outcome,
        owner_id,
        owner_name,
        team_id,
        team_name,
        count(*) as call_count,
        count(duration_ms) as timed_call_count,
        cast(coalesce(sum(duration_ms), 0) as bigint) as total_duration_ms
    from calls
    where activity_date is not null
        and not exists (select 1 from missing_inputs where report = 'rpt_call_outcomes')
    group by activity_date, direction, outcome_id, outcome_label, owner_id, owner_name, team_id, team_name
)

select * from final
