"""The landing database of one HubSpot account: what the API has said, as text, in load packages of dlt.

Belongs here: the file `<data folder>/hubspot/<portal>.duckdb`, its load packages and its state, and what
makes one row of a record out of many. What is read, and when, is `sync.py`'s business; types and keys
are the load step's.

dlt appends each package (an id window's records with their versions, say) and commits it together with
its state, cursors included. Every row bears the number of its package. What a kill has left of a package
that never ended has a number beyond the state's, and is removed when the file is opened next. dlt's own
working folder holds nothing that is not in the database and is emptied then, too.

Appending and settling afterwards, not dlt's `merge`: a package is then all or nothing across its tables
(`merge` commits table by table), versions once seen stay, a list that has become empty is empty, and a
package of 2,000 deals with 40,000 versions costs 0.3 CPU-seconds instead of 0.4.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from orchestration.ingest.contract import TABLES
from orchestration.ingest.history import transaction
from orchestration.ingest.hubspot.objects import crm_objects
from orchestration.ingest.values import literal, quoted

SCHEMA = "landing"
PACKAGE = "_package"
READS = "table_reads"
"""A row per table: when it was last read, or why it could not be."""
ASSOCIATION_READS = "association_reads"
"""A row per record whose associations were read: those of the same package are all that it has."""
MERGES = "merges"
"""Ids that answered as another record: object_type, loser_id, winner_id."""

# Tables of which the newest row of a key counts.
_KEYED = {
    **dict.fromkeys(crm_objects(), ("id",)),
    "conversation_threads": ("id",),
    "conversation_messages": ("thread_id", "id"),
    READS: ("table_name",),
    ASSOCIATION_READS: ("from_type", "from_id"),
    MERGES: ("object_type", "loser_id"),
}
_HISTORIES = tuple(name for name, table in TABLES.items() if table.history_of)
# Tables that are read as a whole: the rows of the last reading count.
WHOLE_TABLES = (
    "account",
    "owners",
    "owner_teams",
    "teams",
    "pipelines",
    "pipeline_stages",
    "call_dispositions",
    "exchange_rates",
    "deal_splits",
    "sequences",
    "conversation_channels",
)


class LandingError(RuntimeError):
    """The landing database cannot be opened or written; the message says why and what to do."""


def landing_path(data_dir: Path, portal_id: str) -> Path:
    """Where the landing database of an account lies."""
    return data_dir / "hubspot" / f"{portal_id}.duckdb"


class Landing:
    """The landing database of one account, opened for a sync; a context manager.

    Opening removes what a killed sync has left, and settles what it has committed. `state` is the
    state that was committed last: a copy to change and to hand to `commit`. Raises LandingError.
    """

    def __init__(self, path: Path, *, threads: int = 2) -> None:
        self.path = path
        self._working_dir = path.parent / "dlt" / path.stem
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self._working_dir, ignore_errors=True)
        self.connection = _connect(path, threads)
        try:
            self.connection.execute("set TimeZone = 'UTC'")
            self._pipeline = self._open_pipeline()
            self._state: dict[str, Any] = dict(self._pipeline.state.get("sources", {}).get("hubspot", {}))
            self._discard_unfinished()
            self.settle()
        except BaseException:
            self.connection.close()
            raise

    def __enter__(self) -> Landing:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file; what was not committed is gone with the next opening."""
        self._pipeline.deactivate()
        self.connection.close()
        shutil.rmtree(self._working_dir, ignore_errors=True)

    @property
    def state(self) -> dict[str, Any]:
        """A copy of the committed state."""
        return deepcopy(self._state)

    @property
    def package(self) -> int:
        """The number of the last committed package; 0 before the first."""
        return self._state.get("package", 0)

    def commit(
        self, tables: Mapping[str, pa.Table], state: Mapping[str, Any], now: datetime | None = None
    ) -> None:
        """Load a package: these rows, with the instant of their reading, and the state. All or nothing.

        Raises LandingError.
        """
        import dlt
        from dlt.pipeline.exceptions import PipelineStepFailed

        number = self.package + 1
        new_state = {**state, "package": number}
        tables = {name: _labelled(rows, number, now) for name, rows in tables.items() if rows.num_rows}

        def remember():
            dlt.current.source_state().clear()
            dlt.current.source_state().update(new_state)
            yield from ()

        @dlt.source(schema=self._schema())
        def hubspot():
            yield dlt.resource(remember, name="remember")
            for name, rows in tables.items():
                yield dlt.resource([rows], name=name, write_disposition="append")

        try:
            self._pipeline.run(hubspot(), loader_file_format="parquet")
        except PipelineStepFailed as error:
            raise LandingError(
                f"{self.path} cannot be written: {_innermost(error)}. What was landed before is kept"
            ) from error
        self._state = deepcopy(new_state)

    # --- reading ---

    def has(self, table: str) -> bool:
        """Whether the table was ever landed."""
        return bool(
            self.connection.execute(
                "select 1 from duckdb_tables() where database_name = current_database() "
                f"and schema_name = '{SCHEMA}' and table_name = {literal(table)}"
            ).fetchone()
        )

    def columns(self, table: str) -> list[str]:
        """The columns of a landed table; none of one that was never landed."""
        if not self.has(table):
            return []
        return [row[0] for row in self.connection.execute(f"describe {SCHEMA}.{table}").fetchall()]

    def rows(self, query: str, **parameters: object) -> list[tuple]:
        """The rows of a query; landed tables go by `landing.<table>`."""
        return self.connection.execute(query, parameters or None).fetchall()

    def arrow(self, query: str, **parameters: object) -> pa.Table:
        """The rows of a query as an Arrow table."""
        return self.connection.sql(query, params=parameters or None).to_arrow_table()

    # --- one row per record ---

    def settle(self) -> None:
        """Remove what later packages have replaced. Versions of properties stay, whatever happens."""
        with transaction(self.connection):
            self.connection.execute(f"create schema if not exists {SCHEMA}")
            self.connection.execute(f"create table if not exists {SCHEMA}._settled ({PACKAGE} bigint)")
            (settled,) = self.connection.execute(
                f"select coalesce(max({PACKAGE}), 0) from {SCHEMA}._settled"
            ).fetchone()
            if settled == self.package:
                return
            fresh = f"{PACKAGE} > {settled}"
            for table, key in _KEYED.items():
                self._remove(table, _replaced_rows(table, key, fresh))
            for table in _HISTORIES:
                self._remove(table, _replaced_versions(table, fresh))
            for table in WHOLE_TABLES:
                self._remove(table, _replaced_readings(table))
            self._remove("associations", _replaced_associations(fresh))
            self.connection.execute(f"update {SCHEMA}._settled set {PACKAGE} = {self.package}")
            if not settled:
                self.connection.execute(f"insert into {SCHEMA}._settled values ({self.package})")

    def _remove(self, table: str, replaced: str) -> None:
        if self.has(table):
            self.connection.execute(f"delete from {SCHEMA}.{table} where rowid in ({replaced})")

    # --- opening ---

    def _open_pipeline(self):
        """dlt's pipeline, with the schema and the state that the database has."""
        import dlt
        from dlt.common.configuration.specs import RuntimeConfiguration
        from dlt.common.runtime import run_context
        from dlt.common.runtime.anon_tracker import disable_anon_tracker

        run_context.active().initialize_runtime(
            RuntimeConfiguration(dlthub_telemetry=False, log_level="CRITICAL")
        )
        disable_anon_tracker()  # should something else in this process have started dlt before
        pipeline = dlt.pipeline(
            self.path.stem,
            pipelines_dir=str(self._working_dir.parent),
            destination=dlt.destinations.duckdb(self.connection),
            dataset_name=SCHEMA,
        )
        pipeline.sync_destination()
        return pipeline

    def _schema(self):
        """dlt's schema, as it has evolved so far."""
        import dlt

        if self._pipeline.default_schema_name:
            return self._pipeline.default_schema
        # Names as HubSpot has them (raw_tables.md); dlt's default would rewrite some.
        normalizers = {"names": "direct", "json": {"module": "dlt.common.normalizers.json.relational"}}
        return dlt.Schema("hubspot", normalizers)

    def _discard_unfinished(self) -> None:
        """Remove the rows of packages that were never committed."""
        tables = self.connection.execute(
            "select table_name from duckdb_columns() where database_name = current_database() "
            f"and schema_name = '{SCHEMA}' and column_name = '{PACKAGE}' and table_name <> '_settled'"
        ).fetchall()
        with transaction(self.connection):
            for (table,) in tables:
                self.connection.execute(f"delete from {SCHEMA}.{table} where {PACKAGE} > {self.package}")


