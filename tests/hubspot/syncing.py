"""What the tests of the sync share: an account with a landing database, and what should be in it.

Belongs here: syncing a simulated account without waiting, reading what would be delivered, and what the
simulator itself holds. Nothing that says what a sync should do.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import duckdb
import httpx
import pytest

from orchestration.hubspot_simulator import Crm
from orchestration.hubspot_simulator.clock import from_iso
from orchestration.ingest.delivery import Delivery
from orchestration.ingest.hubspot import SyncSummary, landing, read, sync
from orchestration.ingest.hubspot.api import HubSpot
from orchestration.ingest.hubspot.objects import crm_objects
from orchestration.settings import Settings

TYPES = ("deals", "contacts", "calls")
"""Enough for most tests: two histories, merges, associations."""


class Killed(BaseException):
    """The process ends here; nothing is tidied up but what Python itself unwinds."""


@dataclass
class Fuse:
    """Burns by one with each request and each step of a load package, and kills at 0; None never."""

    left: int | None = None

    def burn(self) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise Killed


class _Transport(httpx.HTTPTransport):
    def __init__(self, fuse: Fuse) -> None:
        super().__init__()
        self._fuse = fuse

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self._fuse.burn()
        return super().handle_request(request)


@dataclass
class Place:
    """A data folder that follows a simulated account."""

    account: object
    data_dir: Path
    fuse: Fuse = field(default_factory=Fuse)
    summaries: list[SyncSummary] = field(default_factory=list)

    def settings(self, **settings: object) -> Settings:
        given = {"source": "hubspot", "hubspot_url": self.account.url, "hubspot_token": self.account.token}
        return Settings(**{"data_dir": self.data_dir, **given, **settings})

    def now(self) -> datetime:
        return from_iso(self.account.clock.now_text())

    def sync(self, **settings: object) -> SyncSummary:
        """A sync that never waits, at the account's own time."""
        chosen = self.settings(**settings)
        ticks = itertools.count()
        client = HubSpot(
            chosen,
            sleep=lambda seconds: None,
            clock=lambda: next(ticks) * 100.0,
            transport=_Transport(self.fuse),
        )
        with client:
            summary = sync(chosen, clock=self.now, hubspot=client)
        self.summaries.append(summary)
        return summary

    def delivery(self, **settings: object) -> Delivery:
        return read(self.settings(**settings), self.now())

    def rows(self, table: str, delivery: Delivery | None = None) -> list[dict[str, object]]:
        """The rows that would be delivered of a table; none if it is not."""
        offer = (delivery or self.delivery()).tables.get(table)
        if offer is None:
            return []
        with duckdb.connect(config={"threads": 1}) as connection:
            connection.execute("set TimeZone = 'UTC'")
            offer.stage(connection, "rows")
            found = connection.execute("from rows")
            names = [column[0] for column in found.description]
            return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def tables(self) -> dict[str, list[str]]:
        """Every delivered table without what tells readings apart, to compare two states.

        Of a version's sequence only the order at its instant counts.
        """
        found, delivery = {}, self.delivery()
        for name in delivery.tables:
            rows = self.rows(name, delivery)
            if name.endswith("_property_history"):
                rows = _ranked(rows)
            found[name] = sorted(repr({k: v for k, v in row.items() if k != "_loaded_at"}) for row in rows)
        return found

    def live(self, table: str) -> dict[str, dict[str, object]]:
        """The delivered records that are neither archived nor deleted nor merged away."""
        return {
            row["id"]: row
            for row in self.rows(table)
            if row["archived"] == "false" and not row["hard_deleted_at"] and not row["merged_into_id"]
        }

    def versions(self, table: str) -> set[tuple]:
        """Every committed version, those included that would not be delivered."""
        with landing.Landing(self.path):
            pass
        return {
            (row["object_id"], row["name"], row["timestamp"], row["value"] or "")
            for row in self.landed(f"{table}_property_history")
        }

    def landed(self, table: str) -> list[dict[str, object]]:
        """The rows of the landing itself, none of a table that never had any."""
        with duckdb.connect(self.path, read_only=True) as connection:
            try:
                found = connection.execute(f"from landing.{table}")
            except duckdb.CatalogException:
                return []
            names = [column[0] for column in found.description]
            return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    @property
    def has_begun(self) -> bool:
        """Whether a sync got as far as to make a landing database."""
        return (self.data_dir / "hubspot" / "portal").exists() and self.path.exists()

    @property
    def path(self) -> Path:
        return landing.landing_path(self.data_dir, (self.data_dir / "hubspot" / "portal").read_text().strip())


