"""HubSpot's presets on the days of an account's calendar."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.viewer.periods import PRESETS, Calendar, Period

CALENDARS = st.builds(
    Calendar,
    today=st.dates(date(1999, 1, 1), date(2080, 12, 31)),
    week_starts_on=st.sampled_from(["monday", "sunday", "iso"]),
    fiscal_year_start_month=st.integers(1, 12),
)


@pytest.mark.parametrize(
    ("preset", "first", "end"),
    [
        ("today", "2026-02-14", "2026-02-15"),
        ("yesterday", "2026-02-13", "2026-02-14"),
        ("this_week", "2026-02-08", "2026-02-15"),  # a Saturday, in weeks from Sunday
        ("last_week", "2026-02-01", "2026-02-08"),
        ("this_month", "2026-02-01", "2026-03-01"),
        ("last_month", "2026-01-01", "2026-02-01"),
        ("last_quarter", "2025-10-01", "2026-01-01"),
        ("next_quarter", "2026-04-01", "2026-07-01"),
        ("this_year", "2026-01-01", "2027-01-01"),
        ("this_fiscal_quarter", "2026-02-01", "2026-05-01"),
        ("last_fiscal_quarter", "2025-11-01", "2026-02-01"),
        ("this_fiscal_year", "2026-02-01", "2027-02-01"),
        ("last_fiscal_year", "2025-02-01", "2026-02-01"),
        ("last_30_days", "2026-01-15", "2026-02-15"),  # 30 whole days and today so far (C2)
    ],
)
def test_presets_on_a_day(preset: str, first: str, end: str):
    calendar = Calendar(date(2026, 2, 14), "sunday", 2)
    assert Period(preset).days(calendar) == (date.fromisoformat(first), date.fromisoformat(end))


@given(CALENDARS)
def test_this_and_last_and_next_join_without_a_gap(calendar: Calendar):
    for unit in ("week", "month", "quarter", "year", "fiscal_quarter", "fiscal_year"):
        last, this = (Period(f"{which}_{unit}").days(calendar) for which in ("last", "this"))
        assert last[1] == this[0] <= calendar.today < this[1]
        if f"next_{unit}" in PRESETS:
            assert Period(f"next_{unit}").days(calendar)[0] == this[1]


@given(CALENDARS)
def test_fiscal_quarters_are_a_quarter_of_the_fiscal_year(calendar: Calendar):
    year, quarter = (Period(f"this_fiscal_{unit}").days(calendar) for unit in ("year", "quarter"))
    assert year[0].month == calendar.fiscal_year_start_month
    assert year[0] <= quarter[0] < quarter[1] <= year[1]
    assert (quarter[0].month - year[0].month) % 3 == 0
    assert 89 <= (quarter[1] - quarter[0]).days <= 92


@given(CALENDARS)
def test_calendar_and_fiscal_periods_are_the_same_from_january(calendar: Calendar):
    plain = Calendar(calendar.today, calendar.week_starts_on, 1)
    for which in ("last", "this"):
        for unit in ("quarter", "year"):
            fiscal = Period(f"{which}_fiscal_{unit}").days(plain)
            assert fiscal == Period(f"{which}_{unit}").days(plain)


@given(CALENDARS)
def test_every_preset_is_a_range_and_has_words(calendar: Calendar):
    for preset, name in PRESETS.items():
        first, end = Period(preset).days(calendar)
        assert first < end
        assert Period(preset).words(calendar).startswith(name)


def test_words_name_the_last_day_and_not_the_one_after():
    period = Period(None, date(2026, 3, 1), date(2026, 4, 1))
    assert period.words(Calendar(date(2026, 1, 1))) == "1 Mar 2026 – 31 Mar 2026"
    assert Period("today").words(Calendar(date(2026, 1, 1))) == "Today: 1 Jan 2026"


@pytest.mark.parametrize(
    "given",
    [
        {"preset": "last_5_days"},
        {"date_from": date(2026, 1, 2), "date_to": date(2026, 1, 1)},
        {"date_from": date(2026, 1, 2)},
        {},
        {"date_from": date(1989, 1, 1), "date_to": date(2026, 1, 1)},
        {"date_from": date(2026, 1, 1), "date_to": date(2100, 1, 1) + timedelta(days=1)},
    ],
)
def test_what_is_no_period_is_refused(given: dict):
    with pytest.raises(ValueError, match=r"period|range|dates"):
        Period(**given)
