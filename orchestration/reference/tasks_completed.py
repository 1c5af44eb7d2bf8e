"""Report 9, tasks completed: tasks that were created, by their present status."""

from orchestration.reference.activities import created_at, is_overdue, task_status
from orchestration.reference.crm import OWNER_COLUMNS, Crm, Row, group_rows

GRAIN = ("created_date", "task_status", *OWNER_COLUMNS)
MEASURES = ("task_count", "overdue_count")


def rpt_tasks_completed(crm: Crm) -> list[Row]:
    """One row per local day of the creation, present status and owner."""
    if not crm.is_available("tasks"):  # K11
        return []
    tasks = [
        {
            "created_date": crm.day(created_at(row)),
            "task_status": task_status(row),
            **crm.owner(row["hubspot_owner_id"]).columns,
            "task_count": 1,
            "overdue_count": int(is_overdue(crm, row)),
        }
        for row in crm.population("tasks")
        if created_at(row) is not None
    ]
    return group_rows(tasks, GRAIN, MEASURES)