def _ranked(rows: list[dict]) -> list[dict]:
    rows = sorted(rows, key=lambda row: (row["object_id"], row["name"], row["timestamp"], row["sequence"]))
    ranked = []
    for _, same in itertools.groupby(rows, lambda row: (row["object_id"], row["name"], row["timestamp"])):
        ranked += [row | {"sequence": number} for number, row in enumerate(same)]
    return ranked


# --- what the account holds -----------------------------------------------------------------------


def live_records(crm: Crm, object_type: str) -> dict[str, dict[str, str | None]]:
    """Every live record with the properties that are asked for, as the API gives them."""
    asked = crm_objects()[object_type].properties
    return {
        id_: {name: record.properties.get(name) for name in asked}
        for id_, record in crm.of(object_type).live().items()
    }


def kept_versions(crm: Crm, object_type: str) -> set[tuple]:
    """Every version of a tracked property that the account still has, HubSpot's arithmetic left out."""
    tracked = crm_objects()[object_type].history
    return {
        (id_, name, version.timestamp, version.value or "")
        for id_, record in crm.of(object_type).records.items()
        for name in tracked
        for version in record.history.get(name, [])
        if version.source_type != "CALCULATED"
    }


def links(crm: Crm) -> set[tuple]:
    """Every association of live records, of the pairs among TYPES that are asked for."""
    names = {type_: found.name for type_, found in crm_objects().items()}
    pairs = [("deals", "contacts"), ("calls", "contacts"), ("calls", "deals")]
    return {
        (names[from_type], id_, names[to_type], link.to_id, link.type_id)
        for from_type, to_type in pairs
        for id_ in crm.of(from_type).live()
        for link in crm.links(from_type, to_type, id_)
    }


def set_up(crm: Crm) -> None:
    """What an account needs beside records: itself, an owner, a pipeline."""
    now = crm.clock.now_text()
    crm.account = {"portalId": 1234, "timeZone": "Europe/Berlin", "companyCurrency": "EUR"}
    crm.owners = [
        {"id": "7", "email": "ada@example.com", "type": "PERSON", "firstName": "Ada", "lastName": "L",
         "userId": 70, "userIdIncludingInactive": 70, "createdAt": now, "updatedAt": now, "archived": False}
    ]  # fmt: skip
    stages = [
        {"id": id_, "label": id_.title(), "displayOrder": order, "archived": False, "createdAt": now,
         "updatedAt": now, "metadata": {"probability": probability, "isClosed": closed},
         "writePermissions": "CRM_PERMISSIONS_ENFORCEMENT"}
        for order, (id_, probability, closed) in enumerate([("new", "0.2", "false"), ("won", "1.0", "true")])
    ]  # fmt: skip
    crm.pipelines["deals"] = [
        {"id": "default", "label": "Sales", "displayOrder": 0, "archived": False, "createdAt": now,
         "updatedAt": now, "stages": stages}
    ]  # fmt: skip


def deal(crm: Crm, **properties: str) -> str:
    """A new deal's id."""
    values = {"dealname": "A deal", "pipeline": "default", "dealstage": "new", **properties}
    return crm.create("deals", values).id


@contextmanager
def only(types: tuple[str, ...] = TYPES) -> Iterator[None]:
    """Syncs ask for these objects only, which saves most of a test's time."""
    module = sys.modules["orchestration.ingest.hubspot.sync"]

    def some(custom: tuple[str, ...] = ()) -> dict:
        return {name: found for name, found in crm_objects(custom).items() if name in types}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "crm_objects", some)
        yield


@contextmanager
def burning(fuse: Fuse) -> Iterator[None]:
    """The fuse burns at the steps of a load package too: loaded but not committed, committed, settling."""
    from dlt.load.load import Load

    complete, commit, remove = Load.complete_package, landing.Landing.commit, landing.Landing._remove

    def hurt(before: Callable, after: bool = False) -> Callable:
        def step(*arguments, **options):
            fuse.burn()
            result = before(*arguments, **options)
            if after:
                fuse.burn()
            return result

        return step

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Load, "complete_package", hurt(complete))
        patch.setattr(landing.Landing, "commit", hurt(commit, after=True))
        patch.setattr(landing.Landing, "_remove", hurt(remove))
        yield
