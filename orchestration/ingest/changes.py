"""What a load changed: the raw rows before it and after it, compared.

Belongs here: which rows of a raw table came or went, bringing the table up to date with no more
writing than that needs, and which records are concerned (`_changed_records`, `_changed_tables`). What
the new rows are is `raw_hubspot.py`'s business; what is built anew because of a change is the plan's; which
changes of a record concern others is said in `concerns.py`.

Rows are compared by all columns but those that tell of the load, with their values in their types.
`_loaded_at` says when a row came as it is: a row that a source brings once more unchanged keeps its
own, and no model reads it. Two rows count as equal where two hashes of 64 bits agree, that of their key
and that of all their columns: a changed row goes unseen once in 2^64 changes, and costs no join of texts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import duckdb

from orchestration.ingest.concerns import CONCERNING, MADE_OF_NO_ASSOCIATION
from orchestration.ingest.contract import TABLES, TEXT, Table
from orchestration.ingest.delivered import MOST_CHANGED, in_touched_group
from orchestration.ingest.values import SQL_TYPES, literal, quoted

RECORD_TYPES = {
    "deals": "deal",
    "contacts": "contact",
    "companies": "company",
    "leads": "lead",
    "calls": "call",
    "meetings": "meeting",
    "tasks": "task",
    "emails": "email",
    "notes": "note",
    "communications": "communication",
    "conversation_threads": "conversation_thread",
    "sequences": "sequence",
    "owners": "owner",
    "teams": "team",
}
"""HubSpot's singular of the tables whose rows are records, as `_changed_records` has it."""


class _Reference(NamedTuple):
    """A record that a row is about: its type and id as expressions, and the columns they are made of."""

    type: str
    id: str
    columns: tuple[str, ...]
    is_of_record: bool = False
    """Whether the row is a record, of which others may speak (`CONCERNING`)."""


def _listed(column: str) -> str:
    """The ids in a list of ids, as HubSpot writes it."""
    return f"trim(unnest(string_split(translate({column}, chr(9) || chr(10) || chr(13), '   '), ';')))"


_HISTORIES = " ".join(
    f"when {literal(name)} then {literal(RECORD_TYPES[table.history_of])}"
    for name, table in TABLES.items()
    if table.history_of
)
# Records that rows name beside the one that they are.
_NAMED = {
    "associations": [
        _Reference(
            f"{end}_type",
            f"case when {end}_type not in {MADE_OF_NO_ASSOCIATION} then {end}_id end",
            (f"{end}_type", f"{end}_id"),
        )
        for end in ("from", "to")
    ],
    "deal_splits": [
        _Reference("'deal'", "deal_id", ("deal_id",)),
        _Reference("'owner'", "owner_id", ("owner_id",)),
    ],
    "conversation_threads": [_Reference("'contact'", "associated_contact_id", ("associated_contact_id",))],
    "conversation_messages": [_Reference("'conversation_thread'", "thread_id", ("thread_id",))],
    "owner_teams": [
        _Reference("'owner'", "owner_id", ("owner_id",)),
        _Reference("'team'", "team_id", ("team_id",)),
    ],
    "_history_gaps": [
        _Reference(f"case table_name {_HISTORIES} end", "object_id", ("table_name", "object_id"))
    ],
}
_OF_THE_LOAD = ("_loaded_at", "load_id")
"""Columns that tell of loads and not of records."""
_READERS = ("activities", "contacts")
"""Whose rows are made of other records, too."""
CHANGES_TABLES = ("changed_records", "changed_tables", "differences", "different_rows", "new_rows")
"""The temporary tables of this module."""


