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
        status as task_status,
        owner_id,
        owner_name,
        team_id,
        team_name,
        count(*) as task_count,
        count(case when is_overdue then 1 end) as overdue_count
    from tasks
    where created_date is not null
        and not exists (select 1 from missing_inputs where report = 'rpt_tasks_completed')
    group by created_date, status, owner_id, owner_name, team_id, team_name
)

select * from final
