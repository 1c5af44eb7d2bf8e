"""Report 8a, prospecting activities: the tab on sequences."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

from orchestration.reference.activities import created_at
from orchestration.reference.crm import (
    MS_PER_DAY,
    NONE_ID,
    OWNER_COLUMNS,
    Crm,
    Row,
    duration_ms,
    group_rows,
)

GRAIN = ("enrolled_date", "sequence_id", "sequence_name", *OWNER_COLUMNS)
STATES = ("active", "finished", "unenrolled")
SUMMED = (
    "enrollment_count",
    *(f"{state}_count" for state in STATES),
    "email_sent_count",
    "replied_count",
    "bounced_count",
    "meeting_booked_count",
)
MEASURES = (*SUMMED, "contact_count")
PREFIX = "hs_latest_sequence_"


@dataclass(frozen=True)
class Enrollment:
    """A contact's stay in a sequence: its window is [at, end)."""

    at: datetime
    end: datetime
    is_followed: bool  # by another enrolment
    sequence_id: str | None


def rpt_prospecting_sequences(crm: Crm) -> list[Row]:
    """One row per local day of enrolment, sequence and present owner of the contact."""
    if not crm.is_available("contact_property_history"):  # K11
        return []
    rows = enrolled_rows(crm)
    contacts = defaultdict(set)
    for row in rows:
        contacts[tuple(row[column] for column in GRAIN)].add(row["contact_id"])
    return [
        row | {"contact_count": len(contacts[tuple(row[column] for column in GRAIN)])}
        for row in group_rows(rows, GRAIN, SUMMED)
    ]


def enrolled_rows(crm: Crm) -> list[Row]:
    """What each enrolment adds to the report, with its contact."""
    return [
        {"contact_id": contact["id"], **_enrollment(crm, contact, enrollment)}
        for contact in crm.population("contacts")
        for enrollment in enrollments(crm, contact)
    ]


def enrollments(crm: Crm, contact: Row) -> list[Enrollment]:
    """Each new value of the enrolment date is an enrolment, oldest first (8a)."""
    history = "contact_property_history"
    dates = crm.distinct_versions(history, contact["id"], f"{PREFIX}enrolled_date")
    if dates:
        found = [
            (version.value, _sequence_at(crm, contact, version.timestamp))
            for version in dates
            if version.value is not None
        ]
    elif contact[f"{PREFIX}enrolled_date"] is not None:
        # No history: the present values make one enrolment.
        found = [(contact[f"{PREFIX}enrolled_date"], contact[f"{PREFIX}enrolled"])]
    else:
        found = []
    found.sort(key=lambda enrolled: enrolled[0])  # stable: equal instants in version order
    following = [*(at for at, _ in found[1:]), None]
    return [
        Enrollment(at, next_at or crm.run_ts, next_at is not None, sequence_id)
        for (at, sequence_id), next_at in zip(found, following, strict=False)
    ]


def _sequence_at(crm: Crm, contact: Row, timestamp: datetime) -> str | None:
    """The sequence as of a version of the date, versions of that timestamp included."""
    versions = crm.versions("contact_property_history", contact["id"], f"{PREFIX}enrolled")
    if not versions:
        return contact[f"{PREFIX}enrolled"]  # as H5: no history, the present value all along
    earlier = [version for version in versions if version.timestamp <= timestamp]
    return earlier[-1].value if earlier else None


def _enrollment(crm: Crm, contact: Row, enrollment: Enrollment) -> Row:
    emails = _emails(crm, contact, enrollment)
    sequence_id = enrollment.sequence_id or NONE_ID
    return {
        "enrolled_date": crm.day(enrollment.at),
        "sequence_id": sequence_id,
        "sequence_name": _sequence_name(crm, sequence_id),
        **crm.owner(contact["hubspot_owner_id"]).columns,
        "enrollment_count": 1,
        f"{_state(crm, contact, enrollment)}_count": 1,
        "email_sent_count": sum(
            email["hs_email_status"] not in ("FAILED", "SCHEDULED", "SENDING") for email in emails
        ),
        "replied_count": int(any((email["hs_email_reply_count"] or 0) > 0 for email in emails)),
        "bounced_count": int(any(email["hs_email_status"] == "BOUNCED" for email in emails)),
        "meeting_booked_count": int(_is_meeting_booked(crm, contact, enrollment)),
    }


def _sequence_name(crm: Crm, sequence_id: str) -> str:
    if sequence_id == NONE_ID:
        return "(No sequence)"
    for row in crm.rows("sequences"):
        if row["id"] == sequence_id and row["name"]:
            return row["name"]
    return f"Sequence {sequence_id}"


def _state(crm: Crm, contact: Row, enrollment: Enrollment) -> str:
    """Exactly one at run_ts: finished, else unenrolled (also by a next enrolment), else active."""
    if _is_noted(crm, contact, "finished_date", enrollment):
        return "finished"
    if enrollment.is_followed or _is_noted(crm, contact, "unenrolled_date", enrollment):
        return "unenrolled"
    return "active"


def _is_noted(crm: Crm, contact: Row, ending: str, enrollment: Enrollment) -> bool:
    """Whether any value of the ending's date lies inside the window."""
    versions = crm.versions("contact_property_history", contact["id"], PREFIX + ending)
    values = [version.value for version in versions] if versions else [contact[PREFIX + ending]]
    return any(value is not None and enrollment.at <= value < enrollment.end for value in values)


def _emails(crm: Crm, contact: Row, enrollment: Enrollment) -> list[Row]:
    """Outgoing e-mails of the contact's present owner to the contact inside the window."""
    return [
        email
        for email in _associated(crm, contact, "email", "emails")
        if email["hs_email_direction"] == "EMAIL"
        and email["hs_timestamp"] is not None
        and enrollment.at <= email["hs_timestamp"] < enrollment.end
    ]


def _is_meeting_booked(crm: Crm, contact: Row, enrollment: Enrollment) -> bool:
    """A meeting of that owner created within 30 days, whatever the window."""
    return any(
        0 <= duration_ms(enrollment.at, created_at(meeting)) < 30 * MS_PER_DAY
        for meeting in _associated(crm, contact, "meeting", "meetings")
        if created_at(meeting) is not None
    )


def _associated(crm: Crm, contact: Row, record_type: str, table: str) -> list[Row]:
    """Associated activities of the contact's present owner."""
    rows = crm.population_by_id(table)
    return [
        rows[record_id]
        for record_id in crm.associated("contact", contact["id"], record_type)
        if rows[record_id]["hubspot_owner_id"] == contact["hubspot_owner_id"]
    ]
