"""Laws between reports (R1 to R10 of `reports.md` §27.10).

Belongs here: numbers that two reports give for the same thing. Each stands under the report that
would be wrong if the other is right. R1, R4, R6 to R9 join with the reports they name; R10 is a law
of every report (`universal.py`).
"""

from __future__ import annotations

from orchestration.checks import Invariant, equal_sums
from orchestration.checks.second_road import available, day, delivered

CELL = "close_date, owner_id, pipeline_id"

INVARIANTS = [
    Invariant(
        name="r2_revenue_by_source_is_the_won_amount_of_won_and_lost",
        report="rpt_deal_revenue_by_source",
        words="R2: the sources of report 22 add up to the won deals and amount of report 24.",
        **equal_sums(
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
        **equal_sums(
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
        by="deal",
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
        name="r1_waterfall_creates_deals_of_report_4_and_no_others",
        report="rpt_deal_pipeline_waterfall_deals",
        by="deal",
        words="R1, 4b: a created line belongs to a raw deal that was created in the period; a deal "
        "created in the period has no line of another entry; without lines it is the memo (14g).",
        sql="""
            select concat_ws('/', period_grain, period_start, deal_id) as id, category, created_date
            from reports.rpt_deal_pipeline_waterfall_deals
            inner join core.dim_periods using (period_grain, period_start)
            left join proof_deals using (deal_id)
            where category in ('begin', 'created', 'pulled', 'reopened', 'moved_in')
                and (category = 'created') is distinct from (
                    created_date >= period_start and created_date < period_end
                )
        """,
    ),
    Invariant(
        name="r2_quota_actual_is_the_won_amount_of_won_and_lost",
        report="rpt_quota_attainment",
        words="R2, 18b: with a goal for all pipelines, the actual of everybody is the won amount of "
        "report 24.",
        sql="""
            select 'all' as id, actual_amount, won_amount
            from (
                select sum(actual_amount) as actual_amount
                from reports.quota_attainment(
                    getvariable('first_day'), getvariable('end_day'),
                    group_by := 'none', goal := getvariable('one_goal')
                )
            ) as quota
            cross join (
                select coalesce(sum(won_amount), 0) as won_amount
                from reports.rpt_deals_won_and_lost
                where close_date >= getvariable('first_day') and close_date < getvariable('end_day')
            ) as won
            where actual_amount <> won_amount
                and getvariable('one_goal') not in (
                    select coalesce(nullif(hs_group_correlation_uuid, ''), id)
                    from raw_hubspot.goal_targets where hs_pipeline_ids <> ''
                )
        """,
    ),
    Invariant(
        name="r4_waterfall_begins_with_the_snapshot_of_the_day_before",
        report="rpt_deal_pipeline_waterfall_deals",
        words="R4, 17d: the deals and the amount with which the waterfall of the quarter begins are those "
        "of the reconstructed snapshot at its first midnight, of the deals due in it, in total and by "
        "present owner; deals with a lost value at that instant aside (K7).",
        **equal_sums(
            """
            select lines.owner_id, lines.deal_count, lines.amount
            from reports.rpt_deal_pipeline_waterfall_deals as lines
            inner join core.dim_periods using (period_grain, period_start)
            inner join core.fct_deal_states as states
                on lines.deal_id = states.deal_id
                and states.valid_from < begin_at
                and (states.valid_to is null or states.valid_to >= begin_at)
                and not states.is_stage_unknown
                and not states.is_pipeline_unknown
                and not states.is_amount_unknown
                and not states.is_forecast_category_unknown
            where lines.category = 'begin'
                and lines.period_grain = 'quarter'
                and lines.period_start = getvariable('quarter_start')
            """,
            """
            select group_id as owner_id, deal_count, total_amount as amount
            from reports.historical_snapshots(
                getvariable('quarter_start') - 1, getvariable('quarter_start'), every := 'day',
                include_closed := false,
                close_from := getvariable('quarter_start'), close_to := getvariable('quarter_end')
            )
            """,
            by="owner_id",
            measures="deal_count, amount",
        ),
    ),
    Invariant(
        name="velocity_reports_share_their_closed_deals",
        report="rpt_sales_velocity",
        words="23, 25: closed deals of report 25 = valid + excluded of report 23 = won + lost of "
        "report 24; its valid won deals and their time are the won rows of report 23.",
        **equal_sums(
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
        **equal_sums(
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
        name="r6_forecast_category_is_worth_what_the_weighted_forecast_is",
        report="rpt_forecast_category",
        words="R6: deals, amounts and weighted amounts of report 16 are those of report 19.",
        **equal_sums(
            f"select {CELL}, deal_count, total_amount, weighted_amount from reports.rpt_forecast_category",
            f"""
            select {CELL}, deal_count, total_amount, weighted_amount
            from reports.rpt_weighted_pipeline_forecast
            where {available("rpt_forecast_category")}
            """,
            by=CELL,
            measures="deal_count, total_amount, weighted_amount",
        ),
    ),
    Invariant(
        name="r7_calls_of_completed_activities_are_those_of_call_outcomes",
        report="rpt_completed_activities",
        words="R7, 3c: calls of report 3 = calls of report 1, meetings of report 3 = completed ones of "
        "report 7, by day and owner.",
        **equal_sums(
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
        by="contact",
        words="R8: worked contacts of report 5 = engaged ones of report 6, with the same response times, "
        "by owner and day of creation.",
        **equal_sums(
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
        name="r9_funnel_won_by_close_date_is_won_of_won_and_lost",
        report="rpt_deal_funnel",
        words="R9: the Won step of the funnel of deals that closed in the range is report 24's won deals "
        "of that pipeline (but for deals without a creation date).",
        blocking=False,
        **equal_sums(
            """
            select group_id as owner_id, entered_count as won_count
            from reports.deal_funnel(
                getvariable('quarter_start'), getvariable('quarter_end'), cohort := 'closed',
                pipelines := [getvariable('one_pipeline')]
            )
            where stage_id = 'won'
            """,
            """
            select owner_id, won_count
            from reports.rpt_deals_won_and_lost
            where pipeline_id = getvariable('one_pipeline')
                and close_date >= getvariable('quarter_start')
                and close_date < getvariable('quarter_end')
            """,
            by="owner_id",
            measures="won_count",
        ),
    ),
    Invariant(
        name="prospecting_calls_are_the_outgoing_calls_of_call_outcomes",
        report="rpt_prospecting_calls",
        words="8c: report 8's calls and talk time = report 1's with direction OUTBOUND, by day and owner.",
        **equal_sums(
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
        **equal_sums(
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
