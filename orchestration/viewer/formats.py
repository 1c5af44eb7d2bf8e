"""How values and headings are written: units, currency, durations, words.

Belongs here: what kind of value a column holds (by its name, `models/overview.md`), its text for people,
the same text as an expression for Vega, headings in words, and the table's column settings. The numbers
themselves come from report functions and are not changed here.

Undefined is "–" everywhere: an average of nothing is not 0.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pandas
import streamlit
from babel.numbers import get_currency_symbol
from pandas.io.formats.style import Styler

UNDEFINED = "–"
SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
"""Milliseconds of each."""

NUMERIC = {"count", "money", "money_per_day", "percent", "duration", "days", "number"}
_KINDS = (
    (r"^(is|has)_|^differs_", "flag"),
    (r"_ids?$", "id"),
    (r"_at$", "instant"),
    (r"_date$|^bucket_start$|^period_(start|end)$", "date"),
    (r"^(previous_)?velocity", "money_per_day"),
    (r"_rate(_amount)?$|_share$|_probability$", "percent"),
    (r"^(average|median|p90)_days|_days$|_days_to_\w+$", "days"),
    (r"_ms$", "duration"),
    (r"_pushes$|_per_active_day$", "number"),
    (r"(^|_)amount$", "money"),
    (r"_count$|_position$|^depth$", "count"),
)
_HEADINGS = {
    "group_label": "Group",
    "bucket_start": "Period",
    "actual_amount": "Won amount",
    "amount_share": "Share of amount",
    "assignee_kind": "Goal of",
    "attainment_rate": "Attainment",
    "average_call_duration_ms": "Average duration",
    "average_duration_ms": "Average duration",
    "call_outcome": "Outcome",
    "call_share": "Share of calls",
    "contact_count": "Contacts",
    "cumulative_actual_amount": "Won amount so far",
    "cumulative_rate": "Share of all",
    "cumulative_target_amount": "Target so far",
    "current_here_count": "In this stage now",
    "days_to_close_ms": "Days to close in all",
    "days_to_win_ms": "Days to win in all",
    "deal_before_contact_count": "Deal before contact",
    "deal_with_amount_count": "Deals with amount",
    "deal_share": "Share of deals",
    "delta_amount": "Change of amount",
    "delta_days": "Moved by",
    "distinct_contact_count": "Different contacts",
    "elapsed_share": "Time elapsed",
    "expected_amount": "Expected by now",
    "frame_date": "Close date that decides",
    "gap_amount": "Missing",
    "is_inside": "Inside the period",
    "lead_count": "Contacts",
    "lead_time_ms": "Lead time in all",
    "loss_reason": "Reason",
    "lost_here_count": "Lost here",
    "meeting_booked_count": "Meetings booked",
    "meeting_share": "Share of meetings",
    "next_reached_count": "Reached the next stage",
    "next_step_rate": "To the next stage",
    "occurred_at": "Time",
    "open_here_count": "Open here",
    "p90_days_to_close": "90% closed within",
    "p90_response_time_ms": "90% answered within",
    "past_without_outcome_count": "Past without outcome",
    "response_business_ms": "Response time in business hours",
    "skipped_at_creation_count": "Skipped at creation",
    "stage_label": "Stage",
    "stage_probability": "Probability",
    "still_here_count": "Still here",
    "still_in_stage_count": "Still in stage",
    "strict_count": "Passed every stage",
    "target_amount": "Target",
    "time_in_stage_count": "Deals with time in stage",
    "time_in_stage_ms": "Time in stage in all",
    "time_to_complete_ms": "Time to complete in all",
    "time_to_deal_count": "Contacts with time to deal",
    "time_to_deal_ms": "Time to deal in all",
    "time_to_first_engagement_count": "Contacts with time to first engagement",
    "time_to_first_engagement_ms": "Time to first engagement in all",
    "time_to_next_count": "Contacts with time to next",
    "time_to_next_ms": "Time to next in all",
    "time_to_win_count": "Contacts with time to win",
    "time_to_win_ms": "Time to win in all",
    "timed_call_count": "Calls with duration",
    "timed_completed_count": "Completed with time",
    "timed_push_count": "Pushes with days",
    "unengaged_count": "Not engaged",
    "valid_won_count": "Won with days to win",
    "velocity": "Sales velocity",
    "velocity_observed": "Observed velocity",
    "via_close_count": "Pushed by closing",
    "win_rate_amount": "Win rate by amount",
    "with_deal_count": "With deal",
    "within_5m_rate": "Within 5 min",
    "within_1h_rate": "Within 1 h",
    "within_24h_rate": "Within 24 h",
    "won_with_amount_count": "Won with amount",
}
_GROUPS = {"none": "All", "owner": "Owner", "team": "Team", "changed_by": "Changed by"}
# What is counted: the plural stands alone, "Deals" rather than "Deal".
_COUNTED = {
    *("activity", "call", "change", "chat", "conflict", "contact", "deal", "enrollment", "meeting"),
    *("opportunity", "push", "row", "task", "visit", "email_sent", "active_day"),
}
_PLURALS = {
    "activity": "activities",
    "opportunity": "opportunities",
    "push": "pushes",
    "email_sent": "e-mails sent",
}
# Columns that hold HubSpot's or our own code words, not names that somebody chose.
CODED = {
    *("activity_type", "assignee_kind", "call_direction", "category", "channel", "deal_status", "direction"),
    *("first_engagement_description", "first_engagement_type", "forecast_category", "meeting_outcome"),
    *("amount_band", "milestone", "outcome", "source", "source_type", "task_status", "severity", "issue"),
}
_WORDS = {
    "begin": "At the beginning",
    "end": "At the end",
    "created": "Created",
    "pulled": "Pulled in",
    "pushed": "Pushed out",
    "increased": "Amount increased",
    "decreased": "Amount decreased",
    "auto_close_date": "Close date set on closing",
    "lapsed": "Close date passed",
    "none": "No amount",
    "email": "E-mail",
    "omit": "Omitted",
}
_ACRONYMS = {"ai": "AI", "api": "API", "crm": "CRM", "ui": "UI", "sms": "SMS"}
MAX_STYLED_CELLS = 150_000
"""Beyond it a table is shown without texts of its own: they would take longer than the report."""


def kind(column: str) -> str:
    """What a column's values are, by its name: one of NUMERIC, `date`, `instant`, `flag`, `id`, `text`."""
    return next((found for pattern, found in _KINDS if re.search(pattern, column)), "text")


