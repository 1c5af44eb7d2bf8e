"""One run at a time in a data folder.

Belongs here: the lock that a run holds from its first change to its last, whoever started it. The
kernel releases it when the process ends, however it ends, so nothing is ever to be cleaned up.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

_held: set[Path] = set()


class RunUnderWay(RuntimeError):
    """Another run works in the data folder; the message says since when."""


@contextmanager
def only_run(path: Path, now: datetime) -> Iterator[None]:
    """Hold the lock file `path`. Inside a block that holds it already, nothing happens.

    `now` is what others are told as the start of this run. Raises RunUnderWay at once if another
    process holds it, and OSError if the folder cannot be written.
    """
    path = path.absolute()
    if path in _held:
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    # Never removed: whoever waited for a removed file would hold a lock that nobody else sees.
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunUnderWay(_who_holds(path)) from None
        os.ftruncate(descriptor, 0)
        note = {"started_at": now.isoformat(timespec="seconds"), "process": os.getpid()}
        os.pwrite(descriptor, json.dumps(note).encode(), 0)
        _held.add(path)
        try:
            yield
        finally:
            _held.discard(path)
    finally:
        os.close(descriptor)


def _who_holds(path: Path) -> str:
    try:
        note = json.loads(path.read_text())
        since = f"since {note['started_at']} (process {note['process']})"
    except (OSError, ValueError, KeyError):  # it took the lock a moment ago
        since = "since a moment ago"
    return f"Another run has been under way {since} in {path.parent}. Nothing was done."
