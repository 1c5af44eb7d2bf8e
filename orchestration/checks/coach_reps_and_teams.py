"""Laws of the reports that coach reps and teams (1 to 11).

Belongs here: what `reports.md` states under "Invariants" of these reports, each under the report's
name. Laws between reports stand in `across_reports.py`, laws of every mart in `universal.py`.
"""

from __future__ import annotations

from orchestration.checks import Invariant, unequal_sums
from orchestration.checks.second_road import available, day

WHOLE = "getvariable('first_day'), getvariable('end_day')"
RUN_TS = "(select run_ts from raw_hubspot._run)"


def wrong_averages(function: str, averages: dict[str, tuple[str, str]]) -> str:
    """SQL of the rows of a report function whose averages times their count are not the sum.

    `averages` maps each to its sum and its count; without a count there is none (C7).
    """
    broken = " or ".join(
        f"({average} is null) <> ({count} = 0) "
        f"or abs(coalesce({average}, 0) * {count} - {total}) > 1e-9 * greatest(abs({total}), 1)"
        for average, (total, count) in averages.items()
    )
    shown = ", ".join({name: None for pair in averages.items() for name in (pair[0], *pair[1])})
    return f"select group_id as id, {shown} from reports.{function}({WHOLE}) where {broken}"


INVARIANTS = [
    # --- 1 call outcomes ---
    Invariant(
        name="call_outcomes_count_every_dated_call_once",
        report="rpt_call_outcomes",
        words="1a: the outcomes of an owner add up to the owner's raw calls of the day and direction.",
        sql=unequal_sums(
            "select * from reports.rpt_call_outcomes",
            """
            select activity_date, call_direction, owner_id, count(*) as call_count
            from proof_calls where activity_date is not null
            group by activity_date, call_direction, owner_id
            """,
            by="activity_date, call_direction, owner_id",
            measures="call_count",
        ),
    ),
    Invariant(
        name="call_outcomes_missing_and_given_ones_are_all_calls",
        report="rpt_call_outcomes",
        words="1c: (No outcome) holds exactly the raw calls without a disposition; all others stand "
        "under their own, labelled or deleted.",
        sql=unequal_sums(
            "select * from reports.rpt_call_outcomes",
            """
            select activity_date, call_outcome_id, count(*) as call_count
            from proof_calls where activity_date is not null
            group by activity_date, call_outcome_id
            """,
            by="activity_date, call_outcome_id",
            measures="call_count",
        ),
    ),
    Invariant(
        name="call_outcomes_have_the_accounts_own_labels",
        report="rpt_call_outcomes",
        words="1: an outcome bears the account's label, (No outcome) or (Deleted outcome <id>).",
        sql="""
            select distinct call_outcome_id as id, call_outcome, dispositions.label
            from reports.rpt_call_outcomes as report
            left join raw_hubspot.call_dispositions as dispositions
                on report.call_outcome_id = dispositions.id
            where call_outcome <> case
                when call_outcome_id = 'none' then '(No outcome)'
                else coalesce(
                    nullif(dispositions.label, ''), '(Deleted outcome ' || call_outcome_id || ')'
                )
            end
        """,
    ),
    Invariant(
        name="call_outcomes_durations_are_those_of_timed_calls",
        report="rpt_call_outcomes",
        words="1d: total duration and its denominator are those of the raw calls whose duration is "
        "known; 0 is a duration.",
        sql=unequal_sums(
            "select * from reports.rpt_call_outcomes",
            """
            select activity_date, call_outcome_id, owner_id,
                count(duration_ms) as timed_call_count, sum(duration_ms) as total_duration_ms
            from proof_calls where activity_date is not null
            group by activity_date, call_outcome_id, owner_id
            """,
            by="activity_date, call_outcome_id, owner_id",
            measures="timed_call_count, total_duration_ms",
        ),
    ),
    Invariant(
        name="call_outcomes_shares_add_up_to_1_and_averages_to_the_total",
        report="rpt_call_outcomes",
        words="1b, 1d: an owner's shares add up to 1; average × timed calls = total duration.",
        sql=f"""
            select group_id as id, sum(call_share) as shares,
                sum(average_duration_ms * timed_call_count) as averaged_ms,
                sum(total_duration_ms) as total_duration_ms
            from reports.call_outcomes({WHOLE})
            group by group_id
            having abs(sum(call_share) - 1) > 1e-9
                or abs(coalesce(averaged_ms, 0) - sum(total_duration_ms))
                    > 1e-9 * greatest(sum(abs(total_duration_ms)), 1)
        """,
    ),
    # --- 2 chats ---
    Invariant(
        name="chats_count_every_thread_of_a_chat_channel_once",
        report="rpt_chats",
        words="2a, 2c: chats of a day and channel are the raw threads that were started there, "
        "and each is open or closed.",
        sql=unequal_sums(
            "select * from reports.rpt_chats",
            f"""
            select created_date, channel, count(*) as chat_count,
                count(*) filter (where not is_closed) as open_count,
                count(*) filter (where is_closed) as closed_count
            from proof_chats
            where created_date is not null and {available("rpt_chats")}
            group by created_date, channel
            """,
            by="created_date, channel",
            measures="chat_count, open_count, closed_count",
        ),
    ),
    # --- 3 completed activities ---
    Invariant(
        name="completed_activities_are_the_raw_calls_notes_and_sent_emails",
        report="rpt_completed_activities",
        words="3a: calls and notes of a day count whatever became of them, e-mails that were sent "
        "unless they did not arrive.",
        sql=unequal_sums(
            """
            select * from reports.rpt_completed_activities
            where activity_type in ('call', 'email', 'note')
            """,
            f"""
            select completed_date, activity_type, owner_id, count(*) as activity_count
            from (
                select activity_date as completed_date, 'call' as activity_type, owner_id
                from proof_calls
                union all
                select activity_date, 'email', owner_id from proof_emails
                where direction = 'EMAIL' and not is_undelivered
                union all
                select activity_date, 'note', owner_id from proof_notes
            ) as done
            where completed_date is not null and {available("rpt_completed_activities")}
            group by completed_date, activity_type, owner_id
            """,
            by="completed_date, activity_type, owner_id",
            measures="activity_count",
        ),
    ),
    Invariant(
        name="completed_activities_hold_no_task_that_is_not_completed",
        report="rpt_completed_activities",
        words="3b, 3d: an owner's completed tasks are no more than the raw ones with status COMPLETED.",
        sql="""
            select owner_id as id, activity_count, task_count
            from (
                select owner_id, sum(activity_count) as activity_count
                from reports.rpt_completed_activities
                where activity_type = 'task'
                group by owner_id
            ) as counted
            left join (
                select owner_id, count(*) as task_count
                from proof_tasks
                where task_status = 'COMPLETED'
                group by owner_id
            ) as completed using (owner_id)
            where activity_count > coalesce(task_count, 0)
        """,
    ),
    # --- 4 deals created ---
    Invariant(
        name="deals_created_are_the_open_won_and_lost_ones_together",
        report="rpt_deals_created",
        words="4a: deals = open + won + lost raw deals created on the day (H2), with their present amount.",
        sql=unequal_sums(
            "select * from reports.rpt_deals_created",
            """
            select created_date, owner_id, pipeline_id,
                count(*) filter (where deal_status = 'open')
                    + count(*) filter (where deal_status = 'won')
                    + count(*) filter (where deal_status = 'lost') as deal_count,
                count(amount) as deal_with_amount_count,
                sum(amount) as total_amount
            from proof_deals where created_date is not null
            group by created_date, owner_id, pipeline_id
            """,
            by="created_date, owner_id, pipeline_id",
            measures="deal_count, deal_with_amount_count, total_amount",
        ),
    ),
    Invariant(
        name="deals_created_average_times_deals_with_an_amount_is_the_amount",
        report="rpt_deals_created",
        words="4c: average × (deals − those without an amount) = amount, for every owner.",
        sql=f"""
            select group_id as id, average_amount, deal_with_amount_count, total_amount
            from reports.deals_created({WHOLE})
            where abs(average_amount * deal_with_amount_count - total_amount)
                    > 1e-9 * greatest(abs(total_amount), 1)
                or (average_amount is null) <> (deal_with_amount_count = 0)
        """,
    ),
    # --- 5 lead funnel ---
    Invariant(
        name="lead_funnel_counts_every_dated_contact_once",
        report="rpt_lead_funnel",
        words="5a: the leads of a day, source and owner are the raw contacts created there; assigned are "
        "those that have an owner.",
        sql=unequal_sums(
            "select * from reports.rpt_lead_funnel",
            f"""
            select created_date, source, owner_id, count(*) as lead_count,
                count(*) filter (where owner_id <> 'none') as assigned_count
            from proof_contacts
            where created_date is not null and {available("rpt_lead_funnel")}
            group by created_date, source, owner_id
            """,
            by="created_date, source, owner_id",
            measures="lead_count, assigned_count",
        ),
    ),
    Invariant(
        name="lead_funnel_converts_contacts_by_deals_that_are_not_older",
        report="rpt_lead_funnel",
        words="5a: contacts with a deal and won contacts of an owner are those with such a raw deal "
        "created no earlier than themselves; those with an older one are counted beside (5a-3).",
        sql=unequal_sums(
            "select * from reports.rpt_lead_funnel",
            f"""
            select owner_id,
                count(distinct contact_id) filter (where deal_at >= contact_at) as with_deal_count,
                count(distinct contact_id) filter (where deal_at >= contact_at and is_won) as won_count,
                count(distinct contact_id) filter (where deal_at < contact_at) as deal_before_contact_count
            from (
                select contacts.contact_id, contacts.owner_id, contacts.created_at as contact_at,
                    deals.created_at as deal_at, deals.deal_status = 'won' as is_won
                from proof_contacts as contacts
                inner join proof_contact_deals using (contact_id)
                inner join proof_deals as deals using (deal_id)
                where {available("rpt_lead_funnel")}
            ) as conversions
            group by owner_id
            """,
            by="owner_id",
            measures="with_deal_count, won_count, deal_before_contact_count",
        ),
    ),
    Invariant(
        name="lead_funnel_averages_times_their_contacts_are_the_times",
        report="rpt_lead_funnel",
        words="5a: every average is NULL exactly without contacts, and times these the sum.",
        sql=wrong_averages(
            "lead_funnel",
            {
                f"average_time_to_{what}_ms": (f"time_to_{what}_ms", f"time_to_{what}_count")
                for what in ("first_engagement", "deal", "win")
            },
        ),
    ),
    # --- 5 lead journey ---
    Invariant(
        name="lead_journey_required_stages_never_grow",
        report="rpt_lead_journey",
        words="5b(a, b): of the contacts of a day and owner, no more come to a required stage than to the "
        "required one before.",
        sql="""
            with required as (
                select stage_id, journey_position,
                    lag(stage_id) over (order by journey_position) as stage_before
                from core.dim_lifecycle_stages
                where journey_position is not null and not is_optional
            )
            select concat_ws('/', mart.created_date, mart.owner_id, mart.stage_id) as id,
                mart.contact_count, before.contact_count as contact_count_before
            from reports.rpt_lead_journey as mart
            inner join required on mart.stage_id = required.stage_id
            left join reports.rpt_lead_journey as before
                on required.stage_before = before.stage_id
                and mart.created_date = before.created_date
                and mart.owner_id = before.owner_id
            where required.stage_before is not null
                and mart.contact_count > coalesce(before.contact_count, 0)
        """,
    ),
    Invariant(
        name="lead_journey_rates_lie_between_0_and_1",
        report="rpt_lead_journey",
        words="5b(c, f): rates of every owner and stage lie within [0, 1]; that of the first stage is 1.",
        sql=f"""
            select concat_ws('/', group_id, stage_id) as id, next_step_rate, cumulative_rate
            from reports.lead_journey({WHOLE})
            where next_step_rate not between 0 and 1
                or cumulative_rate not between 0 and 1
                or (stage_position = 1 and cumulative_rate <> 1)
        """,
    ),
    Invariant(
        name="lead_journey_starts_with_whoever_entered_the_first_stage",
        report="rpt_lead_journey",
        words="5b: of contacts into which no other was merged, exactly those come to the first stage that "
        "ever were in it, by their versions or, without any, by their present value (5b-4).",
        sql="""
            with first_stage as (
                select stage_id from core.dim_lifecycle_stages where journey_position = 1
            ),
            versions as (
                select contact_id, bool_or(value = (select stage_id from first_stage)) as was_in_it
                from proof_contact_versions
                where name = 'lifecyclestage'
                group by contact_id
            ),
            entered as (
                select contact_id
                from proof_contacts
                left join versions using (contact_id)
                where not merged_here
                    and case
                        when versions.contact_id is not null then was_in_it
                        else lifecyclestage = (select stage_id from first_stage) and created_at is not null
                    end
            ),
            counted as (
                select contact_id
                from core.fct_lead_journey_steps
                where position = 1 and is_counted
                    and contact_id in (select contact_id from proof_contacts where not merged_here)
            )
            select contact_id as id, entered.contact_id is null as is_counted_without_entry
            from entered
            full join counted using (contact_id)
            where entered.contact_id is null or counted.contact_id is null
        """,
    ),
    # --- 6 lead response time ---
    Invariant(
        name="lead_response_time_has_every_contact_whose_assignment_is_known",
        report="rpt_lead_response_time",
        words="6a, 6d: each contact with an owner and a version that made it the owner, or HubSpot's own "
        "date, stands in one row, of that owner.",
        sql=f"""
            with assigned as (
                select distinct contacts.contact_id, contacts.owner_id
                from proof_contacts as contacts
                left join proof_contact_versions as versions
                    on contacts.contact_id = versions.contact_id
                    and versions.name = 'hubspot_owner_id'
                    and contacts.owner_id = versions.value
                where contacts.owner_id <> 'none'
                    and coalesce(versions.changed_at, contacts.assigned_at) is not null
                    and {available("rpt_lead_response_time")}
            )
            select contact_id as id, assigned.owner_id, mart.owner_id as owner_in_mart
            from assigned
            full join reports.rpt_lead_response_time as mart using (contact_id)
            where assigned.owner_id is distinct from mart.owner_id
        """,
    ),
    Invariant(
        name="lead_response_time_lies_between_assignment_and_run",
        report="rpt_lead_response_time",
        words="6(b, c): no engagement before the assignment or after run_ts; recomputed times are what "
        "lies between, and business hours no more than that.",
        sql=f"""
            select contact_id as id, assigned_at, first_engagement_at, response_time_ms, response_business_ms
            from reports.rpt_lead_response_time
            where first_engagement_at not between assigned_at and {RUN_TS}
                or (
                    not is_stored_value
                    and response_time_ms <> epoch_ms(first_engagement_at) - epoch_ms(assigned_at)
                )
                or response_business_ms
                    not between 0 and epoch_ms(first_engagement_at) - epoch_ms(assigned_at)
        """,
    ),
    Invariant(
        name="lead_response_time_summary_adds_up_to_its_contacts",
        report="rpt_lead_response_time",
        words="6(a, e): engaged + unengaged = contacts, average × engaged = all response times, for every "
        "owner; shares grow with the time allowed.",
        sql=f"""
            with sums as (
                select owner_id as group_id, count(*) as rows_counted,
                    coalesce(sum(response_time_ms), 0) as response_time_ms
                from reports.rpt_lead_response_time
                where assigned_date >= getvariable('first_day') and assigned_date < getvariable('end_day')
                group by owner_id
            )
            select group_id as id, contact_count, engaged_count, unengaged_count, rows_counted
            from reports.lead_response_time_summary({WHOLE})
            full join sums using (group_id)
            where contact_count is distinct from rows_counted
                or engaged_count + unengaged_count <> contact_count
                or abs(coalesce(average_response_time_ms, 0) * engaged_count - response_time_ms)
                    > 1e-9 * greatest(response_time_ms, 1)
                or not (within_5m_rate <= within_1h_rate and within_1h_rate <= within_24h_rate)
                or within_24h_rate * contact_count > engaged_count + 1e-6
        """,
    ),
    # --- 7 meeting outcomes ---
    Invariant(
        name="meeting_outcomes_count_every_dated_meeting_once",
        report="rpt_meeting_outcomes",
        words="7a: the outcomes of a day and owner add up to the raw meetings that start on it.",
        sql=unequal_sums(
            "select * from reports.rpt_meeting_outcomes",
            """
            select start_date, meeting_outcome_id, meeting_type, owner_id, count(*) as meeting_count,
                count(*) filter (where meeting_outcome_id = 'NO_SHOW') as no_show_count,
                count(*) filter (where meeting_outcome_id = 'CANCELED') as canceled_count
            from proof_meetings
            where start_date is not null
            group by start_date, meeting_outcome_id, meeting_type, owner_id
            """,
            by="start_date, meeting_outcome_id, meeting_type, owner_id",
            measures="meeting_count, no_show_count, canceled_count",
        ),
    ),
    Invariant(
        name="meeting_outcomes_completed_ones_are_held",
        report="rpt_meeting_outcomes",
        words="7b: every meeting whose outcome starts with COMPLETED is held; the account may name more.",
        sql="""
            select concat_ws('/', start_date, meeting_outcome_id, owner_id) as id,
                completed_count, meeting_count
            from reports.rpt_meeting_outcomes
            where starts_with(meeting_outcome_id, 'COMPLETED') and completed_count <> meeting_count
        """,
    ),
    Invariant(
        name="meeting_outcomes_shares_add_up_to_1_and_rates_lie_within",
        report="rpt_meeting_outcomes",
        words="7c: an owner's shares add up to 1, and rates lie within [0, 1].",
        sql=f"""
            select group_id as id, sum(meeting_share) as shares, max(held_rate) as held_rate,
                max(no_show_rate) as no_show_rate
            from reports.meeting_outcomes({WHOLE})
            group by group_id
            having abs(sum(meeting_share) - 1) > 1e-9
                or max(held_rate) + max(no_show_rate) not between 0 and 1 + 1e-9
        """,
    ),
    Invariant(
        name="meeting_outcomes_no_meeting_is_held_before_it_starts",
        report="rpt_meeting_outcomes",
        words="7d: a meeting that starts after run_ts and is marked as held already is a slip of the CRM.",
        blocking=False,
        sql=f"""
            select meeting_id as id, start_at, meeting_outcome_id
            from proof_meetings
            where start_at > {RUN_TS} and starts_with(meeting_outcome_id, 'COMPLETED')
        """,
    ),
    # --- 8 prospecting activities ---
    Invariant(
        name="prospecting_sequences_enrol_at_each_new_date",
        report="rpt_prospecting_sequences",
        words="8a: an owner's enrolments are the raw versions that set another enrolment date, or for "
        "contacts without any the present date.",
        sql=unequal_sums(
            "select * from reports.rpt_prospecting_sequences",
            f"""
            select owner_id, count(*) as enrollment_count
            from (
                select contacts.owner_id
                from proof_contacts as contacts
                inner join proof_contact_versions as versions using (contact_id)
                where versions.name = 'hs_latest_sequence_enrolled_date'
                    and versions.instant_value is not null
                    and versions.instant_value is distinct from versions.instant_before
                union all
                select contacts.owner_id
                from proof_contacts as contacts
                inner join raw_hubspot.contacts as present on contacts.contact_id = present.id
                where present.hs_latest_sequence_enrolled_date is not null
                    and contacts.contact_id not in (
                        select contact_id from proof_contact_versions
                        where name = 'hs_latest_sequence_enrolled_date'
                    )
            ) as enrolled
            where {available("rpt_prospecting_sequences")}
            group by owner_id
            """,
            by="owner_id",
            measures="enrollment_count",
        ),
    ),
    Invariant(
        name="prospecting_sequences_rates_lie_between_0_and_1",
        report="rpt_prospecting_sequences",
        words="8a: enrolments >= contacts, each in one state, and no rate above 1, over any range.",
        sql=f"""
            select concat_ws('/', group_id, sequence_id) as id, enrollment_count, contact_count,
                reply_rate, meeting_rate, bounce_rate
            from reports.prospecting_sequences({WHOLE})
            where contact_count not between 1 and enrollment_count
                or active_count + finished_count + unenrolled_count <> enrollment_count
                or greatest(reply_rate, meeting_rate, bounce_rate) > 1
        """,
    ),
    Invariant(
        name="prospecting_meetings_count_every_meeting_on_the_day_it_was_booked",
        report="rpt_prospecting_meetings",
        words="8b: booked meetings of a day and owner are the raw ones created on it, with the time to "
        "their start.",
        sql=unequal_sums(
            "select * from reports.rpt_prospecting_meetings",
            """
            select created_date as booked_date, owner_id, count(*) as booked_count,
                sum(epoch_ms(start_at) - epoch_ms(created_at)) as lead_time_ms
            from proof_meetings
            where created_date is not null
            group by created_date, owner_id
            """,
            by="booked_date, owner_id",
            measures="booked_count, lead_time_ms",
        ),
    ),
    Invariant(
        name="prospecting_meetings_averages_times_booked_are_the_lead_time",
        report="rpt_prospecting_meetings",
        words="8b: average lead time × booked = lead time, for every owner.",
        sql=wrong_averages(
            "prospecting_meetings", {"average_lead_time_ms": ("lead_time_ms", "booked_count")}
        ),
    ),
    Invariant(
        name="prospecting_calls_average_times_timed_calls_is_the_talk_time",
        report="rpt_prospecting_calls",
        words="8c: average duration × timed calls = talk time; connected <= calls, calls per active day × "
        "active days = calls.",
        sql=wrong_averages(
            "prospecting_calls",
            {
                "average_call_duration_ms": ("talk_time_ms", "timed_call_count"),
                "calls_per_active_day": ("call_count", "active_day_count"),
                "connect_rate": ("connected_count", "call_count"),
            },
        ),
    ),
    Invariant(
        name="prospecting_tasks_averages_times_their_tasks_are_the_sums",
        report="rpt_prospecting_tasks",
        words="8d: completion rate × created = completed, average time × timed tasks = time to complete.",
        sql=wrong_averages(
            "prospecting_tasks",
            {
                "completion_rate": ("completed_count", "created_count"),
                "average_time_to_complete_ms": ("time_to_complete_ms", "timed_completed_count"),
            },
        ),
    ),
    # --- 9 tasks completed ---
    Invariant(
        name="tasks_completed_count_every_created_task_once",
        report="rpt_tasks_completed",
        words="9: the statuses of a day and owner add up to the raw tasks created on it; overdue are those "
        "that are not completed and were due.",
        sql=unequal_sums(
            "select * from reports.rpt_tasks_completed",
            """
            select created_date, task_status, owner_id, count(*) as task_count,
                count(*) filter (where is_overdue) as overdue_count
            from proof_tasks
            where created_date is not null
            group by created_date, task_status, owner_id
            """,
            by="created_date, task_status, owner_id",
            measures="task_count, overdue_count",
        ),
    ),
    Invariant(
        name="tasks_completed_rate_times_all_tasks_is_the_completed_ones",
        report="rpt_tasks_completed",
        words="9: completion rate × tasks of an owner = the completed ones.",
        sql=f"""
            select group_id as id, max(completion_rate) as completion_rate, sum(task_count) as task_count
            from reports.tasks_completed({WHOLE})
            group by group_id
            having abs(
                max(completion_rate) * sum(task_count)
                - coalesce(sum(task_count) filter (where task_status = 'COMPLETED'), 0)
            ) > 1e-6
        """,
    ),
    # --- 10 team activity timeline ---
    Invariant(
        name="timeline_shows_what_report_3_counts",
        report="rpt_team_activity_timeline",
        words="10b: tasks and sent e-mails of a day and owner are those of report 3, calls too before the "
        "day of the run.",
        sql=unequal_sums(
            f"""
            select completed_date, activity_type, owner_id, activity_count
            from reports.rpt_completed_activities
            where activity_type in ('task', 'email')
                or (activity_type = 'call' and completed_date < {day(RUN_TS)})
            """,
            f"""
            select {day("occurred_at")} as completed_date, activity_type, owner_id, count(*) as activity_count
            from reports.rpt_team_activity_timeline
            where activity_type = 'task'
                or (activity_type = 'email' and direction = 'EMAIL')
                or (activity_type = 'call' and {day("occurred_at")} < {day(RUN_TS)})
            group by all
            """,
            by="completed_date, activity_type, owner_id",
            measures="activity_count",
        ),
    ),
    Invariant(
        name="timeline_shows_no_call_or_meeting_that_is_still_to_come",
        report="rpt_team_activity_timeline",
        words="10a: calls and meetings stand at an instant that is not after run_ts.",
        sql=f"""
            select activity_type || '/' || activity_id as id, occurred_at
            from reports.rpt_team_activity_timeline
            where activity_type in ('call', 'meeting') and occurred_at > {RUN_TS}
        """,
    ),
    Invariant(
        name="timeline_shows_every_meeting_that_has_started",
        report="rpt_team_activity_timeline",
        words="10a: meetings of a day and owner, whatever their outcome, are the raw ones that start no "
        "later than run_ts.",
        sql=unequal_sums(
            f"""
            select {day("occurred_at")} as start_date, owner_id, 1 as meeting_count
            from reports.rpt_team_activity_timeline
            where activity_type = 'meeting'
            """,
            f"""
            select start_date, owner_id, count(*) as meeting_count
            from proof_meetings
            where start_at <= {RUN_TS} and {available("rpt_team_activity_timeline")}
            group by start_date, owner_id
            """,
            by="start_date, owner_id",
            measures="meeting_count",
        ),
    ),
    # --- 11 time spent in deal stage ---
    Invariant(
        name="time_in_deal_stage_is_that_of_the_visits_of_its_deals",
        report="rpt_time_in_deal_stage",
        words="11: the row of a stage holds the visits to it, closed stages left out, of the raw deals "
        "that close on the day and are in its pipeline now.",
        sql=unequal_sums(
            "select * from reports.rpt_time_in_deal_stage",
            """
            select close_date, deal_status, visits.stage_id, owner_id, proof_deals.pipeline_id,
                count(distinct proof_deals.deal_id) as deal_count,
                count(*) as visit_count,
                sum(duration_ms) as total_time_ms
            from core.fct_deal_stage_visits as visits
            inner join proof_deals
                on visits.deal_id = proof_deals.deal_id
                and visits.pipeline_id = proof_deals.pipeline_id
            where close_date is not null
                and created_at is not null
                and (visits.pipeline_id, visits.stage_id) not in (
                    select pipeline_id, stage_id from proof_stages
                    where stage_class in ('won', 'lost')
                )
            group by all
            """,
            by="close_date, deal_status, stage_id, owner_id, pipeline_id",
            measures="deal_count, visit_count, total_time_ms",
        ),
    ),
    Invariant(
        name="time_in_deal_stage_latest_visit_is_no_longer_than_all_of_them",
        report="rpt_time_in_deal_stage",
        words="11b, 11c: latest <= cumulative time; deals <= visits; deals still in the stage <= deals.",
        sql="""
            select concat_ws('/', close_date, stage_id, owner_id, pipeline_id) as id,
                latest_time_ms, total_time_ms, deal_count, visit_count, still_in_stage_count
            from reports.rpt_time_in_deal_stage
            where latest_time_ms > total_time_ms
                or deal_count > visit_count
                or still_in_stage_count > deal_count
                or least(latest_time_ms, deal_count, still_in_stage_count) < 0
        """,
    ),
    Invariant(
        name="time_in_deal_stage_visits_no_more_deals_than_are_in_scope",
        report="rpt_time_in_deal_stage",
        words="11c: no stage was visited by more deals than close on the day with that owner, "
        "pipeline and status.",
        sql="""
            with scope as (
                select close_date, deal_status, owner_id, pipeline_id, count(*) as scope_count
                from proof_deals
                group by close_date, deal_status, owner_id, pipeline_id
            )
            select concat_ws('/', close_date, stage_id, owner_id, pipeline_id) as id,
                deal_count, scope_count
            from reports.rpt_time_in_deal_stage
            left join scope using (close_date, deal_status, owner_id, pipeline_id)
            where deal_count > coalesce(scope_count, 0)
        """,
    ),
    Invariant(
        name="time_in_deal_stage_average_times_deals_is_the_total",
        report="rpt_time_in_deal_stage",
        words="11d: average × deals that visited = total time, for every owner and stage.",
        sql=f"""
            select concat_ws('/', group_id, pipeline_id, stage_id) as id,
                average_time_ms, deal_count, total_time_ms
            from reports.time_in_deal_stage({WHOLE})
            where abs(average_time_ms * deal_count - total_time_ms)
                    > 1e-9 * greatest(total_time_ms, 1)
                or (average_time_ms is null) <> (deal_count = 0)
        """,
    ),
    Invariant(
        name="time_in_deal_stage_split_by_owner_adds_up_to_the_whole",
        report="rpt_time_in_deal_stage",
        words="11e: with owner_basis = as_of, the parts of a visit add up to its time.",
        sql=unequal_sums(
            "select * from core.fct_deal_stage_visit_owners",
            "select * from core.fct_deal_stage_visits",
            by="deal_id, visit_number",
            measures="duration_ms",
        ),
    ),
]
