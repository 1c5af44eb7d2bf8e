"""Rows that come as they did the time before, and need not be typed, judged and compared again.

Belongs here: what is kept of a delivery (the schema `delivered` of the build database), and which rows of
the next one have to be read. Reading them is `accept.py`'s business; which tables may be compared at all is
said in `unchanged.py`.

Of each row as it was delivered two hashes are kept: one of all its columns (but `_loaded_at`, which says
nothing of the record), and one of its group: the rows that are judged together, those of one object in a
history, those of one key elsewhere. A group of which the same rows come again yields what it yielded. It is
left out where that is certain: the load before turned nothing away of the table, the columns and the code
are the same, nobody was ever forgotten, and kept history is in step. A changed row goes unseen once in 2^64
changes and known rows; groups are told apart by 32 bits, and one that is taken for another is read in vain.
Of the table as a whole one hash tells its rows in their order: a delivery that begins with the same ones has
only grown, and none of them needs to be looked for.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping

import duckdb

from orchestration.ingest.contract import KEPT_HISTORIES, KEPT_SNAPSHOTS, TABLES, TEXT, Table
from orchestration.ingest.delivery import ROW_NUMBER
from orchestration.ingest.values import literal, quoted, typed

MOST_CHANGED = 0.2
"""The share of changed rows from which reading and writing a table anew costs less."""
_WORTHWHILE = frozenset(
    name
    for name, table in TABLES.items()
    if name == "associations" or name in KEPT_HISTORIES or (table.is_object and name not in KEPT_SNAPSHOTS)
)
"""The tables that grow with the account."""
DELIVERED_TABLES = tuple(
    f"{kind}_{name}" for name in sorted(_WORTHWHILE) for kind in ("hashes", "unmatched", "touched", "moved")
)
"""The temporary tables of this module."""
_ORDER_HASH = "sum(hash(row_hash, rowid))"
"""Over the hashes of a table's rows: differs with the rows and with their order."""


