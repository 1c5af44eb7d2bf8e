"""What a load did, for the metadata of assets and the summary of a run.

Belongs here: the numbers of a load and of its tables, and nothing that computes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

LOADED, NOT_DELIVERED = "loaded", "not delivered"


@dataclass(frozen=True)
class TableSummary:
    """What became of one table. offered = loaded + rejected."""

    name: str
    status: str
    offered: int = 0
    loaded: int = 0
    rejected: int = 0
    rejected_values: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class LoadSummary:
    """What a load did, for the metadata of assets and the summary of a run."""

    load_id: str
    source: str
    portal_id: str
    run_ts: datetime
    read_until: datetime
    tables: tuple[TableSummary, ...]
    rejects_path: Path | None
    """The file with every reject; None if there is none."""
    notes: tuple[str, ...]
    seconds: float

    @property
    def offered(self) -> int:
        return sum(table.offered for table in self.tables)

    @property
    def loaded(self) -> int:
        return sum(table.loaded for table in self.tables)

    @property
    def rejected(self) -> int:
        return sum(table.rejected for table in self.tables)

    @property
    def rejected_values(self) -> int:
        return sum(table.rejected_values for table in self.tables)