class Changes:
    """The raw tables of one load, brought up to date one by one within its transaction.

    `compares` is whether there are tables of the load before to compare with; without them everything
    is written anew and nothing counts as changed.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, *, compares: bool) -> None:
        self.connection = connection
        self.compares = compares
        flags = ", ".join(f"concerns_{reader} boolean default false" for reader in _READERS)
        self._execute(
            f"create or replace temp table changed_records (object_type varchar, record_id varchar, {flags})"
        )
        self._execute("create or replace temp table changed_tables (table_name varchar)")

    def _execute(self, sql: str, parameters: Mapping[str, object] | None = None):
        return self.connection.execute(sql, parameters or {})

    # --- whole tables ---

    def replace(
        self,
        table: Table,
        rows: str,
        columns: Mapping[str, str],
        *,
        deleted_at: str | None = None,
        is_partial: bool = False,
        only_adds: bool = False,
    ) -> None:
        """Make a raw table hold the rows of a temporary table, each column by its expression.

        With `deleted_at`, an instant in SQL, records that are not among the rows stay, as deleted then. With
        `is_partial` these are the rows of touched groups (`delivered.py`), and those of others stay; with
        `only_adds` the raw table has none of these groups.
        """
        raw = f"raw_hubspot.{table.name}"
        listed = ", ".join(f"{value} as {quoted(column)}" for column, value in columns.items())
        anew = f"select {listed} from {rows}"
        if not (self.compares and self._is_there(table.name)):
            self._execute(f"create or replace table {raw} as {anew}")
            if self.compares:  # a table that was not there has come with all of its rows
                self._execute(
                    f"create or replace temp table differences as "
                    f"select rowid as came, cast(null as bigint) as went from {rows}"
                )
                self._note(table, rows, columns, {})
            return
        before = self._columns(raw)
        # Only of the rows that are found all columns are read.
        found = f"rowid in (select rowid from {raw} where {in_touched_group(table)})"
        looked_at = "false" if only_adds else found if is_partial else "true"
        self._find_differences(table, rows, columns, before, looked_at)
        if deleted_at:
            self._keep_deleted(raw, rows)
        if is_partial:
            self._note(table, rows, columns, before)
            if self._count("select count(*) from differences"):
                self._change(raw, rows, listed, deleted_at)
            return
        if deleted_at:
            gone = self._deleted_rows(table, rows, columns, before, deleted_at)
            anew = f"{anew} union all by name {gone}"
        self._note(table, rows, columns, before)
        if list(before.items()) != list(self._columns(f"(select {listed} from {rows})").items()):
            self._execute(f"create or replace table {raw} as {anew}")
        elif self._count("select count(*) from differences"):
            if self._is_mostly_different(raw):
                self._execute(f"create or replace table {raw} as {anew}")
            else:
                self._change(raw, rows, listed, deleted_at)

    def replace_by_query(self, name: str, query: str) -> None:
        """Make a raw table hold the rows of a query, which is read once; rows of the load's own tables
        count by what they hold, as often as they are there."""
        self._execute(f"create or replace temp table new_rows as {query}")
        columns = {column: quoted(column) for column in self._columns("new_rows")}
        if name in TABLES:
            self.replace(TABLES[name], "new_rows", columns)
            return
        raw = f"raw_hubspot.{name}"
        if self.compares and self._is_there(name) and self._columns(raw).keys() == columns.keys():
            compared = ", ".join(value for column, value in columns.items() if column not in _OF_THE_LOAD)
            now, then = f"select {compared} from new_rows", f"select {compared} from {raw}"
            self._execute(
                f"create or replace temp table different_rows as "
                f"({now} except all {then}) union all ({then} except all {now})"
            )
            if self._count("select count(*) from different_rows"):
                self.note_table(name)
                for reference in _NAMED.get(name, []):
                    self._insert_records(reference, "different_rows")
        self._execute(f"create or replace table {raw} as from new_rows")

    def replace_by_days(self, name: str, query: str, day: str) -> None:
        """Make a raw table hold the rows of a query to which only whole days are ever added."""
        raw = f"raw_hubspot.{name}"
        if self.compares and self._is_there(name):
            before, now = (
                f"select {day}, count(*) from ({rows}) group by {day}" for rows in (f"from {raw}", query)
            )
            if not self._count(f"select count(*) from ({before} except {now})"):
                added = self._count(
                    f"insert into {raw} by name "
                    f"select * from ({query}) where {day} not in (select {day} from {raw})"
                )
                if added:
                    self.note_table(name)
                return
        self.replace_by_query(name, query)

    def note_table(self, name: str) -> None:
        """A raw table differs from what it was."""
        self._execute("insert into changed_tables values ($name)", {"name": name})

    # --- histories, which only grow ---

    def is_at(self, name: str, columns: Sequence[str], count: int, until: datetime | None) -> bool:
        """Whether a raw history has these columns and so many versions, the last of them loaded then."""
        raw = f"raw_hubspot.{name}"
        if not (self.compares and self._is_there(name) and list(self._columns(raw)) == list(columns)):
            return False
        return self._execute(f"select count(*), max(_loaded_at) from {raw}").fetchone() == (count, until)

    def append(self, table: Table, fresh: str, query: str) -> None:
        """Add the rows of a query to a raw history; `fresh` is the relation of its objects' ids."""
        self._execute(f"insert into raw_hubspot.{table.name} by name {query}")
        if self._count(f"select count(*) from {fresh}"):
            self.note_table(table.name)
            for reference in _references(table):
                self._insert_records(reference, fresh)

    # --- what came of it ---

    def write(self) -> None:
        """`_changed_records` and `_changed_tables`."""
        self._add_owners_of_teams()
        flags = ", ".join(f"bool_or(concerns_{reader}) as concerns_{reader}" for reader in _READERS)
        self._execute(
            f"create or replace table raw_hubspot._changed_records as "
            f"select object_type, record_id, {flags} from changed_records where record_id <> '' group by all"
        )
        self._execute(
            "create or replace table raw_hubspot._changed_tables as "
            "select distinct table_name from changed_tables"
        )

    def _add_owners_of_teams(self) -> None:
        """A changed team counts for the owners in it and in the teams below it."""
        self._execute(
            """
            insert into changed_records (object_type, record_id)
            with recursive below as (
                select record_id as team_id from changed_records where object_type = 'team'
                union
                select teams.id
                from raw_hubspot.teams as teams
                inner join below on teams.parent_team_id = below.team_id
            )

            select 'owner', owner_id from raw_hubspot.owner_teams semi join below using (team_id)
            """
        )

    # --- comparing ---

    def _columns(self, relation: str) -> dict[str, str]:
        """The columns of a relation with their types."""
        return {row[0]: row[1] for row in self._execute(f"describe {relation}").fetchall()}

    def _is_there(self, name: str) -> bool:
        return bool(
            self._execute(
                "select 1 from duckdb_tables() where database_name = current_database() "
                f"and schema_name = 'raw_hubspot' and table_name = {literal(name)}"
            ).fetchone()
        )

    def _count(self, query: str) -> int:
        return self._execute(query).fetchone()[0]

    def _find_differences(
        self, table: Table, rows: str, columns: Mapping[str, str], before: Mapping[str, str], looked_at: str
    ) -> None:
        """`differences`: came, a row of the new ones that was not there; went, one that is no more.

        Of the raw table, the rows that are `looked_at` count, a condition. A column that only one side has is
        empty on the other.
        """
        compared = [column for column in {**columns, **before} if column not in _OF_THE_LOAD]
        key = ", ".join(quoted(column) for column in table.key)
        now, then = (
            ", ".join(quoted(column) if column in side else "cast(null as varchar)" for column in compared)
            for side in (columns, before)
        )
        self._execute(
            f"""
            create or replace temp table differences as
            select n.number as came, b.number as went
            from (select rowid as number, hash({key}) as key, hash({now}) as row from {rows}) as n
            full join (
                select rowid as number, hash({key}) as key, hash({then}) as row
                from raw_hubspot.{table.name}
                where {looked_at}
            ) as b on n.key = b.key and n.row = b.row
            where n.number is null or b.number is null
            """
        )

    def _keep_deleted(self, raw: str, rows: str) -> None:
        """Rows that are deleted already and still not delivered have not gone anew."""
        self._execute(
            f"""
            delete from differences where went in (
                select b.rowid
                from {raw} as b
                inner join differences as d on b.rowid = d.went
                anti join (
                    select id from {rows} where rowid in (select came from differences where came is not null)
                ) as n on b.id = n.id
                where b.hard_deleted_at is not null
            )
            """
        )

    def _note(self, table: Table, rows: str, columns: Mapping[str, str], before: Mapping[str, str]) -> None:
        """Note what the different rows are about, those before and those now alike."""
        if not self._count("select count(*) from differences"):
            return
        self.note_table(table.name)
        references = _references(table)
        read = CONCERNING.get(table.name, {})
        needed = dict.fromkeys(
            column for columns in (*(r.columns for r in references), *read.values()) for column in columns
        )
        sides = []
        for relation, side, number in (
            (rows, columns, "came"),
            (f"raw_hubspot.{table.name}", before, "went"),
        ):
            if there := [column for column in needed if column in side]:
                sides.append(
                    f"select {', '.join(map(quoted, there))} from {relation} "
                    f"where rowid in (select {number} from differences where {number} is not null)"
                )
        if not sides:
            return
        self._execute(f"create or replace temp table different_rows as {' union all by name '.join(sides)}")
        if table.name in RECORD_TYPES:
            self._flag_concerns(table)
        for reference in references:
            if self._columns("different_rows").keys() >= set(reference.columns):
                self._insert_records(reference, "different_rows")

    def _flag_concerns(self, table: Table) -> None:
        """Say of each different row of a record for whom it differs; of both rows of one record the same.

        A record that came or went has one row, and concerns all who may speak of it.
        """
        there = self._columns("different_rows").keys()
        flags = []
        for reader in _READERS:
            read = CONCERNING.get(table.name, {}).get(reader, ())
            face = f"hash({', '.join(quoted(column) for column in read if column in there)})"
            differs = f"count(*) over same = 1 or min({face}) over same <> max({face}) over same"
            flags.append(f"{differs if read else 'false'} as concerns_{reader}")
        self._execute(
            f"create or replace temp table different_rows as "
            f"select *, {', '.join(flags)} from different_rows window same as (partition by id)"
        )

    def _insert_records(self, reference: _Reference, relation: str) -> None:
        flags = "".join(f", concerns_{reader}" for reader in _READERS) if reference.is_of_record else ""
        self._execute(
            f"insert into changed_records (object_type, record_id{flags}) "
            f"select distinct {reference.type}, {reference.id}{flags} from {relation}"
        )

    # --- writing ---

    def _is_mostly_different(self, raw: str) -> bool:
        """Whether a table is better written anew; rows that went stay in its file until then."""
        different, count, numbers = self._execute(
            f"select (select count(*) from differences), count(*), coalesce(max(rowid) + 1, 0) from {raw}"
        ).fetchone()
        return different > MOST_CHANGED * count or numbers > (1 + MOST_CHANGED) * count

    def _change(self, raw: str, rows: str, listed: str, deleted_at: str | None) -> None:
        """Take the rows out that went, or mark their records as deleted; put those in that came."""
        went = "rowid in (select went from differences where went is not null)"
        came = f"from {rows} where rowid in (select came from differences where came is not null)"
        if deleted_at:
            self._execute(f"delete from {raw} where {went} and id in (select id {came})")
            self._execute(f"update {raw} set hard_deleted_at = {deleted_at} where {went}")
        else:
            self._execute(f"delete from {raw} where {went}")
        self._execute(f"insert into {raw} by name select {listed} {came}")

    @staticmethod
    def _deleted_rows(
        table: Table, rows: str, columns: Mapping[str, str], before: Mapping[str, str], deleted_at: str
    ) -> str:
        """Query of the records that the source no longer has (K4), in today's columns."""
        # An older contract may not have known a column, or known it as the account's own text.
        listed = ", ".join(
            f"try_cast({quoted(column)} as {SQL_TYPES[table.columns.get(column, TEXT)]}) as {quoted(column)}"
            for column in columns
            if column in before and column != "hard_deleted_at"
        )
        return (
            f"select {listed}, coalesce(hard_deleted_at, {deleted_at}) as hard_deleted_at "
            f"from raw_hubspot.{table.name} where id not in (select id from {rows})"
        )


def _references(table: Table) -> list[_Reference]:
    """The records that a row of a table is about."""
    references = list(_NAMED.get(table.name, []))
    if table.history_of:
        references.append(_Reference(literal(RECORD_TYPES[table.history_of]), "object_id", ("object_id",)))
    if table.name in RECORD_TYPES:
        own = literal(RECORD_TYPES[table.name])
        references.append(_Reference(own, "id", ("id",), is_of_record=True))
        for column, ids in {"merged_into_id": "trim({})", "hs_merged_object_ids": _listed("{}")}.items():
            if column in table.columns:
                references.append(_Reference(own, ids.format(column), (column,), is_of_record=True))
    return references
