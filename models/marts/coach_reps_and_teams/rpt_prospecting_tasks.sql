{{ config(materialized=added_up()) }}
with

tasks as (
    select * from {{ ref('fct_activities') }} where activity_type = 'task'
),

missing_inputs as (
    select * from {{ ref('int_missing_inputs') }}
),

final as (
    select
        created_date,
        owner_id,
        owner_name,
        team_id,
        team_name,
        count(*) as created_count,
        count(case when is_completed then 1 end) as completed_count,
        count(case when is_overdue then 1 end) as overdue_count,
        count(case when is_completed_late then 1 end) as completed_late_count,
        count(completed_at) as timed_completed_count,
        cast(coalesce(sum({{ duration_ms('created_at', 'completed_at') }}), 0) as bigint)
            as time_to_complete_ms
    from tasks
    where created_date is not null
        and not exists (select 1 from missing_inputs where report = 'rpt_prospecting_tasks')
    group by created_date, owner_id, owner_name, team_id, team_name
)

select * from final
