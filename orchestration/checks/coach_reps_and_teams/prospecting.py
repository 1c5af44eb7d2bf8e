"""Laws of prospecting activities (8): sequences, meetings, calls and tasks."""

from __future__ import annotations

from orchestration.checks import ANSWER, Invariant, equal_sums
from orchestration.checks.coach_reps_and_teams.averages import wrong_averages
from orchestration.checks.second_road import available

INVARIANTS = [
    # --- 8 prospecting activities ---
    Invariant(
        name="prospecting_sequences_enrol_at_each_new_date",
        report="rpt_prospecting_sequences",
        by="contact",
        words="8a: an owner's enrolments are the raw versions that set another enrolment date, or for "
        "contacts without any the present date.",
        **equal_sums(
            "select * from reports.rpt_prospecting_sequences",
            f"""
            select owner_id, count(*) as enrollment_count
            from (
                select contacts.owner_id
                from proof_contacts as contacts
                inner join (
                    select *, lag(instant_value) over (
                        partition by contact_id order by changed_at, sequence
                    ) as instant_before
                    from proof_contact_versions
                    where name = 'hs_latest_sequence_enrolled_date'
                ) as versions using (contact_id)
                where versions.instant_value is not null
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
            select {ANSWER} || '/' || sequence_id as id, enrollment_count, contact_count,
                reply_rate, meeting_rate, bounce_rate
            from proof_answers_prospecting_sequences
            where contact_count not between least(enrollment_count, 1) and enrollment_count
                or active_count + finished_count + unenrolled_count <> enrollment_count
                or greatest(reply_rate, meeting_rate, bounce_rate) > 1
        """,
    ),
    Invariant(
        name="prospecting_meetings_count_every_meeting_on_the_day_it_was_booked",
        report="rpt_prospecting_meetings",
        by="activity",
        words="8b: booked meetings of a day and owner are the raw ones created on it, with the time to "
        "their start.",
        **equal_sums(
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
]
