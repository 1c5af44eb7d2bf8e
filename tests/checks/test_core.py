"""Each law of the core tables is seen to fail on a planted error."""

from __future__ import annotations

import pytest

from orchestration.checks.core import INVARIANTS
from tests.checks.planting import Plot, assert_fails_on_its_plant

PLANTS = {
    "deals_are_the_raw_deals_that_count": "delete from core.fct_deals where deal_id = 'd6'",
    "deals_have_one_row_each": "insert into core.fct_deals select * from core.fct_deals where deal_id = 'd6'",
    "deals_are_open_won_or_lost_and_nothing_else": (
        "update core.fct_deals set is_lost = true where deal_id = 'd1'"
    ),
    "deals_lost_have_a_reason_or_none_given": ("delete from core.fct_deal_loss_reasons where deal_id = 'd9'"),
    "deal_states_tell_each_past_without_gap_or_overlap": (
        "update core.fct_deal_states set valid_to = valid_to - interval 1 second "
        "where deal_id = 'd3' and state_number = 2"
    ),
    "deal_states_begin_where_something_changed": (
        # One state is swallowed by the one before it: still without gap or overlap.
        "delete from core.fct_deal_states where deal_id = 'd7' and state_number = 2;"
        "update core.fct_deal_states as state set valid_to = (select min(later.valid_from) "
        "from core.fct_deal_states as later where later.deal_id = 'd7' and later.state_number = 3) "
        "where deal_id = 'd7' and state_number = 1"
    ),
    "deal_states_end_with_the_last_raw_version": (
        "update core.fct_deal_states set amount = 13 where deal_id = 'd7' and valid_to is null"
    ),
    "stage_visits_are_disjoint_and_gap_free": (
        "update core.fct_deal_stage_visits set exited_at = exited_at + interval 1 minute "
        "where deal_id = 'd3' and visit_number = 1"
    ),
    "open_stage_visits_last_until_the_run": (
        "update core.fct_deal_stage_visits set duration_ms = duration_ms - 1 "
        "where deal_id = 'd3' and is_open_visit"
    ),
    "stage_visits_start_at_the_first_stage_version": (
        "delete from core.fct_deal_stage_visits where deal_id = 'd3' and visit_number = 1"
    ),
    "stage_visits_change_the_stage_each_time": (
        "update core.fct_deal_stage_visits set stage_id = 'new' where deal_id = 'd3'"
    ),
    "stage_visits_last_as_long_as_the_raw_versions_say": (
        "update core.fct_deal_stage_visits set stage_id = 'new' where deal_id = 'd1' and visit_number = 2"
    ),
    "stage_visits_are_counted_from_every_raw_version": (
        "delete from core.fct_deal_stage_visits where deal_id = 'd3' and visit_number = 3"
    ),
    "activities_are_the_raw_ones_that_count": (
        "update core.fct_activities set owner_id = '1' where activity_id = 'c3'"
    ),
    "owners_have_the_raw_name_and_main_team": (
        "update core.dim_owners set team_id = '10', team_name = 'EMEA' where owner_id = '2'"
    ),
    "teams_are_below_themselves_and_their_parents": (
        "delete from core.bridge_team_ancestors where team_id = '20' and ancestor_team_id = '10'"
    ),
    "stages_have_the_class_of_their_probability": (
        "update core.dim_stages set stage_class = 'open' where stage_id = 'won2'"
    ),
    "dates_are_every_day_once_with_fiscal_periods_that_nest": (
        "update core.dim_dates set fiscal_quarter_start = fiscal_year_start "
        "where date_day = date '2026-05-05'"
    ),
    "build_info_says_what_this_build_was_told": (
        "update core.build_info set run_ts = run_ts + interval 1 hour"
    ),
    "loads_lose_no_row": ("update raw_hubspot._sync_log set loaded = loaded - 1 where table_name = 'deals'"),
    "hubspots_won_flag_agrees_with_the_stage": (
        "update raw_hubspot.deals set hs_is_closed_won = false where id = 'd1'"
    ),
    "last_versions_are_the_present_values": ("update raw_hubspot.deals set amount = 14 where id = 'd7'"),
    "hubspots_stage_entry_is_the_last_stage_version": (
        "update raw_hubspot.deals set hs_v2_date_entered_current_stage = createdate where id = 'd3'"
    ),
}


@pytest.mark.parametrize("invariant", INVARIANTS, ids=lambda invariant: invariant.name)
def test_law_is_seen_to_fail(plot: Plot, invariant):
    assert_fails_on_its_plant(plot, invariant, PLANTS)


def test_every_plant_belongs_to_a_law():
    assert PLANTS.keys() == {invariant.name for invariant in INVARIANTS}
