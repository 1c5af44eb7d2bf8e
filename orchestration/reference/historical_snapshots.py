"""Report 17, historical snapshots: the deals at the end of past days, reconstructed from history.

Stored snapshots (K7) are what earlier runs wrote; this module only reconstructs.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from orchestration.reference.crm import (
    DEAL_COLUMNS,
    STAGE_COLUMNS,
    Crm,
    Deal,
    Row,
    group_rows,
    money,
    probability_of,
)

GRAIN = (
    "snapshot_date",
    *STAGE_COLUMNS,
    "forecast_category",
    "amount_band",
    "deal_status",
    *DEAL_COLUMNS,
)
MEASURES = ("deal_count", "total_amount", "weighted_amount", "unknown_count")
UNKNOWN = "unknown"


def rpt_historical_snapshots(crm: Crm) -> list[Row]:
    """One row per snapshot day, stage, category, band and status at its end, owner and pipeline."""
    rows = [
        row
        for snapshot_date in snapshot_dates(crm)
        for row in snapshot(crm, snapshot_date, as_of_instant(crm, snapshot_date))
    ]
    return group_rows(rows, GRAIN, MEASURES)


def snapshot_dates(crm: Crm) -> list[date]:
    """Every day for a while, then ends of weeks, then ends of months (17a)."""
    first = min((deal.created_date for deal in crm.historic_deals), default=None)
    if first is None:
        return []
    first = max(first, crm.first_day)
    days = [first + timedelta(days=n) for n in range((crm.today - first).days + 1)]
    return [day for day in days if _is_snapshot_date(crm, day)]


def _is_snapshot_date(crm: Crm, day: date) -> bool:
    age = (crm.today - day).days
    tomorrow = day + timedelta(days=1)
    ends_week = crm.period_start("week", tomorrow) == tomorrow
    ends_month = tomorrow.day == 1
    return (
        age < crm.settings.snapshot_daily_days
        or (ends_week and age < crm.settings.snapshot_weekly_days)
        or ends_month
    )


def as_of_instant(crm: Crm, day: date) -> datetime:
    """Local midnight after the day; today: run_ts (17a)."""
    return crm.run_ts if day == crm.today else crm.midnight(day + timedelta(days=1))


def snapshot(crm: Crm, snapshot_date: date, t: datetime) -> list[Row]:
    """One row per deal that exists at t, open or closed (17b)."""
    return [
        {"snapshot_date": snapshot_date, **_deal_at(deal, t)}
        for deal in crm.historic_deals
        if deal.exists_at(t)
    ]


def _deal_at(deal: Deal, t: datetime) -> Row:
    state = deal.state_at(t)
    unknown = {
        name
        for name in ("dealstage", "pipeline", "amount", "hs_manual_forecast_category")
        if deal.is_unknown_at(name, t)
    }
    probability = probability_of(state.stage, _probability_at(deal, t))
    row = {
        **state.stage.columns,
        "forecast_category": state.forecast_category or "(No category)",
        "amount_band": amount_band(state.company_amount, deal.crm.settings.amount_band_edges),
        "deal_status": state.status,
        **deal.owner.columns,  # the present owner (K7)
        "pipeline_id": state.pipeline_id,  # at t (14a)
        "pipeline_label": deal.crm.pipeline_label(state.pipeline_id),
        "deal_count": 1,
        "total_amount": state.company_amount,
        "weighted_amount": money(state.company_amount, probability),
        "unknown_count": 0,
    }
    return row | _unknown_columns(unknown) if unknown else row


def _unknown_columns(unknown: set[str]) -> Row:
    """A deal with a lost value is counted apart; what is lost is called 'unknown' (17c)."""
    columns = {"deal_count": 0, "total_amount": 0, "weighted_amount": 0, "unknown_count": 1}
    if "dealstage" in unknown:
        columns |= {"stage_id": UNKNOWN, "stage_label": "(Unknown)", "deal_status": UNKNOWN}
    if "pipeline" in unknown:
        columns |= {"pipeline_id": UNKNOWN, "pipeline_label": "(Unknown)"}
    if "amount" in unknown:
        columns["amount_band"] = UNKNOWN
    if "hs_manual_forecast_category" in unknown:
        columns["forecast_category"] = UNKNOWN
    return columns


def _probability_at(deal: Deal, t: datetime) -> Decimal | None:
    """The deal's probability at t by its own versions; without any the stage's counts (17d)."""
    if not deal.raw_versions("hs_deal_stage_probability"):
        return None
    return deal.value_at("hs_deal_stage_probability", t)


def amount_band(amount: Decimal | None, edges: Sequence[int]) -> str:
    """Band of a company amount, lower edge inclusive (17b)."""
    if amount is None:
        return "none"
    if amount < 0:
        return "negative"
    lower = [0, *edges]
    for low, high in pairwise(lower):
        if amount < high:
            return f"{_short(low)}-{_short(high)}"
    return f"{_short(lower[-1])}+"


def _short(number: int) -> str:
    return f"{number // 1000}k" if number and number % 1000 == 0 else str(number)
