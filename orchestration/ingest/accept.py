"""One offered table becomes accepted rows and rejects (K6).

Belongs here: matching of columns, types, keys, the order of versions, and the record of everything
that was turned away: rows offered = rows accepted + rows rejected. Whether there are too many
rejects, and what else the database holds, is decided in `load.py`.

Works on temporary tables only: `accepted_<table>`, `rejected_rows` and `rejected_values`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

import duckdb

from orchestration.ingest import values
from orchestration.ingest.contract import TEXT, Table
from orchestration.ingest.delivery import OfferedTable, Unreadable
from orchestration.ingest.values import literal, quoted

REJECTED_ROWS = {
    "load_id": "varchar",
    "table_name": "varchar",
    "row_number": "bigint",
    "record_id": "varchar",
    "reason": "varchar",
    "raw": "varchar",
}
REJECTED_VALUES = {
    "load_id": "varchar",
    "table_name": "varchar",
    "record_id": "varchar",
    "column_name": "varchar",
    "raw_text": "varchar",
    "reason": "varchar",
}
_WANTED = {
    "decimal": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "date": "a date",
    "instant": "an instant (ISO 8601)",
}


@dataclass
class Accepted:
    """The accepted rows of one delivered table, and what was turned away."""

    table: Table
    custom: list[str] = field(default_factory=list)
    """Delivered columns that the contract does not know, as delivered."""
    delivered: list[str] = field(default_factory=list)
    """All delivered columns, those of the contract under its names (K11)."""
    offered: int = 0
    rejected: int = 0
    filled: Counter = field(default_factory=Counter)
    """Delivered values per column."""
    rejected_values: Counter = field(default_factory=Counter)
    """Values per column that cannot be cast."""

    @property
    def relation(self) -> str:
        return f"accepted_{self.table.name}"

    @property
    def loaded(self) -> int:
        return self.offered - self.rejected


def create_reject_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Empty `rejected_rows` and `rejected_values`."""
    for name, columns in (("rejected_rows", REJECTED_ROWS), ("rejected_values", REJECTED_VALUES)):
        listed = ", ".join(f"{column} {kind}" for column, kind in columns.items())
        connection.execute(f"create or replace temp table {name} ({listed})")


def matched_columns(table: Table, delivered: list[str], fill_required: bool) -> dict[str, str]:
    """The contract's columns among the delivered ones: contract name → delivered name.

    Names match whatever their case and outer blanks. Raises `Unreadable` for two columns of one name
    and, unless `fill_required`, for missing required columns.
    """
    by_name: dict[str, str] = {}
    for name in delivered:
        known = name.strip().lower()
        if known in by_name:
            raise Unreadable(f"two columns are called {known!r}; keep one of them")
        by_name[known] = name
    missing = sorted(table.required_columns - set(by_name))
    if missing and not fill_required:
        raise Unreadable(
            f"required column{'s' * (len(missing) > 1)} missing: {', '.join(missing)} "
            f"(found: {', '.join(delivered)})"
        )
    return {column: by_name[column] for column in table.columns if column in by_name}


def accept(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    offer: OfferedTable,
    load_id: str,
    *,
    fill_required: bool,
) -> Accepted:
    """Read, type and check one table. Raises `Unreadable` or `duckdb.Error` if it cannot be read."""
    work = _Acceptance(connection, table, load_id)
    try:
        offer.stage(connection, "offered")
        work.type_columns(fill_required)
        work.find_rejected_rows()
        work.record_rejected_rows()
        work.record_rejected_values()
        work.remove_rejected_rows()
    finally:
        for name in ("offered", "offered_unreadable", "careful_rows", "crowd", "turned_away"):
            connection.execute(f"drop table if exists temp.{name}")
    return work.result