def _connect(path: Path, threads: int) -> duckdb.DuckDBPyConnection:
    # DuckDB spills to disk beyond the limit; the client's windows need memory, too.
    try:
        return duckdb.connect(path, config={"threads": threads, "memory_limit": "300MB"})
    except duckdb.Error as error:
        if "lock" in str(error):
            remedy = "close it in the other process that has it open"
        else:
            remedy = "move it away, and everything is read anew from HubSpot; kept history is not in it"
        raise LandingError(f"{path} cannot be opened; {remedy}. ({_first_line(error)})") from error


def _innermost(error: BaseException) -> str:
    """The first words of what dlt's nested errors are about."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__
    return _first_line(error)


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__


def _labelled(rows: pa.Table, package: int, now: datetime | None) -> pa.Table:
    """The rows with the number of their package and the instant of their reading."""
    instant = pa.scalar(now or datetime.now(UTC), pa.timestamp("us", "UTC"))
    labels = {PACKAGE: pa.scalar(package, pa.int64()), "_loaded_at": instant}
    for name, value in labels.items():
        if name in rows.column_names:
            rows = rows.drop_columns([name])
        rows = rows.append_column(name, pa.repeat(value, rows.num_rows))
    return rows


def _replaced_rows(table: str, key: Sequence[str], fresh: str) -> str:
    """Query of the rows of which their key has a newer one."""
    columns = ", ".join(quoted(column) for column in key)
    return f"""
        select rowid
        from (
            select
                rowid,
                row_number() over (partition by {columns} order by {PACKAGE} desc, rowid desc) as age
            from {SCHEMA}.{table}
            semi join (select {columns} from {SCHEMA}.{table} where {fresh}) as fresh using ({columns})
        )
        where age > 1
    """


def _replaced_versions(table: str, fresh: str) -> str:
    """Query of the versions that a later reading has brought once more.

    A version is known by its object, property, instant and value, as in kept history.
    """
    return f"""
        with read_again as (
            select object_id
            from {SCHEMA}.{table}
            semi join (select object_id from {SCHEMA}.{table} where {fresh}) as fresh using (object_id)
            group by object_id
            having min({PACKAGE}) < max({PACKAGE})
        )

        select rowid
        from (
            select
                rowid,
                {PACKAGE},
                max({PACKAGE}) over (
                    partition by object_id, name, timestamp, coalesce(value, '')
                ) as newest
            from {SCHEMA}.{table}
            semi join read_again using (object_id)
        )
        where {PACKAGE} < newest
    """


def _replaced_readings(table: str) -> str:
    """Query of the rows of a table before its last reading."""
    return f"""
        select t.rowid
        from {SCHEMA}.{table} as t
        inner join {SCHEMA}.{READS} as r on r.table_name = {literal(table)} and r.status = 'read'
        where t.{PACKAGE} < r.{PACKAGE}
    """


def _replaced_associations(fresh: str) -> str:
    """Query of the associations of records whose associations were read again."""
    return f"""
        select a.rowid
        from {SCHEMA}.associations as a
        inner join {SCHEMA}.{ASSOCIATION_READS} as r using (from_type, from_id)
        where r.{fresh} and a.{PACKAGE} < r.{PACKAGE}
    """
