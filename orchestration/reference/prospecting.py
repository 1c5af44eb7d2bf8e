"""Report 8, prospecting activities: the tabs on meetings, calls and tasks."""

from orchestration.reference.activities import (
    CONNECTED,
    created_at,
    is_held,
    is_overdue,
    meeting_at,
    task_completed_at,
    task_status,
)
from orchestration.reference.crm import OWNER_COLUMNS, Crm, Row, duration_ms, group_rows

MEASURES = {
    "rpt_prospecting_meetings": (
        "booked_count",
        "held_count",
        "no_show_count",
        "canceled_count",
        "rescheduled_count",
        "pending_count",
        "lead_time_ms",
    ),
    "rpt_prospecting_calls": (
        "call_count",
        "connected_count",
        "timed_call_count",
        "talk_time_ms",
        "active_day_count",
    ),
    "rpt_prospecting_tasks": (
        "created_count",
        "completed_count",
        "overdue_count",
        "completed_late_count",
        "timed_completed_count",
        "time_to_complete_ms",
    ),
}


# --- 8b meetings ----------------------------------------------------------------------------------


def rpt_prospecting_meetings(crm: Crm) -> list[Row]:
    """One row per local day on which the meeting was booked, and owner; held ones too (8b)."""
    if not crm.is_available("meetings"):  # K11
        return []
    meetings = [
        {
            "booked_date": crm.day(created_at(row)),
            **crm.owner(row["hubspot_owner_id"]).columns,
            "booked_count": 1,
            f"{_ending(crm, row)}_count": 1,
            "lead_time_ms": _lead_time_ms(row),
        }
        for row in crm.population("meetings")
        if created_at(row) is not None
    ]
    return group_rows(meetings, ("booked_date", *OWNER_COLUMNS), MEASURES["rpt_prospecting_meetings"])


def _ending(crm: Crm, row: Row) -> str:
    """Whatever is none of HubSpot's endings is pending: NULL and custom outcomes (8b)."""
    if is_held(crm, row):
        return "held"
    endings = {"NO_SHOW": "no_show", "CANCELED": "canceled", "RESCHEDULED": "rescheduled"}
    return endings.get(row["hs_meeting_outcome"], "pending")


def _lead_time_ms(row: Row) -> int:
    """From booking to start, negative where the meeting was entered afterwards (8b)."""
    start = meeting_at(row)
    return 0 if start is None else duration_ms(created_at(row), start)


# --- 8c calls -------------------------------------------------------------------------------------


def rpt_prospecting_calls(crm: Crm) -> list[Row]:
    """One row per local day and owner: outgoing calls; one without direction is none (8c)."""
    if not crm.is_available("calls"):  # K11
        return []
    connected = {CONNECTED, *crm.settings.connected_outcomes}  # K15
    calls = [
        {
            "activity_date": crm.day(row["hs_timestamp"]),
            **crm.owner(row["hubspot_owner_id"]).columns,
            "call_count": 1,
            "connected_count": int(row["hs_call_disposition"] in connected),
            "timed_call_count": int(row["hs_call_duration"] is not None),
            "talk_time_ms": row["hs_call_duration"],
        }
        for row in crm.population("calls")
        if row["hs_timestamp"] is not None and row["hs_call_direction"] == "OUTBOUND"
    ]
    rows = group_rows(calls, ("activity_date", *OWNER_COLUMNS), MEASURES["rpt_prospecting_calls"])
    return [row | {"active_day_count": 1} for row in rows]  # also for (Unassigned)


# --- 8d tasks -------------------------------------------------------------------------------------


def rpt_prospecting_tasks(crm: Crm) -> list[Row]:
    """One row per local day of the creation and owner (8d)."""
    if not crm.is_available("tasks"):  # K11
        return []
    tasks = [_task(crm, row) for row in crm.population("tasks") if created_at(row) is not None]
    return group_rows(tasks, ("created_date", *OWNER_COLUMNS), MEASURES["rpt_prospecting_tasks"])


def _task(crm: Crm, row: Row) -> Row:
    completed_at, due_at = task_completed_at(crm, row), row["hs_timestamp"]
    is_timed = completed_at is not None
    return {
        "created_date": crm.day(created_at(row)),
        **crm.owner(row["hubspot_owner_id"]).columns,
        "created_count": 1,
        "completed_count": int(task_status(row) == "COMPLETED"),
        "overdue_count": int(is_overdue(crm, row)),
        "completed_late_count": int(is_timed and due_at is not None and completed_at > due_at),
        "timed_completed_count": int(is_timed),
        "time_to_complete_ms": duration_ms(created_at(row), completed_at) if is_timed else 0,
    }