class _Acceptance:
    """The steps for one table. Row `_row` of the accepted table is row `_row` of `offered`."""

    def __init__(self, connection, table: Table, load_id: str) -> None:
        self.connection = connection
        self.table = table
        self.load_id = load_id
        self.result = Accepted(table)
        # Versions at one instant are told apart by their sequence, which may have to be found (H9).
        self.key = [column for column in table.key if not (table.history_of and column == "sequence")]
        self.needed = [column for column in self.key if (table.name, column) != ("associations", "type_id")]

    @property
    def relation(self) -> str:
        return self.result.relation

    def execute(self, sql: str):
        return self.connection.execute(sql)

    # --- types ---

    def type_columns(self, fill_required: bool) -> None:
        """Create the accepted table: every column of the contract, then the account's own as text."""
        kinds = {row[0]: row[1] for row in self.execute("describe offered").fetchall()}
        matched = matched_columns(self.table, list(kinds), fill_required)
        custom = [name for name in kinds if name not in matched.values() and name.strip()]
        self.result.custom = custom
        self.result.delivered = [*matched, *custom]
        self.sources = {**matched, **{name: name for name in custom}}
        self.kinds = {name: kinds[source] for name, source in self.sources.items()}

        listed = ["rowid + 1 as _row"]
        for column, kind in self.table.columns.items():
            if column in matched:
                value = values.typed(quoted(matched[column]), self.kinds[column], kind)
                if column in self.key and kind == TEXT:
                    value = f"nullif({value}, '')"
            else:
                value = f"cast(null as {values.SQL_TYPES[kind]})"
            listed.append(f"{value} as {quoted(column)}")
        listed += [
            f"{values.typed(quoted(name), self.kinds[name], TEXT)} as {quoted(name)}" for name in custom
        ]
        self.execute(f"create or replace temp table {self.relation} as select {', '.join(listed)} from offered")

    def wanted_kind(self, column: str) -> str:
        return self.table.columns.get(column, TEXT)

    # --- rows ---

    def find_rejected_rows(self) -> None:
        """`turned_away`: rows without a key, and rows whose key an earlier row has (H11)."""
        missing = " or ".join(f"{self.is_missing(column)}" for column in self.needed)
        reasons = ", ".join(
            f"case when {self.is_missing(column)} then {literal(self.missing_reason(column))} end"
            for column in self.needed
        )
        self.execute(
            f"create or replace temp table turned_away as "
            f"select _row, concat_ws('; ', {reasons}) as reason from {self.relation} where {missing}"
        )
        # An optional part of a key may be missing: two such rows have the same key.
        key = ", ".join(
            quoted(column) if column in self.needed else f"coalesce({quoted(column)}, '')"
            for column in self.key
        )
        sequence = "sequence" if self.table.history_of else "cast(null as bigint)"
        self.execute(
            f"""
            create or replace temp table crowd as
            with keys as (
                select row({key}) as key, _row, {sequence} as sequence from {self.relation}
                where not ({missing})
            ),

            crowded as (
                select row({key}) as key from {self.relation}
                where not ({missing})
                group by {key}
                having count(*) > 1
            ),

            -- H9: a missing sequence is the order of the rows, after the sequences that are given.
            placed as (
                select
                    key,
                    _row,
                    coalesce(
                        sequence,
                        coalesce(max(sequence) over (partition by key), -1)
                        + row_number() over (partition by key, sequence is null order by _row)
                    ) as sequence
                from keys semi join crowded using (key)
            )

            select
                _row,
                sequence,
                min(_row) over (partition by {"key, sequence" if self.table.history_of else "key"}) as first_row
            from placed
            """
        )
        self.execute(
            "insert into turned_away select _row, 'same key as row ' || first_row from crowd where _row > first_row"
        )

    def is_missing(self, column: str) -> str:
        if self.wanted_kind(column) == TEXT:
            return f"coalesce(trim({quoted(column)}), '') = ''"
        return f"{quoted(column)} is null"

    def missing_reason(self, column: str) -> str:
        kind = self.wanted_kind(column)
        return f"{column} is missing" + ("" if kind == TEXT else f" or not {_WANTED[kind]}")

    def record_id(self, alias: str) -> str:
        """The id of a row for people to look it up by."""
        if self.table.key == ("id",):
            return f"{alias}.id"
        if self.table.history_of:
            return f"{alias}.object_id"
        parts = ", ".join(f"cast({alias}.{quoted(column)} as varchar)" for column in self.key)
        return f"concat_ws('/', {parts})"

    def record_rejected_rows(self) -> None:
        name, load = literal(self.table.name), literal(self.load_id)
        if self.has("offered_unreadable"):
            self.execute(
                f"insert into rejected_rows "
                f"select {load}, {name}, row_number, null, reason, raw from offered_unreadable"
            )
        self.execute(
            f"""
            insert into rejected_rows
            select {load}, {name}, t._row, {self.record_id("a")}, t.reason, cast(to_json(o) as varchar)
            from turned_away as t
            inner join {self.relation} as a on t._row = a._row
            inner join offered as o on t._row = o.rowid + 1
            """
        )
        unreadable = self.count("offered_unreadable") if self.has("offered_unreadable") else 0
        self.result.offered = self.count("offered") + unreadable
        self.result.rejected = self.count("turned_away") + unreadable

    # --- values ---

    def record_rejected_values(self) -> None:
        """Values of accepted rows that are there and cannot be cast."""
        for column in self.columns_with_rejects():
            filled = values.is_filled(f"o.{quoted(self.sources[column])}", self.kinds[column], self.wanted_kind(column))
            raw = f"cast(o.{quoted(self.sources[column])} as varchar)"
            reason = f"not {_WANTED.get(self.wanted_kind(column), 'text')}"
            self.insert_rejected_values(
                column,
                f"select {self.record_id('a')} as record_id, {raw} as raw, {literal(reason)} as reason, a._row "
                f"from offered as o positional join {self.relation} as a "
                f"where {filled} and a.{quoted(column)} is null",
            )
        if self.table.history_of:
            self.insert_rejected_values(
                "value",
                f"select object_id as record_id, value as raw, 'not a value of ' || name as reason, _row "
                f"from {self.relation} where {values.is_uncastable_version(self.table)}",
            )

    def insert_rejected_values(self, column: str, rejected: str) -> None:
        (count,) = self.execute(
            f"""
            insert into rejected_values
            select
                {literal(self.load_id)}, {literal(self.table.name)}, record_id, {literal(column)}, raw, reason
            from ({rejected})
            where _row not in (select _row from turned_away)
            """
        ).fetchone()
        if count:
            self.result.rejected_values[column] = count

    def columns_with_rejects(self) -> list[str]:
        """Columns of which fewer values were typed than delivered, found in two scans."""
        columns = list(self.sources)
        filled = ", ".join(
            f"count(case when {values.is_filled(quoted(self.sources[c]), self.kinds[c], self.wanted_kind(c))} then 1 end)"
            for c in columns
        )
        typed = ", ".join(f"count({quoted(c)})" for c in columns)
        delivered = self.execute(f"select {filled} from offered").fetchone()
        cast = self.execute(f"select {typed} from {self.relation}").fetchone()
        self.result.filled = Counter(dict(zip(columns, delivered, strict=True)))
        return [
            c
            for c, before, after in zip(columns, delivered, cast, strict=True)
            if after < before and not (c in self.key and self.wanted_kind(c) == TEXT)
        ]

    # --- the end ---

    def remove_rejected_rows(self) -> None:
        if self.count("turned_away"):
            self.execute(f"delete from {self.relation} where _row in (select _row from turned_away)")
        if self.table.history_of:
            # All others stand alone at their instant: their sequence is 0 if it is missing.
            self.execute(
                f"update {self.relation} as a set sequence = crowd.sequence from crowd "
                f"where a._row = crowd._row and a.sequence is null"
            )

    def has(self, temp_table: str) -> bool:
        return bool(
            self.execute(
                f"select 1 from duckdb_tables() where temporary and table_name = {literal(temp_table)}"
            ).fetchone()
        )

    def count(self, relation: str) -> int:
        return self.execute(f"select count(*) from {relation}").fetchone()[0]
