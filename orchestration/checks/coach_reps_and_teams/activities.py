"""Laws of the reports on activities (1, 2, 3, 7, 9, 10)."""

from __future__ import annotations

from orchestration.checks import ANSWER, Invariant, equal_sums
from orchestration.checks.second_road import RUN_TS, available, day

INVARIANTS = [
    # --- 1 call outcomes ---
    Invariant(
        name="call_outcomes_count_every_dated_call_once",
        report="rpt_call_outcomes",
        by="activity",
        words="1a: the outcomes of an owner add up to the owner's raw calls of the day and direction.",
        **equal_sums(
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
        by="activity",
        words="1c: (No outcome) holds exactly the raw calls without a disposition; all others stand "
        "under their own, labelled or deleted.",
        **equal_sums(
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
        by="activity",
        words="1d: total duration and its denominator are those of the raw calls whose duration is "
        "known; 0 is a duration.",
        **equal_sums(
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
            select {ANSWER} as id, sum(call_share) as shares,
                sum(average_duration_ms * timed_call_count) as averaged_ms,
                sum(total_duration_ms) as total_duration_ms
            from proof_answers_call_outcomes
            group by way, group_id, bucket_start
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
        **equal_sums(
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
        by="activity",
        words="3a: calls and notes of a day count whatever became of them, e-mails that were sent "
        "unless they did not arrive.",
        **equal_sums(
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
        by="activity",
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
    # --- 7 meeting outcomes ---
    Invariant(
        name="meeting_outcomes_count_every_dated_meeting_once",
        report="rpt_meeting_outcomes",
        by="activity",
        words="7a: the outcomes of a day and owner add up to the raw meetings that start on it.",
        **equal_sums(
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
            select {ANSWER} as id, sum(meeting_share) as shares, max(held_rate) as held_rate,
                max(no_show_rate) as no_show_rate
            from proof_answers_meeting_outcomes
            group by way, group_id, bucket_start
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
    # --- 9 tasks completed ---
    Invariant(
        name="tasks_completed_count_every_created_task_once",
        report="rpt_tasks_completed",
        by="activity",
        words="9: the statuses of a day and owner add up to the raw tasks created on it; overdue are those "
        "that are not completed and were due.",
        **equal_sums(
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
            select {ANSWER} as id, max(completion_rate) as completion_rate, sum(task_count) as task_count
            from proof_answers_tasks_completed
            group by way, group_id, bucket_start
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
        by="activity",
        words="10b: tasks and sent e-mails of a day and owner are those of report 3, calls too before the "
        "day of the run.",
        **equal_sums(
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
        by="activity",
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
        by="activity",
        words="10a: meetings of a day and owner, whatever their outcome, are the raw ones that start no "
        "later than run_ts.",
        **equal_sums(
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
]
