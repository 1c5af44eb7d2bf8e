"""Report 6, lead response time: from a contact's assignment to its owner's first engagement."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from orchestration.reference.activities import (
    is_any_available,
    meeting_at,
    task_completed_at,
    task_status,
)
from orchestration.reference.chats import channel_kind, chat_threads
from orchestration.reference.crm import Crm, Row, duration_ms, id_order

MEASURES = (
    "assigned_at",
    "assigned_date",
    "first_engagement_at",
    "first_engagement_type",
    "first_engagement_id",
    "first_engagement_description",
    "response_time_ms",
    "response_business_ms",
    "is_stored_value",
    "differs_from_stored",
)
# HubSpot's names, in the order that decides ties (6c).
ENGAGEMENT_TYPES = ("EMAIL", "CALL", "CONVERSATION_SESSION", "TASK", "MEETING_EVENT")


@dataclass(frozen=True)
class Engagement:
    """Something by which an owner engaged with a contact."""

    at: datetime
    type: str | None
    id: str | None
    description: str | None

    @property
    def order(self) -> tuple:
        return self.at, ENGAGEMENT_TYPES.index(self.type), id_order(self.id)


@dataclass(frozen=True)
class Response:
    """A contact's assignment to its present owner, and how that owner answered it."""

    assigned_at: datetime
    first: Engagement | None  # None: not engaged so far
    response_time_ms: int | None
    is_stored: bool
    differs_from_stored: bool


def rpt_lead_response_time(crm: Crm) -> list[Row]:
    """One row per contact with an owner whose assignment is known."""
    is_available = crm.is_available("contacts") and crm.is_available("associations")
    if not (is_available and is_any_available(crm)):  # K11
        return []
    contacts = crm.population_by_id("contacts")
    return [
        {
            "contact_id": contact_id,
            **crm.owner(contacts[contact_id]["hubspot_owner_id"]).columns,
            "assigned_at": response.assigned_at,
            "assigned_date": crm.day(response.assigned_at),
            **_first_engagement(crm, response),
            "response_time_ms": response.response_time_ms,
            "is_stored_value": response.is_stored,
            "differs_from_stored": response.differs_from_stored,
        }
        for contact_id, response in responses(crm).items()
    ]


def _first_engagement(crm: Crm, response: Response) -> Row:
    first = response.first
    return {
        "first_engagement_at": first and first.at,
        "first_engagement_type": first and first.type,
        "first_engagement_id": first and first.id,
        "first_engagement_description": first and first.description,
        "response_business_ms": first and business_ms(crm, response.assigned_at, first.at),
    }


def responses(crm: Crm) -> dict[str, Response]:
    """By contact id; contacts without owner or without any assignment date are in none (6a)."""
    messages = _messages_by_contact(crm)
    found = {}
    for contact in crm.population("contacts"):
        assigned_at = _assigned_at(crm, contact)
        if assigned_at is not None:
            found[contact["id"]] = _response(crm, contact, assigned_at, messages[contact["id"]])
    return found


def _assigned_at(crm: Crm, contact: Row) -> datetime | None:
    """The last time the owner value became the present owner, else HubSpot's own date (6a)."""
    owner_id = contact["hubspot_owner_id"]
    if owner_id is None:
        return None
    became = [
        version.timestamp
        for version in crm.distinct_versions("contact_property_history", contact["id"], "hubspot_owner_id")
        if version.value == owner_id
    ]
    return became[-1] if became else contact["hubspot_owner_assigneddate"]


def _response(crm: Crm, contact: Row, assigned_at: datetime, messages: list[Row]) -> Response:
    """HubSpot's stored first engagement while it belongs to this assignment, else ours (6b)."""
    engagements = [
        engagement
        for engagement in [
            *_from_activities(crm, contact, assigned_at),
            *_from_chats(crm, contact, messages),
        ]
        if assigned_at <= engagement.at <= crm.run_ts
    ]
    first = min(engagements, key=lambda engagement: engagement.order, default=None)
    time_ms = None if first is None else duration_ms(assigned_at, first.at)
    stored_ms, stored_at = (
        contact["hs_time_to_first_engagement"],
        contact["hs_sa_first_engagement_date"],
    )
    differs = stored_ms is not None and stored_ms != time_ms
    if (
        stored_ms is None
        or stored_at is None
        or contact["hubspot_owner_assigneddate"] != assigned_at
        or not assigned_at <= stored_at <= crm.run_ts
    ):
        return Response(assigned_at, first, time_ms, False, differs)
    stored = Engagement(
        stored_at,
        contact["hs_sa_first_engagement_object_type"],
        contact["hs_first_engagement_object_id"],
        contact["hs_sa_first_engagement_descr"],
    )
    return Response(assigned_at, stored, stored_ms, True, differs)


