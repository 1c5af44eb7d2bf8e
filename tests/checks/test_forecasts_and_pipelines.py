"""Each law of the reports on forecasts and pipelines is seen to fail on a planted error."""

from __future__ import annotations

import pytest

from orchestration.checks.forecasts_and_pipelines import INVARIANTS
from tests.checks.planting import Plot, WrongAnswer, assert_fails_on_its_plant, wrong_column

PLANTS = {
    # 12
    "amount_changes_lead_from_the_first_to_the_last_amount": (
        "update reports.rpt_deal_change_history set delta_amount = delta_amount + 0.01 where deal_id = 'd3'"
    ),
    "close_date_changes_lead_from_the_first_to_the_last_close_date": (
        "delete from reports.rpt_deal_change_history where deal_id = 'd3' and delta_days = 30"
    ),
    "won_and_lost_changes_hold_those_of_the_waterfall": (
        "update reports.rpt_deal_change_history set category = 'lost' "
        "where deal_id = 'd1' and category = 'won'"
    ),
    "created_changes_are_the_deals_created": (
        "delete from reports.rpt_deal_change_history where deal_id = 'd6' and category = 'created'"
    ),
    "changes_inside_and_outside_are_all_changes": WrongAnswer(
        "deal_change_history_summary", "select * from answer where is_inside"
    ),
    # 14
    "waterfall_balances_for_every_deal_in_amounts": (
        "update reports.rpt_deal_pipeline_waterfall_deals set amount = amount - 0.01 "
        "where deal_id = 'd3' and category = 'pushed'"
    ),
    "waterfall_balances_for_every_deal_in_counts": (
        "update reports.rpt_deal_pipeline_waterfall_deals set category = 'pulled' "
        "where deal_id = 'd3' and category = 'pushed'"
    ),
    "waterfall_begins_with_the_pipeline_of_the_first_moment": (
        "update reports.rpt_deal_pipeline_waterfall set amount = amount + 1 "
        "where category = 'begin' and period_grain = 'quarter'"
    ),
    "waterfall_ends_with_the_pipeline_of_today": (
        "delete from reports.rpt_deal_pipeline_waterfall where category = 'end' and period_grain = 'year'"
    ),
    "waterfall_has_one_sum_per_cell_of_its_deals": (
        "delete from reports.rpt_deal_pipeline_waterfall_deals where deal_id = 'd1'"
    ),
    "waterfall_wins_and_losses_are_the_closings_of_the_period": (
        "update reports.rpt_deal_pipeline_waterfall set category = 'lost' where category = 'won'"
    ),
    "waterfall_signs_are_those_of_the_balance": (
        "update reports.rpt_deal_pipeline_waterfall_deals set amount = -amount where deal_id = 'd1'"
    ),
    "waterfall_of_a_close_period_that_is_over_is_empty": wrong_column(
        "deal_pipeline_waterfall", "deal_count", "deal_count + 1"
    ),
    "waterfall_of_the_quarter_is_the_same_by_any_group": WrongAnswer(
        "deal_pipeline_waterfall", "select * from answer where group_id <> '2'"
    ),
    "waterfall_tiles_at_the_beginning_of_the_quarter": wrong_column(
        "deal_pipeline_waterfall", "amount", "amount + case category when 'begin' then 1 else 0 end"
    ),
    "waterfall_leaves_out_created_deals_only_where_they_were_never_due": (
        "delete from reports.rpt_deal_pipeline_waterfall_deals where deal_id = 'd3' and category = 'created'"
    ),
    # 15
    "deals_are_eligible_once_per_period": (
        "insert into core.fct_deal_pushes select * from core.fct_deal_pushes where deal_id = 'd3'"
    ),
    "push_rate_takes_in_every_deal_that_was_ever_due": (
        "delete from core.fct_deal_pushes where deal_id = 'd3'"
    ),
    "pushes_are_the_close_date_changes_that_leave_the_period": (
        "update reports.rpt_deal_push_rate set push_count = push_count + 1 where pushed_count > 0"
    ),
    "push_rate_of_the_quarter_is_the_same_by_any_group": wrong_column(
        "deal_push_rate", "push_rate", "case when group_by = 'stage' then null else push_rate end"
    ),
    # 17
    "snapshots_hold_every_deal_that_existed": (
        "delete from reports.rpt_historical_snapshots where deal_status = 'lost'"
    ),
    "snapshots_change_by_what_is_created_closed_and_reopened": (
        "update reports.rpt_historical_snapshots set deal_status = 'lost' "
        "where snapshot_date = date '2026-05-10'"
    ),
    "snapshots_are_worth_what_their_deals_were_in_all": (
        "update reports.rpt_historical_snapshots set weighted_amount = weighted_amount + 1 "
        "where snapshot_date = date '2026-05-10'"
    ),
    "snapshots_are_the_same_in_sum_however_they_are_broken_down": wrong_column(
        "historical_snapshots",
        "total_amount",
        "total_amount * case when break_down_by = 'amount_band' then 2 else 1 end",
    ),
    "last_snapshot_is_the_live_count": (
        "update core.fct_deals set deal_status = 'lost' where deal_id = 'd3'"
    ),
    "stored_snapshots_never_change": (
        "insert into raw_hubspot._stored_snapshots by name select date '2026-06-10' as snapshot_date, "
        "'1' as owner_id, 'default' as pipeline_id, 'new' as stage_id, 'COMMIT' as forecast_category, "
        "'0-1k' as amount_band, 'open' as deal_status, 4 as deal_count, 0 as total_amount, "
        "0 as weighted_amount, 0 as unknown_count"
    ),
    "stored_snapshots_hold_the_deals_that_history_knows": (
        "update core.dim_snapshot_dates set is_stored = true where snapshot_date = date '2026-06-10';"
        "delete from reports.rpt_historical_snapshots where snapshot_date = date '2026-06-10'"
    ),
    # 13
    "deals_take_each_step_of_the_funnel_once": (
        "insert into core.fct_deal_funnel_steps select * from core.fct_deal_funnel_steps where deal_id = 'd3'"
    ),
    "funnel_steps_are_reached_by_entering_or_skipping": (
        "update reports.rpt_deal_funnel set reached_count = reached_count + 1 where stage_id = 'talk'"
    ),
    "funnel_deals_that_go_no_further_are_lost_or_open_there": (
        "update reports.rpt_deal_funnel set lost_here_count = 0 where stage_id = 'talk'"
    ),
    "funnel_deals_are_won_or_lost_or_open_somewhere": (
        "update reports.rpt_deal_funnel set open_here_count = open_here_count + 1 where stage_id = 'new'"
    ),
    "funnel_rates_lie_between_0_and_1_and_multiply": wrong_column(
        "deal_funnel", "next_step_rate", "next_step_rate / 2"
    ),
    # 16
    "forecast_categories_are_the_deals_that_close_in_the_range": (
        "delete from reports.rpt_forecast_category where forecast_category = '(No category)'"
    ),
    "forecast_weighs_won_deals_in_full_and_lost_ones_not_at_all": (
        "update reports.rpt_forecast_category set weighted_amount = 1 where deal_status = 'lost'"
    ),
    "forecast_closed_is_won_unless_deals_are_in_conflict": (
        "update reports.rpt_forecast_category set forecast_category = 'COMMIT' "
        "where forecast_category = 'CLOSED' and total_amount > 0"
    ),
    # 18
    "quota_running_totals_are_the_sums_of_the_slices": (
        "update reports.rpt_quota_attainment set cumulative_actual_amount = actual_amount"
    ),
    "quota_running_totals_never_fall": (
        "update reports.rpt_quota_attainment set cumulative_target_amount = 0 "
        "where period_start = date '2026-06-01'"
    ),
    "quota_actuals_are_what_the_owner_won_in_the_slice": (
        "update reports.rpt_quota_attainment set actual_amount = actual_amount + 5 where owner_id = '2'"
    ),
    "quota_attainment_times_target_is_the_actual": wrong_column(
        "quota_attainment", "attainment_rate", "attainment_rate * 2"
    ),
    # 19
    "weighted_forecast_is_of_the_deals_that_close_in_the_range": (
        "update reports.rpt_weighted_pipeline_forecast set weighted_amount = weighted_amount / 2 "
        "where deal_status = 'won'"
    ),
    "weighted_forecast_is_open_plus_won": wrong_column(
        "weighted_pipeline_forecast", "weighted_open_amount", "weighted_open_amount + 1"
    ),
}


@pytest.mark.parametrize("invariant", INVARIANTS, ids=lambda invariant: invariant.name)
def test_law_is_seen_to_fail(plot: Plot, invariant):
    assert_fails_on_its_plant(plot, invariant, PLANTS)


def test_every_plant_belongs_to_a_law():
    assert PLANTS.keys() == {invariant.name for invariant in INVARIANTS}
