"""Each law of the reports that coach reps and teams is seen to fail on a planted error."""

from __future__ import annotations

import pytest

from orchestration.checks.coach_reps_and_teams import INVARIANTS
from tests.checks.planting import Plot, assert_fails_on_its_plant, wrong_column
from tests.checks.tidy_crm import CONNECTED

PLANTS = {
    "call_outcomes_count_every_dated_call_once": (
        "delete from reports.rpt_call_outcomes where call_outcome_id = 'none'"
    ),
    "call_outcomes_missing_and_given_ones_are_all_calls": (
        f"update reports.rpt_call_outcomes set call_outcome_id = '{CONNECTED}' where call_outcome_id = 'none'"
    ),
    "call_outcomes_have_the_accounts_own_labels": (
        "update reports.rpt_call_outcomes set call_outcome = '(No outcome)' where call_outcome_id = 'gone'"
    ),
    "call_outcomes_durations_are_those_of_timed_calls": (
        "update reports.rpt_call_outcomes set timed_call_count = call_count"
    ),
    "call_outcomes_shares_add_up_to_1_and_averages_to_the_total": wrong_column(
        "call_outcomes", "average_duration_ms", "average_duration_ms + 1"
    ),
    "deals_created_are_the_open_won_and_lost_ones_together": (
        "update reports.rpt_deals_created set created_date = created_date + 1 where owner_id = '1'"
    ),
    "deals_created_average_times_deals_with_an_amount_is_the_amount": wrong_column(
        "deals_created", "average_amount", "total_amount / deal_count"
    ),
    "time_in_deal_stage_is_that_of_the_visits_of_its_deals": (
        "update reports.rpt_time_in_deal_stage set visit_count = visit_count + 1 where stage_id = 'talk'"
    ),
    "time_in_deal_stage_latest_visit_is_no_longer_than_all_of_them": (
        "update reports.rpt_time_in_deal_stage set latest_time_ms = total_time_ms + 1 where stage_id = 'new'"
    ),
    "time_in_deal_stage_visits_no_more_deals_than_are_in_scope": (
        "update reports.rpt_time_in_deal_stage set deal_count = deal_count + 1 where stage_id = 'start'"
    ),
    "time_in_deal_stage_average_times_deals_is_the_total": wrong_column(
        "time_in_deal_stage", "average_time_ms", "total_time_ms / visit_count"
    ),
    "time_in_deal_stage_split_by_owner_adds_up_to_the_whole": (
        "delete from core.fct_deal_stage_visit_owners where deal_id = 'd3' and owner_id = '2'"
    ),
}


@pytest.mark.parametrize("invariant", INVARIANTS, ids=lambda invariant: invariant.name)
def test_law_is_seen_to_fail(plot: Plot, invariant):
    assert_fails_on_its_plant(plot, invariant, PLANTS)


def test_every_plant_belongs_to_a_law():
    assert PLANTS.keys() == {invariant.name for invariant in INVARIANTS}
