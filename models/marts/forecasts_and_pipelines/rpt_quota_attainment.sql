{% set running_schedule = '(partition by goal_id, assignee_kind, owner_id, team_id order by period_start, period_end rows unbounded preceding)' -%}
with

slices as (
    select * from {{ ref('fct_goal_slices') }}
),

counted_deals as (
    select * from {{ ref('fct_goal_deals') }}
),

missing_inputs as (
    select * from {{ ref('int_missing_inputs') }}
),

actuals as (
    select
        goal_id,
        assignee_kind,
        owner_id,
        team_id,
        period_start,
        period_end,
        count(*) as won_count,
        coalesce(sum(company_amount), 0) as actual_amount
    from counted_deals
    group by goal_id, assignee_kind, owner_id, team_id, period_start, period_end
),

-- Slices without a target or an actual stand too: a goal that was set is a fact (18a).
measured as (
    select
        slices.*,
        coalesce(actuals.won_count, 0) as won_count,
        coalesce(actuals.actual_amount, 0) as actual_amount
    from slices
    left join actuals
        on slices.goal_id = actuals.goal_id
        and slices.assignee_kind = actuals.assignee_kind
        and slices.owner_id = actuals.owner_id
        and slices.team_id = actuals.team_id
        and slices.period_start = actuals.period_start
        and slices.period_end = actuals.period_end
    where not exists (select 1 from missing_inputs where report = 'rpt_quota_attainment')
),

final as (
    select
        goal_id,
        goal_name,
        milestone,
        period_start,
        period_end,
        assignee_kind,
        owner_id,
        owner_name,
        team_id,
        team_name,
        target_amount,
        cast(actual_amount as {{ decimal_type(2) }}) as actual_amount,
        won_count,
        cast(sum(target_amount) over {{ running_schedule }} as {{ decimal_type(2) }}) as cumulative_target_amount,
        cast(sum(actual_amount) over {{ running_schedule }} as {{ decimal_type(2) }}) as cumulative_actual_amount,
        elapsed_share
    from measured
)

select * from final
