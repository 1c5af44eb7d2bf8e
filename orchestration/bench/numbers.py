"""What is known of a generated record from its number alone.

Belongs here: the SQL macros that turn a number into a person's id, a day, an owner. A record of the
account of N deals is a function of (seed, N, its number): no table is joined to say who owns a contact
or when a deal was created, so that files of any size stream, and the next night can be derived.

Numbers 0 to N−1 are the first account's. New records of night k have the numbers from k·N on (of
their own N: deals, contacts, calls …), and their day follows from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import duckdb

# Nights after the last day lie in its month: a new one builds everything (plan.py).
FIRST_DAY = datetime(2023, 11, 4, tzinfo=UTC)
DAYS = 1096
"""The account's past; the first run's run_ts is its end."""

CONTACTS_PER_DEAL = 2.5
COMPANIES_PER_DEAL = 0.6
THREADS_PER_DEAL = 0.05
ACTIVITIES_PER_DEAL = {"calls": 3.0, "meetings": 1.2, "tasks": 1.5, "emails": 4.0, "notes": 0.3}
# The first id of each kind of record.
FIRST_ID = {
    "deals": 20_000_000_000,
    "contacts": 50_000_000_000,
    "companies": 10_000_000_000,
    "conversation_threads": 15_000_000_000,
    "calls": 60_000_000_000,
    "meetings": 70_000_000_000,
    "tasks": 80_000_000_000,
    "emails": 90_000_000_000,
    "notes": 95_000_000_000,
}


_PRIME = 1_099_511_627_689  # below 2^40: more parts than any account has records


@dataclass(frozen=True)
class Account:
    """A generated account after `night` nights; night 0 is the account as it was first made."""

    deals: int
    seed: int = 1
    night: int = 0

    @property
    def as_of(self) -> datetime:
        """The instant up to which its files go: the run's run_ts."""
        return FIRST_DAY + timedelta(days=DAYS + self.night)

    @property
    def owners(self) -> int:
        return max(12, round(self.deals**0.5 / 4))

    @property
    def teams(self) -> int:
        """Teams at the bottom of the tree."""
        return max(4, self.owners // 8)

    def count(self, table: str) -> int:
        """Records of the first account."""
        per_deal = {
            "deals": 1,
            "contacts": CONTACTS_PER_DEAL,
            "companies": COMPANIES_PER_DEAL,
            "conversation_threads": THREADS_PER_DEAL,
            **ACTIVITIES_PER_DEAL,
        }[table]
        return max(1, round(self.deals * per_deal))


def create_macros(connection: duckdb.DuckDBPyConnection, account: Account) -> None:
    """Create the macros for an account; the session's time zone is UTC from here on."""
    deals, contacts = account.count("deals"), account.count("contacts")
    connection.execute("set TimeZone = 'UTC'")
    macros = {
        # A number in [0, 1) for a record and a question about it.
        "u(n, question)": f"(hash(cast(n as bigint), question, {account.seed}) % {_PRIME}) / {_PRIME}.0",
        "among(choices, part)": "choices[1 + cast(floor(part * len(choices)) as integer)]",
        "ms(days)": "to_milliseconds(cast(floor(days * 86400000.0) as bigint))",
        "day_start(day)": f"timestamptz '{FIRST_DAY.isoformat()}' + to_days(cast(day as integer))",
        # Office hours: what happens on a day is over before the day is.
        "in_day(day, n, question)": "day_start(day) + ms(0.33 + 0.42 * u(n, question))",
        "iso(t)": "strftime(t, '%Y-%m-%dT%H:%M:%S.%gZ')",
        "as_of()": f"timestamptz '{account.as_of.isoformat()}'",
        "end_day()": str(DAYS + account.night),
        "owner_id(k)": "cast(70000000 + k as varchar)",
        "user_id(k)": "cast(8800000 + k as varchar)",
        # Few owners have much, many have little.
        "some_owner(part)": f"owner_id(cast(floor({account.owners} * pow(part, 1.7)) as bigint))",
        "deal_day(n)": f"case when n < {deals} then floor({DAYS} * pow((n + 0.5) / {deals}, 0.85)) "
        f"else {DAYS} + n // {deals} - 1 end",
        "deal_created(n)": "in_day(deal_day(n), n, 'deal created')",
        "deal_owner(n)": "case when u(n, 'unassigned deal') < 0.03 then null "
        "when u(n, 'unknown owner') < 0.001 then '79999999' "
        "else some_owner(u(n, 'deal owner')) end",
        "contact_of(n)": "(5 * n + 1) // 2",
        "deal_of(m)": "m * 2 // 5",
        # Contacts come some weeks before their deal, a few after it.
        "contact_day(m)": f"case when m >= {contacts} then {DAYS} + m // {contacts} - 1 "
        f"when u(m, 'late contact') < 0.03 "
        f"then least(deal_day(deal_of(m)) + 20, {DAYS - 1}) "
        f"else greatest(deal_day(deal_of(m)) - floor(60 * u(m, 'contact day')), 0) end",
        "contact_created(m)": "in_day(contact_day(m), m, 'contact created')",
        "contact_owner(m)": "case when u(m, 'unassigned contact') < 0.06 then null "
        "when u(m, 'other owner') < 0.15 then some_owner(u(m, 'contact owner')) "
        "else deal_owner(deal_of(m)) end",
        "record_id(kind, n)": f"cast(n + {_case('kind', FIRST_ID)} as varchar)",
        "count_of(kind)": _case("kind", {table: account.count(table) for table in FIRST_ID}),
        # Some records have very much: the number of one of `n`, where few numbers are drawn often.
        "skewed(n, part, power)": "(cast(floor(n * pow(part, power)) as bigint) * 1000003) % n",
    }
    for head, body in macros.items():
        connection.execute(f"create or replace temp macro {head} as {body}")


def _case(value: str, choices: dict[str, int]) -> str:
    """An expression that chooses a number by a text; constant where the text is."""
    cases = " ".join(f"when '{name}' then {number}" for name, number in choices.items())
    return f"case {value} {cases} end"
