"""Report 1, call outcomes: calls made and how they ended."""

from orchestration.reference.crm import OWNER_COLUMNS, Crm, Row, group_rows

GRAIN = ("activity_date", "call_direction", "call_outcome_id", "call_outcome", *OWNER_COLUMNS)
MEASURES = ("call_count", "timed_call_count", "total_duration_ms")


def rpt_call_outcomes(crm: Crm) -> list[Row]:
    """One row per local day of the activity, direction, outcome and owner."""
    return group_rows([_call(crm, row) for row in _dated_calls(crm)], GRAIN, MEASURES)


def _dated_calls(crm: Crm) -> list[Row]:
    """Every call of the population, whatever its status; future-dated ones too (1a)."""
    return [row for row in crm.population("calls") if row["hs_timestamp"] is not None]


def _call(crm: Crm, row: Row) -> Row:
    outcome_id, outcome = crm.call_outcome(row["hs_call_disposition"])
    duration = row["hs_call_duration"]
    return {
        "activity_date": crm.day(row["hs_timestamp"]),
        "call_direction": row["hs_call_direction"] or "(No direction)",  # P18
        "call_outcome_id": outcome_id,
        "call_outcome": outcome,
        **crm.owner(row["hubspot_owner_id"]).columns,
        "call_count": 1,
        "timed_call_count": int(duration is not None),  # 0 ms is a duration
        "total_duration_ms": duration or 0,
    }
