"""Laws of the deal change history (12)."""

from __future__ import annotations

from orchestration.checks import WHOLE, Invariant, equal_sums
from orchestration.checks.forecasts_and_pipelines.common import (
    OWNED,
    PERIOD,
    QUARTER,
    QUARTER_END,
    WATERFALL_DAYS,
)
from orchestration.checks.second_road import day

CHANGED_AFTERWARDS = f"""
    select changes.*, {day("created_at")} as creation_day
    from reports.rpt_deal_change_history as changes
    inner join (select deal_id, created_at from core.fct_deals) as deals using (deal_id)
    where changed_date > {day("created_at")}
"""
# A deal at the end of its first day and now: what all later changes lead from and to.
FIRST_AND_LAST_STATES = f"""
    select first_day.deal_id,
        coalesce(first_day.company_amount, 0) as first_amount,
        coalesce(last_state.company_amount, 0) as last_amount,
        first_day.close_date as first_close_date,
        last_state.close_date as last_close_date
    from core.fct_deal_states as first_day
    inner join core.fct_deal_states as last_state using (deal_id)
    inner join (select deal_id, {day("created_at")} as creation_day from core.fct_deals) as deals
        using (deal_id)
    where last_state.valid_to is null
        and first_day.valid_from_date <= creation_day
        and (first_day.valid_to_date is null or first_day.valid_to_date > creation_day)
"""

INVARIANTS = [
    Invariant(
        name="amount_changes_lead_from_the_first_to_the_last_amount",
        report="rpt_deal_change_history",
        by="deal",
        words="12(a): after the day of its creation the amount changes of a deal add up to its last "
        "amount less the one at the end of that day, at the present rate.",
        sql=f"""
            select deal_id as id, first_amount, last_amount, delta_amount
            from ({FIRST_AND_LAST_STATES}) as ends
            left join (
                select deal_id, sum(delta_amount) as delta_amount
                from ({CHANGED_AFTERWARDS}) as changes
                group by deal_id
            ) as changes using (deal_id)
            where coalesce(delta_amount, 0) <> last_amount - first_amount
        """,
    ),
    Invariant(
        name="close_date_changes_lead_from_the_first_to_the_last_close_date",
        report="rpt_deal_change_history",
        by="deal",
        words="12(b): the same for days, for deals whose close date was never empty meanwhile.",
        sql=f"""
            select deal_id as id, first_close_date, last_close_date, delta_days
            from ({FIRST_AND_LAST_STATES}) as ends
            left join (
                select deal_id, sum(delta_days) as delta_days,
                    bool_or(delta_days is null) as was_without_close_date
                from ({CHANGED_AFTERWARDS}) as changes
                where property = 'closedate' and category <> 'lapsed'
                group by deal_id
            ) as changes using (deal_id)
            where coalesce(delta_days, 0) <> last_close_date - first_close_date
                and was_without_close_date is not true
        """,
    ),
    Invariant(
        name="won_and_lost_changes_hold_those_of_the_waterfall",
        report="rpt_deal_change_history",
        by="deal",
        words="12(c): a deal that is won or lost in the waterfall of a period has such a change in it; "
        "a deal with one such change in its life, and no reopening, is in the waterfall of its period.",
        sql=f"""
            with outcomes as (
                select deal_id, category, changed_date, count(*) over (partition by deal_id) as change_count
                from reports.rpt_deal_change_history
                where category in ('won', 'lost', 'reopened')
            ),
            in_periods as (
                select {PERIOD}, deal_id, category, change_count
                from outcomes
                inner join ({WATERFALL_DAYS}) as periods
                    on changed_date = date_day
            ),
            waterfall as (
                select {PERIOD}, deal_id, category
                from reports.rpt_deal_pipeline_waterfall_deals
                where category in ('won', 'lost')
            )
            select deal_id as id, {PERIOD}, category
            from waterfall
            where not exists (
                select 1 from in_periods
                where in_periods.period_grain = waterfall.period_grain
                    and in_periods.period_start = waterfall.period_start
                    and in_periods.deal_id = waterfall.deal_id
                    and in_periods.category = waterfall.category
            )
            union all
            (
                select deal_id, {PERIOD}, category from in_periods where change_count = 1
                except
                select deal_id, {PERIOD}, category from waterfall
            )
        """,
    ),
    Invariant(
        name="created_changes_are_the_deals_created",
        report="rpt_deal_change_history",
        by="deal",
        words="12(d): created here = report 4, by day, owner and pipeline.",
        **equal_sums(
            f"""
            select changed_date, {OWNED}, 1 as deal_count
            from reports.rpt_deal_change_history where category = 'created'
            """,
            "select *, created_date as changed_date from reports.rpt_deals_created",
            by=f"changed_date, {OWNED}",
            measures="deal_count",
        ),
    ),
    Invariant(
        name="changes_inside_and_outside_are_all_changes",
        report="rpt_deal_change_history",
        words="12(e): inside + outside = all, per category, whichever close-date range is asked for.",
        **equal_sums(
            f"""
            select category, change_count
            from reports.deal_change_history_summary(
                {WHOLE}, group_by := 'none', close_from := {QUARTER}, close_to := {QUARTER_END}
            )
            """,
            """
            select category, 1 as change_count
            from reports.rpt_deal_change_history
            where changed_date >= getvariable('first_day') and changed_date < getvariable('end_day')
            """,
            by="category",
            measures="change_count",
        ),
    ),
]
