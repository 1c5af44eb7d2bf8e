"""The simulated account's clock, and instants as HubSpot writes them.

Belongs here: what time it is in the account. Rate limits do not ask this clock: they hold in real
time (`limits.py`).
"""

from __future__ import annotations

import time
from datetime import UTC, datetime


class Clock:
    """The account's time in milliseconds since 1970: the wall clock, or a clock that tests move.

    `start` None: real time. Otherwise it stands still at `start` and only `advance` moves it.
    """

    def __init__(self, start: datetime | None = None) -> None:
        self._standing = None if start is None else to_ms(start)
        self._ahead = 0

    def now(self) -> int:
        base = time.time_ns() // 1_000_000 if self._standing is None else self._standing
        return base + self._ahead

    def now_text(self) -> str:
        return iso(self.now())

    def advance(self, seconds: float) -> None:
        self._ahead += round(seconds * 1000)


def to_ms(instant: datetime) -> int:
    return round(instant.timestamp() * 1000)


def iso(ms: int) -> str:
    """HubSpot's way to write an instant: UTC, milliseconds, `Z`. Sorts as text like it does as time."""
    seconds, rest = divmod(ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:03d}Z"


def to_iso(instant: datetime) -> str:
    return iso(to_ms(instant))


def from_iso(text: str) -> datetime:
    return datetime.fromisoformat(text)
