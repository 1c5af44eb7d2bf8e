"""Laws of forecast category (16), quota attainment (18) and the weighted pipeline forecast (19)."""

from __future__ import annotations

from orchestration.checks import ANSWER, WHOLE, Invariant, equal_sums
from orchestration.checks.forecasts_and_pipelines.common import (
    NO_NEGATIVE_AMOUNT,
    OWNED,
)
from orchestration.checks.second_road import available

GOALS_OF_SOME_PIPELINES = """
    select coalesce(nullif(hs_group_correlation_uuid, ''), id)
    from raw_hubspot.goal_targets where hs_pipeline_ids <> ''
"""

INVARIANTS = [
    Invariant(
        name="forecast_categories_are_the_deals_that_close_in_the_range",
        report="rpt_forecast_category",
        by="deal",
        words="16: the categories of a day add up to the raw deals that close on it and their amounts.",
        **equal_sums(
            "select * from reports.rpt_forecast_category",
            f"""
            select close_date, {OWNED}, deal_status, count(*) as deal_count, sum(amount) as total_amount
            from proof_deals
            where close_date is not null and {available("rpt_forecast_category")}
            group by close_date, {OWNED}, deal_status
            """,
            by=f"close_date, {OWNED}, deal_status",
            measures="deal_count, total_amount",
        ),
    ),
    Invariant(
        name="forecast_weighs_won_deals_in_full_and_lost_ones_not_at_all",
        report="rpt_forecast_category",
        words="16: lost deals weigh 0, won ones their amount, and none more than its amount where no "
        "amount is negative.",
        sql=f"""
            select concat_ws('/', close_date, {OWNED}, deal_status, forecast_category) as id,
                weighted_amount, total_amount
            from reports.rpt_forecast_category
            where (deal_status = 'lost' and weighted_amount <> 0)
                or (deal_status = 'won' and weighted_amount <> total_amount)
                or ({NO_NEGATIVE_AMOUNT} and weighted_amount not between 0 and total_amount)
        """,
    ),
    Invariant(
        name="forecast_closed_is_won_unless_deals_are_in_conflict",
        report="rpt_forecast_category",
        words="16a: where no deal of a cell conflicts with its stage, the amount under CLOSED is the won "
        "amount.",
        sql=f"""
            select concat_ws('/', close_date, {OWNED}) as id,
                sum(total_amount) filter (where forecast_category = 'CLOSED') as closed_amount,
                sum(total_amount) filter (where deal_status = 'won') as won_amount
            from reports.rpt_forecast_category
            group by close_date, {OWNED}
            having sum(conflict_count) = 0
                and coalesce(closed_amount, 0) <> coalesce(won_amount, 0)
        """,
    ),
    Invariant(
        name="quota_running_totals_are_the_sums_of_the_slices",
        report="rpt_quota_attainment",
        words="18a: cumulative target and actual of a slice are the sums over the assignee's slices of "
        "the goal that have begun by then.",
        sql="""
            with sums as (
                select *,
                    sum(target_amount) over slices_so_far as target_so_far,
                    sum(actual_amount) over slices_so_far as actual_so_far
                from reports.rpt_quota_attainment
                window slices_so_far as (
                    partition by goal_id, assignee_kind, owner_id, team_id order by period_start
                )
            )
            select concat_ws('/', goal_id, period_start, owner_id, team_id) as id,
                cumulative_target_amount, target_so_far, cumulative_actual_amount, actual_so_far
            from sums
            where cumulative_target_amount <> target_so_far
                or cumulative_actual_amount <> actual_so_far
        """,
    ),
    Invariant(
        name="quota_running_totals_never_fall",
        report="rpt_quota_attainment",
        words="18d: cumulative targets and actuals do not fall where no target and no amount is "
        "negative; the elapsed share of a slice lies within [0, 1].",
        sql=f"""
            with slices as (
                select *,
                    lag(cumulative_target_amount) over slices_in_order as target_before,
                    lag(cumulative_actual_amount) over slices_in_order as actual_before,
                    min(target_amount) over () as smallest_target
                from reports.rpt_quota_attainment
                window slices_in_order as (
                    partition by goal_id, assignee_kind, owner_id, team_id order by period_start
                )
            )
            select concat_ws('/', goal_id, period_start, owner_id, team_id) as id,
                cumulative_target_amount, target_before, cumulative_actual_amount, actual_before,
                elapsed_share
            from slices
            where elapsed_share not between 0 and 1
                or (smallest_target >= 0 and cumulative_target_amount < target_before)
                or ({NO_NEGATIVE_AMOUNT} and cumulative_actual_amount < actual_before)
        """,
    ),
    Invariant(
        name="quota_actuals_are_what_the_owner_won_in_the_slice",
        report="rpt_quota_attainment",
        words="18: the actual of an owner's slice, of a goal for all pipelines, is the amount of the raw "
        "deals that the owner won with a close date on its days.",
        sql=f"""
            with slices as (
                select *
                from reports.rpt_quota_attainment
                where assignee_kind = 'owner' and goal_id not in ({GOALS_OF_SOME_PIPELINES})
            ),
            won as (
                select goal_id, period_start, period_end, slices.owner_id,
                    count(deal_id) as deal_count, coalesce(sum(amount), 0) as won_amount
                from slices
                left join proof_deals
                    on slices.owner_id = proof_deals.owner_id
                    and deal_status = 'won'
                    and close_date >= period_start
                    and close_date < period_end
                group by all
            )
            select concat_ws('/', goal_id, period_start, owner_id) as id,
                actual_amount, won_amount, won_count, deal_count
            from slices
            inner join won using (goal_id, period_start, period_end, owner_id)
            where actual_amount <> won_amount or won_count <> deal_count
        """,
    ),
    Invariant(
        name="quota_attainment_times_target_is_the_actual",
        report="rpt_quota_attainment",
        words="18c, 18f: attainment × target = actual, missing exactly without a target; over whole "
        "slices prorated targets are the full ones.",
        sql=f"""
            select whole.group_id as id, whole.attainment_rate, whole.target_amount, whole.actual_amount,
                prorated.target_amount as prorated_amount
            from reports.quota_attainment({WHOLE}, goal := getvariable('one_goal')) as whole
            full join reports.quota_attainment(
                {WHOLE}, goal := getvariable('one_goal'), target_mode := 'prorated'
            ) as prorated on whole.group_id = prorated.group_id
            where (whole.attainment_rate is null) <> (coalesce(whole.target_amount, 0) = 0)
                or abs(whole.attainment_rate * whole.target_amount - whole.actual_amount)
                    > 1e-9 * greatest(abs(whole.actual_amount), 1)
                or whole.target_amount is distinct from prorated.target_amount
        """,
    ),
    Invariant(
        name="weighted_forecast_is_of_the_deals_that_close_in_the_range",
        report="rpt_weighted_pipeline_forecast",
        by="deal",
        words="19: the stages of a day add up to the raw deals that close on it; won deals weigh in "
        "full, lost ones not at all.",
        **equal_sums(
            """
            select *, case when deal_status <> 'open' then weighted_amount end as closed_weight
            from reports.rpt_weighted_pipeline_forecast
            """,
            f"""
            select close_date, {OWNED}, deal_status, count(*) as deal_count, sum(amount) as total_amount,
                sum(case when deal_status = 'won' then amount end) as closed_weight
            from proof_deals where close_date is not null
            group by close_date, {OWNED}, deal_status
            """,
            by=f"close_date, {OWNED}, deal_status",
            measures="deal_count, total_amount, closed_weight",
        ),
    ),
    Invariant(
        name="weighted_forecast_is_open_plus_won",
        report="rpt_weighted_pipeline_forecast",
        words="19: weighted = weighted open + won, and lies between 0 and the amount where no amount is "
        "negative.",
        sql=f"""
            select {ANSWER} as id,
                weighted_amount, weighted_open_amount, won_amount, total_amount
            from proof_answers_weighted_pipeline_forecast
            where weighted_amount <> weighted_open_amount + won_amount
                or ({NO_NEGATIVE_AMOUNT} and weighted_amount not between 0 and total_amount)
        """,
    ),
]
