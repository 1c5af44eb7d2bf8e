"""Laws of the deal push rate (15)."""

from __future__ import annotations

from orchestration.checks import Invariant, equal_sums
from orchestration.checks.forecasts_and_pipelines.common import (
    OWNED,
    PERIOD,
    QUARTER,
    QUARTER_END,
)
from orchestration.checks.second_road import day

INVARIANTS = [
    Invariant(
        name="deals_are_eligible_once_per_period",
        report="fct_deal_pushes",
        by="deal",
        words="15: one row per period and deal that is eligible in it.",
        sql="""
            select concat_ws('/', period_grain, period_start, deal_id) as id, count(*) as row_count
            from core.fct_deal_pushes
            group by period_grain, period_start, deal_id
            having count(*) > 1
        """,
    ),
    Invariant(
        name="push_rate_takes_in_every_deal_that_was_ever_due",
        report="rpt_deal_push_rate",
        by="deal",
        words="15: whoever had a close day in the period is eligible; what history shows at one timestamp "
        "only for a moment counts as well, but deals that never had one do not.",
        sql=f"""
            with periods_of_days as (
                select date_day, unnest([
                    {{'period_grain': 'month', 'period_start': month_start}},
                    {{'period_grain': 'quarter', 'period_start': fiscal_quarter_start}},
                    {{'period_grain': 'year', 'period_start': fiscal_year_start}}
                ], recursive := true)
                from core.dim_dates
            ),
            days as (select * from periods_of_days semi join core.dim_periods using ({PERIOD})),
            due as (
                select distinct {PERIOD}, deal_id
                from (select distinct deal_id, close_date from core.fct_deal_states) as close_days
                inner join days on close_date = date_day
            ),
            never_due as (
                select {PERIOD}, deal_id from core.fct_deal_pushes
                anti join due using ({PERIOD}, deal_id)
            ),
            written as (
                select {PERIOD}, object_id as deal_id
                from raw_hubspot.deal_property_history
                inner join days on {day("instant_value")} = date_day
                where name = 'closedate' and object_id in (select deal_id from never_due)
            )
            select deal_id as id, {PERIOD}, 'missing' as what
            from due
            anti join core.fct_deal_pushes using ({PERIOD}, deal_id)
            union all
            select deal_id, {PERIOD}, 'never due'
            from never_due
            anti join written using ({PERIOD}, deal_id)
        """,
    ),
    Invariant(
        name="pushes_are_the_close_date_changes_that_leave_the_period",
        report="rpt_deal_push_rate",
        by="deal",
        words="15, 12: pushes of all periods = the changes of report 12 that move a close date out of its "
        "month, quarter or year to a later one, or clear it, by owner.",
        **equal_sums(
            "select * from reports.rpt_deal_push_rate",
            f"""
            select {PERIOD}, {OWNED}, 1 as push_count, delta_days as pushed_days
            from reports.rpt_deal_change_history
            inner join core.dim_periods
                on cast(old_value as date) >= period_start and cast(old_value as date) < period_end
            where property = 'closedate'
                and category <> 'lapsed'
                and (new_value is null or cast(new_value as date) >= period_end)
            """,
            by=f"{PERIOD}, {OWNED}",
            measures="push_count, pushed_days",
        ),
    ),
    Invariant(
        name="push_rate_of_the_quarter_is_the_same_by_any_group",
        report="rpt_deal_push_rate",
        words="15, U1: by stage, owner and team the function's rows add up to the mart of the quarter, "
        "and there is a rate exactly where a deal is eligible.",
        **equal_sums(
            " union all ".join(
                f"""
                select '{way}' as way, eligible_count, pushed_count, returned_count, pulled_out_count,
                    push_count, pushed_days, pushed_amount,
                    case when (push_rate is null) <> (eligible_count = 0) then 1 end as wrong_rate_count
                from reports.deal_push_rate({QUARTER}, {QUARTER_END}, group_by := '{way}')
                """
                for way in ("none", "stage", "owner", "team")
            ),
            f"""
            select way, mart.*, 0 as wrong_rate_count
            from reports.rpt_deal_push_rate as mart
            cross join (select unnest(['none', 'stage', 'owner', 'team']) as way) as ways
            where period_grain = 'quarter' and period_start = {QUARTER}
            """,
            by="way",
            measures="eligible_count, pushed_count, returned_count, pulled_out_count, push_count, "
            "pushed_days, pushed_amount, wrong_rate_count",
        ),
    ),
]
