"""How fast HubSpot may be asked: one limiter, shared by all threads.

Belongs here: when a request may be sent. Not what becomes of it (`http.py`).

Two rules at once. Requests are evenly spaced but for a tenth of a second, so that nothing comes in
bursts, also where one run follows another within seconds. And a request counts against the limit from
its sending until a whole window after its answer: wherever between the two HubSpot counts it, no window
that HubSpot can lay has more than the allowed number. (Take the request of a window that was sent last:
every other one of that window was answered less than one window before that sending, or not yet, so it
was counted then.) Limiters that count at the sending alone let jitter of the network press requests
together, and the rate-limiting libraries of PyPI count so; hence these lines of our own.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_LOOK_AGAIN = 0.02
"""Seconds between looks at whether a request under way has been answered, when all are under way."""
_CATCH_UP = 0.1
"""Seconds that a late request may make up for: without them each late waking slows the pace for good, and
with more of them one run after another could send too much (18.5 a second × 10.2 s < 190)."""


class Limit:
    """At most `maximum` requests in any `window` seconds, `per_second` of them evenly spaced.

    Thread-safe. `clock` is in seconds and never goes back; `sleep` waits for seconds.
    """

    def __init__(
        self,
        maximum: int,
        window: float,
        per_second: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._maximum = maximum
        self._window = window
        self._spacing = 1 / per_second
        self._clock = clock
        self._sleep = sleep
        # First come, first served: whoever follows a chain of pages must not be overtaken for ever.
        self._turns = threading.Condition()
        self._waiting: deque[object] = deque()
        self._state = threading.Lock()
        self._under_way = 0
        self._answered: deque[float] = deque()  # when the requests that still count were answered
        # A run that ended just now may have sent its last request just now.
        self._next = clock() + self._spacing
        self.waited = 0.0
        """Seconds that threads have waited for their turn, all together."""

    @contextmanager
    def request(self) -> Iterator[None]:
        """Wait for a place, and hold it while the request is under way."""
        turn = object()
        self._waiting.append(turn)
        try:
            with self._turns:
                self._turns.wait_for(lambda: self._waiting[0] is turn)
            while (wait := self._enter()) > 0:
                self.waited += wait
                self._sleep(wait)
        finally:  # also where the waiting is interrupted
            with self._turns:
                self._waiting.remove(turn)
                self._turns.notify_all()
        try:
            yield
        finally:
            with self._state:
                self._under_way -= 1
                self._answered.append(self._clock())

    def pause(self, seconds: float) -> None:
        """Nobody sends anything for so long: HubSpot has said that it is too much."""
        with self._state:
            self._next = max(self._next, self._clock() + seconds)

    def _enter(self) -> float:
        """0 if a request may be sent now, which takes a place; else how long to wait and ask again."""
        with self._state:
            now = self._clock()
            while self._answered and self._answered[0] <= now - self._window:
                self._answered.popleft()
            wait = self._next - now
            if self._under_way + len(self._answered) >= self._maximum:
                free = self._answered[0] + self._window - now if self._answered else _LOOK_AGAIN
                wait = max(wait, free)
            if wait <= 0:
                self._under_way += 1
                self._next = max(self._next, now - _CATCH_UP) + self._spacing
            return wait
