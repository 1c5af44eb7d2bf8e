-- Why goal slices are none of report 18 (18c, K14), and those that count at rate 1 for want of a rate (18d).
with

targets as (
    select * from {{ ref('int_goal_targets_normalised') }}
),

settings as (
    select * from {{ ref('int_run_settings') }}
),

findings as (
    select 'no_date' as issue, 'hs_start_datetime' as column_name, goal_target_id from targets
    where left_out_because = 'no_period'
    union all
    select 'no_owner', 'hs_assignee_user_id', goal_target_id from targets
    where left_out_because = 'no_assignee'
    union all
    select 'not_revenue', 'hs_kpi_metric_type', goal_target_id from targets
    where left_out_because = 'not_revenue'
    union all
    select 'missing_rate', 'hs_goal_target_currency_code', targets.goal_target_id
    from targets
    cross join settings
    where targets.left_out_because is null
        and targets.exchange_rate is null
        and targets.target_currency <> settings.company_currency
),

final as (
    select
        issue,
        'goal_targets' as table_name,
        column_name,
        goal_target_id as record_id
    from findings
)

select * from final
