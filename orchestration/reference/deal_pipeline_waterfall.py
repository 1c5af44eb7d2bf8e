"""Report 14, deal pipeline waterfall: why the open pipeline of a close-date period changed."""

from datetime import date, datetime, timedelta
from decimal import Decimal

from orchestration.reference.crm import DEAL_COLUMNS, Crm, Deal, Row, State, group_rows

PERIOD_GRAINS = ("month", "quarter", "year")
GRAIN = ("period_grain", "period_start", "category", *DEAL_COLUMNS)
MEASURES = ("deal_count", "amount")
EXITS = {"decreased", "pushed", "lost", "won", "moved_out", "removed"}  # 14c: these carry minus


def rpt_deal_pipeline_waterfall(crm: Crm) -> list[Row]:
    """One row per standard period, category, owner and pipeline."""
    return group_rows(rpt_deal_pipeline_waterfall_deals(crm), GRAIN, MEASURES)


def rpt_deal_pipeline_waterfall_deals(crm: Crm) -> list[Row]:
    """One row per standard period, deal and category, change period = close period (14b)."""
    return [
        {"period_grain": grain, "period_start": start} | row
        for grain in PERIOD_GRAINS
        for start, end in standard_periods(crm, grain)
        for row in waterfall(crm, crm.midnight(start), min(crm.midnight(end), crm.run_ts), start, end)
    ]


def standard_periods(crm: Crm, grain: str) -> list[tuple[date, date]]:
    """Periods [start, end) from the first creation on that do not begin after run_ts (14b)."""
    first = min((deal.created_date for deal in crm.historic_deals), default=None)
    periods = []
    start = first and crm.period_start(grain, first)
    while start is not None and crm.midnight(start) <= crm.run_ts:
        end = crm.period_end(grain, start)
        periods.append((start, end))
        start = end
    return periods


def waterfall(crm: Crm, begin: datetime, end: datetime, close_from: date, close_to: date) -> list[Row]:
    """The balance of change period C = [begin, end) over close period P = [close_from, close_to).

    One row per deal and category: `amount` signed as it enters the balance, `deal_count` 1,
    `sub_type` for pushed and pulled. `end` must not be after run_ts (K12).
    """
    period = (close_from, close_to)
    return [
        {
            "deal_id": deal.id,
            "category": category,
            "sub_type": sub_type,
            **deal.filter_columns,
            "deal_count": 1,
            "amount": -amount if category in EXITS else amount,
        }
        for deal in crm.historic_deals
        if deal.exists_at(end)
        for category, sub_type, amount in _lines(deal, begin, end, period)
    ]


Line = tuple[str, str | None, Decimal]


def _lines(deal: Deal, begin: datetime, end: datetime, period: tuple[date, date]) -> list[Line]:
    """(category, sub_type, unsigned amount) of one deal: first rule that fits."""
    in_at_begin = in_window_at(deal, begin, period)
    in_at_end = in_window_at(deal, end, period)
    a0, a1 = _amount(deal.state_at(begin)), _amount(deal.state_at(end))
    entry = _entry_bucket(deal, begin, period)

    def entered_with(amount: Decimal) -> list[Line]:
        return _net_change(a0, amount) if in_at_begin else [(*entry, amount)]

    lines: list[Line] = [("begin", None, a0)] if in_at_begin else []
    if in_at_end:  # rules 1 and 2
        return [*lines, *entered_with(a1), ("end", None, a1)]
    outcome = deal.state_at(end).status
    if _is_closed_in(deal, begin, end, period):  # rule 3
        return [*lines, *entered_with(a1), (outcome, None, a1)]
    if outcome != "open" and outcome == _status_at(deal, begin):  # rule 4
        return lines
    left_at = _last_exit(deal, begin, end, period)
    if left_at is not None:  # rule 5
        ax = _amount(deal.state_at(left_at))  # 14d: strict
        return [*lines, *entered_with(ax), ("pushed", _pushed_sub_type(deal, end, period), ax)]
    return lines  # rule 6