# --- what counts as engaging (6c) -----------------------------------------------------------------


def _from_activities(crm: Crm, contact: Row, assigned_at: datetime) -> Iterator[Engagement]:
    """Activities of the present owner with the contact; those without date are none.

    What HubSpot describes an engagement by is its status or outcome (§6).
    """
    by_owner = partial(_activities_by_owner, crm, contact)
    for email in by_owner("email", "emails"):
        is_automated = email["hs_email_sent_via"] in crm.settings.automated_email_sources  # K16
        if email["hs_email_direction"] == "EMAIL" and not is_automated:
            yield from _engagement(email["hs_timestamp"], "EMAIL", email["id"], email["hs_email_status"])
    for call in by_owner("call", "calls"):
        yield from _engagement(call["hs_timestamp"], "CALL", call["id"], call["hs_call_status"])
    for meeting in by_owner("meeting", "meetings"):
        yield from _engagement(
            meeting_at(meeting), "MEETING_EVENT", meeting["id"], meeting["hs_meeting_outcome"]
        )
    for task in by_owner("task", "tasks"):
        yield from _from_task(crm, task, assigned_at)


def _activities_by_owner(crm: Crm, contact: Row, record_type: str, table: str) -> list[Row]:
    rows = crm.population_by_id(table)
    return [
        rows[record_id]
        for record_id in crm.associated("contact", contact["id"], record_type)
        if rows[record_id]["hubspot_owner_id"] == contact["hubspot_owner_id"]
    ]


def _from_task(crm: Crm, task: Row, assigned_at: datetime) -> Iterator[Engagement]:
    """Its first change to in progress or completed since the assignment; without any history,
    its completion."""
    changes = crm.distinct_versions("task_property_history", task["id"], "hs_task_status")
    for change in changes:
        if change.value in ("IN_PROGRESS", "COMPLETED") and change.timestamp >= assigned_at:
            yield Engagement(change.timestamp, "TASK", task["id"], change.value)
            return
    if not changes:
        yield from _engagement(task_completed_at(crm, task), "TASK", task["id"], task_status(task))


def _from_chats(crm: Crm, contact: Row, messages: list[Row]) -> Iterator[Engagement]:
    """Messages that the present owner's user wrote, whoever the chat is assigned to."""
    actors = {
        f"A-{owner['user_id']}"
        for owner in crm.rows("owners")
        if owner["id"] == contact["hubspot_owner_id"] and owner["user_id"]
    }
    for message in messages:
        if message["sender"] in actors:
            yield from _engagement(
                message["created_at"],
                "CONVERSATION_SESSION",
                message["thread_id"],
                message["channel_kind"],
            )


def _engagement(
    at: datetime | None, kind: str, record_id: str, description: str | None
) -> Iterator[Engagement]:
    if at is not None:
        yield Engagement(at, kind, record_id, description or "EMPTY_DESCRIPTION")


def _messages_by_contact(crm: Crm) -> dict[str, list[Row]]:
    """Messages of chats by the contact of the chat, each with the kind of its channel."""
    threads = {thread["id"]: thread for thread in chat_threads(crm)}
    found = defaultdict(list)
    for message in crm.rows("conversation_messages"):
        thread = threads.get(message["thread_id"])
        if thread is not None:
            kind = channel_kind(crm, thread)
            found[thread["associated_contact_id"]].append(message | {"channel_kind": kind})
    return found


# --- business hours -------------------------------------------------------------------------------


def business_ms(crm: Crm, start: datetime, end: datetime) -> int:
    """Milliseconds of [start, end) that lie in the account's business hours (K16)."""
    total, day = 0, crm.day(start)
    while day <= crm.day(end):
        for weekday, opens, closes in crm.settings.business_hours:
            if weekday == day.isoweekday():
                opened = max(start, crm.instant(day, opens))
                closed = min(end, crm.instant(day, closes))
                total += max(duration_ms(opened, closed), 0)
        day += timedelta(days=1)
    return total
