"""Whose data it is, and the settings of the account: its time zone, currency, fiscal year, weeks.

Belongs here: what beats what (§5), and which values no build can work with (K5a).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from orchestration.settings import WEEK_STARTS, Settings, is_time_zone

NO_PORTAL = "default"  # the portal of a source without an account table


@dataclass(frozen=True)
class Account:
    """What a build goes by; by these names in the account table, and all but the portal in settings."""

    portal_id: str = NO_PORTAL
    time_zone: str = "UTC"
    company_currency: str = "USD"
    fiscal_year_start_month: int = 1
    week_starts_on: str = "monday"


# Fields of an account by the settings of a run that beat them.
_OF_SETTINGS = {
    "time_zone": "time_zone",
    "currency": "company_currency",
    "fiscal_year_start_month": "fiscal_year_start_month",
    "week_starts_on": "week_starts_on",
}


def account_of(
    rows: Sequence[Mapping[str, object]], settings: Settings, portal_id: str | None
) -> tuple[Account, list[str]]:
    """The account that the rows of the account table describe, and what is wrong with it.

    A setting of the run beats the table, and so does the portal that the source itself names.
    """
    fields: dict[str, object] = {}
    for row in rows:
        fields |= {name: value for name, value in row.items() if value not in (None, "")}
    given = {name: getattr(settings, setting) for setting, name in _OF_SETTINGS.items()}
    given["portal_id"] = portal_id
    fields |= {name: value for name, value in given.items() if value is not None}
    if "week_starts_on" in fields:
        fields["week_starts_on"] = str(fields["week_starts_on"]).lower()
    account = Account(**fields)
    problems = [f"account: one row is expected, and there are {len(rows)}"] if len(rows) > 1 else []
    problems += [
        f"account: {name} is {getattr(account, name)!r}, not {wanted}; "
        f"correct it or set SALES_REPORTS_{name.upper()}"
        for name, wanted in _unusable(account)
    ]
    return account, problems


def _unusable(account: Account) -> Iterator[tuple[str, str]]:
    """The fields that no build can work with, and what they should be."""
    if not is_time_zone(account.time_zone):
        yield "time_zone", "a name of the tz database, such as Europe/Berlin"
    if not 1 <= account.fiscal_year_start_month <= 12:
        yield "fiscal_year_start_month", "a month from 1 to 12"
    if account.week_starts_on not in WEEK_STARTS:
        yield "week_starts_on", f"one of {', '.join(WEEK_STARTS)}"
