"""Each law of the reports on sales outcomes is seen to fail on a planted error."""

from __future__ import annotations

import pytest

from orchestration.checks.sales_outcomes import INVARIANTS
from tests.checks.planting import Plot, assert_fails_on_its_plant, wrong_column

PLANTS = {
    "average_deal_size_counts_every_dated_deal_once": (
        "update reports.rpt_average_deal_size set total_amount = total_amount + 0.01 "
        "where owner_id = '1' and deal_status = 'won'"
    ),
    "average_deal_size_times_its_deals_is_the_total": wrong_column(
        "average_deal_size", "average_amount", "average_amount + 1"
    ),
    "average_deal_size_median_lies_between_the_smallest_and_the_largest": wrong_column(
        "average_deal_size", "median_amount", "1000000"
    ),
    "loss_reasons_count_every_lost_deal_once_per_reason": (
        "delete from reports.rpt_deal_loss_reasons where loss_reason = 'Timing'"
    ),
    "loss_reasons_that_are_missing_stand_under_no_reason": (
        "update reports.rpt_deal_loss_reasons set loss_reason = 'Price' where loss_reason = '(No reason)'"
    ),
    "loss_reasons_shares_of_a_group_cover_its_deals": wrong_column(
        "deal_loss_reasons", "deal_share", "deal_share / 2"
    ),
    "revenue_by_source_is_the_won_amount_of_each_source": (
        "update reports.rpt_deal_revenue_by_source set source = '(No source)' where source = 'OFFLINE'"
    ),
    "revenue_by_source_shares_of_a_group_add_up_to_1": wrong_column(
        "deal_revenue_by_source", "amount_share", "amount_share * 1.1"
    ),
    "deal_velocity_takes_in_every_closed_deal_valid_or_excluded": (
        "update reports.rpt_deal_velocity set deal_count = 0, excluded_count = 1 where deal_status = 'won'"
    ),
    "deal_velocity_floored_average_is_less_than_a_day_below_the_exact_one": wrong_column(
        "deal_velocity",
        "average_days_to_close",
        "average_days_to_close - case when avg_basis = 'days_to_close' then 1 else 0 end",
    ),
    "deal_velocity_is_the_time_spent_in_stages": (
        "update core.fct_deal_stage_visits set duration_ms = duration_ms + 1 "
        "where deal_id = 'd1' and visit_number = 1"
    ),
    "won_and_lost_deals_are_the_closed_raw_deals": (
        "update reports.rpt_deals_won_and_lost set won_count = 0, lost_count = 1 where won_count = 1"
    ),
    "win_rate_lies_between_0_and_1": wrong_column("deals_won_and_lost", "win_rate", "win_rate + 0.5"),
    "sales_velocity_parts_are_those_of_the_raw_deals": (
        "update reports.rpt_sales_velocity set won_with_amount_count = won_count"
    ),
    "sales_velocity_is_its_four_factors": wrong_column("sales_velocity", "velocity", "velocity * 2"),
}


@pytest.mark.parametrize("invariant", INVARIANTS, ids=lambda invariant: invariant.name)
def test_law_is_seen_to_fail(plot: Plot, invariant):
    assert_fails_on_its_plant(plot, invariant, PLANTS)


def test_every_plant_belongs_to_a_law():
    assert PLANTS.keys() == {invariant.name for invariant in INVARIANTS}
