"""Kept history: what HubSpot forgets and we do not (K1, K2, K3, K7).

Belongs here: the file `history.duckdb`, its format, its migrations, and everything that reads or
writes it. It holds, by source and portal, every property version ever seen, the stretches of history
that were lost before we saw them, the states of owners, teams, pipelines, stages and goals, and
stored snapshots. Rows are added; nothing that was once written is changed or removed, with one
exception: a person who is forgotten (`make forget`). It is part of the input of a build and the one
file to back up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from orchestration.ingest.accept import Accepted
from orchestration.ingest.contract import INSTANT, TABLES, VERSION_CAP, Table
from orchestration.ingest.delivery import LoadError
from orchestration.ingest.forgotten import PERSON
from orchestration.ingest.values import instant, literal, quoted

SNAPSHOT_COLUMNS = (
    "snapshot_date",
    "owner_id",
    "pipeline_id",
    "stage_id",
    "forecast_category",
    "amount_band",
    "deal_status",
    "deal_count",
    "total_amount",
    "weighted_amount",
    "unknown_count",
)
_GAP_COLUMNS = ("table_name", "object_id", "name", "gap_from", "gap_to")
_VERSION_COLUMNS = (
    "object_id",
    "name",
    "value",
    "timestamp",
    "sequence",
    "source_type",
    "source_id",
    "updated_by_user_id",
    "_loaded_at",
)


# --- format ---------------------------------------------------------------------------------------

_OWNED = "source varchar not null, portal_id varchar not null"
# A row of the source as it was from one load on, until another one found it changed or gone.
_STATE = f"{_OWNED}, valid_from timestamptz not null, valid_to timestamptz"

# One entry per format version, the statements that lead to it from the one before. They are written
# out, and an entry that has been released is never edited: files of every version are out there.
MIGRATIONS: list[list[str]] = [
    [
        f"""
        create table history.property_versions (
            {_OWNED}, table_name varchar not null, object_id varchar not null, name varchar not null,
            value varchar, timestamp timestamptz not null, sequence bigint not null,
            source_type varchar, source_id varchar, updated_by_user_id varchar,
            _loaded_at timestamptz not null
        )
        """,
        f"""
        create table history.history_gaps (
            {_OWNED}, table_name varchar not null, object_id varchar not null, name varchar not null,
            gap_from timestamptz, gap_to timestamptz not null
        )
        """,
        f"""
        create table history.stored_snapshots (
            {_OWNED}, snapshot_date date not null, owner_id varchar, pipeline_id varchar,
            stage_id varchar, forecast_category varchar, amount_band varchar, deal_status varchar,
            deal_count bigint, total_amount decimal(38, 2), weighted_amount decimal(38, 2),
            unknown_count bigint
        )
        """,
        # A day without deals has no rows and is stored all the same.
        f"""
        create table history.stored_days (
            {_OWNED}, snapshot_date date not null, stored_at timestamptz not null
        )
        """,
        f"""
        create table history.owners (
            {_STATE}, id varchar, user_id varchar, email varchar, first_name varchar,
            last_name varchar, type varchar, archived boolean, created_at timestamptz,
            updated_at timestamptz, archived_at timestamptz
        )
        """,
        f"""
        create table history.teams (
            {_STATE}, id varchar, name varchar, parent_team_id varchar, archived boolean
        )
        """,
        f"""
        create table history.owner_teams (
            {_STATE}, owner_id varchar, team_id varchar, is_primary boolean
        )
        """,
        f"""
        create table history.pipelines (
            {_STATE}, object_type varchar, id varchar, label varchar, display_order bigint,
            archived boolean
        )
        """,
        f"""
        create table history.pipeline_stages (
            {_STATE}, object_type varchar, pipeline_id varchar, id varchar, label varchar,
            display_order bigint, probability decimal(38, 10), is_closed boolean, archived boolean
        )
        """,
        f"""
        create table history.goal_targets (
            {_STATE}, id varchar, created_at timestamptz, updated_at timestamptz, archived boolean,
            archived_at timestamptz, merged_into_id varchar, hard_deleted_at timestamptz,
            hs_goal_name varchar, hs_target_amount decimal(38, 10), hs_start_datetime timestamptz,
            hs_end_datetime timestamptz, hs_milestone varchar, hs_assignee_user_id varchar,
            hs_assignee_team_id varchar, hs_pipeline_ids varchar, hs_group_correlation_uuid varchar,
            hs_goal_target_group_id varchar, hs_goal_target_currency_code varchar,
            hs_kpi_metric_type varchar, hs_kpi_object_type varchar, hs_kpi_property_name varchar,
            hs_kpi_time_property_name varchar, hs_kpi_is_team_rollup varchar
        )
        """,
    ],
    [
        # People who were forgotten (contact), and records that spoke of them (call, email, …).
        f"""
        create table history.forgotten (
            {_OWNED}, object_type varchar not null, object_id varchar not null,
            forgotten_at timestamptz not null
        )
        """,
    ],
]


def fresh_versions(table: Table) -> str:
    """The temporary table of versions of a history table that a load has added to known ones."""
    return f"fresh_{table.name}"


def version_columns(now: datetime) -> dict[str, str]:
    """The columns of accepted versions as they are kept: the value of each as an expression."""
    return {column: quoted(column) for column in _VERSION_COLUMNS} | {
        "sequence": "coalesce(sequence, 0)",
        "_loaded_at": f"coalesce(_loaded_at, {instant(now)})",
    }


@contextmanager
def attached(connection: duckdb.DuckDBPyConnection, path: Path | str) -> Iterator[None]:
    """Have the file attached as `history`, in the newest format; created where there is none."""
    if str(path) != ":memory:":
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    connection.execute(f"attach {literal(str(path))} as history")
    try:
        _migrate(connection, path)
        yield
    finally:
        # On a full disk it detaches and complains; what was committed is safe in the write-ahead log.
        with suppress(duckdb.Error):
            connection.execute("detach history")


def _migrate(connection: duckdb.DuckDBPyConnection, path: Path | str) -> None:
    known = connection.execute(
        "select 1 from duckdb_tables() where database_name = 'history' and table_name = 'format'"
    ).fetchone()
    version = 0
    if known:
        (version,) = connection.execute("select max(version) from history.format").fetchone()
    if version > len(MIGRATIONS):
        raise LoadError(
            [
                f"{path}: kept history has format {version}, written by a newer version of this "
                f"project; this one knows formats up to {len(MIGRATIONS)}. Update the project"
            ]
        )
    if version == len(MIGRATIONS):
        return
    with transaction(connection):
        if not known:
            connection.execute("create table history.format (version integer not null)")
        for number, statements in enumerate(MIGRATIONS[version:], version + 1):
            for statement in statements:
                connection.execute(statement)
            connection.execute(f"insert into history.format values ({number})")


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """All or nothing."""
    connection.execute("begin")
    try:
        yield
        connection.execute("commit")
    except BaseException:
        with suppress(duckdb.Error):  # a failed commit has rolled back by itself
            connection.execute("rollback")
        raise


# --- one account's history ------------------------------------------------------------------------


@dataclass(frozen=True)
class KeptHistory:
    """The kept history of one source and portal, in the attached database `history`."""

    connection: duckdb.DuckDBPyConnection
    source: str
    portal_id: str

    @property
    def _own(self) -> str:
        return f"source = {literal(self.source)} and portal_id = {literal(self.portal_id)}"

    @property
    def _owner(self) -> str:
        return f"{literal(self.source)} as source, {literal(self.portal_id)} as portal_id"

    # --- property versions ---

    def versions(self, table: Table) -> str:
        """Query of all versions of a history table, with their columns of the contract."""
        return (
            f"select {', '.join(_VERSION_COLUMNS)} from history.property_versions "
            f"where {self._own} and table_name = {literal(table.name)}"
        )

    def version_mark(self, table: Table) -> tuple:
        """Number and last `_loaded_at` of a table's versions: versions are only ever added."""
        return self.connection.execute(
            f"select count(*), max(_loaded_at) from ({self.versions(table)}) as kept"
        ).fetchone()

    def add_versions(self, accepted: Accepted, now: datetime) -> str:
        """Add the versions that were not known yet, and note where older ones are lost (K3).

        Returns the relation of those that were added, with their columns of the contract and more. A
        version is known by its object, property, instant and value. Its sequence only tells the order at
        its instant: a loader may number the 20 versions that are left afresh each time.
        """
        table, fresh = accepted.table, accepted.relation
        kept = self.versions(table)
        if accepted.is_partial:  # all versions of some objects
            kept += f" and object_id in (select object_id from {accepted.relation})"
        known, _ = self.version_mark(table)
        if known:
            fresh = fresh_versions(table)
            self._find_unknown_versions(kept, accepted, fresh)
        if accepted.loaded >= VERSION_CAP[table.history_of]:
            self._add_gaps(table, kept, accepted.relation, fresh)
        columns = version_columns(now)
        self.connection.execute(
            f"insert into history.property_versions by name "
            f"select {self._owner}, {literal(table.name)} as table_name, "
            f"{', '.join(f'{value} as {quoted(column)}' for column, value in columns.items())} from {fresh}"
        )
        return fresh

    def _find_unknown_versions(self, kept: str, accepted: Accepted, fresh: str) -> None:
        """What is not known; at an instant with known versions, later than these.

        Known and accepted versions are compared by two hashes of 64 bits, one of the property and one of
        the version (as in `changes.py`).
        """
        # Of some objects' versions there are few, and many to find them among.
        found = "materialized" if accepted.is_partial else "not materialized"
        self.connection.execute(
            f"""
            create or replace temp table {fresh} as
            with kept as {found} (
                select object_id, name, timestamp, value, sequence from ({kept})
            ),

            unknown as (
                select a.*
                from {accepted.relation} as a
                anti join (
                    select
                        hash(object_id, name) as property,
                        hash(timestamp, coalesce(value, '')) as version
                    from kept
                ) as k
                    on
                        hash(a.object_id, a.name) = k.property
                        and hash(a.timestamp, coalesce(a.value, '')) = k.version
            ),

            taken as (
                select k.object_id, k.name, k.timestamp, max(k.sequence) as last_sequence
                from kept as k
                semi join unknown using (object_id, name, timestamp)
                group by k.object_id, k.name, k.timestamp
            )

            select
                unknown.* replace (
                    case
                        when taken.last_sequence is null then unknown.sequence
                        else taken.last_sequence + row_number() over (
                            partition by unknown.object_id, unknown.name, unknown.timestamp
                            order by unknown.sequence, unknown.__row
                        )
                    end as sequence
                )
            from unknown
            left join taken using (object_id, name, timestamp)
            """
        )

    def _add_gaps(self, table: Table, kept: str, accepted: str, fresh: str) -> None:
        """A full cap of versions, none of them known: older ones are lost, back to the last known."""
        self.connection.execute(
            f"""
            insert into history.history_gaps by name
            -- Most objects and properties have few versions: counting hashes tells which need a closer look.
            with long_objects as (
                select hash(object_id) as object
                from {fresh}
                group by object
                having count(*) >= {VERSION_CAP[table.history_of]}
            ),

            long_properties as (
                select hash(object_id, name) as property
                from {fresh}
                where hash(object_id) in (select object from long_objects)
                group by property
                having count(*) >= {VERSION_CAP[table.history_of]}
            ),

            all_unknown as (
                select object_id, name, count(*) as version_count
                from {fresh}
                where hash(object_id, name) in (select property from long_properties)
                group by object_id, name
            ),

            full_caps as (
                select object_id, name, count(*) as version_count, min(timestamp) as gap_to
                from {accepted}
                where hash(object_id, name) in (select property from long_properties)
                group by object_id, name
                having count(*) >= {VERSION_CAP[table.history_of]}
            )

            select
                {self._owner},
                {literal(table.name)} as table_name,
                full_caps.object_id,
                full_caps.name,
                max(k.timestamp) as gap_from,
                full_caps.gap_to
            from full_caps
            inner join all_unknown using (object_id, name, version_count)
            left join ({kept}) as k
                on
                    full_caps.object_id = k.object_id
                    and full_caps.name = k.name
                    and k.timestamp < full_caps.gap_to
            group by full_caps.object_id, full_caps.name, full_caps.gap_to
            """
        )

    def gaps(self) -> str:
        """Query of `_history_gaps`."""
        return f"select {', '.join(_GAP_COLUMNS)} from history.history_gaps where {self._own}"

    # --- states of owners, teams, pipelines, stages, goals ---

    def add_states(self, delivered: Accepted, now: datetime) -> None:
        """Add the states that are new in a complete load; end those that are no longer there (K2)."""
        table, accepted = delivered.table, delivered.relation
        columns = [column for column in table.columns if column != "_loaded_at"]
        same = " and ".join(f"h.{quoted(c)} is not distinct from a.{quoted(c)}" for c in columns)
        if table.name == "owners":
            self._date_archived_owners(accepted, now)
        self.connection.execute(
            f"update history.{table.name} as h set valid_to = $now "
            f"where {self._own} and valid_to is null "
            f"and not exists (select 1 from {accepted} as a where {same})",
            {"now": now},
        )
        self.connection.execute(
            f"insert into history.{table.name} by name "
            f"select {self._owner}, $now as valid_from, {', '.join(f'a.{quoted(c)}' for c in columns)} "
            f"from {accepted} as a "
            f"where not exists (select 1 from ({self._current(table)}) as h where {same})",
            {"now": now},
        )

    def _date_archived_owners(self, accepted: str, now: datetime) -> None:
        """K14: the first load that saw an owner archived, unless the source gives the instant."""
        self.connection.execute(
            f"update {accepted} as a set archived_at = coalesce(("
            f"select h.archived_at from ({self._current(TABLES['owners'])}) as h "
            f"where h.id = a.id and h.archived), $now) "
            f"where a.archived and a.archived_at is null",
            {"now": now},
        )

    def _current(self, table: Table) -> str:
        return f"select * from history.{table.name} where {self._own} and valid_to is null"

    def state_count(self, table: Table) -> int:
        """Number of the rows in force."""
        return self.connection.execute(f"select count(*) from ({self._current(table)})").fetchone()[0]

    def current_states(self, table: Table) -> str:
        """Query of the rows in force, with the contract's columns: as of the last complete load."""
        columns = ", ".join(quoted(c) for c in table.columns if c != "_loaded_at")
        return f"select {columns}, valid_from as _loaded_at from ({self._current(table)})"

    def gone_states(self, table: Table) -> str:
        """Query of the rows once seen and gone, as they last were, marked as archived (K2).

        Memberships cannot be marked; those that are gone are no memberships.
        """
        marks = {}
        if table.is_object:
            marks["hard_deleted_at"] = "coalesce(hard_deleted_at, valid_to)"
        elif "archived" in table.columns:
            marks["archived"] = "true"
            if table.columns.get("archived_at") == INSTANT:
                marks["archived_at"] = "coalesce(archived_at, valid_to)"
        columns = ", ".join(
            f"{marks.get(c, quoted(c))} as {quoted(c)}" for c in table.columns if c != "_loaded_at"
        )
        key = ", ".join(quoted(column) for column in table.key)
        return f"""
            select {columns}, valid_from as _loaded_at
            from (
                select
                    *,
                    row_number() over (partition by {key} order by valid_from desc, valid_to desc) as age,
                    bool_or(valid_to is null) over (partition by {key}) as is_there
                from history.{table.name}
                where {self._own}
            ) as states
            where age = 1 and not is_there and {"true" if marks else "false"}
        """

    # --- people who were forgotten ---

    def forgotten(self) -> list[tuple[str, str]]:
        """(type, id) of people and of records that spoke of them."""
        return self.connection.execute(
            f"select distinct object_type, object_id from history.forgotten where {self._own}"
        ).fetchall()

    def forget(self, contact_ids: Sequence[str], mentions: Sequence[tuple[str, str]], now: datetime) -> int:
        """Remove the versions of a person's contacts, for good; returns their number.

        The ids stay on a list, so that no later load brings the person back.
        """
        listed = [(PERSON, id_) for id_ in contact_ids] + list(mentions)
        self.connection.execute(
            f"insert into history.forgotten by name "
            f"select {self._owner}, unnest($types) as object_type, unnest($ids) as object_id, "
            f"$now as forgotten_at",
            {"types": [type_ for type_, _ in listed], "ids": [id_ for _, id_ in listed], "now": now},
        )
        theirs = f"{self._own} and table_name = 'contact_property_history' and list_contains($ids, object_id)"
        self.connection.execute(f"delete from history.history_gaps where {theirs}", {"ids": contact_ids})
        (count,) = self.connection.execute(
            f"delete from history.property_versions where {theirs}", {"ids": contact_ids}
        ).fetchone()
        return count

    # --- stored snapshots ---

    def stored_snapshots(self) -> str:
        """Query of `_stored_snapshots` (K7)."""
        return f"select {', '.join(SNAPSHOT_COLUMNS)} from history.stored_snapshots where {self._own}"


