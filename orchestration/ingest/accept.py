"""One offered table becomes accepted rows and rejects (K6).

Belongs here: matching of columns, types, and the record of everything that was turned away: rows
offered = rows accepted + rows rejected. Keys are `keys.py`'s; whether there are too many rejects is
decided in `load.py`.

Works on temporary tables only: `accepted_<table>`, `rejected_rows` and `rejected_values`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime

import duckdb

from orchestration.ingest import keys, values
from orchestration.ingest.contract import INTEGER, TEXT, Table
from orchestration.ingest.delivered import DeliveredRows, group_key, is_worthwhile
from orchestration.ingest.delivery import ROW_NUMBER, OfferedTable, Unreadable
from orchestration.ingest.values import WANTED, literal, quoted

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
_ROW = ROW_NUMBER
_FAILED = "__failed"


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
    """Delivered values per column, where any was rejected."""
    rejected_values: Counter = field(default_factory=Counter)
    """Values per column that cannot be cast."""
    is_unchanged: bool = False
    """Whether it was not read again, because the raw table holds its rows already."""
    newest_row: datetime | None = None
    """The newest `_loaded_at` that the source gave (H12)."""
    mark: str | None = None
    """Of a table whose rows are kept as delivered (`delivered.py`): the mark of its columns."""
    is_partial: bool = False
    """Whether only the rows of changed groups were read; the raw table has the others as they are."""
    only_adds: bool = False
    """Whether, moreover, the raw table has no row of these groups (`delivered.py`)."""

    @property
    def relation(self) -> str:
        return f"raw_hubspot.{self.table.name}" if self.is_unchanged else f"accepted_{self.table.name}"

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
    known_mark: str | None = None,
) -> Accepted:
    """Read, type and check one table. Raises `Unreadable` or `duckdb.Error` if it cannot be read.

    `known_mark` is the mark of the columns with which the rows of the load before are known; None if they
    are not. Where they are, the rows of changed groups will do (`delivered.py`).
    """
    try:
        has_unreadable = offer.stage(connection, "offered")
        work = _Acceptance(connection, table, load_id)
        work.match_columns(fill_required)
        if not has_unreadable and work.accept_changed_groups(known_mark):
            return work.result
        work.type_columns("offered")
        work.count_values()
        if work.keys.has_crowds() or work.has_missing_keys():
            work.turn_rows_away()
        if has_unreadable:
            work.record_unreadable_rows()
        work.record_rejected_values()
        work.remove_rows_turned_away()
    finally:
        if connection.execute("select 1 from duckdb_views() where view_name = 'offered'").fetchone():
            connection.execute("drop view temp.offered")
        for name in (
            "offered",
            "changed_rows",
            "offered_unreadable",
            "careful_rows",
            *keys.TEMPORARY_TABLES,
        ):
            connection.execute(f"drop table if exists temp.{name}")
    return work.result


class _Acceptance:
    """The steps for one table, whose rows are staged as `offered`.

    Row n of `offered` is row n of the accepted table, in its column `__row`. `__failed` is the number of
    its values that are there and cannot be cast.
    """

    def __init__(self, connection, table: Table, load_id: str) -> None:
        self.connection = connection
        self.table = table
        self.result = Accepted(table)
        self.relation = self.result.relation
        self.keys = keys.Keys(connection, table, self.relation)
        self.turned_away = False
        self.labels = f"{literal(load_id)} as load_id, {literal(table.name)} as table_name"

    def execute(self, sql: str):
        return self.connection.execute(sql)

    def kind(self, column: str) -> str:
        """The type that the contract wants; columns of the account's own are text."""
        return self.table.columns.get(column, TEXT)

    # --- groups of rows that are not as they were ---

    def accept_changed_groups(self, known_mark: str | None) -> bool:
        """Accept the rows of changed groups only; False where all rows have to be read."""
        names = {name.lower() for name in self.offered_columns}
        is_grouped = all(column in self.sources for column in group_key(self.table))
        if not is_worthwhile(self.table) or not is_grouped or "rowid" in names:
            return False
        rows = DeliveredRows(self.connection, self.table, self.offered_columns, self.sources)
        count = rows.take_hashes()
        self.result.mark = rows.mark
        if known_mark != rows.mark or self.has_other_raw_columns() or not rows.find_changed("changed_rows"):
            return False
        self.type_columns("changed_rows")
        self.count_values()
        if self.failed or self.has_stamps_of_no_instant():
            return False
        if self.keys.has_crowds() or self.has_missing_keys():
            self.keys.find_turned_away()
            if self.count("select count(*) from turned_away"):
                return False
            self.keys.remove_turned_away()
        self.result.offered = count
        self.result.is_partial = True
        self.result.only_adds = rows.only_adds
        return True

    def has_other_raw_columns(self) -> bool:
        """Whether the raw table, written by an older project, lacks any of today's columns."""
        raw = {row[0] for row in self.execute(f"describe raw_hubspot.{self.table.name}").fetchall()}
        return not raw.issuperset([*self.table.columns, *self.custom])

    def has_stamps_of_no_instant(self) -> bool:
        """Whether any `_loaded_at` is none; the newest of all rows is noted."""
        if "_loaded_at" not in self.sources:
            return False
        typed, filled = self.typed("_loaded_at"), self.is_filled("_loaded_at")
        newest, wrong = self.execute(
            f"select max({typed}), count(case when {filled} and {typed} is null then 1 end) from offered"
        ).fetchone()
        self.result.newest_row = newest and newest.astimezone(UTC)
        return wrong > 0

    # --- types ---

    def match_columns(self, fill_required: bool) -> None:
        """Find out which delivered columns are those of the contract, and which the account's own."""
        self.offered_columns = {row[0]: row[1] for row in self.execute("describe offered").fetchall()}
        offered = dict(self.offered_columns)
        # A view brings the numbers of its rows along; in a table they are those of its file.
        self.number = f"{_ROW} + 1" if offered.pop(_ROW, None) else "rowid + 1"
        matched = matched_columns(self.table, list(offered), fill_required)
        custom = [name for name in offered if name not in matched.values() and name.strip()]
        self.result.custom = custom
        self.result.delivered = [*matched, *custom]
        if self.table.history_of:
            custom = []  # no part of a history
        self.custom = custom
        self.types = {column: offered[source] for column, source in matched.items()}
        self.types |= {name: offered[name] for name in custom}
        self.sources = matched | {name: self.readable(name) for name in custom}

    def type_columns(self, relation: str) -> None:
        """Create the accepted table: every column of the contract, then the account's own as text."""
        columns = {column: self.typed(column) for column in [*self.table.columns, *self.custom]}
        # A product and no conjunction: DuckDB then computes the value once.
        failed = " + ".join(
            f"coalesce(cast({self.is_filled(column)} as integer), 0) "
            f"* cast({columns[column]} is null as integer)"
            for column in self.sources
            if self.may_fail(column)
        )
        columns[_FAILED] = failed or "0"
        if self.table.history_of:
            name, value = self.text("name"), self.text("value")
            columns |= values.version_values(self.table, name, value)
            columns[_FAILED] += f" + coalesce({values.may_be_uncastable(self.table, name, value)}, 0)"
        listed = ", ".join(f"{value} as {quoted(column)}" for column, value in columns.items())
        number = self.number if relation == "offered" else f"{_ROW} + 1"
        query = f"select {number} as {_ROW}, {listed} from {relation}"
        # Rows bear their numbers, so that threads need not wait for each other.
        self.execute("set preserve_insertion_order = false")
        self.execute(f"create or replace temp table {self.relation} as {query}")
        self.execute("reset preserve_insertion_order")

    def readable(self, name: str) -> str:
        """A column called rowid would hide the numbers of the rows: it gets another name in `offered`."""
        if name.lower() != "rowid":
            return name
        self.execute(f"alter table offered rename column {quoted(name)} to rowid_column")
        return "rowid_column"

    def typed(self, column: str) -> str:
        if column not in self.sources:
            return f"cast(null as {values.SQL_TYPES[self.kind(column)]})"
        value = values.typed(quoted(self.sources[column]), self.types[column], self.kind(column))
        if column in self.keys.columns and self.kind(column) == TEXT:
            return f"case when trim({value}) <> '' then {value} end"  # a blank is no key
        return value

    def may_fail(self, column: str) -> bool:
        """Whether a value of the column may be there and not be castable."""
        if self.kind(column) == TEXT:
            return self.types[column] == "BLOB"  # a blank in a key is no key, and text all the same
        return self.kind(column) != INTEGER or self.types[column] != "BIGINT"

    def text(self, column: str) -> str:
        """A column's text as it was delivered, a blank key included."""
        if column not in self.sources:
            return "cast(null as varchar)"
        return values.typed(quoted(self.sources[column]), self.types[column], TEXT)

    def is_filled(self, column: str, alias: str = "") -> str:
        return values.is_filled(alias + quoted(self.sources[column]), self.types[column], self.kind(column))

    def count_values(self) -> None:
        """Rows, keys, and whether any value could not be cast."""
        counted = ", ".join(f"count({quoted(column)})" for column in self.keys.needed)
        count, failed, *keys = self.execute(
            f"select count(*), sum({_FAILED}), {counted} from {self.relation}"
        ).fetchone()
        self.result.offered = count
        self.failed = failed or 0
        if "_loaded_at" in self.sources:
            (newest,) = self.execute(f"select max(_loaded_at) from {self.relation}").fetchone()
            self.result.newest_row = newest and newest.astimezone(UTC)
        self.key_count = min(keys)

    def count_filled(self) -> None:
        """Per column the values delivered and, in `typed_count`, the values typed."""
        columns = list(self.sources)
        filled = ", ".join(f"count(case when {self.is_filled(column)} then 1 end)" for column in columns)
        typed = ", ".join(f"count({quoted(column)})" for column in columns)
        delivered = self.execute(f"select {filled} from offered").fetchone()
        cast = self.execute(f"select {typed} from {self.relation}").fetchone()
        self.result.filled = Counter(dict(zip(columns, delivered, strict=True)))
        self.typed_count = Counter(dict(zip(columns, cast, strict=True)))

    # --- rows ---

    def has_missing_keys(self) -> bool:
        return self.key_count < self.result.offered

    def turn_rows_away(self) -> None:
        self.keys.find_turned_away()
        self.turned_away = True
        self.result.rejected += self.count(
            f"""
            insert into rejected_rows by name
            select
                {self.labels},
                t.{_ROW} as row_number,
                {self.record_id("a")} as record_id,
                t.reason,
                cast(to_json(o) as varchar) as raw
            from turned_away as t
            inner join {self.relation} as a on t.{_ROW} = a.{_ROW}
            inner join offered as o on t.{_ROW} = o.{self.number}
            """
        )

    def record_unreadable_rows(self) -> None:
        count = self.count(
            f"insert into rejected_rows by name "
            f"select {self.labels}, row_number, reason, raw from offered_unreadable"
        )
        self.result.offered += count
        self.result.rejected += count

    def record_id(self, alias: str) -> str:
        """The id of a row for people to look it up by."""
        if self.table.history_of:
            return f"{alias}.object_id"
        parts = ", ".join(f"cast({alias}.{quoted(column)} as varchar)" for column in self.keys.columns)
        return f"nullif(concat_ws('/', {parts}), '')"

    # --- values ---

    def record_rejected_values(self) -> None:
        """Values of accepted rows that are there and cannot be cast."""
        if not self.failed:
            return
        self.count_filled()
        for column, filled in self.result.filled.items():
            is_text_key = (
                column in self.keys.columns and self.kind(column) == TEXT
            )  # blank: no key, not no text
            if self.typed_count[column] < filled and not is_text_key:
                wanted = WANTED.get(self.kind(column), "text")
                self.insert_rejected_values(
                    column,
                    f"select {self.record_id('a')} as record_id, a.{_ROW}, "
                    f"cast(o.{quoted(self.sources[column])} as varchar) as raw_text, "
                    f"{literal(f'not {wanted}')} as reason "
                    f"from {self.relation} as a inner join offered as o on a.{_ROW} = o.{self.number} "
                    f"where {self.is_filled(column, 'o.')} and a.{quoted(column)} is null",
                )
        if self.table.history_of:
            self.insert_rejected_values(
                "value",
                f"select object_id as record_id, {_ROW}, value as raw_text, 'no value of ' || name as reason "
                f"from {self.relation} where {values.is_uncastable_version(self.table)}",
            )

    def insert_rejected_values(self, column: str, rejected: str) -> None:
        accepted = f"where {_ROW} not in (select {_ROW} from turned_away)" if self.turned_away else ""
        count = self.count(
            f"insert into rejected_values by name "
            f"select {self.labels}, record_id, {literal(column)} as column_name, raw_text, reason "
            f"from ({rejected}) as rejected {accepted}"
        )
        if count:
            self.result.rejected_values[column] += count

    # --- the end ---

    def remove_rows_turned_away(self) -> None:
        if self.turned_away:
            self.keys.remove_turned_away()

    def count(self, sql: str) -> int:
        return self.execute(sql).fetchone()[0]
