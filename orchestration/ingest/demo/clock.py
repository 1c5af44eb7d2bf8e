"""Time in the demo CRM: the account's calendar, its seasons, and how often something new starts.

Belongs here: instants (integer milliseconds since 1970, UTC) from local days and hours, working days,
and the arrival of numbered things. Local days are proleptic ordinals (`date.toordinal`). Nothing here
reads the clock.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from random import Random
from zoneinfo import ZoneInfo

TIME_ZONE = "America/New_York"
ZONE = ZoneInfo(TIME_ZONE)

# Fixed for good: a start that moved with the end would rewrite the past every night.
OPENED = date(2024, 11, 1).toordinal()
"""The first deals. A fiscal quarter begins here, so that two years of quarters are whole."""
GO_LIVE = date(2024, 12, 2).toordinal()
"""The company moves to this CRM: what it did before is imported, with back-dated create dates."""
RATED_DAYS = 730
"""`size` deals start in this many days; later days go on at the same rate."""

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
_EPOCH = date(1970, 1, 1).toordinal()

# Demand by month: slow summers and Decembers, a strong autumn.
_MONTHS = (1.02, 1.0, 1.08, 1.05, 1.06, 1.0, 0.8, 0.72, 1.14, 1.2, 1.04, 0.66)
_WEEKDAYS = (1.05, 1.1, 1.08, 1.0, 0.8, 0.05, 0.04)
_GROWTH_PER_YEAR = 0.12
# Month and day of the holidays on which nobody sells (those that fall on the same date every year).
_HOLIDAYS = {(1, 1), (7, 4), (12, 24), (12, 25), (12, 31)}


def last_midnight(now: datetime) -> datetime:
    """The last local midnight (UTC instant) of the company: the default end."""
    return datetime.combine(now.astimezone(ZONE).date(), time(), ZONE).astimezone(UTC)


def to_ms(instant: datetime) -> int:
    """Milliseconds since 1970 of an aware datetime, exact."""
    return (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


@lru_cache(None)
def _offset(day: int) -> int:
    noon = datetime.combine(date.fromordinal(day), time(12), ZONE)
    return noon.utcoffset() // timedelta(milliseconds=1)


def at(day: int, hour: float) -> int:
    """The instant of a local day and hour (0 to 24). Hours before a DST switch count as after it."""
    return (day - _EPOCH) * DAY + int(hour * HOUR) - _offset(day)


IMPORTED = at(GO_LIVE, 2)
"""When the records of before GO_LIVE came in, in one import."""


FIRST_END = at(GO_LIVE + 1, 0)
"""The earliest end of the demo: one day after the import."""


def entered(born: int) -> int:
    """Since when a record born at an instant is in this CRM."""
    return max(born, IMPORTED)


def day_of(instant: int) -> int:
    """The local day of an instant (C3)."""
    return datetime.fromtimestamp(instant / 1000, ZONE).toordinal()


def hour_of(instant: int) -> float:
    """Local hour of the day, 0 to 24."""
    local = datetime.fromtimestamp(instant / 1000, ZONE)
    return local.hour + local.minute / 60 + local.second / 3600


def iso(instant: int) -> str:
    """The instant as HubSpot writes it in property values: ISO 8601 with milliseconds and Z."""
    text = datetime.fromtimestamp(instant // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{instant % 1000:03d}Z"


def weekday(day: int) -> int:
    """0 = Monday."""
    return (day + 6) % 7


def month_start(day: int, months: int = 0) -> int:
    """First day of the month of `day`, or of the month so many months later."""
    local = date.fromordinal(day)
    index = local.year * 12 + local.month - 1 + months
    return date(index // 12, index % 12 + 1, 1).toordinal()


def month_end(day: int) -> int:
    """Last day of the month of `day`."""
    return month_start(day, 1) - 1


def quarter_end(day: int) -> int:
    """Last day of the fiscal quarter of `day` (the fiscal year starts in February)."""
    return month_start(day, 3 - (date.fromordinal(day).month - 2) % 3) - 1


@lru_cache(None)
def is_workday(day: int) -> bool:
    local = date.fromordinal(day)
    thanksgiving = local.month == 11 and local.weekday() in (3, 4) and 22 <= local.day <= 29
    return local.weekday() < 5 and (local.month, local.day) not in _HOLIDAYS and not thanksgiving


@lru_cache(None)
def demand(day: int) -> float:
    """How much new business a day brings, relative to an average working day of the first year."""
    local = date.fromordinal(day)
    closed = local.weekday() < 5 and not is_workday(day)
    growth = 1 + _GROWTH_PER_YEAR * (day - OPENED) / 365
    return _MONTHS[local.month - 1] * _WEEKDAYS[local.weekday()] * growth * (0.1 if closed else 1)


@lru_cache(None)
def _demand_until(day: int) -> tuple[float, ...]:
    """Cumulative demand from OPENED to the end of each day before `day`."""
    total, sums = 0.0, []
    for each in range(OPENED, day):
        total += demand(each)
        sums.append(total)
    return tuple(sums)


def arrivals(key: str, per_two_years: float, last_day: int) -> Iterator[tuple[int, int]]:
    """(number, day) of everything of a kind that starts up to and including `last_day`, in order.

    `per_two_years` things start in the first RATED_DAYS, more on days with more demand. Whether and
    when a number starts depends on the key and the number alone, never on `last_day`.
    """
    rated = _demand_until(OPENED + RATED_DAYS)[-1]
    sums = _demand_until(last_day + 1)
    number = 0
    while sums:
        due = (number + Random(f"{key}:{number}").random()) * rated / per_two_years
        if due >= sums[-1]:
            return
        yield number, OPENED + bisect_left(sums, due)
        number += 1


def business_hour(rng: Random) -> float:
    """An hour at which people work: mornings most, a few in the evening."""
    if rng.random() < 0.05:
        return rng.uniform(18.5, 23.4)
    return rng.triangular(7.8, 18.4, 10.6)


def working(rng: Random, instant: int) -> int:
    """The instant itself if people work then, else a time on the next working morning."""
    day, hour = day_of(instant), hour_of(instant)
    if is_workday(day) and 8 <= hour < 18.5:
        return instant
    if not is_workday(day) or hour >= 18.5:
        day += 1
        while not is_workday(day):
            day += 1
    return at(day, rng.triangular(8, 11, 8.6))


def later(rng: Random, instant: int, days: float) -> int:
    """A working instant some days later, at least half a minute after `instant`."""
    day = day_of(instant + int(days * DAY))
    while not is_workday(day):
        day += 1
    when = at(day, business_hour(rng))
    if when > instant + 30 * SECOND:
        return when
    return instant + 30 * SECOND + int(rng.random() * HOUR)


@lru_cache(None)
def switches_near(day: int, days: int) -> tuple[int, ...]:
    """The local days, at most so many days away, on which the clocks change."""
    near = range(day - days, day + days + 1)
    return tuple(each for each in near if _offset(each) != _offset(each - 1))
