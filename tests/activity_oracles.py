"""What the functions of reports 2, 3, 5 and 7 to 9 should answer, computed slowly from the raw rows.

Belongs here: one class per report function, as in `function_oracle.py`. Nothing here has seen the
functions' SQL.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar

from orchestration.reference.activities import (
    ACTIVITY_TABLES,
    CONNECTED,
    NO_TYPE,
    created_at,
    done_at,
    is_any_available,
    is_held,
    is_overdue,
    meeting_at,
    task_completed_at,
    task_status,
)
from orchestration.reference.chats import CHANNELS, assignee, channel_kind, chat_threads
from orchestration.reference.crm import NONE_ID, OWNER_COLUMNS, Owner, Row, duration_ms
from orchestration.reference.lead_funnel import MEASURES as LEAD_MEASURES
from orchestration.reference.lead_funnel import leads
from orchestration.reference.lead_journey import MEASURES as JOURNEY_MEASURES
from orchestration.reference.lead_journey import journeys
from orchestration.reference.prospecting_sequences import SUMMED, enrolled_rows
from tests.function_oracle import Bucket, Group, Oracle, Record, Request, mean, ratio, total


class ActivityOracle(Oracle):
    """Reports of one kind of activity, by a day of its own."""

    labelled_groups: ClassVar[dict[str, tuple[int, int]]] = {}
    """Further groupings by category whose shares are of the group: name → places of id and label."""

    def groups(self, record: Record, request: Request) -> list[Group]:
        found = super().groups(record, request)
        if found and request.group_by in self.labelled_groups:
            id_place, label_place = self.labelled_groups[request.group_by]
            return [Group(record.categories[id_place], record.categories[label_place])]
        return found

    def of(self, row: Row, day: object, subject: object, *categories: object) -> Iterator[Record]:
        """The record of a raw activity, if it has a day."""
        if day is not None:
            owner = self.crm.owner(row["hubspot_owner_id"])
            yield Record(self.crm.day(day), owner, None, subject, categories)

    def asked(self, argument: str, all_values: Iterable[str]) -> list[str]:
        given = self.own.get(argument)
        return [value for value in all_values if given is None or value in given]


def sums(records: list[Record], names: Iterable[str]) -> Row:
    """Measures of rows that carry their own."""
    return {name: total(record.subject.get(name) for record in records) for name in names}


def owner_of(row: Row) -> Owner:
    return Owner(*(row[column] for column in OWNER_COLUMNS))


# --- 2, 3 -----------------------------------------------------------------------------------------


class Chats(ActivityOracle):
    report = "rpt_chats"
    categories = ("channel",)
    group_categories: ClassVar = {"channel": 0}
    needs = ("conversation_threads", "conversation_channels")

    def records(self) -> Iterator[Record]:
        for thread in chat_threads(self.crm):
            channel = CHANNELS[channel_kind(self.crm, thread)]
            if thread["created_at"] is not None and self.asked("channels", [channel]):
                day, owner = self.crm.day(thread["created_at"]), assignee(self.crm, thread["assigned_to"])
                yield Record(day, owner, None, thread, (channel,))

    def fixed_categories(self) -> Iterable[tuple]:
        return [(channel,) for channel in self.asked("channels", CHANNELS.values())]

    def measures(self, records: list[Record], whole: list[Record]) -> Row:
        closed = sum(record.subject["status"] == "CLOSED" for record in records)
        return {"chat_count": len(records), "open_count": len(records) - closed, "closed_count": closed}

    def category_order(self, row: Row) -> tuple:
        return -row["chat_count"], row["channel"]


class CompletedActivities(ActivityOracle):
    report = "rpt_completed_activities"
    categories = ("activity_type",)
    group_categories: ClassVar = {"activity_type": 0}

    def answer(self, request: Request) -> list[Row]:
        return super().answer(request) if is_any_available(self.crm) else []

    def records(self) -> Iterator[Record]:
        for kind in self.asked("activity_types", ACTIVITY_TABLES):
            for row in self.crm.population(ACTIVITY_TABLES[kind]):
                yield from self.of(row, done_at(self.crm, kind, row), row, kind)

    def fixed_categories(self) -> Iterable[tuple]:
        return [(kind,) for kind in self.asked("activity_types", ACTIVITY_TABLES)]

    def measures(self, records: list[Record], whole: list[Record]) -> Row:
        return {"activity_count": len(records)}

    def category_order(self, row: Row) -> tuple:
        return -row["activity_count"], row["activity_type"]


# --- 5 --------------------------------------------------------------------------------------------


class LeadFunnel(ActivityOracle):
    report = "rpt_lead_funnel"
    categories = ("source",)
    group_categories: ClassVar = {"source": 0}
    needs = ("contacts", "associations")

    def records(self) -> Iterator[Record]:
        for row in leads(self.crm):
            yield Record(row["created_date"], owner_of(row), None, row, (row["source"],))

    def measures(self, records: list[Record], whole: list[Record]) -> Row:
        row = sums(records, LEAD_MEASURES)
        return row | {
            "worked_rate": ratio(row["worked_count"], row["assigned_count"]),
            "deal_rate": ratio(row["with_deal_count"], row["lead_count"]),
            "win_rate": ratio(row["won_count"], row["lead_count"]),
            **{
                f"average_time_to_{what}_ms": ratio(row[f"time_to_{what}_ms"], row[f"time_to_{what}_count"])
                for what in ("first_engagement", "deal", "win")
            },
        }

    def category_order(self, row: Row) -> tuple:
        return -row["lead_count"], row["source"]


class LeadJourney(ActivityOracle):
    report = "rpt_lead_journey"
    categories = ("stage_position", "stage_id", "stage_label", "is_optional")
    needs = ("contacts", "contact_property_history")

    @property
    def steps(self) -> list[tuple]:
        stages = enumerate(self.crm.settings.lead_journey_stages, start=1)
        return [(position, *stage) for position, stage in stages]

    def records(self) -> Iterator[Record]:
        for row in journeys(self.crm, self.crm.settings.lead_journey_stages):
            if row["contact_count"] or row["skipped_count"]:
                key = tuple(row[column] for column in self.categories)
                yield Record(row["created_date"], owner_of(row), None, row, key)

    def row_keys(self, record: Record, group: Group, in_range: list) -> list[tuple]:
        return self.steps

    def fixed_categories(self) -> Iterable[tuple]:
        return self.steps

    def row(self, request: Request, asked: list, group: Group, key: tuple, bucket: Bucket) -> Row:
        row = super().row(request, asked, group, key, bucket)
        is_last = key == self.steps[-1]
        first = row.pop("first_step_count")
        row["next_step_rate"] = None if is_last else ratio(row["advanced_count"], row["contact_count"])
        row["cumulative_rate"] = ratio(row["contact_count"], first)
        row["average_time_to_next_ms"] = ratio(row["time_to_next_ms"], row["time_to_next_count"])
        return row

    def measures(self, records: list[Record], whole: list[Record]) -> Row:
        first = [record for record in whole if record.categories[0] == 1]
        first_count = sum(record.subject["contact_count"] for record in first)
        return sums(records, JOURNEY_MEASURES) | {"first_step_count": first_count}

    def weight(self, row: Row) -> int:
        return row["contact_count"] if row["stage_position"] == 1 else 0

    def category_order(self, row: Row) -> tuple:
        return (row["stage_position"],)


# --- 7 --------------------------------------------------------------------------------------------


class MeetingOutcomes(ActivityOracle):
    report = "rpt_meeting_outcomes"
    categories = ("meeting_outcome_id", "meeting_outcome", "meeting_type")
    labelled_groups: ClassVar = {"meeting_type": (2, 2)}
    needs = ("meetings",)

    def records(self) -> Iterator[Record]:
        for row in self.crm.population("meetings"):
            meeting_type = row["hs_activity_type"] or NO_TYPE
            outcome, start = row["hs_meeting_outcome"] or NONE_ID, meeting_at(row)
            label = "(No outcome)" if outcome == NONE_ID else outcome
            if start is not None and outcome == "SCHEDULED" and start < self.crm.run_ts:
                label = "Scheduled (past)"  # 7a
            if self.asked("meeting_types", [meeting_type]):
                yield from self.of(row, start, row, outcome, label, meeting_type)

    def fixed_categories(self) -> Iterable[tuple]:
        outcomes = ["SCHEDULED", "COMPLETED", "RESCHEDULED", "NO_SHOW", "CANCELED"]
        keys = [(outcome, outcome) for outcome in outcomes]
        keys += [("SCHEDULED", "Scheduled (past)"), (NONE_ID, "(No outcome)")]
        types = {record.categories[2] for record in self.records()}
        return [(*key, meeting_type) for key in keys for meeting_type in types]

    def measures(self, records: list[Record], whole: list[Record]) -> Row:
        held, no_show, canceled = self.endings(whole)
        met_or_missed = held + no_show + canceled
        own_held, own_no_show, own_canceled = self.endings(records)
        return {
            "meeting_count": len(records),
            "completed_count": own_held,
            "no_show_count": own_no_show,
            "canceled_count": own_canceled,
            "past_without_outcome_count": sum(
                record.subject["hs_meeting_outcome"] in (None, "SCHEDULED")
                and meeting_at(record.subject) < self.crm.run_ts
                for record in records
            ),
            "meeting_share": ratio(len(records), len(whole)),
            "held_rate": ratio(held, met_or_missed),
            "no_show_rate": ratio(no_show, met_or_missed),
        }

    def endings(self, records: list[Record]) -> tuple[int, int, int]:
        outcomes = [record.subject["hs_meeting_outcome"] for record in records]
        held = sum(is_held(self.crm, record.subject) for record in records)
        return held, outcomes.count("NO_SHOW"), outcomes.count("CANCELED")

    def category_order(self, row: Row) -> tuple:
        keys = ("meeting_outcome", "meeting_outcome_id", "meeting_type")
        return -row["meeting_count"], *(row[key] for key in keys)


# --- 8 --------------------------------------------------------------------------------------------


class ProspectingSequences(ActivityOracle):
    report = "rpt_prospecting_sequences"
    categories = ("sequence_id", "sequence_name")
    labelled_groups: ClassVar = {"sequence": (0, 1)}
    needs = ("contact_property_history",)

    def records(self) -> Iterator[Record]:
        for row in enrolled_rows(self.crm):
            key = row["sequence_id"], row["sequence_name"]
            yield Record(row["enrolled_date"], owner_of(row), None, row, key)

    def measures(self, records: list[Record], whole: list[Record]) -> Row:
        row = sums(records, SUMMED)
        first, *others = row.items()
        enrolled = row["enrollment_count"]
        return {
            **dict([first]),
            "contact_count": len({record.subject["contact_id"] for record in records}),
            **dict(others),
            "reply_rate": ratio(row["replied_count"], enrolled),
            "meeting_rate": ratio(row["meeting_booked_count"], enrolled),
            "bounce_rate": ratio(row["bounced_count"], enrolled),
        }

    def category_order(self, row: Row) -> tuple:
        return -row["enrollment_count"], row["sequence_name"], row["sequence_id"]


class ProspectingMeetings(ActivityOracle):
    report = "rpt_prospecting_meetings"
    needs = ("meetings",)

    def records(self) -> Iterator[Record]:
        for row in self.crm.population("meetings"):
            yield from self.of(row, created_at(row), row)

    def measures(self, records: list[Record], whole: list[Record]) -> Row:
        meetings = [record.subject for record in records]
        held = sum(is_held(self.crm, row) for row in meetings)
        outcomes = [row["hs_meeting_outcome"] for row in meetings if not is_held(self.crm, row)]
        no_show, canceled = outcomes.count("NO_SHOW"), outcomes.count("CANCELED")
        rescheduled = outcomes.count("RESCHEDULED")
        lead_times = [duration_ms(created_at(row), meeting_at(row)) for row in meetings if meeting_at(row)]
        return {
            "booked_count": len(meetings),
            "held_count": held,
            "no_show_count": no_show,
            "canceled_count": canceled,
            "rescheduled_count": rescheduled,
            "pending_count": len(meetings) - held - no_show - canceled - rescheduled,
            "lead_time_ms": sum(lead_times),
            "held_rate": ratio(held, held + no_show + canceled),
            "average_lead_time_ms": ratio(sum(lead_times), len(meetings)),  # 8b
        }


class ProspectingCalls(ActivityOracle):
    report = "rpt_prospecting_calls"
    needs = ("calls",)

    def records(self) -> Iterator[Record]:
        asked = self.own.get("direction", "OUTBOUND")
        for row in self.crm.population("calls"):
            if asked in (None, row["hs_call_direction"] or "(No direction)"):
                yield from self.of(row, row["hs_timestamp"], row)

    def measures(self, records: list[Record], whole: list[Record]) -> Row:
        calls = [record.subject for record in records]
        connected = sum(row["hs_call_disposition"] == CONNECTED for row in calls)
        durations = [row["hs_call_duration"] for row in calls if row["hs_call_duration"] is not None]
        active_days = len({(record.owner.owner_id, record.day) for record in records})
        contacts = [self.crm.associated("call", row["id"], "contact") for row in calls]
        return {
            "call_count": len(calls),
            "connected_count": connected,
            "timed_call_count": len(durations),
            "talk_time_ms": sum(durations),
            "active_day_count": active_days,
            "connect_rate": ratio(connected, len(calls)),
            "distinct_contact_count": len(set().union(*contacts)),
            "average_call_duration_ms": mean(durations),
            "calls_per_active_day": ratio(len(calls), active_days),
        }


class ProspectingTasks(ActivityOracle):
    report = "rpt_prospecting_tasks"
    needs = ("tasks",)

    def records(self) -> Iterator[Record]:
        for row in self.crm.population("tasks"):
            yield from self.of(row, created_at(row), row)

    def measures(self, records: list[Record], whole: list[Record]) -> Row:
        tasks = [record.subject for record in records]
        done = [row for row in tasks if task_status(row) == "COMPLETED"]
        timed = [(row, at) for row in done if (at := task_completed_at(self.crm, row)) is not None]
        times = [duration_ms(created_at(row), at) for row, at in timed]
        late = [row for row, at in timed if row["hs_timestamp"] is not None and at > row["hs_timestamp"]]
        return {
            "created_count": len(tasks),
            "completed_count": len(done),
            "overdue_count": sum(is_overdue(self.crm, row) for row in tasks),
            "completed_late_count": len(late),
            "timed_completed_count": len(timed),
            "time_to_complete_ms": sum(times),
            "completion_rate": ratio(len(done), len(tasks)),
            "average_time_to_complete_ms": mean(times),
        }


# --- 9 --------------------------------------------------------------------------------------------


class TasksCompleted(ActivityOracle):
    report = "rpt_tasks_completed"
    categories = ("task_status",)
    needs = ("tasks",)
    known = ("NOT_STARTED", "IN_PROGRESS", "WAITING", "DEFERRED", "COMPLETED")

    def records(self) -> Iterator[Record]:
        for row in self.crm.population("tasks"):
            yield from self.of(row, created_at(row), row, task_status(row))

    def fixed_categories(self) -> Iterable[tuple]:
        return [(status,) for status in self.known]

    def measures(self, records: list[Record], whole: list[Record]) -> Row:
        done = sum(task_status(record.subject) == "COMPLETED" for record in whole)
        return {
            "task_count": len(records),
            "overdue_count": sum(is_overdue(self.crm, record.subject) for record in records),
            "completion_rate": ratio(done, len(whole)),
        }

    def category_order(self, row: Row) -> tuple:
        status = row["task_status"]
        return self.known.index(status) if status in self.known else len(self.known), status


ACTIVITY_ORACLES = {
    oracle.report.removeprefix("rpt_"): oracle
    for oracle in (
        Chats,
        CompletedActivities,
        LeadFunnel,
        LeadJourney,
        MeetingOutcomes,
        ProspectingSequences,
        ProspectingMeetings,
        ProspectingCalls,
        ProspectingTasks,
        TasksCompleted,
    )
}
