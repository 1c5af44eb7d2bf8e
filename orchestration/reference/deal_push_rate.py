"""Report 15, deal push rate: close dates moved from inside a time frame to after it."""

from datetime import date, datetime

from orchestration.reference.crm import (
    DEAL_COLUMNS,
    STAGE_COLUMNS,
    Crm,
    Deal,
    Row,
    group_rows,
)
from orchestration.reference.deal_change_history import is_auto_close_date

PERIOD_GRAINS = ("month", "quarter", "year")
GRAIN = ("period_grain", "period_start", *STAGE_COLUMNS, *DEAL_COLUMNS)
MEASURES = (
    "eligible_count",
    "pushed_count",
    "returned_count",
    "pulled_out_count",
    "via_close_count",
    "push_count",
    "timed_push_count",
    "pushed_days",
    "pushed_amount",
)
Step = tuple[date | None, date | None, datetime]  # old close day, new close day, when


def rpt_deal_push_rate(crm: Crm) -> list[Row]:
    """One row per standard period with an eligible deal, stage, owner and pipeline (15a)."""
    rows = [
        {"period_grain": grain, "period_start": start} | row
        for grain in PERIOD_GRAINS
        for start in _periods(crm, grain)
        for row in push_rate(crm, start, crm.period_end(grain, start))
    ]
    return group_rows(rows, GRAIN, MEASURES)


def _periods(crm: Crm, grain: str) -> list[date]:
    """Starts of all periods of the calendar that hold a close day of some deal, future ones too (15a)."""
    days = {day for deal in crm.historic_deals for day in close_days(deal)} - {None}
    return sorted({crm.period_start(grain, day) for day in days if crm.first_day <= day <= crm.last_day})


def push_rate(crm: Crm, frame_from: date, frame_to: date) -> list[Row]:
    """What each eligible deal adds for the time frame F = [frame_from, frame_to)."""
    rows = []
    for deal in crm.historic_deals:
        days = close_days(deal)
        if not any(_inside(day, frame_from, frame_to) for day in days):
            continue
        leaving = [step for step in _steps(deal) if _inside(step[0], frame_from, frame_to)]
        pushes = [step for step in leaving if step[1] is None or step[1] >= frame_to]
        timed = [step for step in pushes if step[1] is not None]
        # The stage as of the first push (15c).
        stage = deal.state_at(pushes[0][2]).stage if pushes else deal.stage
        rows.append(
            {
                **stage.columns,
                **deal.filter_columns,
                "eligible_count": 1,
                "pushed_count": int(bool(pushes)),
                "returned_count": int(bool(pushes) and _inside(days[-1], frame_from, frame_to)),
                "pulled_out_count": int(any(new is not None and new < frame_from for _, new, _ in leaving)),
                "via_close_count": int(
                    bool(pushes) and all(is_auto_close_date(deal, at) for _, _, at in pushes)
                ),
                "push_count": len(pushes),
                "timed_push_count": len(timed),
                "pushed_days": sum((new - old).days for old, new, _ in timed),  # 15b
                "pushed_amount": (deal.amount or 0) if pushes else 0,
            }
        )
    return rows


def _inside(day: date | None, frame_from: date, frame_to: date) -> bool:
    return day is not None and frame_from <= day < frame_to


def _steps(deal: Deal) -> list[Step]:
    """Neighbouring close days that differ, oldest first (15a)."""
    day = deal.crm.day
    steps = [(day(old), day(v.value), v.timestamp) for old, v in deal.changes("closedate")]
    return [step for step in steps if step[0] != step[1]]


def close_days(deal: Deal) -> list[date | None]:
    """The close days that the deal ever had, collapsed, the first one by H3, H5 and H8."""
    versions = deal.versions("closedate")
    if versions and deal.is_backfilled("closedate"):
        first = versions[0].value
    else:
        first = deal.first_value("closedate")
    return [deal.crm.day(first), *(new for _, new, _ in _steps(deal))]
