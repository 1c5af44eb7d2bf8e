"""One sync with HubSpot: what a night reads, in which order, and how it ends.

Belongs here: the order of the steps, the summary, and what stops a sync and what does not. The steps are
in `records.py` and `related.py`; retries and limits are the client's (`http.py`, `pace.py`).

- Lists (owners, pipelines, …), then the first load of each object that has had none.
- An instant `until` is frozen behind the lag of HubSpot's index, and each object is read up to it.
- Then what no modified date tells: the bin, the weekly sweep, associations.

Full load, increments and whatever was interrupted lead to the same tables. A missing scope or feature
makes its tables unavailable and the sync goes on. A wrong token stops it at once, the daily quota too:
what was committed stays, and the next sync goes on from there.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from orchestration.ingest.contract import TABLES
from orchestration.ingest.hubspot.api import HubSpot
from orchestration.ingest.hubspot.http import HubSpotError, QuotaReached, Statistics
from orchestration.ingest.hubspot.landing import READS, Landing, landing_path
from orchestration.ingest.hubspot.night import INDEX_LAG, Night, instant
from orchestration.ingest.hubspot.objects import crm_objects
from orchestration.ingest.hubspot.records import READ_AS_A_WHOLE, Records
from orchestration.ingest.hubspot.related import (
    read_associations_in_turn,
    read_conversations,
    read_deal_splits,
    read_lists,
)
from orchestration.settings import Settings

_CONVERSATIONS = ("conversation_threads", "conversation_messages")


class SyncStopped(HubSpotError):
    """The sync could not be finished and there is nothing complete to publish yet."""


@dataclass(frozen=True)
class SyncedTable:
    """What a sync did to one raw table."""

    name: str
    rows: int
    """Rows landed in this sync."""
    cursor: str | None
    """The instant up to which it was read, where it is read by increments."""
    unavailable: str | None
    """Why it could not be read; None: it was."""


@dataclass(frozen=True)
class SyncSummary:
    """What a sync did, for the metadata of assets and the summary of a run."""

    portal_id: str
    read_until: datetime | None
    """The end of the last complete sync; None before the first one."""
    tables: tuple[SyncedTable, ...]
    statistics: Statistics
    requests_per_10_s: int
    """The limit that was kept."""
    stopped: str | None
    """Why it ended early (daily quota); None: it is complete."""
    notes: tuple[str, ...]
    seconds: float

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables)

    @property
    def too_many(self) -> int:
        """Answers of status 429."""
        return self.statistics.statuses[429]

    @property
    def share_of_limit(self) -> float:
        """Requests as a share of those that the limit allows in this time."""
        allowed = max(self.seconds, 1.0) * self.requests_per_10_s / 10
        return self.statistics.requests / allowed


def sync(
    settings: Settings,
    *,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    hubspot: HubSpot | None = None,
    hear: Callable[[int, str], None] = lambda rows, what: None,
) -> SyncSummary:
    """Bring the landing database of the token's account up to date. `hear` is told of each package.

    Raises WrongToken, or HubSpotError where HubSpot gives no answer that helps; what was committed until
    then stays, and the next sync goes on from there. So it does when the day's quota is used up, which
    the summary says; SyncStopped if there was no complete sync before.
    """
    begin = time.monotonic()
    with HubSpot(settings) if hubspot is None else nullcontext(hubspot) as client:
        portal_id, account, stopped = _account(settings, client)
        with Landing(landing_path(settings.data_dir, portal_id)) as landing:
            night = Night(client, landing, clock, started=clock(), hear=hear)
            try:
                if account is not None:
                    _run(night, settings, account)
            except HubSpotError as error:
                night.commit({})  # cursors of what is landed
                if not isinstance(error, QuotaReached):
                    raise
                stopped = str(error)
            finally:
                landing.settle()
            summary = _summary(night, settings, portal_id, stopped, time.monotonic() - begin)
    if stopped and summary.read_until is None:
        raise SyncStopped(
            f"{stopped} The first load is not complete, so nothing can be published yet. What was read is "
            f"kept, and the next run goes on from there."
        )
    return summary


def _account(settings: Settings, client: HubSpot) -> tuple[str, dict | None, str | None]:
    """The portal, HubSpot's answer about it, and why there is none: the portal of before then counts."""
    pointer = settings.data_dir / "hubspot" / "portal"
    try:
        account = client.account()
    except QuotaReached as error:
        if not pointer.exists():
            raise
        return pointer.read_text().strip(), None, str(error)
    portal_id = str(account["portalId"])
    pointer.parent.mkdir(parents=True, exist_ok=True)
    _write(pointer, portal_id)
    return portal_id, account, None


def _write(path: Path, text: str) -> None:
    """All at once: whoever reads it sees the old text or the new one."""
    scratch = path.with_name(f"{path.name}.new")
    scratch.write_text(text + "\n")
    scratch.replace(path)


def _run(night: Night, settings: Settings, account: dict) -> None:
    """The steps of a night."""
    read_lists(night, account)
    objects = {name: Records(night, found) for name, found in crm_objects(settings.custom_properties).items()}
    under_way = any(
        "full" in night.entry(name) for name in objects if name not in READ_AS_A_WHOLE
    )  # of a night before
    refresh = settings.hubspot_full_refresh and not under_way
    for records in objects.values():
        records.plan(refresh)
    for records in objects.values():
        with night.optional(*records.tables):
            if "full" in records.entry:
                records.load_all()
    until = night.clock() - INDEX_LAG
    for records in _available(night, objects):
        with night.optional(*records.tables):
            records.load_changed(until)
    for records in _available(night, objects):
        with night.optional(*records.tables):
            records.list_ids()
            records.look_through_bin()
            records.sweep()
    night.landing.settle()
    read_deal_splits(night)
    read_associations_in_turn(night)
    with night.optional(*_CONVERSATIONS):
        read_conversations(night, until, refresh)
    night.state["read_until"] = until.isoformat()
    grown = [table for records in objects.values() for table in records.tables]
    night.commit({READS: night.marks([*grown, "associations", *_CONVERSATIONS])})


def _available(night: Night, objects: dict[str, Records]) -> list[Records]:
    return [records for name, records in objects.items() if name not in night.unavailable]


def _summary(
    night: Night, settings: Settings, portal_id: str, stopped: str | None, seconds: float
) -> SyncSummary:
    read_until = night.state.get("read_until")
    return SyncSummary(
        portal_id=portal_id,
        read_until=instant(read_until) if read_until else None,
        tables=tuple(
            SyncedTable(
                name=name,
                rows=night.rows[name],
                cursor=night.state["objects"].get(name, {}).get("cursor"),
                unavailable=night.unavailable.get(name),
            )
            for name in TABLES
        ),
        statistics=night.hubspot.statistics,
        requests_per_10_s=settings.hubspot_requests_per_10_s,
        stopped=stopped,
        notes=tuple(night.notes),
        seconds=seconds,
    )
