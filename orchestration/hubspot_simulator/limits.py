"""HubSpot's rate limits, in real time.

Belongs here: counting requests and saying which policy a request breaks. Numbers and bodies:
developers.hubspot.com, "API usage guidelines": 190 requests in 10 s per app (100 on Free and Starter)
and 650,000 or 1,000,000 a day; "Search the CRM": 5 requests a second per account. A refused request
does not count. Windows are rolling ones.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

PER_TEN_SECONDS, PER_TEN_SECONDS_SMALL, SEARCHES_PER_SECOND, PER_DAY = 190, 100, 5, 650_000


class _Window:
    """At most `most` requests in any `seconds`."""

    def __init__(self, most: int, seconds: float) -> None:
        self.most, self.seconds = most, seconds
        self._times: deque[float] = deque()

    def left(self, now: float) -> int:
        while self._times and self._times[0] <= now - self.seconds:
            self._times.popleft()
        return self.most - len(self._times)

    def take(self, now: float) -> None:
        self._times.append(now)

    def wait(self, now: float) -> float:
        return self._times[0] + self.seconds - now if self._times else 0.0


class Limits:
    """The limits of one app. None as a number switches a limit off."""

    def __init__(
        self,
        per_ten_seconds: int | None = PER_TEN_SECONDS,
        searches_per_second: int | None = SEARCHES_PER_SECOND,
        per_day: int | None = PER_DAY,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self.per_day, self.used_today = per_day, 0
        self._rolling = _Window(per_ten_seconds, 10) if per_ten_seconds else None
        self._search = _Window(searches_per_second, 1) if searches_per_second else None

    def new_day(self) -> None:
        """Midnight in the account's time zone: the daily quota is full again."""
        self.used_today = 0

    def refuse(self, is_search: bool) -> tuple[str, float] | None:
        """The policy that a request breaks now and the seconds until it is free again; None if none.

        A request that is let through is counted.
        """
        now = self._clock()
        if self.per_day is not None and self.used_today >= self.per_day:
            return "DAILY", 3600.0
        if is_search and self._search and self._search.left(now) <= 0:
            return "SECONDLY", self._search.wait(now)
        if self._rolling and self._rolling.left(now) <= 0:
            return "TEN_SECONDLY_ROLLING", self._rolling.wait(now)
        self.used_today += 1
        if self._rolling:
            self._rolling.take(now)
        if is_search and self._search:
            self._search.take(now)
        return None

    def headers(self) -> dict[str, str]:
        """What HubSpot says of the limits with each answer that is not a search's."""
        headers = {}
        if self._rolling:
            headers["X-HubSpot-RateLimit-Max"] = str(self._rolling.most)
            headers["X-HubSpot-RateLimit-Remaining"] = str(self._rolling.left(self._clock()))
            headers["X-HubSpot-RateLimit-Interval-Milliseconds"] = "10000"
        if self.per_day is not None:
            headers["X-HubSpot-RateLimit-Daily"] = str(self.per_day)
            headers["X-HubSpot-RateLimit-Daily-Remaining"] = str(max(0, self.per_day - self.used_today))
        return headers
