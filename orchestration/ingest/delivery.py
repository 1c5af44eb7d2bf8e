"""What a source hands to the load step, whatever kind of source it is.

Belongs here: the shape of a delivery, and rows that are already in memory. A source is one module
`orchestration/ingest/<source>` with a function `read(settings, now) -> Delivery`; it says what it
has and writes nothing. Types, keys, rejects, kept history and every rule on bad input are the load
step's business (`load.py`), the same for all sources (K6).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Protocol

import duckdb
import pyarrow as pa

from orchestration.ingest.contract import TABLES


class LoadError(ValueError):
    """A load that cannot work. The message names every problem found and what to do (K5)."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = list(problems)
        super().__init__(
            "The load stopped before anything was changed:\n"
            + "\n".join(f"  - {problem}" for problem in self.problems)
        )


ROW_NUMBER = "__row"
"""The column in which a staged view counts its rows, from 0."""


class OfferedTable(Protocol):
    """The rows that a source has of one table."""

    place: str
    """Where they come from, for messages: a file's name. May be empty."""
    mark: str | None
    """Equal marks mean equal rows, so that they need not be read again. None: read always."""

    def stage(self, connection: duckdb.DuckDBPyConnection, into: str) -> bool:
        """Create the temporary table `into`: delivered columns and rows, in the source's order.

        A view will do, if its rows are cheap to read twice and it numbers them (ROW_NUMBER).

        True if there is a second one, `<into>_unreadable` (row_number, reason, raw), with the rows
        that cannot be read. Raises `Unreadable` or a `duckdb.Error` where none can.
        """


class Unreadable(ValueError):
    """A table of the source cannot be read; the message says why."""


@dataclass(frozen=True)
class Delivery:
    """Everything that a source has at one instant."""

    tables: Mapping[str, OfferedTable]
    """Contract tables by name. A table that is not a key is not delivered (K11)."""
    portal_id: str | None = None
    """The account. None: the table `account` says it."""
    read_until: datetime | None = None
    """The instant up to which the source was read (H12). None: the newest `_loaded_at` of its rows,
    else the instant of the load."""
    place: str = ""
    """Where tables are looked for, for messages about missing ones."""
    problems: Sequence[str] = ()
    """What the source found wrong with itself. The load step adds its own and stops."""
    notes: Sequence[str] = ()
    """What a person should hear of, though it stops nothing."""
    says_deletions: bool = False
    """Whether deleted records are delivered, marked as such. If not, what is absent is deleted (K4)."""


@dataclass(frozen=True)
class ArrowRows:
    """Rows in an Arrow table, typed or text."""

    rows: pa.Table
    place: str = ""
    mark: str | None = None

    def stage(self, connection: duckdb.DuckDBPyConnection, into: str) -> bool:
        connection.register("arrow_rows", self.rows)
        try:
            connection.execute(f"create temp table {into} as select * from arrow_rows")
        finally:
            connection.unregister("arrow_rows")
        return False


def python_rows(name: str, rows: Iterable[Mapping[str, object]]) -> ArrowRows:
    """Rows of Python values, as the text that a file would hold; for tests and small sources.

    A table without rows has all columns of the contract (K11).
    """
    rows = list(rows)
    names = dict.fromkeys(name for row in rows for name in row) if rows else TABLES[name].columns
    return ArrowRows(
        pa.table({name: pa.array([_text(row.get(name)) for row in rows], pa.string()) for name in names})
    )


def _text(value: object) -> str | None:
    match value:
        case None | str():
            return value
        case bool():
            return str(value).lower()
        case Decimal():
            return format(value, "f")
        case datetime():
            return (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()
        case date():
            return value.isoformat()
    return str(value)
