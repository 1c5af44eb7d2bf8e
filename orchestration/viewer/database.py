"""The published database, as pages ask it.

Belongs here: which file is the current build, how it is opened, what a reader may see of it, and how a
query is run. This is the one place of the viewer where queries are made, and every page, dashboard and
export comes through `Build`.

A build is opened once and shared. The link is looked up anew each time, so a new build is there with
the next click; whoever still reads the former one keeps it. A reader who may not see everything reads
through views that leave the other rows out (`access.py`): whatever is asked, function or table, finds
those first. Files and the network are closed to queries altogether.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import duckdb
import pandas
import pyarrow

from orchestration.publish import current_build
from orchestration.published_catalog import REPORTS
from orchestration.settings import Settings
from orchestration.viewer.access import EVERYTHING, Scope, view_sql
from orchestration.viewer.periods import Calendar
from orchestration.viewer.sql import name, text

SCHEMAS = ("core", "reports")
_OPEN_BUILDS = 2  # the current one and the one before it, for those who still read it
_CACHED_ANSWERS = 100
_MAX_CACHED_ROWS = 50_000
_PUBLISHED = "published"
_CLOSED = ("enable_external_access", "autoinstall_known_extensions", "autoload_known_extensions")


class NoBuild(RuntimeError):
    """Nothing that the viewer can read has been published; the message says what to do."""


class QueryError(ValueError):
    """The database refused a query; the message is the report function's own words."""


class PublishedFile:
    """One published file, open for reading."""

    def __init__(self, path: Path) -> None:
        """Raises NoBuild if it cannot be read."""
        self.path = path
        self._lock = threading.Lock()
        self._builds: dict[Scope, Build] = {}
        try:
            self._connection = duckdb.connect()
            self._connection.execute(f"attach {text(str(path))} as {_PUBLISHED} (read_only)")
        except duckdb.Error as error:
            raise NoBuild(
                f"{path} cannot be read ({_first_line(error)}); `make run` makes a new one."
            ) from error
        for setting in _CLOSED:
            self._connection.execute(f"set {setting} = false")
        if not self._has(REPORTS):
            raise NoBuild(
                f"The published database {path.name} was made by an older version of this project, which "
                "did not yet describe its reports in it. `make run` builds and publishes a new one."
            )

    def build(self, scope: Scope) -> Build:
        """What a reader with this scope sees of the file."""
        with self._lock:
            if scope not in self._builds:
                catalogs = (_PUBLISHED,) if scope == EVERYTHING else (self._restrict(scope), _PUBLISHED)
                self._builds[scope] = Build(self.path, scope, self._connection, catalogs)
            return self._builds[scope]

    def _restrict(self, scope: Scope) -> str:
        """A catalog of views in which only the rows of the scope are; found before the file's own tables."""
        catalog = f"scope_{len(self._builds)}"
        self._connection.execute(f"attach ':memory:' as {catalog}")
        for schema in SCHEMAS:
            self._connection.execute(f"create schema {catalog}.{schema}")
        for schema, table, columns in self._tables():
            body = view_sql(_PUBLISHED, schema, table, columns, scope)
            self._connection.execute(f"create view {catalog}.{name(schema)}.{name(table)} as {body}")
        return catalog

    def _tables(self) -> list[tuple[str, str, list[str]]]:
        return self._connection.execute(
            "select schema_name, table_name, list(column_name order by column_index) from duckdb_columns() "
            f"where database_name = {text(_PUBLISHED)} and not internal group by all order by all"
        ).fetchall()

    def _has(self, table: str) -> bool:
        return any(f"{schema}.{found}" == table for schema, found, _ in self._tables())


