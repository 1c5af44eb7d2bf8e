"""Date ranges as a person chooses them: HubSpot's presets, or two days.

Belongs here: what "this quarter" or "last 30 days" is on a given day, with the account's week and
fiscal year (C2, K12). Today is the local day of the build's `run_ts`, never the clock's: a build shows
the same numbers whenever it is looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

ROLLING_DAYS = (7, 14, 30, 60, 90, 180, 365)
PRESETS: Mapping[str, str] = {
    "today": "Today",
    "yesterday": "Yesterday",
    "this_week": "This week",
    "last_week": "Last week",
    "this_month": "This month",
    "last_month": "Last month",
    "next_month": "Next month",
    "this_quarter": "This quarter",
    "last_quarter": "Last quarter",
    "next_quarter": "Next quarter",
    "this_year": "This year",
    "last_year": "Last year",
    "this_fiscal_quarter": "This fiscal quarter",
    "last_fiscal_quarter": "Last fiscal quarter",
    "next_fiscal_quarter": "Next fiscal quarter",
    "this_fiscal_year": "This fiscal year",
    "last_fiscal_year": "Last fiscal year",
    **{f"last_{days}_days": f"Last {days} days" for days in ROLLING_DAYS},
}
# A range beyond these is a slip of the keyboard, and its days would be too many buckets.
FIRST_DAY, LAST_DAY = date(1990, 1, 1), date(2100, 1, 1)
_SHIFTS = {"last": -1, "this": 0, "next": 1}
_MONTHS = {"month": 1, "quarter": 3, "year": 12, "fiscal_quarter": 3, "fiscal_year": 12}


@dataclass(frozen=True)
class Calendar:
    """What the account's presets depend on."""

    today: date
    week_starts_on: str = "monday"
    fiscal_year_start_month: int = 1


@dataclass(frozen=True)
class Period:
    """A preset, or the half-open range [date_from, date_to) of local days."""

    preset: str | None = None
    date_from: date | None = None
    date_to: date | None = None

    def __post_init__(self) -> None:
        """Raises ValueError, with words for the reader, for what is no period."""
        if self.preset is not None:
            if self.preset not in PRESETS:
                raise ValueError(f"“{self.preset}” is no period; choose from {', '.join(PRESETS)}")
        elif self.date_from is None or self.date_to is None:
            raise ValueError("a range of dates needs its first day and the day after its last")
        elif self.date_to < self.date_from:
            raise ValueError("the range of dates ends before it begins")
        elif self.date_from < FIRST_DAY or self.date_to > LAST_DAY:
            raise ValueError(f"dates must lie between {FIRST_DAY} and {LAST_DAY}")

    def days(self, calendar: Calendar) -> tuple[date, date]:
        """The half-open range of local days that it is on the calendar's day."""
        if self.preset is None:
            return self.date_from, self.date_to
        return _preset_days(self.preset, calendar)

    def words(self, calendar: Calendar) -> str:
        """For the reader: the preset's name and the first and last day."""
        first, end = self.days(calendar)
        last = max(first, end - timedelta(days=1))
        name = f"{PRESETS[self.preset]}: " if self.preset else ""
        return f"{name}{spoken(first)}" + (f" – {spoken(last)}" if last != first else "")


def spoken(day: date) -> str:
    """A day as a person writes it, such as 3 Feb 2026."""
    return f"{day.day} {day:%b %Y}"


def _preset_days(preset: str, calendar: Calendar) -> tuple[date, date]:
    today, tomorrow = calendar.today, calendar.today + timedelta(days=1)
    if preset == "today":
        return today, tomorrow
    if preset == "yesterday":
        return today - timedelta(days=1), today
    which, unit = preset.split("_", 1)
    if unit.endswith("_days"):
        # That many whole days and today so far (C2).
        return today - timedelta(days=int(unit.removesuffix("_days"))), tomorrow
    shift = _SHIFTS[which]
    if unit == "week":
        offset = 1 if calendar.week_starts_on == "sunday" else 0
        first = today - timedelta(days=(today.weekday() + offset) % 7) + timedelta(weeks=shift)
        return first, first + timedelta(weeks=1)
    months = _MONTHS[unit]
    start_month = calendar.fiscal_year_start_month if unit.startswith("fiscal") else 1
    current = today.year * 12 + today.month - start_month
    begin = (current // months + shift) * months + start_month - 1
    return _month(begin), _month(begin + months)


def _month(number: int) -> date:
    """First day of the month that is this many months after January of year 0."""
    return date(number // 12, number % 12 + 1, 1)
