"""Each law of the reports that coach reps and teams is seen to fail on a planted error."""

from __future__ import annotations

import pytest

from orchestration.checks.coach_reps_and_teams import INVARIANTS
from tests.checks.planting import Plot, assert_fails_on_its_plant, wrong_column
from tests.checks.tidy_crm import CONNECTED

PLANTS = {
    "chats_count_every_thread_of_a_chat_channel_once": (
        "update reports.rpt_chats set open_count = closed_count, closed_count = open_count"
    ),
    "completed_activities_are_the_raw_calls_notes_and_sent_emails": (
        "update reports.rpt_completed_activities set activity_type = 'note' where activity_type = 'email'"
    ),
    "completed_activities_hold_no_task_that_is_not_completed": (
        "update reports.rpt_completed_activities set activity_count = 2 where activity_type = 'task'"
    ),
    "lead_funnel_counts_every_dated_contact_once": (
        "update reports.rpt_lead_funnel set assigned_count = 1 where owner_id = 'none'"
    ),
    "lead_funnel_converts_contacts_by_deals_that_are_not_older": (
        "update raw_hubspot.deals set createdate = createdate - interval 60 days where id = 'd1'"
    ),
    "contacts_have_one_row_of_conversions_each": (
        "insert into core.fct_lead_conversions "
        "select * from core.fct_lead_conversions where contact_id = 'k1'"
    ),
    "contacts_take_each_step_of_the_journey_once": (
        "insert into core.fct_lead_journey_steps select * from core.fct_lead_journey_steps "
        "where contact_id = 'k3'"
    ),
    "lead_funnel_averages_times_their_contacts_are_the_times": wrong_column(
        "lead_funnel", "average_time_to_deal_ms", "coalesce(average_time_to_deal_ms, 0)"
    ),
    "lead_journey_required_stages_never_grow": (
        "update reports.rpt_lead_journey set contact_count = 2 where stage_id = 'opportunity'"
    ),
    "lead_journey_rates_lie_between_0_and_1": wrong_column(
        "lead_journey", "cumulative_rate", "cumulative_rate / 2"
    ),
    "lead_journey_starts_with_whoever_entered_the_first_stage": (
        "update raw_hubspot.contact_property_history set value = 'customer' "
        "where object_id = 'k3' and name = 'lifecyclestage'"
    ),
    "lead_response_time_has_every_contact_whose_assignment_is_known": (
        "update reports.rpt_lead_response_time set owner_id = '2' where contact_id = 'k1'"
    ),
    "lead_response_time_lies_between_assignment_and_run": (
        "update reports.rpt_lead_response_time set first_engagement_at = assigned_at - interval 1 hour"
    ),
    "lead_response_time_summary_adds_up_to_its_contacts": wrong_column(
        "lead_response_time_summary", "unengaged_count", "engaged_count"
    ),
    "meeting_outcomes_count_every_dated_meeting_once": (
        "update reports.rpt_meeting_outcomes set meeting_type = 'Demo' where meeting_type = '(No type)'"
    ),
    "meeting_outcomes_completed_ones_are_held": (
        "update reports.rpt_meeting_outcomes set completed_count = 0 where start_date = date '2026-05-06'"
    ),
    "meeting_outcomes_shares_add_up_to_1_and_rates_lie_within": wrong_column(
        "meeting_outcomes", "meeting_share", "meeting_share / 2"
    ),
    "meeting_outcomes_no_meeting_is_held_before_it_starts": (
        "update raw_hubspot.meetings set hs_meeting_start_time = timestamptz '2027-01-01 00:00:00+00' "
        "where id = 'm1'"
    ),
    "prospecting_sequences_enrol_at_each_new_date": (
        "update reports.rpt_prospecting_sequences set enrollment_count = enrollment_count + 1"
    ),
    "prospecting_sequences_rates_lie_between_0_and_1": wrong_column(
        "prospecting_sequences", "reply_rate", "2.0"
    ),
    "prospecting_meetings_count_every_meeting_on_the_day_it_was_booked": (
        "update reports.rpt_prospecting_meetings set booked_date = booked_date + 1 where owner_id = '2'"
    ),
    "prospecting_meetings_averages_times_booked_are_the_lead_time": wrong_column(
        "prospecting_meetings", "average_lead_time_ms", "lead_time_ms / held_count"
    ),
    "prospecting_calls_average_times_timed_calls_is_the_talk_time": wrong_column(
        "prospecting_calls", "average_call_duration_ms", "talk_time_ms / call_count"
    ),
    "prospecting_tasks_averages_times_their_tasks_are_the_sums": wrong_column(
        "prospecting_tasks", "average_time_to_complete_ms", "time_to_complete_ms / created_count"
    ),
    "tasks_completed_count_every_created_task_once": (
        "update reports.rpt_tasks_completed set overdue_count = 1 where task_status = 'WAITING'"
    ),
    "tasks_completed_rate_times_all_tasks_is_the_completed_ones": wrong_column(
        "tasks_completed", "completion_rate", "1"
    ),
    "timeline_shows_what_report_3_counts": (
        "delete from reports.rpt_team_activity_timeline where activity_id = 'e1'"
    ),
    "timeline_shows_no_call_or_meeting_that_is_still_to_come": (
        "update reports.rpt_team_activity_timeline set occurred_at = timestamptz '2027-01-01 00:00:00+00' "
        "where activity_id = 'c1'"
    ),
    "timeline_shows_every_meeting_that_has_started": (
        "delete from reports.rpt_team_activity_timeline where activity_id = 'm3'"
    ),
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