def text(value: Any, value_kind: str, currency: str | None = None) -> str:
    """A value as people read it; "–" for None and NaN.

    `value_kind` as `kind` tells it: durations are in milliseconds, percentages 0 to 1, money in
    `currency`, days as days.
    """
    if is_undefined(value):
        return UNDEFINED
    match value_kind:
        case "money":
            return _money(value, 2, currency)
        case "money_per_day":
            return f"{_money(value, 0, currency)} per day"
        case "percent":
            return f"{_fixed(Decimal(str(value)) * 100, 1)}%"
        case "duration":
            return duration(value)
        case "days":
            return f"{_short(value)} d"
        case "count":
            return _fixed(value, 0)
        case "number":
            return _fixed(value, 2)
        case "flag":
            return "Yes" if value else "No"
        case "date":
            return f"{value:%-d %b %Y}"
        case "instant":
            return f"{value:%-d %b %Y %H:%M}"
    return str(value)


def duration(milliseconds: float) -> str:
    """A length of time in the unit that people would use: 45 s, 5 min, 3.2 h, 4 d."""
    size = abs(milliseconds)
    if size < MINUTE:
        return f"{_fixed(milliseconds / SECOND, 0)} s"
    if size < HOUR:
        return f"{_fixed(milliseconds / MINUTE, 0)} min"
    if size < 2 * DAY:
        return f"{_short(milliseconds / HOUR)} h"
    return f"{_short(milliseconds / DAY)} d"


def expression(field: str, value_kind: str, currency: str | None = None, *, compact: bool = True) -> str:
    """The text of a datum's field as an expression of Vega's; the same text as `text` where not compact."""
    value = f"datum[{field!r}]"
    symbol = _symbol(currency)
    sign = f"(({value}) < 0 ? '-' : '') + {symbol!r} + "
    size = f"abs({value})"
    short = "(abs({0}) < 10 ? replace(format({0}, ',.1f'), '.0', '') : format({0}, ',.0f'))"
    prefixed = f"replace(format({size}, {size} < 1000 ? ',.3~r' : '.3~s'), 'G', 'B')"
    match value_kind:
        case "money":
            written = sign + (prefixed if compact else f"format({size}, ',.2f')")
        case "money_per_day":
            written = sign + (prefixed if compact else f"format({size}, ',.0f') + ' per day'")
        case "percent":
            written = f"format({value}, ',.1%')" if not compact else f"format({value}, ',.0%')"
        case "duration":
            units = [(MINUTE, SECOND, "s"), (HOUR, MINUTE, "min"), (2 * DAY, HOUR, "h")]
            written = short.format(f"({value} / {DAY})") + " + ' d'"
            for limit, unit, name in reversed(units):
                number = f"({value} / {unit})"
                number = short.format(number) if name == "h" else f"format({number}, ',.0f')"
                written = f"({size} < {limit} ? {number} + ' {name}' : {written})"
        case "days":
            written = short.format(value) + " + ' d'"
        case "count":
            written = f"replace(format({value}, '.3~s'), 'G', 'B')" if compact else f"format({value}, ',.0f')"
            written = f"({size} < 10000 ? format({value}, ',.0f') : {written})"
        case "number":
            written = f"format({value}, ',.2f')"
        case _:
            written = f"'' + {value}"
    # Vega's format writes a minus of its own kind, and takes null for 0.
    return f"(isValid({value}) && !isNaN({value}) ? replace({written}, '−', '-') : {UNDEFINED!r})"


