"""The data folder: its format, and the two databases that a build works in.

Belongs here: what makes a folder ready for a run, whatever run or version left it. What lies in the
files is the business of those who write them: `history.duckdb` has a format and migrations of its
own (`ingest/history.py`); everything else in the folder can be made again.

    build.duckdb    raw, staging, intermediate, seeds, and what the audit found; stays in the folder
    marts.duckdb    core and reports, built straight into the file that will be published

Whoever opens a build has both under names of two parts, such as `raw_hubspot.deals` and
`core.fct_deals`: the search path says which schema is whose.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import duckdb

from orchestration.ingest.values import literal, quoted
from orchestration.settings import MARTS_FILE, Settings

T = TypeVar("T")

# Raised with every change after which an older project could not work in the folder any more.
# To raise it, add what brings a folder of the former format here to MIGRATIONS.
FORMAT = 1
MARTS = "marts"
MARTS_SCHEMAS = ("core", "reports")
# DuckDB 2.0 reads it, and so do 1.4 and 1.5, which today's BI tools ship.
STORAGE_VERSION = "v1.4.0"
MIGRATIONS: dict = {}


class DataFolderError(RuntimeError):
    """The data folder cannot be used; the message says why and what to do."""


def prepare(settings: Settings) -> None:
    """Make the data folder ready: there, writable, of this version's format.

    Raises DataFolderError if a newer version wrote it, OSError if it cannot be written.
    """
    folder = settings.data_dir
    folder.mkdir(parents=True, exist_ok=True)
    note = folder / "FORMAT"
    found = int(note.read_text()) if note.exists() else FORMAT
    if found > FORMAT:
        raise DataFolderError(
            f"{folder} was written by a newer version of this project (format {found}, this one knows "
            f"{FORMAT}). Update the project, or set SALES_REPORTS_DATA_DIR to another folder."
        )
    for version in range(found, FORMAT):
        MIGRATIONS[version](settings)
    if not note.exists() or found != FORMAT:
        note.write_text(f"{FORMAT}\n")


def open_build(
    path: Path, memory_limit: str | None = None, *, with_marts: bool = True
) -> duckdb.DuckDBPyConnection:
    """Open the build database and the marts; one that cannot be read is replaced by an empty one.

    It holds the last load, which tells what has been deleted since (K4, K5c), and nothing else that
    could not be built again. Raises DataFolderError if another process has it open.
    """
    connection = _open(path, lambda: duckdb.connect(path))
    try:
        if memory_limit:
            connection.execute(f"set memory_limit = {literal(memory_limit)}")
        if with_marts:
            marts = path.with_name(MARTS_FILE)
            _open(marts, lambda: attach_marts(connection, marts))
    except BaseException:
        connection.close()
        raise
    return connection


def attach_marts(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Have `core` and `reports` of a file beside the connection's own schemas; made where there is none."""
    (build,) = connection.execute("select current_database()").fetchone()
    connection.execute(f"attach {literal(str(path))} as {MARTS} (storage_version {literal(STORAGE_VERSION)})")
    for schema in MARTS_SCHEMAS:
        connection.execute(f"create schema if not exists {MARTS}.{schema}")
    use_both(connection, build)


def open_published(settings: Settings, marts: Path) -> duckdb.DuckDBPyConnection:
    """The build database together with the marts that were published of it, both to read only."""
    connection = duckdb.connect()
    connection.execute(f"attach {literal(str(settings.build_path))} as build (read_only)")
    connection.execute(f"attach {literal(str(marts))} as {MARTS} (read_only)")
    use_both(connection, "build")
    return connection


def use_both(connection: duckdb.DuckDBPyConnection, build: str) -> None:
    """Let names of two parts find the build's schemas and the marts'."""
    path = ",".join([f"{quoted(build)}.main", *(f"{MARTS}.{schema}" for schema in MARTS_SCHEMAS)])
    connection.execute(f"set search_path = {literal(path)}")


