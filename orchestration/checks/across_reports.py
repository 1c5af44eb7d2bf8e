"""Laws between reports (R1 to R10 of `reports.md` §27.10).

Belongs here: numbers that two reports give for the same thing. Each stands under the report that
would be wrong if the other is right. R1, R4, R6 to R9 join with the reports they name; R10 is a law
of every report (`universal.py`).
"""

from __future__ import annotations

from orchestration.checks import Invariant, unequal_sums
from orchestration.checks.second_road import available, day, delivered

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
    Invariant(
        name="r7_calls_of_completed_activities_are_those_of_call_outcomes",
        report="rpt_completed_activities",
        words="R7, 3c: calls of report 3 = calls of report 1, meetings of report 3 = completed ones of "
        "report 7, by day and owner.",
        sql=unequal_sums(
            """
            select completed_date, owner_id,
                case activity_type when 'call' then activity_count end as call_count,
                case activity_type when 'meeting' then activity_count end as meeting_count
            from reports.rpt_completed_activities
            """,
            """
            select activity_date as completed_date, owner_id, call_count, 0 as meeting_count
            from reports.rpt_call_outcomes
            union all
            select start_date, owner_id, 0, completed_count
            from reports.rpt_meeting_outcomes
            """,
            by="completed_date, owner_id",
            measures="call_count, meeting_count",
        ),
    ),
    Invariant(
        name="r8_worked_leads_are_those_with_a_first_engagement",
        report="rpt_lead_funnel",
        words="R8: worked contacts of report 5 = engaged ones of report 6, with the same response times, "
        "by owner and day of creation.",
        sql=unequal_sums(
            f"""
            select created_date, owner_id, worked_count, time_to_first_engagement_ms
            from reports.rpt_lead_funnel
            where {available("rpt_lead_response_time")}
            """,
            f"""
            select contacts.created_date, mart.owner_id, 1 as worked_count,
                mart.response_time_ms as time_to_first_engagement_ms
            from reports.rpt_lead_response_time as mart
            inner join core.dim_contacts as contacts using (contact_id)
            where mart.first_engagement_at is not null
                and contacts.created_date is not null
                and {available("rpt_lead_funnel")}
            """,
            by="created_date, owner_id",
            measures="worked_count, time_to_first_engagement_ms",
        ),
    ),
    Invariant(
        name="prospecting_calls_are_the_outgoing_calls_of_call_outcomes",
        report="rpt_prospecting_calls",
        words="8c: report 8's calls and talk time = report 1's with direction OUTBOUND, by day and owner.",
        sql=unequal_sums(
            "select *, talk_time_ms as total_duration_ms from reports.rpt_prospecting_calls",
            "select * from reports.rpt_call_outcomes where call_direction = 'OUTBOUND'",
            by="activity_date, owner_id",
            measures="call_count, timed_call_count, total_duration_ms",
        ),
    ),
    Invariant(
        name="prospecting_tasks_are_the_tasks_of_report_9",
        report="rpt_prospecting_tasks",
        words="8d, 9: created, completed and overdue tasks of report 8 = those of report 9, by day and "
        "owner.",
        sql=unequal_sums(
            "select * from reports.rpt_prospecting_tasks",
            """
            select created_date, owner_id, task_count as created_count,
                case task_status when 'COMPLETED' then task_count end as completed_count,
                overdue_count
            from reports.rpt_tasks_completed
            """,
            by="created_date, owner_id",
            measures="created_count, completed_count, overdue_count",
        ),
    ),
]