def last_forgotten(history_path: Path) -> datetime | None:
    """The instant at which somebody was last forgotten, in any account of the file; None for never."""
    if not history_path.exists():
        return None
    with closing(duckdb.connect()) as connection, attached(connection, history_path):
        return connection.execute("select max(forgotten_at) from history.forgotten").fetchone()[0]


def forgotten_in(history_path: Path, source: str, portal_id: str) -> list[tuple[str, str]]:
    """(type, id) of the people who were forgotten in an account, and of records that spoke of them."""
    if not history_path.exists():
        return []
    with closing(duckdb.connect()) as connection, attached(connection, history_path):
        return KeptHistory(connection, source, portal_id).forgotten()


def store_snapshots(
    connection: duckdb.DuckDBPyConnection, history_path: Path | str, *, days: str, snapshots: str
) -> int:
    """Store the days that have ended since the last stored one; returns their number (K7).

    A first run stores the day that has just ended and no earlier one: those were not seen at the
    time and stay reconstructed, so that a first run with a wrong setting does not freeze the past.

    `connection` is a build; its `raw_hubspot._run` says whose snapshots these are, and at which instant.
    `days` is a query of the days covered (snapshot_date), those without any deal included; `snapshots`
    is a query of their rows (SNAPSHOT_COLUMNS).
    """
    source, portal_id, run_ts, time_zone = connection.execute(
        "select source, portal_id, run_ts, time_zone from raw_hubspot._run"
    ).fetchone()
    with attached(connection, history_path), transaction(connection):
        own = KeptHistory(connection, source, portal_id)
        connection.execute(
            f"create or replace temp table days_to_store as "
            f"select distinct snapshot_date from ({days}) as days "
            f"where snapshot_date < cast(timezone($time_zone, $run_ts) as date) and snapshot_date > coalesce("
            f"(select max(snapshot_date) from history.stored_days where {own._own}), "
            f"cast(timezone($time_zone, $run_ts) as date) - 2)",
            {"time_zone": time_zone, "run_ts": run_ts},
        )
        # Each day by itself, as a constant: only so is a view asked for no other day.
        for (day,) in connection.execute("from days_to_store").fetchall():
            connection.execute(
                f"insert into history.stored_snapshots by name "
                f"select {own._owner}, {', '.join(SNAPSHOT_COLUMNS)} from ({snapshots}) as snapshots "
                f"where snapshot_date = date '{day}'"
            )
        (count,) = connection.execute(
            f"insert into history.stored_days by name "
            f"select {own._owner}, snapshot_date, $run_ts as stored_at from days_to_store",
            {"run_ts": run_ts},
        ).fetchone()
        connection.execute("drop table days_to_store")
    return count
