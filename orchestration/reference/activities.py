"""What the reports on activities share: which are done, and when they were.

Belongs here: rules on one raw activity that more than one report needs. Rows are those of the
population (C10); what a report counts stands in the module of the report.
"""

from __future__ import annotations

from datetime import datetime

from orchestration.reference.crm import Crm, Row

ACTIVITY_TABLES = {  # activity_type → table
    "call": "calls",
    "meeting": "meetings",
    "task": "tasks",
    "email": "emails",
    "note": "notes",
}
NOT_DELIVERED = ("FAILED", "BOUNCED", "SCHEDULED", "SENDING")
CONNECTED = "f240bbac-87c9-4f6e-bf70-924b57d47db7"  # HubSpot's default outcome "Connected" (§1)
NO_TYPE = "(No type)"  # P18


def is_any_available(crm: Crm) -> bool:
    """Whether the source delivered any table of activities (K11: reports 3, 6, 10)."""
    return any(crm.is_available(table) for table in ACTIVITY_TABLES.values())


def created_at(row: Row) -> datetime | None:
    """8b, 8d: HubSpot's own property, else the record's."""
    return row.get("hs_createdate") or row["created_at"]


# --- meetings -------------------------------------------------------------------------------------


def meeting_at(row: Row) -> datetime | None:
    """A meeting stands at its start (3, 6c, 7, 10a)."""
    return row["hs_meeting_start_time"] or row["hs_timestamp"]


def is_held(crm: Crm, row: Row) -> bool:
    """Outcome that starts with COMPLETED, or one that the account names (3, 7a)."""
    outcome = row["hs_meeting_outcome"] or ""
    return outcome.startswith("COMPLETED") or outcome in crm.settings.completed_meeting_outcomes


# --- tasks ----------------------------------------------------------------------------------------


def task_status(row: Row) -> str:
    """9: a task without status has not been started."""
    return row["hs_task_status"] or "NOT_STARTED"


def task_completed_at(crm: Crm, row: Row) -> datetime | None:
    """When a task was completed; None while it is not, or where nothing says when (3a).

    hs_task_completion_date is read for completed tasks only: while a task is open, HubSpot may
    keep the due date there.
    """
    if task_status(row) != "COMPLETED":
        return None
    set_completed = [
        version.timestamp
        for version in crm.distinct_versions("task_property_history", row["id"], "hs_task_status")
        if version.value == "COMPLETED"
    ]
    last_set = set_completed[-1] if set_completed else None
    return row["hs_task_completion_date"] or last_set or row["updated_at"]


def is_overdue(crm: Crm, row: Row) -> bool:
    """Not completed and due before run_ts (8d, 9); hs_timestamp is the due date."""
    due_at = row["hs_timestamp"]
    return task_status(row) != "COMPLETED" and due_at is not None and due_at < crm.run_ts


# --- e-mails --------------------------------------------------------------------------------------


def is_sent(row: Row) -> bool:
    """Outgoing, and nothing says that it did not arrive; no status counts (3a)."""
    return row["hs_email_direction"] == "EMAIL" and row["hs_email_status"] not in NOT_DELIVERED


# --- all kinds ------------------------------------------------------------------------------------


def done_at(crm: Crm, activity_type: str, row: Row) -> datetime | None:
    """When an activity was completed (3); None if it was not, or has no date."""
    if activity_type == "meeting":
        return meeting_at(row) if is_held(crm, row) else None
    if activity_type == "task":
        return task_completed_at(crm, row)
    if activity_type == "email" and not is_sent(row):
        return None
    return row["hs_timestamp"]
