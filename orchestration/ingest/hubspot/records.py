"""Records of the CRM, object by object: first load, increment, recycle bin, sweep.

Belongs here: which ids are asked for when, and what it means that one is not there any more. Reading
them is `windows.py`'s business, keeping them `landing.py`'s.

HubSpot says by no modified date that a record was archived, restored, merged or deleted. The bin (every
night) shows what was archived, and by what has left it what was restored or purged; a sweep (weekly) of
all ids shows the rest. Whatever has vanished is asked for by its id once more: the answer is the record,
the winner of a merge, or nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import chain

import pyarrow as pa
import pyarrow.compute as pc

from orchestration.ingest.contract import TABLES
from orchestration.ingest.hubspot.api import chunks
from orchestration.ingest.hubspot.http import Unavailable
from orchestration.ingest.hubspot.landing import MERGES, PACKAGE, SCHEMA, Landing
from orchestration.ingest.hubspot.night import LOOK_BACK, Night, instant, text_table
from orchestration.ingest.hubspot.objects import MERGED_IDS, CrmObject
from orchestration.ingest.hubspot.windows import Window, list_windows, listed_window, read_windows

READ_AS_A_WHOLE = ("goal_targets", "forecasts")
"""Small, and of great effect: all of them every night, so that a deleted goal is gone the next day."""
_PAGES_OF_BIN = 20


class Records:
    """The records of one object type in one night."""

    def __init__(self, night: Night, crm_object: CrmObject) -> None:
        self.night = night
        self.object = crm_object
        self.entry = night.entry(crm_object.table)
        self.listed: Listed | None = None

    @property
    def landing(self) -> Landing:
        return self.night.landing

    @property
    def tables(self) -> list[str]:
        """The tables that are filled here."""
        history = self.object.history_table
        return [self.object.table, *([history] if history else [])]

    # --- first load, full refresh ---

    def plan(self, refresh: bool) -> None:
        """Decide on a full load: for the first time, for new properties, or because it was asked for.

        A full load that was not finished goes on, whatever is asked for.
        """
        properties = list(self.object.properties)
        under_way = self.entry.get("full")
        if under_way and under_way["properties"] == properties:
            return
        new = set(properties) - set(self.entry.get("properties", ()))
        is_whole = self.object.table in READ_AS_A_WHOLE
        if under_way or new or refresh or is_whole or "cursor" not in self.entry:
            self.entry["full"] = {
                "started": self.night.clock().isoformat(),
                "from_package": self.landing.package + 1,
                "properties": properties,
            }
        else:
            # What is not asked for grows old: asked for again, it is read of all records.
            self.entry["properties"] = properties

    def load_all(self) -> None:
        """Read every live record; those that an earlier attempt has landed are not read again."""
        full = self.entry["full"]
        table = self.object.table
        landed: set[str] = set()
        if self.landing.has(table):
            rows = self.landing.rows(
                f"select id from {SCHEMA}.{table} where {PACKAGE} >= $first and archived = 'false'",
                first=full["from_package"],
            )
            landed = {id_ for (id_,) in rows}
        self.listed = Listed(self.landing, table)

        def pages() -> Iterator[list[str]]:
            for page in self.night.hubspot.record_ids(self.object.type):
                self.listed.add(page)
                yield [id_ for id_ in page if id_ not in landed]

        hubspot = self.night.hubspot
        try:
            if self.object.history:
                self.land_windows(read_windows(hubspot, self.object, pages()))
            else:
                self.land_windows(list_windows(hubspot, self.object, hear=self.listed.add, known=landed))
        except Unavailable:
            self.entry.pop("full")
            raise
        del self.entry["full"]
        self.entry |= {"cursor": full["started"], "properties": full["properties"]}

    # --- every night ---

    def load_changed(self, until: datetime) -> None:
        """Read the records changed since the last time, a little overlapping, up to an instant."""
        if self.object.table not in READ_AS_A_WHOLE:
            since = instant(self.entry["cursor"]) - LOOK_BACK
            self.land_all(self.night.hubspot.changed_ids(self.object.type, since, until))
        self.entry["cursor"] = until.isoformat()

    def list_ids(self) -> None:
        """List the ids of all live records for a sweep, if one is due and they have not been listed."""
        if self.listed is None and self.night.is_due(self.entry):
            self.listed = Listed(self.landing, self.object.table)
            for page in self.night.hubspot.record_ids(self.object.type):
                self.listed.add(page)

    def look_through_bin(self) -> None:
        """Land what was archived; ask for what has left the bin.

        After the ids were listed and not before: what is archived in between stands in both, not in none.
        """
        bin_ids = Listed(self.landing, f"{self.object.table}_bin")
        try:
            pages = self.night.hubspot.archived_records(
                self.object.type, self.object.properties, self.object.history
            )
            for part in chunks(pages, _PAGES_OF_BIN):
                records = {str(record["id"]): record for record in chain.from_iterable(part)}
                bin_ids.add(list(records))
                self.land(self.unknown(listed_window(self.object, list(records.values()))))
        except Unavailable as error:
            self.night.notes.append(f"{self.object.table}: archived records cannot be read: {error}")
            return
        self.landing.settle()
        if self.landing.has(self.object.table):
            self.ask_again(
                f"select id from {SCHEMA}.{self.object.table} "
                f"where archived = 'true' and hard_deleted_at is null and id not in ({bin_ids.query()})"
            )

    def unknown(self, window: Window) -> Window:
        """An archived window without the records that are landed as archived already."""
        if not self.landing.has(self.object.table) or not window.ids:
            return window
        known = self.landing.rows(
            f"select id, archived_at from {SCHEMA}.{self.object.table} "
            "where archived = 'true' and hard_deleted_at is null and list_contains($ids, id)",
            ids=window.ids,
        )
        archived_at = window.records["archived_at"].to_pylist()
        same = set(known) & set(zip(window.ids, archived_at, strict=True))
        keep = [id_ for id_, at in zip(window.ids, archived_at, strict=True) if (id_, at) not in same]
        return Window(
            object_type=window.object_type,
            ids=keep,
            records=_of(window.records, "id", keep),
            history=_of(window.history, "object_id", keep),
            missing=[],
            merged={},
        )

    def sweep(self) -> None:
        """Compare the listed ids with the landed ones: read what was missed, ask for what has vanished."""
        if self.listed is None:
            return
        self.landing.settle()
        listed = self.listed.query()
        live = "select null as id where false"
        if self.landing.has(self.object.table):
            live = live_ids(self.landing, self.object.table)
            self.ask_again(f"select id from ({live}) where id not in ({listed})")
        self.ask_again(f"select id from ({listed}) where id not in ({live})")
        self.entry["swept_at"] = self.night.started.isoformat()

    # --- landing ---

    def ask_again(self, query: str) -> None:
        """Read the records whose ids a query gives; those that HubSpot does not know are deleted."""
        ids = [id_ for (id_,) in self.landing.rows(query)]
        missing = self.land_all([ids]) if ids else []
        if not missing or not self.landing.has(self.object.table):
            return
        self.landing.settle()
        gone = self.landing.arrow(
            f"select * exclude ({PACKAGE}, _loaded_at) replace ($now as hard_deleted_at) "
            f"from {SCHEMA}.{self.object.table} where list_contains($ids, id) and hard_deleted_at is null",
            now=self.night.clock().isoformat(),
            ids=missing,
        )
        self.night.commit({self.object.table: gone})

    def land_all(self, pages: Iterable[list[str]]) -> list[str]:
        """Land the records of all ids, a package per window; the ids that HubSpot does not know."""
        return self.land_windows(read_windows(self.night.hubspot, self.object, pages))

    def land_windows(self, windows: Iterable[Window]) -> list[str]:
        """Land windows, a package each; the ids that HubSpot does not know."""
        missing: list[str] = []
        for window in windows:
            self.land(window)
            missing += window.missing
        return missing

    def land(self, window: Window) -> None:
        if not window.records.num_rows and not window.merged:
            return
        records = window.records.append_column(
            "hard_deleted_at", pa.nulls(window.records.num_rows, pa.string())
        )
        tables = {self.object.table: records}
        if self.object.history_table:
            tables[self.object.history_table] = window.history
        if window.merged:
            tables[MERGES] = text_table(
                [
                    {"object_type": self.object.type, "loser_id": loser, "winner_id": winner}
                    for loser, winner in window.merged.items()
                ]
            )
        self.night.commit(tables)
        # A misspelt custom property would be a column without a value, and nobody would know why.
        for name in sorted(window.unknown - TABLES[self.object.table].columns.keys() - {MERGED_IDS}):
            note = f"{self.object.table}: HubSpot knows no property {name} (SALES_REPORTS_CUSTOM_PROPERTIES)"
            if note not in self.night.notes:
                self.night.notes.append(note)


class Listed:
    """Ids that HubSpot has listed, as a temporary table: there may be millions.

    `add` may be called from any thread, `query` from the one that owns the landing.
    """

    def __init__(self, landing: Landing, name: str) -> None:
        self._landing = landing
        self._table = f"listed_{name}"
        self._waiting: list[list[str]] = []
        landing.connection.execute(f"create or replace temp table {self._table} (id varchar)")

    def add(self, ids: list[str]) -> None:
        self._waiting.append(ids)

    def query(self) -> str:
        """The query of the ids listed so far, each once."""
        waiting, self._waiting = self._waiting, []
        for part in chunks(chain.from_iterable(waiting), 100_000):
            self._landing.connection.execute(f"insert into {self._table} select unnest($1)", [part])
        return f"select distinct id from {self._table}"


def live_ids(landing: Landing, table: str) -> str:
    """Query of the landed records that are neither archived nor deleted nor merged away."""
    query = f"select id from {SCHEMA}.{table} where archived = 'false' and hard_deleted_at is null"
    if landing.has(MERGES):
        query += f" and id not in (select loser_id from {SCHEMA}.{MERGES} where object_type = '{table}')"
    return query


def _of(rows: pa.Table, column: str, ids: list[str]) -> pa.Table:
    return rows.filter(pc.is_in(rows[column], pa.array(ids, pa.string())))
