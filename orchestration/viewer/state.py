"""What is chosen in a report: from and to an address, and as the SQL of the report function.

Belongs here: the one form in which a view of a report travels, in the page's address, in a saved report
and in a dashboard's tile. All choices stand in it by id. What an address says is checked here, against
the report's arguments; only values get into SQL, each as a literal (`sql.py`), and whether an id exists
the report function itself says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any
from urllib.parse import parse_qs, urlencode

from orchestration.viewer.catalog import Argument, Report
from orchestration.viewer.periods import Calendar, Period
from orchestration.viewer.sql import literal

MAX_VALUE_LENGTH = 200
MAX_VALUES = 1_000
_RANGES = {
    "period": ("period", "date_from", "date_to"),
    "close_period": ("close_period", "close_from", "close_to"),
}
Query = Mapping[str, str | Sequence[str]]


class AddressError(ValueError):
    """The address says what the report does not know; the message is for the reader."""


@dataclass(frozen=True)
class ReportState:
    """A report with what is chosen in it."""

    report: str
    period: Period
    close_period: Period | None = None
    """Range of close dates; None leaves it to the report (the period, or all)."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """Arguments whose value is not the viewer's default."""

    @classmethod
    def default(cls, report: Report) -> ReportState:
        """How a report looks before anything is chosen."""
        return cls(report.name, Period(report.default_period))

    @classmethod
    def from_query(cls, report: Report, query: Query | str) -> ReportState:
        """Read an address's query, as a mapping (a list where a key stands several times) or a text.

        Raises AddressError with what is wrong and what there is.
        """
        given = _lists(query)
        state = cls.default(report)
        period = _period(given, "period") or state.period
        close_period = _period(given, "close_period") if report.has_close_period else None
        known = {key: a for key, a in report.arguments.items() if a.kind != "date"}
        if unknown := sorted(given.keys() - known.keys()):
            ranges = _RANGES["period"] + (_RANGES["close_period"] if report.has_close_period else ())
            raise AddressError(
                f"{report.title} has nothing called {', '.join(map(repr, unknown))}; "
                f"there are {', '.join((*ranges, *known))}"
            )
        values = {key: _value(known[key], texts) for key, texts in given.items()}
        return cls(report.name, period, close_period).choose(report, **values)

    def choose(self, report: Report, **values: Any) -> ReportState:
        """The same with other values of arguments; empty lists mean all."""
        chosen = dict(self.arguments)
        for key, value in values.items():
            value = list(value) or None if isinstance(value, list | tuple) else value
            chosen[key] = value
        own = {key: chosen[key] for key in report.arguments if key in chosen}
        different = {key: value for key, value in own.items() if value != report.arguments[key].default}
        return replace(self, arguments=different)

    def value(self, report: Report, argument: str) -> Any:
        """What an argument is, chosen or by default; None for what the report does not have."""
        if argument not in report.arguments:
            return None
        return self.arguments.get(argument, report.arguments[argument].default)

    def values(self, report: Report) -> dict[str, Any]:
        """All arguments but the dates."""
        return {key: self.value(report, key) for key, a in report.arguments.items() if a.kind != "date"}

    def to_query(self, report: Report) -> dict[str, str | list[str]]:
        """The address's query: all that is chosen, by id, so that it shows the same elsewhere."""
        query: dict[str, str | list[str]] = dict(_period_query(self.period, "period"))
        if self.close_period:
            query |= _period_query(self.close_period, "close_period")
        for key, value in self.values(report).items():
            argument = report.arguments[key]
            if value != argument.default or argument.default != argument.function_default:
                query[key] = _texts(value)
        return query

    def query_string(self, report: Report) -> str:
        """The same as the text after the question mark."""
        return urlencode(self.to_query(report), doseq=True)

    def sql(self, report: Report, calendar: Calendar) -> str:
        """The call of the report function, as anyone may run it on the published database."""
        return self._call(report, calendar, report.function, self._given(report))

    def rows_sql(self, report: Report, calendar: Calendar) -> str:
        """The call that gives the single records of a report that is a summary of them (6 and 12)."""
        given = {
            key: value for key, value in self._given(report).items() if key not in ("bucket", "cumulative")
        }
        return self._call(report, calendar, report.rows_function, given | {"group_by": "none"})

    def _given(self, report: Report) -> dict[str, Any]:
        """Arguments that differ from what the function takes by itself."""
        return {
            key: value
            for key, value in self.values(report).items()
            if value != report.arguments[key].function_default
        }

    def _call(
        self, report: Report, calendar: Calendar, function: str | None, given: Mapping[str, Any]
    ) -> str:
        if function is None:
            raise ValueError(f"{report.name} has no such function")
        days = dict(zip(("date_from", "date_to"), self.period.days(calendar), strict=True))
        if self.close_period:
            given = {
                **given,
                **dict(zip(("close_from", "close_to"), self.close_period.days(calendar), strict=True)),
            }
        arguments = [literal(day) for day in days.values()]
        arguments += [f"{key} := {literal(value)}" for key, value in given.items()]
        return f"from reports.{function}({', '.join(arguments)})"