class DeliveredRows:
    """The hashes of what is offered of one table, and what of it has to be read.

    `offered` is the relation of its rows, `columns` has their names and types, `sources` the delivered name
    of each column of the contract.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        table: Table,
        columns: Mapping[str, str],
        sources: Mapping[str, str],
    ) -> None:
        self.connection = connection
        self.table = table
        self.mark = json.dumps(list(columns.items()))
        self.is_numbered = ROW_NUMBER in columns
        self._known = f"delivered.{table.name}"
        compared = [name for name in columns if name not in (ROW_NUMBER, sources.get("_loaded_at"))]
        self._row = f"hash({', '.join(map(quoted, compared))})"
        self._key = _key_hash(
            typed(quoted(sources[column]), columns[sources[column]], TEXT) for column in group_key(table)
        )
        self.only_adds = False
        """Whether, of a table that is no object and no history, groups have come and nothing else: no row of
        the raw table is in a changed group."""

    def take_hashes(self) -> int:
        """Hash all rows of `offered`; returns how many there are."""
        self._execute(
            f"create or replace temp table hashes_{self.table.name} as "
            f"select {self._row} as row_hash, {_group_hash(self._key)} as group_hash from offered"
        )
        return self._execute(f"select count(*) from hashes_{self.table.name}").fetchone()[0]

    def find_changed(self, into: str) -> bool:
        """Create the table `into` of the rows of changed groups, with their numbers; False where reading
        all of them is better."""
        name = self.table.name
        now, unmatched, moved = f"hashes_{name}", f"unmatched_{name}", f"moved_{name}"
        if self._has_grown():
            self._execute(
                f"create or replace temp table {unmatched} as "
                f"select rowid as come, cast(null as bigint) as gone from {now} "
                f"where rowid >= (select count(*) from {self._known})"
            )
        else:
            # The join carries numbers only: what else is wanted of the few rows that are left is looked up.
            self._execute(
                f"create or replace temp table {unmatched} as select n.number as come, k.number as gone "
                f"from (select rowid as number, row_hash from {now}) as n "
                f"full join (select rowid as number, row_hash from {self._known}) as k "
                f"on n.row_hash = k.row_hash where n.number is null or k.number is null"
            )
        self._execute(
            f"create or replace temp table {moved} as "
            f"select row_hash, group_hash, true as has_come from {now} "
            f"where rowid in (select come from {unmatched}) union all "
            f"select row_hash, group_hash, false from {self._known} "
            f"where rowid in (select gone from {unmatched})"
        )
        (count, total), (known, known_total), (come, come_total), (gone, gone_total) = (
            self._execute(f"select count(*), coalesce(sum(row_hash), 0) from {rows}").fetchone()
            for rows in (now, self._known, f"{moved} where has_come", f"{moved} where not has_come")
        )
        # Else a row comes more often than it did, or less often.
        is_accounted_for = (count, total) == (known + come - gone, known_total + come_total - gone_total)
        (numbers,) = self._execute(f"select coalesce(max(rowid) + 1, 0) from raw_hubspot.{name}").fetchone()
        is_fragmented = self.table.name not in KEPT_HISTORIES and numbers > (1 + MOST_CHANGED) * known
        if not is_accounted_for or is_fragmented or come + gone > MOST_CHANGED * known:
            return False
        self._execute(
            f"create or replace temp table {touched(self.table)} as select distinct group_hash from {moved}"
        )
        number, counted = ("", ROW_NUMBER) if self.is_numbered else (f"rowid as {ROW_NUMBER}, ", "rowid")
        # Hashes were taken in the order of the rows, and rows are cheaper found by number than by hash.
        self._execute(
            f"create or replace temp table {into} as select {number}* from offered where {counted} in ("
            f"select rowid from {now} where group_hash in (from {touched(self.table)}))"
        )
        if not (gone or self.table.is_object or self.table.history_of):
            self.only_adds = self._leave_out_others(into, f"{ROW_NUMBER} in (select come from {unmatched})")
        return True

    def _has_grown(self) -> bool:
        """Whether the rows of the time before come first, in the same order, as in a file that is added to:
        then no row needs to be looked for."""
        (is_same,) = self._execute(
            f"select ({_ORDER_HASH}) = (select order_hash from delivered.tables "
            f"where table_name = {literal(self.table.name)}) "
            f"from hashes_{self.table.name} where rowid < (select count(*) from {self._known})"
        ).fetchone()
        return bool(is_same)

    def _leave_out_others(self, into: str, has_come: str) -> bool:
        """Take the rows that were there before out again where none of them is in a group of those that have
        come, but was only taken for one; False, and all stay, where any is."""
        (kin,) = self._execute(
            f"select count(*) from {into} where not {has_come} "
            f"and {self._key} in (select {self._key} from {into} where {has_come})"
        ).fetchone()
        if not kin:
            self._execute(f"delete from {into} where not {has_come}")
        return not kin

    def _execute(self, sql: str):
        return self.connection.execute(sql)


def touched(table: Table) -> str:
    """The temporary table of the hashes of changed groups."""
    return f"touched_{table.name}"


def group_key(table: Table) -> tuple[str, ...]:
    """The columns by which rows are judged together; none of them is ever empty in a raw table."""
    if table.history_of:
        return ("object_id",)
    return tuple(column for column in table.key if column in table.required_columns)


def in_touched_group(table: Table) -> str:
    """Whether a row of the raw table belongs to a changed group, in SQL."""
    return f"{_group_hash(_key_hash(map(quoted, group_key(table))))} in (from {touched(table)})"


def is_worthwhile(table: Table) -> bool:
    """Whether hashes are kept of a table."""
    return table.name in _WORTHWHILE


def keep_hashes(
    connection: duckdb.DuckDBPyConnection,
    clean: Mapping[str, str],
    partial: Collection[str],
    unchanged: Collection[str],
    says_deletions: bool,
) -> None:
    """Make the schema `delivered` say what this load was delivered.

    `clean` are the tables that were read and of which nothing was turned away, each with the mark of its
    columns, `partial` names those of which only changed groups were read, `unchanged` those not read at all.
    """
    connection.execute("create schema if not exists delivered")
    connection.execute(
        "create table if not exists delivered.tables "
        "(table_name varchar, mark varchar, says_deletions boolean)"
    )
    connection.execute("alter table delivered.tables add column if not exists order_hash hugeint")
    before = {name for (name,) in connection.execute("select table_name from delivered.tables").fetchall()}
    for name in before - clean.keys() - set(unchanged):
        connection.execute(f"drop table delivered.{name}")
    for name in clean:
        if name in partial:
            gone = f"select row_hash from moved_{name} where not has_come"
            come = f"select row_hash, group_hash from moved_{name} where has_come"
            connection.execute(f"delete from delivered.{name} where row_hash in ({gone})")
            connection.execute(f"insert into delivered.{name} {come}")
        else:
            connection.execute(f"create or replace table delivered.{name} as from hashes_{name}")
    connection.execute(
        "delete from delivered.tables where not list_contains($1, table_name)", [sorted(unchanged)]
    )
    for name, mark in clean.items():
        connection.execute(
            f"insert into delivered.tables by name select $1 as table_name, $2 as mark, "
            f"$3 as says_deletions, {_ORDER_HASH} as order_hash from hashes_{name}",
            [name, mark, says_deletions],
        )


def _key_hash(columns: Iterable[str]) -> str:
    return f"hash({', '.join(columns)})"


def _group_hash(key_hash: str) -> str:
    return f"cast({key_hash} & 4294967295 as uinteger)"
