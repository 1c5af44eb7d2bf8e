"""Each law between reports is seen to fail on a planted error."""

from __future__ import annotations

import pytest

from orchestration.checks.across_reports import INVARIANTS
from tests.checks.planting import Plot, assert_fails_on_its_plant, wrong_column

PLANTS = {
    "r2_revenue_by_source_is_the_won_amount_of_won_and_lost": (
        "delete from reports.rpt_deal_revenue_by_source where source = 'PAID_SOCIAL'"
    ),
    "r3_loss_reasons_cover_the_lost_deals": (
        "delete from reports.rpt_deal_loss_reasons where loss_reason = '(No reason)'"
    ),
    "r5_won_deals_close_on_the_day_they_were_won": (
        "update raw_hubspot.deals set closedate = closedate + interval 2 days where id = 'd1'"
    ),
    "velocity_reports_share_their_closed_deals": (
        "update reports.rpt_deal_velocity set days_to_close_ms = days_to_close_ms + 1 "
        "where deal_status = 'won' and deal_count > 0"
    ),
    "average_deal_size_and_won_and_lost_share_their_amounts": (
        "update reports.rpt_deals_won_and_lost set lost_amount = lost_amount + 1 where lost_count > 0"
    ),
    "r1_waterfall_creates_deals_of_report_4_and_no_others": (
        "update reports.rpt_deal_pipeline_waterfall_deals set category = 'pulled' where category = 'created'"
    ),
    "r2_quota_actual_is_the_won_amount_of_won_and_lost": wrong_column(
        "quota_attainment", "actual_amount", "actual_amount - 1"
    ),
    "r4_waterfall_begins_with_the_snapshot_of_the_day_before": wrong_column(
        "historical_snapshots", "total_amount", "total_amount + 1"
    ),
    "r6_forecast_category_is_worth_what_the_weighted_forecast_is": (
        "update reports.rpt_weighted_pipeline_forecast set weighted_amount = weighted_amount + 1 "
        "where deal_status = 'open'"
    ),
    "r9_funnel_won_by_close_date_is_won_of_won_and_lost": wrong_column(
        "deal_funnel", "entered_count", "entered_count + 1"
    ),
    "r7_calls_of_completed_activities_are_those_of_call_outcomes": (
        "update reports.rpt_completed_activities set activity_count = 3 where activity_type = 'meeting'"
    ),
    "r8_worked_leads_are_those_with_a_first_engagement": (
        "update reports.rpt_lead_funnel set time_to_first_engagement_ms = 1 where worked_count > 0"
    ),
    "prospecting_calls_are_the_outgoing_calls_of_call_outcomes": (
        "update reports.rpt_call_outcomes set call_direction = 'OUTBOUND'"
    ),
    "prospecting_tasks_are_the_tasks_of_report_9": (
        "update reports.rpt_tasks_completed set task_status = 'WAITING' where task_status = 'NOT_STARTED' "
        "or task_status = 'COMPLETED'"
    ),
}


@pytest.mark.parametrize("invariant", INVARIANTS, ids=lambda invariant: invariant.name)
def test_law_is_seen_to_fail(plot: Plot, invariant):
    assert_fails_on_its_plant(plot, invariant, PLANTS)


def test_every_plant_belongs_to_a_law():
    assert PLANTS.keys() == {invariant.name for invariant in INVARIANTS}