class Build:
    """A published build as one reader may see it. Safe to use from several threads."""

    def __init__(
        self, path: Path, scope: Scope, connection: duckdb.DuckDBPyConnection, catalogs: tuple[str, ...]
    ) -> None:
        self.path = path
        self.scope = scope
        self.catalog: Any = None  # what catalog.py has read of it
        self._connection = connection
        places = [f"{catalog}.{schema}" for catalog in catalogs for schema in SCHEMAS]
        self._session = [f"set search_path = {text(','.join(places))}"]
        zone = self.one("select time_zone from core.build_info")["time_zone"]
        self._session.append(f"set timezone = {text(zone)}")
        self.info = self.one("select * from core.build_info")
        self._cached = lru_cache(_CACHED_ANSWERS)(self._ask)

    @property
    def build_id(self) -> str:
        return self.info["build_id"]

    @property
    def time_zone(self) -> str:
        """The account's; instants come in it."""
        return self.info["time_zone"]

    @property
    def currency(self) -> str:
        """The company currency, in which all amounts are."""
        return self.info["company_currency"]

    @cached_property
    def calendar(self) -> Calendar:
        """The account's calendar on the local day of the build's `run_ts`."""
        return Calendar(
            today=self.info["run_date"],
            week_starts_on=self.info["week_starts_on"],
            fiscal_year_start_month=self.info["fiscal_year_start_month"],
        )

    def table(self, sql: str, limit: int | None = None) -> pyarrow.Table:
        """The rows of a query, values as exact as the database has them; at most `limit`.

        Raises QueryError in the words of the report function if an argument is wrong.
        """
        if limit is not None and limit <= _MAX_CACHED_ROWS:
            return self._cached(sql, limit)
        return self._ask(sql, limit)

    def rows(self, sql: str, limit: int = _MAX_CACHED_ROWS) -> pandas.DataFrame:
        """The same as a data frame with Arrow's types: decimals and NULLs stay what they are."""
        return self.table(sql, limit).to_pandas(types_mapper=pandas.ArrowDtype)

    def records(self, sql: str, limit: int = _MAX_CACHED_ROWS) -> list[dict]:
        """The same as Python values."""
        return self.table(sql, limit).to_pylist()

    def one(self, sql: str) -> dict:
        """The first row of a query that has one."""
        return self._ask(sql, 1).to_pylist()[0]

    def _ask(self, sql: str, limit: int | None) -> pyarrow.Table:
        with self._connection.cursor() as session:
            for statement in self._session:
                session.execute(statement)
            try:
                relation = session.sql(sql)
                if limit is None:
                    return relation.to_arrow_table()
                return _head(relation, limit)
            except duckdb.Error as error:
                raise QueryError(_first_line(error)) from error


@dataclass(frozen=True)
class _Place:
    """A file and what tells it from a later one of the same name."""

    path: Path
    inode: int
    changed_at: int


_opening = threading.Lock()


def published_file(settings: Settings) -> PublishedFile:
    """The file that readers see now; opened if it is new. Raises NoBuild with what to do."""
    path = current_build(settings)
    try:
        status = path.stat() if path else None
    except FileNotFoundError:
        status = None
    if path is None or status is None:
        raise NoBuild(
            f"Nothing has been published in {settings.data_dir} yet. `make run` loads the data, builds the "
            "reports and publishes them; this page then shows them."
        )
    with _opening:  # two sessions at once open it once
        return _open(_Place(path.resolve(), status.st_ino, status.st_mtime_ns))


@lru_cache(_OPEN_BUILDS)
def _open(place: _Place) -> PublishedFile:
    return PublishedFile(place.path)


def _head(relation: duckdb.DuckDBPyRelation, limit: int) -> pyarrow.Table:
    """The first rows, in the query's own order, without computing more of it than needed."""
    reader = relation.to_arrow_reader(max(1, min(limit, 10_000)))
    batches, count = [], 0
    for batch in reader:
        batches.append(batch.slice(0, limit - count))
        count += len(batches[-1])
        if count >= limit:
            break
    return pyarrow.Table.from_batches(batches, reader.schema)


def _first_line(error: Exception) -> str:
    """What DuckDB says, without its kind of error and the place in the SQL."""
    words = str(error).strip().splitlines()[0]
    return words.split("Error: ", 1)[-1]