def _amount(state: State) -> Decimal:
    return state.company_amount or Decimal(0)  # C5: NULL is 0 in sums


def _status_at(deal: Deal, t: datetime) -> str | None:
    """Status as of t; None = did not exist."""
    return deal.state_at(t).status if deal.exists_at(t) else None


def _net_change(before: Decimal, after: Decimal) -> list[Line]:
    """Increased or decreased; no row without a net change (14c)."""
    if after == before:
        return []
    return [("increased" if after > before else "decreased", None, abs(after - before))]


# --- the window -----------------------------------------------------------------------------------


def in_window_at(deal: Deal, t: datetime, period: tuple[date, date]) -> bool:
    """W(d, t): exists, open, and effective close day in P, as of t."""
    return deal.exists_at(t) and _is_due(deal, deal.state_at(t), t, period)


def _in_window_after(deal: Deal, t: datetime, period: tuple[date, date]) -> bool:
    """W just after t, judged with day(t) (H14)."""
    return deal.created_at <= t and _is_due(deal, deal.state_after(t), t, period)


def _is_due(deal: Deal, state: State, t: datetime, period: tuple[date, date]) -> bool:
    """Open, not lapsed on day(t), and closing in P."""
    day = state.close_date
    return (
        state.status == "open" and day is not None and day >= deal.crm.day(t) and period[0] <= day < period[1]
    )


def _is_closed_in(deal: Deal, begin: datetime, end: datetime, period: tuple[date, date]) -> bool:
    """Closed at E, by a change in C on a day in P, and with another outcome (or none) at B."""
    changed_at = deal.outcome_changed_at(end)
    return (
        changed_at is not None
        and changed_at >= begin
        and period[0] <= deal.crm.day(changed_at) < period[1]
        and _status_at(deal, begin) != deal.state_at(end).status
    )


def _last_exit(deal: Deal, begin: datetime, end: datetime, period: tuple[date, date]) -> datetime | None:
    """The last instant at which the deal left the window, from B to E; None if it never did.

    Tested just after creation, after every version in C and at the midnight after each close day,
    where a deal lapses without an edit; that midnight may be E itself (14d).
    """
    crm = deal.crm
    close_days = {crm.day(v.value) for v in deal.raw_versions("closedate")}
    close_days |= {crm.day(deal.first_value("closedate"))}
    lapses = {crm.midnight(day + timedelta(days=1)) for day in close_days - {None}}
    instants = {t for t in (*deal.change_instants, *lapses) if begin <= t < end}
    inside, left_at = in_window_at(deal, begin, period), None
    for t in sorted(instants):
        was_inside, inside = inside, _in_window_after(deal, t, period)
        if was_inside and not inside:
            left_at = t
    if inside and not in_window_at(deal, end, period):
        left_at = end
    return left_at


# --- names ----------------------------------------------------------------------------------------


def _entry_bucket(deal: Deal, begin: datetime, period: tuple[date, date]) -> tuple[str, str | None]:
    """(category, sub_type) under which a deal that was not in the window at B comes in."""
    if not deal.exists_at(begin):
        return "created", None
    state = deal.state_at(begin)
    if state.status != "open":
        return "reopened", None
    if state.close_date is None:
        return "pulled", "no_close_date"
    if state.close_date < deal.crm.day(begin):
        return "pulled", "redated_after_lapse"
    return "pulled", "from_later" if state.close_date >= period[1] else "from_earlier"


def _pushed_sub_type(deal: Deal, end: datetime, period: tuple[date, date]) -> str:
    """By the state at E (14e)."""
    state = deal.state_at(end)
    if state.status != "open":
        return "closed_outside"
    if state.close_date is None:
        return "cleared"
    if state.close_date >= period[1]:
        return "later"
    return "earlier" if state.close_date < period[0] else "lapsed"
