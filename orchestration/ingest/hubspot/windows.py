"""Records by id, many requests at a time, as Arrow tables: one window of ids after another.

Belongs here: the threads, what is held in memory at once, and the tables' columns and order. A window
is what one load package lands (a crash costs one window). Values stay the text that HubSpot gives; types
are the load step's business. Not what is asked (`api.py`) nor where it lands (`landing.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pyarrow as pa

from orchestration.ingest.hubspot.api import HubSpot
from orchestration.ingest.hubspot.objects import CrmObject

HISTORY_SCHEMA = pa.schema(
    [
        (name, pa.int64() if name == "sequence" else pa.string())
        for name in (
            "object_id",
            "name",
            "value",
            "timestamp",
            "sequence",
            "source_type",
            "source_id",
            "updated_by_user_id",
        )
    ]
)


@dataclass(frozen=True)
class Window:
    """What became of one window of ids."""

    object_type: str
    ids: list[str]
    """The ids asked for, in their order."""
    records: pa.Table
    """id, created_at, updated_at, archived, archived_at and the object's properties; text or null."""
    history: pa.Table
    """HISTORY_SCHEMA, oldest version first per record and property; empty for untracked objects."""
    missing: list[str]
    """Ids that HubSpot does not know (any more)."""
    merged: dict[str, str]
    """Losers of merges and their winners; the winners are among the records."""


def read_windows(
    hubspot: HubSpot, crm_object: CrmObject, ids: Iterable[list[str]], *, size: int = 2000
) -> Iterator[Window]:
    """The records of all `ids` (pages of ids, as `record_ids` gives them), `size` at a time, in order.

    Later windows are being read while the caller lands one, but no more than two at once are held.
    Raises what `HubSpot` raises; nothing is asked any more then.
    """
    raise NotImplementedError
