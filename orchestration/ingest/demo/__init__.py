"""The demo source: a generated CRM that behaves like a real one.

Belongs here: the entry `read` and the order in which the company's parts come to life. A pure
function of seed, size and end instant. Every record lives its whole life from a random stream of its
own (seed, kind, number) and is cut at the end, so that a later end only adds events to the same past;
what HubSpot itself forgets (old versions, the path of before an import) is forgotten here too.

Modules: `clock` (calendar and seasons), `company` (people, teams, pipelines), `plans` (goals,
forecasts), `customers` (who buys), `deal_life` and `deals`, `contacts`, `outreach` (before a deal),
`activities`, `chats`, `names` (words), `crm` and `columns` (rows and versions to Arrow tables).
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import duckdb
import pyarrow as pa

from orchestration.ingest.contract import TABLES
from orchestration.ingest.delivery import ArrowRows, Delivery, LoadError
from orchestration.settings import Settings

from . import activities, chats, clock, company, contacts, customers, deal_life, deals, outreach, plans
from .crm import Crm

_FIRST_STORY = 46
"""Shifts the seeds: in the story of seed 1 every rep has a year that is typical of that rep."""


def read(settings: Settings, now: datetime) -> Delivery:
    """The demo company's CRM at SALES_REPORTS_DEMO_END (default: the last midnight before `now`)."""
    end = settings.demo_end or clock.last_midnight(now)
    if clock.to_ms(end) <= clock.FIRST_END:
        first = datetime.fromtimestamp(clock.FIRST_END / 1000, clock.ZONE).date()
        raise LoadError(
            [f"the demo company knows nothing at {end.isoformat()}; "
             f"set SALES_REPORTS_DEMO_END to an instant after {first.isoformat()}"]
        )  # fmt: skip
    demo = _Company(settings.demo_seed, settings.demo_deals, clock.to_ms(end))
    return Delivery(
        {name: DemoTable(name, demo) for name in TABLES},
        # Another seed or size is another company, with kept history of its own (K1).
        portal_id=f"{company.PORTAL_ID}-{settings.demo_seed}-{settings.demo_deals}",
        read_until=end,
    )


class _Company:
    """A story whose tables are generated when the first of them is read."""

    def __init__(self, seed: int, size: int, end: int) -> None:
        self.story = seed, size, end

    @cached_property
    def tables(self) -> dict[str, pa.Table]:
        return generate(*self.story)


@dataclass(frozen=True)
class DemoTable:
    """A table of the demo company."""

    name: str
    company: _Company
    place: str = ""

    @property
    def mark(self) -> str:
        return str(self.company.story)

    @property
    def rows(self) -> pa.Table:
        return self.company.tables[self.name]

    def stage(self, connection: duckdb.DuckDBPyConnection, into: str) -> bool:
        return ArrowRows(self.rows).stage(connection, into)


def generate(seed: int, size: int, end: int) -> dict[str, pa.Table]:
    """Every table of the contract at an instant (milliseconds since 1970)."""
    with _no_garbage_collection():
        return _live(_FIRST_STORY + seed, size, end).tables()


def _live(seed: int, size: int, end: int) -> Crm:
    crm = Crm(end)
    company.set_up(crm, seed)
    plans.write(crm, seed, size)
    last_day = clock.day_of(end)
    book = customers.Book(seed, size)
    # Contacts come before their deals: deals just ahead of the end have contacts already.
    ahead = last_day + customers.LEAD_TIME_DAYS + 1
    for number, day in clock.arrivals(f"{seed}:deal", size, ahead):
        deal = deal_life.live(seed, number, day, book)
        deals.write(crm, deal)
        activities.write_for_deal(crm, seed, deal)
    for customer in (*book.customers, *contacts.prospects(seed, size, last_day)):
        customers.write(crm, customer)
        for contact in customer.contacts:
            life = contacts.live(seed, contact, customer)
            outreach.work(crm, life)
            contacts.write(crm, life)
    chats.write_anonymous(crm, seed, size)
    return crm


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """All records stay alive until the tables are built: looking for garbage costs a quarter."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
