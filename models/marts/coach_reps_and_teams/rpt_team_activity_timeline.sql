{{ config(materialized='incremental', incremental_strategy='by_key', unique_key=['activity_type', 'activity_id']) }}
with

activities as (
    select * from {{ changed(ref('fct_activities'), ['activity_type', 'activity_id']) }} where is_on_timeline
),

records as (
    select * from {{ ref('int_activity_records_listed') }}
),

missing_inputs as (
    select * from {{ ref('int_missing_inputs') }}
),

final as (
    select
        activities.activity_type,
        activities.activity_id,
        activities.occurred_at,
        activities.owner_id,
        activities.owner_name,
        activities.team_id,
        activities.team_name,
        activities.title,
        -- Calls and meetings have an outcome, tasks and e-mails a status.
        coalesce(activities.outcome_label, activities.status) as outcome,
        activities.direction,
        activities.duration_ms,
        records.contact_ids,
        records.company_ids,
        records.deal_ids,
        records.contact_names,
        records.company_names,
        records.deal_names
    from activities
    left join records
        on activities.activity_type = records.activity_type
        and activities.activity_id = records.activity_id
    where not exists (select 1 from missing_inputs where report = 'rpt_team_activity_timeline')
)

select * from final
