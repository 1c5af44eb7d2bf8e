"""Report 7, meeting outcomes: meetings and how they ended."""

from orchestration.reference.activities import NO_TYPE, is_held, meeting_at
from orchestration.reference.crm import NONE_ID, OWNER_COLUMNS, Crm, Row, group_rows

GRAIN = ("start_date", "meeting_outcome_id", "meeting_outcome", "meeting_type", *OWNER_COLUMNS)
MEASURES = (
    "meeting_count",
    "completed_count",
    "no_show_count",
    "canceled_count",
    "past_without_outcome_count",
)


def rpt_meeting_outcomes(crm: Crm) -> list[Row]:
    """One row per local day of the start, outcome, type and owner."""
    if not crm.is_available("meetings"):  # K11
        return []
    meetings = [row for row in crm.population("meetings") if meeting_at(row) is not None]
    return group_rows([_meeting(crm, row) for row in meetings], GRAIN, MEASURES)


def _meeting(crm: Crm, row: Row) -> Row:
    outcome, start = row["hs_meeting_outcome"], meeting_at(row)
    is_without_outcome = outcome in (None, "SCHEDULED")  # 7a
    return {
        "start_date": crm.day(start),
        "meeting_outcome_id": outcome or NONE_ID,
        "meeting_outcome": outcome or "(No outcome)",
        "meeting_type": row["hs_activity_type"] or NO_TYPE,
        **crm.owner(row["hubspot_owner_id"]).columns,
        "meeting_count": 1,
        "completed_count": int(is_held(crm, row)),
        "no_show_count": int(outcome == "NO_SHOW"),
        "canceled_count": int(outcome == "CANCELED"),
        "past_without_outcome_count": int(is_without_outcome and start < crm.run_ts),
    }
