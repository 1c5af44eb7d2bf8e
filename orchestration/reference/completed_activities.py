"""Report 3, completed activities: what reps finished."""

from orchestration.reference.activities import ACTIVITY_TABLES, done_at, is_any_available
from orchestration.reference.crm import OWNER_COLUMNS, Crm, Row, group_rows

GRAIN = ("completed_date", "activity_type", *OWNER_COLUMNS)
MEASURES = ("activity_count",)


def rpt_completed_activities(crm: Crm) -> list[Row]:
    """One row per local day of completion, type and owner."""
    if not is_any_available(crm):  # K11
        return []
    activities = [
        {
            "completed_date": crm.day(completed_at),
            "activity_type": activity_type,
            **crm.owner(row["hubspot_owner_id"]).columns,
            "activity_count": 1,
        }
        for activity_type, table in ACTIVITY_TABLES.items()
        for row in crm.population(table)
        for completed_at in [done_at(crm, activity_type, row)]
        if completed_at is not None
    ]
    return group_rows(activities, GRAIN, MEASURES)
