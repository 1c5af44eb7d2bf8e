{{ config(materialized=added_up()) }}
with

activities as (
    select * from {{ ref('fct_activities') }} where is_completed
),

missing_inputs as (
    select * from {{ ref('int_missing_inputs') }}
),

final as (
    select
        completed_date,
        activity_type,
        owner_id,
        owner_name,
        team_id,
        team_name,
        count(*) as activity_count
    from activities
    where completed_date is not null
        and not exists (select 1 from missing_inputs where report = 'rpt_completed_activities')
    group by completed_date, activity_type, owner_id, owner_name, team_id, team_name
)

select * from final
