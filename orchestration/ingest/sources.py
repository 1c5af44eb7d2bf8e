"""Which module fills `raw_hubspot`: the one that bears the source's name.

Belongs here: finding it. A new source is one module `orchestration/ingest/<source>` with a function
`read(settings, now) -> Delivery`, and its name in `settings.SOURCES`; nothing else changes. One that
keeps data of its own also has `forget(settings, forgotten)`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from importlib import import_module

from orchestration.ingest.delivery import Delivery
from orchestration.settings import Settings


def read_source(settings: Settings, now: datetime) -> Delivery:
    """What the chosen source has at the instant `now`."""
    source = import_module(f"orchestration.ingest.{settings.source}")
    return source.read(settings, now)


def forget_in_source(settings: Settings, forgotten: Sequence[tuple[str, str]]) -> None:
    """Remove people from what the chosen source keeps in the data folder, if it keeps anything.

    `forgotten` is (type, id) of contacts and of records that speak of them (`forgotten.py`).
    """
    source = import_module(f"orchestration.ingest.{settings.source}")
    if hasattr(source, "forget"):
        source.forget(settings, forgotten)
