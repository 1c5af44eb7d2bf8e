"""What the steps of one sync share: client, landing, state, clock, and what came of each table.

Belongs here: committing a package, and the record of what was read and what is unavailable. The order of
the steps is `sync.py`'s; what they do is in `records.py` and `related.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any

import pyarrow as pa

from orchestration.ingest.contract import TABLES
from orchestration.ingest.hubspot.api import HubSpot
from orchestration.ingest.hubspot.http import Unavailable
from orchestration.ingest.hubspot.landing import Landing

INDEX_LAG = timedelta(minutes=2)
"""Searches end this long ago: the index lags by up to a minute, clocks by some seconds."""
LOOK_BACK = timedelta(minutes=10)
"""Searches begin this long before the last one's end, for what the index learnt late."""
SWEEP_EVERY = timedelta(days=7)
_EARLY = timedelta(hours=6)  # a weekly sweep must not slip by a day because a night started earlier

READ, UNAVAILABLE = "read", "unavailable"


@dataclass
class Night:
    """One sync under way. `state` is committed with each package and holds only what is landed by then."""

    hubspot: HubSpot
    landing: Landing
    clock: Callable[[], datetime]
    started: datetime
    hear: Callable[[int, str], None] = lambda rows, what: None
    """Told of each package: the rows landed so far, and of which table they are."""
    state: dict[str, Any] = field(init=False)
    first_package: int = field(init=False)
    rows: Counter[str] = field(default_factory=Counter)
    """Rows landed in this night, by table."""
    unavailable: dict[str, str] = field(default_factory=dict)
    """Tables that could not be read, and why."""
    notes: list[str] = field(default_factory=list)
    _waiting: list[Mapping[str, pa.Table]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.state = self.landing.state
        self.state.setdefault("objects", {})
        self.first_package = self.landing.package + 1

    def entry(self, table: str) -> dict[str, Any]:
        """The state of a table: its cursor, when it was swept, a first load under way."""
        return self.state["objects"].setdefault(table, {})

    def add(self, tables: Mapping[str, pa.Table]) -> None:
        """Rows for the next package: a package costs a fifth of a second, however small it is."""
        self._waiting.append(tables)

    def commit(self, tables: Mapping[str, pa.Table]) -> None:
        """Land a package with what is waiting, these rows, and the state as it is now."""
        parts: dict[str, list[pa.Table]] = {}
        for name, rows in chain.from_iterable(some.items() for some in (*self._waiting, tables)):
            if rows.num_rows:
                parts.setdefault(name, []).append(rows)
        package = {name: pa.concat_tables(some, promote_options="default") for name, some in parts.items()}
        self.landing.commit(package, self.state, self.clock())
        self._waiting.clear()
        for name, rows in package.items():
            if name in TABLES:
                self.rows[name] += rows.num_rows
                self.hear(self.rows.total(), name)

    @contextmanager
    def optional(self, *tables: str) -> Iterator[None]:
        """What the account lacks, or the token may not read, makes these tables unavailable (K11)."""
        try:
            yield
        except Unavailable as error:
            self.unavailable |= dict.fromkeys(tables, str(error))

    def marks(self, tables: Iterable[str]) -> pa.Table:
        """Rows of READS: these tables have been read, or not, and why."""
        return text_table(
            [
                {
                    "table_name": table,
                    "status": UNAVAILABLE if table in self.unavailable else READ,
                    "reason": self.unavailable.get(table),
                }
                for table in tables
            ]
        )

    def is_due(self, entry: Mapping[str, Any]) -> bool:
        """Whether a week has gone since a table was swept."""
        return "swept_at" not in entry or self.started - instant(entry["swept_at"]) >= SWEEP_EVERY - _EARLY


def text_table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Rows as an Arrow table of texts; the columns are those that any row has."""
    columns = dict.fromkeys(column for row in rows for column in row)
    return pa.table(
        {column: pa.array([_text(row.get(column)) for row in rows], pa.string()) for column in columns}
    )


def instant(text: str) -> datetime:
    """An instant of the state."""
    return datetime.fromisoformat(text).astimezone(UTC)


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return str(value).lower() if isinstance(value, bool) else str(value)
