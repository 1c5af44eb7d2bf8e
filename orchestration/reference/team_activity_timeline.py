"""Report 10, team activity timeline: what the team did, one row per activity."""

from datetime import datetime

from orchestration.reference.activities import (
    ACTIVITY_TABLES,
    is_any_available,
    is_sent,
    meeting_at,
    task_completed_at,
)
from orchestration.reference.crm import Crm, Row, duration_ms, id_order, trimmed

MEASURES = (
    "occurred_at",
    "title",
    "outcome",
    "direction",
    "duration_ms",
    "contact_ids",
    "company_ids",
    "deal_ids",
    "contact_names",
    "company_names",
    "deal_names",
)
TIMELINE_TYPES = ("call", "meeting", "task", "email")  # no notes, no chats


def rpt_team_activity_timeline(crm: Crm) -> list[Row]:
    """One row per activity, whatever it is associated with."""
    if not is_any_available(crm):  # K11
        return []
    return [
        {
            "activity_type": activity_type,
            "activity_id": row["id"],
            **crm.owner(row["hubspot_owner_id"]).columns,
            "occurred_at": occurred_at,
            **_details(crm, activity_type, row),
            **_records(crm, activity_type, row),
        }
        for activity_type in TIMELINE_TYPES
        for row in crm.population(ACTIVITY_TABLES[activity_type])
        for occurred_at in [_occurred_at(crm, activity_type, row)]
        if occurred_at is not None
    ]


def _occurred_at(crm: Crm, activity_type: str, row: Row) -> datetime | None:
    """When it happened; None keeps it off the timeline (10a)."""
    if activity_type == "task":
        return task_completed_at(crm, row)
    if activity_type == "email":
        is_shown = is_sent(row) or row["hs_email_direction"] == "INCOMING_EMAIL"
        return row["hs_timestamp"] if is_shown else None
    at = meeting_at(row) if activity_type == "meeting" else row["hs_timestamp"]
    return at if at is not None and at <= crm.run_ts else None


def _details(crm: Crm, activity_type: str, row: Row) -> Row:
    title = row[
        {
            "call": "hs_call_title",
            "meeting": "hs_meeting_title",
            "task": "hs_task_subject",
            "email": "hs_email_subject",
        }[activity_type]
    ]
    if activity_type in ("call", "email") and not crm.settings.include_personal_data:
        title = None  # K10
    details = {"title": title, "outcome": None, "direction": None, "duration_ms": None}
    if activity_type == "call":
        _, outcome = crm.call_outcome(row["hs_call_disposition"])
        direction = row["hs_call_direction"] or "(No direction)"  # P18
        details |= {
            "outcome": outcome,
            "direction": direction,
            "duration_ms": row["hs_call_duration"],
        }
    elif activity_type == "meeting":
        details["outcome"] = row["hs_meeting_outcome"] or "(No outcome)"
        start, end = meeting_at(row), row["hs_meeting_end_time"]
        details["duration_ms"] = None if end is None else duration_ms(start, end)
    elif activity_type == "task":
        details["outcome"] = row["hs_task_status"]
    else:
        details |= {"outcome": row["hs_email_status"], "direction": row["hs_email_direction"]}
    return details


def _records(crm: Crm, activity_type: str, row: Row) -> Row:
    """Associated records, joined by commas in the order of their ids; NULL for none."""
    columns = {}
    for record_type, table in (
        ("contact", "contacts"),
        ("company", "companies"),
        ("deal", "deals"),
    ):
        ids = sorted(crm.associated(activity_type, row["id"], record_type), key=id_order)
        rows = crm.population_by_id(table)
        names = [_name(record_type, rows[record_id]) for record_id in ids]
        is_hidden = record_type == "contact" and not crm.settings.include_personal_data  # K10
        columns[f"{record_type}_ids"] = ",".join(ids) or None
        columns[f"{record_type}_names"] = None if is_hidden else ",".join(names) or None
    return columns


def _name(record_type: str, record: Row) -> str:
    """A record's name, else what else is known of it, else its id (as owners, P7)."""
    if record_type == "contact":
        name = trimmed(f"{record['firstname'] or ''} {record['lastname'] or ''}") or record["email"]
    elif record_type == "company":
        name = record["name"] or record["domain"]
    else:
        name = record["dealname"]
    return name or f"{record_type.capitalize()} {record['id']}"