def _lists(query: Query | str) -> dict[str, list[str]]:
    """Values by key; refused where they are no plain texts of a sensible length."""
    if isinstance(query, str):
        query = parse_qs(query.removeprefix("?"), keep_blank_values=True)
    lists = {key: [value] if isinstance(value, str) else list(value) for key, value in query.items()}
    for key, values in lists.items():
        if len(values) > MAX_VALUES or any(len(value) > MAX_VALUE_LENGTH for value in values):
            raise AddressError(f"{key[:MAX_VALUE_LENGTH]!r} is too long")
        if not all(value.isprintable() for value in values):
            raise AddressError(f"{key!r} has letters that cannot be read")
    return lists


def _single(key: str, texts: Sequence[str]) -> str:
    if len(texts) != 1:
        raise AddressError(f"{key} can be given only once")
    return texts[0]


def _period(given: dict[str, list[str]], kind: str) -> Period | None:
    """The period in the query, whose keys are taken out."""
    preset, first, end = (_single(key, given.pop(key)) if key in given else None for key in _RANGES[kind])
    if preset is None and first is None and end is None:
        return None
    if preset is not None and (first or end):
        raise AddressError(f"{kind} is given twice, as {preset!r} and as dates")
    try:
        return Period(preset) if preset is not None else Period(None, _day(first), _day(end))
    except ValueError as error:
        raise AddressError(f"{kind}: {error}") from error


def _period_query(period: Period, kind: str) -> Iterator[tuple[str, str]]:
    preset, first, end = _RANGES[kind]
    if period.preset is not None:
        yield preset, period.preset
    else:
        yield first, period.date_from.isoformat()
        yield end, period.date_to.isoformat()


def _day(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"“{text}” is no day; write for example 2026-07-01") from error


def _value(argument: Argument, texts: Sequence[str]) -> Any:
    """The value of an argument out of an address; blank means NULL."""
    if argument.is_list:
        values = [text for text in dict.fromkeys(texts) if text]
        if wrong := [text for text in values if argument.kind == "each_of" and text not in argument.values]:
            raise AddressError(_not_allowed(argument, wrong[0]))
        return values
    text = _single(argument.name, texts) or None
    if argument.kind == "flag":
        if text not in ("true", "false", None) or (text is None and argument.default is not None):
            raise AddressError(f"{argument.name} must be true or false")
        return None if text is None else text == "true"
    if argument.kind == "one_of" and text not in argument.values:
        raise AddressError(_not_allowed(argument, text))
    return text


def _not_allowed(argument: Argument, value: str | None) -> str:
    allowed = ", ".join(str(value) for value in argument.values if value is not None)
    return f"{argument.name} cannot be {value or 'blank'!r}; choose from {allowed}"


def _texts(value: Any) -> str | list[str]:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case list() | tuple():
            return list(value)
    return str(value)
