"""The data folder: its format, and the build database in it.

Belongs here: what makes a folder ready for a run, whatever run or version left it. What lies in the
files is the business of those who write them: `history.duckdb` has a format and migrations of its
own (`ingest/history.py`); everything else in the folder can be made again.
"""

from __future__ import annotations

import os
from pathlib import Path

import duckdb

from orchestration.ingest.values import literal
from orchestration.settings import Settings

# Raised with every change after which an older project could not work in the folder any more.
# To raise it, add what brings a folder of the former format here to MIGRATIONS.
FORMAT = 1
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


def open_build(path: Path) -> duckdb.DuckDBPyConnection:
    """Open the build database; one that no longer can be read is replaced by an empty one.

    It holds the last load, which tells what has been deleted since (K4, K5c), and nothing else that
    could not be built again. Raises DataFolderError if another process has it open.
    """
    try:
        return duckdb.connect(path)
    except duckdb.Error as error:
        if "lock" in str(error):
            raise DataFolderError(
                f"{path} is open in another process, which keeps the run from writing it; close it "
                f"there. Readers open sales_reports.duckdb. ({_first_line(error)})"
            ) from error
        if "space left" in str(error):
            raise
    path.unlink()
    Path(f"{path}.wal").unlink(missing_ok=True)
    return duckdb.connect(path)


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


def drop_models(connection: duckdb.DuckDBPyConnection) -> None:
    """Drop everything but the raw tables, so that nothing of an earlier project stays in a build."""
    schemas = connection.execute(
        "select schema_name from duckdb_schemas() where database_name = current_database() "
        "and not internal and schema_name not in ('main', 'raw_hubspot')"
    ).fetchall()
    for (schema,) in schemas:
        connection.execute(f'drop schema "{schema}" cascade')


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
