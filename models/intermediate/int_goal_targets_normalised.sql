-- Goal slices with the local days they mean (18): start and end are instants that stand for calendar
-- days and are not shifted; an end at 00:00 is exclusive, any other is the last day. Slices that
-- report 18 leaves out stay here with the reason.
{% set end_date = local_date('targets.hs_end_datetime', "'UTC'") -%}
with

targets as (
    select * from {{ ref('stg_hubspot__goal_targets') }}
),

rates as (
    select * from {{ ref('stg_hubspot__exchange_rates') }}
),

settings as (
    select * from {{ ref('int_run_settings') }}
),

latest_rates as (
    select
        rates.from_currency,
        rates.conversion_rate,
        row_number() over (partition by rates.from_currency order by rates.effective_at desc) as recency
    from rates
    inner join settings
        on rates.to_currency = settings.company_currency
        and rates.effective_at <= settings.run_ts
    where rates.conversion_rate is not null
),

dated as (
    select
        targets.*,
        coalesce(targets.hs_group_correlation_uuid, targets.goal_target_id) as goal_id,
        {{ local_date('targets.hs_start_datetime', "'UTC'") }} as period_start,
        -- An end at 00:00 is exclusive.
        {{ days_after(end_date, 'case when targets.hs_end_datetime = ' ~ raw_midnight(end_date, "'UTC'") ~ ' then 0 else 1 end') }}
            as period_end
    from targets
    cross join settings
    where targets.is_archived is distinct from true
        and targets.hard_deleted_at is null
        and targets.merged_into_id is null
        and (targets.created_at is null or targets.created_at < settings.run_ts)
),

final as (
    select
        dated.goal_target_id,
        dated.goal_id,
        dated.hs_goal_name as goal_name,
        dated.hs_milestone as milestone,
        dated.period_start,
        dated.period_end,
        dated.hs_assignee_user_id as user_id,
        case when dated.hs_assignee_user_id is null then dated.hs_assignee_team_id end as team_id,
        -- A list without an id names none, so all are meant.
        case when {{ trimmed("translate(dated.hs_pipeline_ids, ';', '')") }} <> '' then dated.hs_pipeline_ids end
            as pipeline_ids,
        lower(coalesce(dated.hs_kpi_is_team_rollup, '')) = 'true' as is_team_rollup,
        dated.hs_goal_target_currency_code as target_currency,
        case
            when dated.hs_goal_target_currency_code <> settings.company_currency
                then latest_rates.conversion_rate
        end as exchange_rate,
        -- A target that was cleared is a target of 0: what was won stands beside it.
        coalesce(dated.hs_target_amount, 0) as hs_target_amount,
        case
            when dated.period_start is null or dated.period_end is null or dated.period_end <= dated.period_start
                then 'no_period'
            when dated.hs_assignee_user_id is null and dated.hs_assignee_team_id is null then 'no_assignee'
            -- Revenue unless the goal's own formula says otherwise (18b, K14).
            when upper(coalesce(dated.hs_kpi_metric_type, 'SUM')) <> 'SUM'
                or lower(coalesce(dated.hs_kpi_time_property_name, 'closedate')) <> 'closedate'
                or upper(coalesce(dated.hs_kpi_object_type, 'DEAL')) not in ('DEAL', 'DEALS', '0-3')
                or lower(coalesce(dated.hs_kpi_property_name, 'amount')) not in (
                    'amount', 'amount_in_home_currency', 'hs_closed_amount', 'hs_closed_amount_in_home_currency'
                )
                then 'not_revenue'
        end as left_out_because
    from dated
    cross join settings
    left join latest_rates
        on dated.hs_goal_target_currency_code = latest_rates.from_currency
        and latest_rates.recency = 1
)

select * from final
