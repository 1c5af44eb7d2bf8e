"""Laws between reports (R1 to R10 of `reports.md` §27.10).

Belongs here: numbers that two reports give for the same thing. Each stands under the report that
would be wrong if the other is right. R1, R4, R6 to R9 join with the reports they name; R10 is a law
of every report (`universal.py`).
"""

from __future__ import annotations

from orchestration.checks import Invariant, unequal_sums
from orchestration.checks.second_road import day, delivered

CELL = "close_date, owner_id, pipeline_id"

INVARIANTS = [
    Invariant(
        name="r2_revenue_by_source_is_the_won_amount_of_won_and_lost",
        report="rpt_deal_revenue_by_source",
        words="R2: the sources of report 22 add up to the won deals and amount of report 24.",
        sql=unequal_sums(
            f"select {CELL}, deal_count, total_amount from reports.rpt_deal_revenue_by_source",
            f"""
            select {CELL}, won_count as deal_count, won_amount as total_amount
            from reports.rpt_deals_won_and_lost
            where {delivered("deals", "hs_analytics_source")}
            """,
            by=CELL,
            measures="deal_count, total_amount",
        ),
    ),
    Invariant(
        name="r3_loss_reasons_cover_the_lost_deals",
        report="rpt_deal_loss_reasons",
        words="R3: the reasons of report 21 add up to the lost deals of report 24, to more exactly by "
        "the further reasons of deals that have several.",
        sql=unequal_sums(
            f"select {CELL}, deal_count as lost_count from reports.rpt_deal_loss_reasons",
            f"""
            select {CELL}, lost_count
            from reports.rpt_deals_won_and_lost
            where {delivered("deals", "closed_lost_reason")}
            union all
            select {CELL}, count(*) - count(distinct deal_id) as lost_count
            from core.fct_deal_loss_reasons
            where close_date is not null and {delivered("deals", "closed_lost_reason")}
            group by {CELL}
            """,
            by=CELL,
            measures="lost_count",
        ),
    ),
    Invariant(
        name="r5_won_deals_close_on_the_day_they_were_won",
        report="rpt_deals_won_and_lost",
        words="R5: waterfall and report 24 differ for won deals whose close date is not the day of "
        "the change into their stage's class; these are they.",
        blocking=False,
        sql=f"""
            with closings as (
                select deal_id, deal_status, valid_from,
                    lag(deal_status) over (partition by deal_id order by valid_from) as status_before
                from core.fct_deal_states
            ),
            won as (
                select deal_id, {day("max(valid_from)")} as won_date
                from closings
                where deal_status = 'won' and status_before is distinct from 'won'
                group by deal_id
            )
            select deal_id as id, close_date, won_date
            from proof_deals
            left join won using (deal_id)
            where deal_status = 'won'
                and created_at is not null
                and close_date is distinct from won_date
        """,
    ),
    Invariant(
        name="velocity_reports_share_their_closed_deals",
        report="rpt_sales_velocity",
        words="23, 25: closed deals of report 25 = valid + excluded of report 23 = won + lost of "
        "report 24; its valid won deals and their time are the won rows of report 23.",
        sql=unequal_sums(
            f"""
            select {CELL}, closed_count, won_count, won_amount, valid_won_count, days_to_win_ms,
                closed_count as closed_too
            from reports.rpt_sales_velocity
            """,
            f"""
            select {CELL}, deal_count + excluded_count as closed_count, 0 as won_count,
                0 as won_amount,
                case when deal_status = 'won' then deal_count end as valid_won_count,
                case when deal_status = 'won' then days_to_close_ms end as days_to_win_ms,
                0 as closed_too
            from reports.rpt_deal_velocity
            union all
            select {CELL}, 0, won_count, won_amount, 0, 0, won_count + lost_count
            from reports.rpt_deals_won_and_lost
            """,
            by=CELL,
            measures="closed_count, won_count, won_amount, valid_won_count, days_to_win_ms, closed_too",
        ),
    ),
    Invariant(
        name="average_deal_size_and_won_and_lost_share_their_amounts",
        report="rpt_average_deal_size",
        words="20, 24: the won and lost deals and amounts of report 20 are those of report 24.",
        sql=unequal_sums(
            f"""
            select {CELL},
                case when deal_status = 'won' then deal_count end as won_count,
                case when deal_status = 'lost' then deal_count end as lost_count,
                case when deal_status = 'won' then total_amount end as won_amount,
                case when deal_status = 'lost' then total_amount end as lost_amount
            from reports.rpt_average_deal_size
            """,
            "select * from reports.rpt_deals_won_and_lost",
            by=CELL,
            measures="won_count, lost_count, won_amount, lost_amount",
        ),
    ),
]