def heading(column: str, group_by: str | None = None) -> str:
    """A column's name in words, such as "Median response time" for `median_response_time_ms`."""
    if column == "group_label" and group_by:
        return _GROUPS.get(group_by) or heading(group_by)
    if column.startswith("previous_"):
        return f"{heading(column.removeprefix('previous_'))} before"
    if column in _HEADINGS:
        return _HEADINGS[column]
    if kind(column) == "count":
        stem = column.removesuffix("_count")
        name = _PLURALS.get(stem, f"{stem}s") if stem in _COUNTED else stem
        return _sentence(name)
    stem = re.sub(r"_(ms|at|label|name)$|^(is|has)_", "", column)
    stem = re.sub(r"^total_amount$", "amount", stem)
    return _sentence(stem)


def words(value: Any, column: str) -> str:
    """A category as people read it: code words of `CODED` columns in words, chosen names as they are."""
    if is_undefined(value):
        return UNDEFINED
    if column == "is_inside":
        return "Inside the period" if value else "Outside the period"
    written = str(value)
    if column not in CODED:
        return written
    if written in _WORDS or written.lower() in _WORDS:
        return _WORDS.get(written) or _WORDS[written.lower()]
    if re.fullmatch(r"[A-Z0-9_ –-]+|[a-z0-9_]+", written):
        return _sentence(written.lower())
    return written


@dataclass(frozen=True)
class Table:
    """What `streamlit.dataframe` takes: data, `column_config`, `column_order`."""

    data: pandas.DataFrame | Styler
    config: Mapping[str, Any]
    order: list[str]


def table(
    rows: pandas.DataFrame,
    *,
    currency: str | None,
    group_by: str | None = None,
    descriptions: Mapping[str, str] | None = None,
    hidden: Collection[str] = (),
    kept: Collection[str] = (),
) -> Table:
    """Rows as a table for people: headings, formats and order; ids and helper columns are left out.

    `hidden` are left out too, `kept` are shown whatever they are: the ids of records.

    Sorting keeps to the values, not to their texts. `descriptions` (by column) become the headings'
    help. A group that is all rows, and flags that say nothing in any row, are not shown either.
    """
    order = [
        column
        for column in rows.columns
        if column in kept or (column not in hidden and _is_shown(rows, column))
    ]
    descriptions = descriptions or {}
    config = {}
    for column in order:
        make = streamlit.column_config.Column
        if kind(column) in NUMERIC and pandas.api.types.is_numeric_dtype(_numbers(rows[column])):
            make = streamlit.column_config.NumberColumn
        config[column] = make(
            heading(column, group_by),
            help=descriptions.get(column),
            pinned=column in ("group_label", "bucket_start") or None,
        )
    shown = rows[order].copy()
    for column in order:
        if kind(column) in NUMERIC:
            shown[column] = _numbers(shown[column])
        elif column in CODED:
            shown[column] = [words(value, column) for value in shown[column]]
    if shown.size > MAX_STYLED_CELLS:
        return Table(shown, config, order)
    texts = {column: _writer(kind(column), currency) for column in order}
    return Table(shown.style.format(texts, na_rep=UNDEFINED), config, order)


def _writer(value_kind: str, currency: str | None):
    return lambda value: text(value, value_kind, currency)


def _numbers(values: pandas.Series) -> pandas.Series:
    """Decimals as floats, which tables sort and align; other values as they are."""
    if values.dtype == object or "decimal" in str(values.dtype):
        return pandas.to_numeric(values.astype("float64", errors="ignore"), errors="coerce")
    return values


def _is_shown(rows: pandas.DataFrame, column: str) -> bool:
    if kind(column) == "id" or column in ("depth", "stage_position", "property"):
        return False
    values = rows[column]
    if column == "group_label":
        return not (len(rows) and (values == "all").all())
    if kind(column) == "flag" and column != "is_inside":
        return bool(values.fillna(False).any())
    return not (kind(column) == "text" and len(rows) and values.isna().all())


def is_undefined(value: Any) -> bool:
    return value is None or value is pandas.NaT or value is pandas.NA or value != value


def _symbol(currency: str | None) -> str:
    """What stands before an amount: "$", "€"; "CHF " where there is no sign."""
    if not currency:
        return ""
    symbol = get_currency_symbol(currency, locale="en_US")
    return f"{symbol}\N{NO-BREAK SPACE}" if symbol[-1].isalpha() else symbol


def _money(value: Any, digits: int, currency: str | None) -> str:
    written = _fixed(abs(value), digits)
    return ("-" if value < 0 else "") + _symbol(currency) + written


def _fixed(value: Any, digits: int) -> str:
    """With that many digits, ties away from zero as in JavaScript."""
    rounded = Decimal(value).quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_UP)
    return f"{rounded if rounded else abs(rounded):,}"


def _short(value: float) -> str:
    """One digit below 10, none above; "4", not "4.0"."""
    return _fixed(value, 1).removesuffix(".0") if abs(value) < 10 else _fixed(value, 0)


def _sentence(name: str) -> str:
    parts = [_ACRONYMS.get(word, word) for word in name.replace("_", " ").split()]
    written = " ".join(parts)
    return written[:1].upper() + written[1:]