def _open(path: Path, opens: Callable[[], T]) -> T:
    try:
        return opens()
    except duckdb.Error as error:
        if "lock" in str(error):
            raise DataFolderError(
                f"{path} is open in another process, which keeps the run from writing it; close it "
                f"there. Readers open sales_reports.duckdb. ({_first_line(error)})"
            ) from error
        if "space left" in str(error):
            raise
    remove_database(path)
    return opens()


def remove_database(path: Path) -> None:
    """Remove a database file with its write-ahead log, if it is there."""
    path.unlink(missing_ok=True)
    Path(f"{path}.wal").unlink(missing_ok=True)


def has_marts(settings: Settings, build_id: str) -> bool:
    """Whether there are marts of a build to go on from: not yet published, or published."""
    return build_of(settings.marts_path) == build_id or published_path(settings, build_id).exists()


def bring_back_marts(settings: Settings, build_id: str) -> None:
    """Have the marts of a published build to go on from, as a copy: its readers keep theirs."""
    if build_of(settings.marts_path) != build_id:
        remove_database(settings.marts_path)
        scratch = _copy_of_marts(settings)
        try:
            shutil.copyfile(published_path(settings, build_id), scratch)
            os.replace(scratch, settings.marts_path)
        finally:
            scratch.unlink(missing_ok=True)


def build_of(marts: Path) -> str | None:
    """The build whose marts a file holds; None if there is none: dbt, for one, leaves empty ones."""
    if not marts.exists():
        return None
    try:
        with closing(duckdb.connect(marts, read_only=True)) as connection:
            (build_id,) = connection.execute("select build_id from core.build_info").fetchone()
    except (duckdb.Error, TypeError):
        return None
    return build_id


def _copy_of_marts(settings: Settings) -> Path:
    return settings.marts_path.with_suffix(".tmp")


def published_path(settings: Settings, build_id: str) -> Path:
    """The file of a build that has been published."""
    return settings.published_dir / f"{build_id}.duckdb"


def note_check(settings: Settings, now: datetime) -> None:
    """Record that the source was read and had nothing new for the build that readers have."""
    scratch = settings.last_check_path.with_suffix(".tmp")
    scratch.write_text(json.dumps({"checked_at": now.isoformat(timespec="seconds")}) + "\n")
    os.replace(scratch, settings.last_check_path)


def last_check(settings: Settings) -> datetime | None:
    """When the source last had nothing new for the build that readers have; None without such a night."""
    try:
        return datetime.fromisoformat(json.loads(settings.last_check_path.read_text())["checked_at"])
    except FileNotFoundError:
        return None


def write_anew(path: Path) -> None:
    """Write a database into a new file of its name: DuckDB leaves deleted rows in the old one.

    The new file is complete before it takes the place of the old one.
    """
    fresh = path.with_name(f"{path.name}.tmp")
    fresh.unlink(missing_ok=True)
    with duckdb.connect() as connection:
        connection.execute(f"attach {literal(str(path))} as old (read_only)")
        connection.execute(f"attach {literal(str(fresh))} as fresh")
        connection.execute("copy from database old to fresh")
        connection.execute("checkpoint fresh")
    os.replace(fresh, path)


def drop_models(settings: Settings) -> None:
    """Drop everything but what loads have written, so that nothing of an earlier project stays in a build."""
    remove_database(settings.marts_path)
    _copy_of_marts(settings).unlink(missing_ok=True)  # of a killed night
    with closing(open_build(settings.build_path, with_marts=False)) as connection:
        schemas = connection.execute(
            "select schema_name from duckdb_schemas() where database_name = current_database() "
            "and not internal and schema_name not in ('main', 'raw_hubspot', 'delivered')"
        ).fetchall()
        for (schema,) in schemas:
            connection.execute(f"drop schema {quoted(schema)} cascade")


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
