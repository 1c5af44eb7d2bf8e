"""Writes the files of a generated account, for SALES_REPORTS_SOURCE=files.

Belongs here: which query fills which file, the scratch database beside them, and the note from which
the next night is derived. The same size and seed give the same rows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path

import duckdb

from orchestration.bench import account as small_tables
from orchestration.bench import activities, deals, people
from orchestration.bench.numbers import FIRST_ID, Account, create_macros
from orchestration.ingest.values import literal

_NOTE = ".generated.json"  # files that begin with a dot are none of the contract's
_SCRATCH = ".scratch.duckdb"


def generate(folder: Path, account: Account, memory_limit: str = "2GB") -> None:
    """Write all files of the account into a folder, which is made if it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    with scratch(folder, account, memory_limit) as connection:
        for table, query in small_tables.queries(account).items():
            write(connection, folder, table, query)
        first = dict.fromkeys(FIRST_ID, 0)
        end = {table: account.count(table) for table in FIRST_ID}
        deals.create(connection, first["deals"], end["deals"])
        for table in ("deals", "deal_property_history"):
            write(connection, folder, table, f"from {table}")
        for table, query in (people.queries(first, end) | activities.queries(first, end)).items():
            write(connection, folder, table, query)
    note(folder, account)


def note(folder: Path, account: Account) -> None:
    """Remember what the folder holds."""
    (folder / _NOTE).write_text(json.dumps(asdict(account)))


def generated_account(folder: Path) -> Account:
    """The account whose files a folder holds. Raises FileNotFoundError if `generate` did not write them."""
    return Account(**json.loads((folder / _NOTE).read_text()))


@contextmanager
def scratch(folder: Path, account: Account, memory_limit: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database with the account's macros, removed afterwards; what does not fit into memory spills."""
    path = folder / _SCRATCH
    path.unlink(missing_ok=True)
    try:
        with closing(duckdb.connect(path, config={"memory_limit": memory_limit})) as connection:
            create_macros(connection, account)
            for module in (deals, people, activities):
                module.create_macros(connection)
            yield connection
    finally:
        path.unlink(missing_ok=True)
        Path(f"{path}.wal").unlink(missing_ok=True)


def write(connection: duckdb.DuckDBPyConnection, folder: Path, table: str, query: str) -> None:
    """Write a query's rows as the file of a table, in place of the one that is there."""
    path = folder / f"{table}.parquet"
    unfinished = folder / f".{table}.parquet"  # the query may read the file itself
    connection.execute(f"copy ({query}) to {literal(str(unfinished))} (format parquet)")
    unfinished.replace(path)
