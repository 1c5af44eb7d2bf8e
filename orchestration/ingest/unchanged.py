"""Tables that need not be read: the source would say of them what `raw_hubspot` holds already.

Belongs here: what makes two readings of a table the same, and what of the earlier one is used again; of
other tables, whether rows may be compared as they are delivered (`delivered.py`). A
source marks what it offers (`OfferedTable.mark`); a table is left as it is where the mark, the project's
own code and the settings that judge rows are what they were, and where kept history has neither gained
nor lost anything since.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path

import duckdb

from orchestration.ingest.contract import KEPT_HISTORIES, KEPT_SNAPSHOTS, TABLES
from orchestration.ingest.forgotten import TEXTS
from orchestration.ingest.history import KeptHistory, attached
from orchestration.ingest.values import literal

READINGS = "_readings"
"""The raw table with a row per table that was read and has a mark."""


@dataclass(frozen=True)
class Reading:
    """What became of a table when it was read."""

    offered: int
    rejected: int
    newest_row: datetime | None
    """The newest `_loaded_at` that the source gave (H12)."""


@cache
def code_mark() -> str:
    """Changes whenever the code does that reads, judges or generates rows."""
    digest = hashlib.sha256(duckdb.__version__.encode())
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def unchanged_tables(
    connection: duckdb.DuckDBPyConnection,
    marks: Mapping[str, str],
    history_path: Path | str,
    source: str,
    portal_id: str,
) -> dict[str, Reading]:
    """The tables that the load before has read under the same marks, with what became of them.

    The caller has made sure that the raw tables come from this source and portal.
    """
    there = {
        row[0]
        for row in connection.execute(
            "select table_name from duckdb_tables() "
            "where database_name = current_database() and schema_name = 'raw_hubspot'"
        ).fetchall()
    }
    if READINGS not in there or not marks or not Path(history_path).exists():
        return {}
    same = {
        name: (Reading(*reading), forgotten)
        for name, mark, forgotten, *reading in connection.execute(
            f"select table_name, mark, forgotten, offered, rejected, newest_row from raw_hubspot.{READINGS}"
        ).fetchall()
        if marks.get(name) == mark and name in there
    }
    if not same:
        return {}
    with attached(connection, history_path):
        history = KeptHistory(connection, source, portal_id)
        forgotten_now = len(history.forgotten())
        # Associations say which texts of other tables speak of people who were forgotten.
        read_always = {"associations"} if forgotten_now else set()
        if forgotten_now and "associations" not in same:
            read_always |= {table for table, _ in TEXTS.values()}
        return {
            name: reading
            for name, (reading, forgotten) in same.items()
            if forgotten == forgotten_now
            and name not in read_always
            and is_in_step(connection, history, name)
            and (
                name not in KEPT_SNAPSHOTS
                or history.state_count(TABLES[name]) == reading.offered - reading.rejected
            )
        }


def comparable_tables(
    connection: duckdb.DuckDBPyConnection,
    history_path: Path | str,
    source: str,
    portal_id: str,
    says_deletions: bool,
) -> dict[str, str]:
    """The tables of which the rows of the load before are known as delivered, with the mark of their columns.

    The caller has made sure that the raw tables come from this source and portal, and from this code. A load
    that says deletions differs from one that does not in what becomes of rows that do not come again (K4).
    """
    there = connection.execute(
        "select 1 from duckdb_tables() where database_name = current_database() "
        "and schema_name = 'delivered' and table_name = 'tables'"
    ).fetchall()
    if not there or not Path(history_path).exists():
        return {}
    marks = dict(
        connection.execute(
            "select table_name, mark from delivered.tables where says_deletions = $1", [says_deletions]
        ).fetchall()
    )
    with attached(connection, history_path):
        history = KeptHistory(connection, source, portal_id)
        if history.forgotten():
            return {}
        return {
            name: mark
            for name, mark in marks.items()
            if name not in KEPT_HISTORIES or is_in_step(connection, history, name)
        }


def write_readings(
    connection: duckdb.DuckDBPyConnection,
    marks: Mapping[str, str],
    readings: Mapping[str, Reading],
    forgotten: int,
) -> None:
    """Remember, for the next load, the tables that have a mark."""
    connection.execute(
        f"create or replace table raw_hubspot.{READINGS} (table_name varchar, mark varchar, "
        f"forgotten bigint, offered bigint, rejected bigint, newest_row timestamptz)"
    )
    for name, reading in readings.items():
        if name in marks:
            connection.execute(
                f"insert into raw_hubspot.{READINGS} values ($1, $2, $3, $4, $5, $6)",
                [name, marks[name], forgotten, reading.offered, reading.rejected, reading.newest_row],
            )


def use_rejects_again(connection: duckdb.DuckDBPyConnection, name: str, load_id: str) -> int:
    """Take over what was rejected of a table; returns the number of rejected values."""
    for rejects in ("rejected_rows", "rejected_values"):
        (count,) = connection.execute(
            f"insert into {rejects} by name select * replace ({literal(load_id)} as load_id) "
            f"from raw_hubspot._{rejects} where table_name = {literal(name)}"
        ).fetchone()
    return count


def is_in_step(connection: duckdb.DuckDBPyConnection, history: KeptHistory, name: str) -> bool:
    """Whether a raw table has the versions that kept history has; so has any other that is no history."""
    if name not in KEPT_HISTORIES:
        return True
    raw = connection.execute(f"select count(*), max(_loaded_at) from raw_hubspot.{name}").fetchone()
    return raw == history.version_mark(TABLES[name])
