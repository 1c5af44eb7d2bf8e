"""The landing database as a delivery: the present rows of every raw table.

Belongs here: which rows and columns of the landing are offered to the load step, and what they say about
merges and deletions. Nothing is asked of HubSpot here; types and keys are the load step's business.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from orchestration.ingest.contract import TABLES, VERSION_CAP, Table
from orchestration.ingest.delivery import Delivery, OfferedTable, python_rows
from orchestration.ingest.hubspot.landing import MERGES, PACKAGE, READS, SCHEMA, Landing, landing_path
from orchestration.ingest.hubspot.night import READ, instant
from orchestration.ingest.hubspot.objects import MERGED_IDS
from orchestration.ingest.values import literal, quoted
from orchestration.settings import Settings

_READINGS = 1_000_000
"""More than a reading has versions at one instant."""


def read(settings: Settings, now: datetime) -> Delivery:
    """What the last syncs have landed of the account that was synced last. Nothing is read yet."""
    pointer = settings.data_dir / "hubspot" / "portal"
    path = landing_path(settings.data_dir, pointer.read_text().strip()) if pointer.exists() else None
    if path is None or not path.exists():
        return Delivery({}, problems=["HubSpot has not been read yet; `make run` does it"])
    with Landing(path) as landing:
        read_until = landing.state.get("read_until")
        marks = {
            name: (status, reason)
            for name, status, reason in (
                landing.rows(f"select table_name, status, reason from {SCHEMA}.{READS}")
                if landing.has(READS)
                else []
            )
        }
        landed = {name: landing.columns(name) for name in [*TABLES, MERGES]}
    if read_until is None:
        return Delivery(
            {}, problems=["the first load from HubSpot is not complete; `make run` goes on with it"]
        )
    tables: dict[str, OfferedTable] = {}
    notes: list[str] = []
    missing: dict[str, list[str]] = {}  # required tables by the reason why they cannot be read
    for name, table in TABLES.items():
        status, reason = marks.get(name, (None, "it was not read"))
        if status == READ:
            tables[name] = _offer(path, table, landed)
        elif table.required:
            missing.setdefault(reason, []).append(name)
        elif name in marks:
            notes.append(f"{name} is not available: {reason}")
    if missing:
        return Delivery(
            {},
            problems=[
                f"{', '.join(names)}: required for every report, and cannot be read. {reason}"
                for reason, names in missing.items()
            ],
        )
    return Delivery(
        tables,
        portal_id=path.stem,
        read_until=instant(read_until),
        place=f"in {path}",
        notes=notes,
        says_deletions=True,
    )


def _offer(path: Path, table: Table, landed: dict[str, list[str]]) -> OfferedTable:
    columns = landed[table.name]
    if not columns:
        return python_rows(table.name, [])  # read, and HubSpot has none: all columns are there (K11)
    return LandedTable(path, _query(table, columns, landed[MERGES]), f"{table.name} in {path.name}")


@dataclass(frozen=True)
class LandedTable:
    """The rows of a query over a landing database."""

    path: Path
    query: str
    place: str = ""
    mark: str | None = None

    def stage(self, connection: duckdb.DuckDBPyConnection, into: str) -> bool:
        connection.execute(f"attach {literal(str(self.path))} as hubspot_landing (read_only)")
        try:
            connection.execute(f"create temp table {into} as {self.query}")
        finally:
            connection.execute("detach hubspot_landing")
        return False


def _relation(table: str) -> str:
    return f"hubspot_landing.{SCHEMA}.{table}"


def _query(table: Table, columns: list[str], merge_columns: list[str]) -> str:
    """The query of a table's present rows: texts, and the instant at which they were read."""
    ours = {PACKAGE, "merged_into_id"}
    listed = [quoted(column) for column in columns if column not in ours and not column.startswith("_dlt")]
    if table.history_of:
        return _history_query(table, listed)
    if not table.is_object:
        return f"select {', '.join(listed)} from {_relation(table.name)}"
    return f"""
        with recursive {_merges(table.name, columns, merge_columns)}

        select {", ".join(f"r.{column}" for column in listed)}, w.winner_id as merged_into_id
        from {_relation(table.name)} as r
        left join winners as w on r.id = w.loser_id
    """


def _merges(table: str, columns: list[str], merge_columns: list[str]) -> str:
    """`winners`: who was merged into whom in the end. Losers answered as winners, or winners list them."""
    pairs = ["select cast(null as varchar) as loser_id, cast(null as varchar) as winner_id where false"]
    if merge_columns:
        pairs.append(
            f"select loser_id, winner_id from {_relation(MERGES)} where object_type = {literal(table)}"
        )
    if MERGED_IDS in columns:
        pairs.append(
            f"select trim(loser) as loser_id, id as winner_id from {_relation(table)}, "
            f"unnest(string_split({MERGED_IDS}, ';')) as l(loser) where trim(loser) not in ('', id)"
        )
    return f"""
        pairs as ({" union ".join(pairs)}),

        roads as (
            select loser_id, winner_id from pairs
            union
            select roads.loser_id, pairs.winner_id
            from roads
            inner join pairs on roads.winner_id = pairs.loser_id
        ),

        winners as (
            select loser_id, max(winner_id) as winner_id
            from roads
            where winner_id not in (select loser_id from pairs)
            group by loser_id
        )
    """


def _history_query(table: Table, listed: list[str]) -> str:
    """Versions with an order that goes through all readings.

    Where the last reading of a property is as long as HubSpot ever gives, older ones may be lost before
    it. It is offered alone then, as a file would be: kept history knows what was offered before, and sees
    by it whether there is a gap (K3).
    """
    columns = ", ".join(
        f"v.{PACKAGE} * {_READINGS} + v.sequence as sequence" if column == '"sequence"' else f"v.{column}"
        for column in listed
    )
    cap = VERSION_CAP[table.history_of]
    return f"""
        with long as (
            select object_id, name, max({PACKAGE}) as newest
            from {_relation(table.name)}
            group by object_id, name
            having count(*) > {cap}
        ),

        full_readings as (
            select object_id, name, newest
            from {_relation(table.name)}
            inner join long using (object_id, name)
            where {PACKAGE} = newest
            group by object_id, name, newest
            having count(*) >= {cap}
        )

        select {columns}
        from {_relation(table.name)} as v
        left join full_readings as f on v.object_id = f.object_id and v.name = f.name
        where f.newest is null or v.{PACKAGE} = f.newest
    """
