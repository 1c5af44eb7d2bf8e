"""Requests to HubSpot: paced, repeated where that helps, and errors that say what to do.

Belongs here: what a status means (HubSpot's error bodies do not always follow its own schema, so the
status decides and a body only adds detail), how often and after how long something is tried again,
and that no message holds the token. Not which endpoints there are (`api.py`) nor when a request may be
sent (`pace.py`).

Sources: developers.hubspot.com/docs: "Error handling" (401, 403, 423, 429, 477, 502/504, 52x) and "API
usage guidelines and limits" (policyName, the X-HubSpot-RateLimit headers); issue 4.
"""

from __future__ import annotations

import json
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import tenacity

from orchestration.ingest.hubspot.pace import Limit
from orchestration.settings import Settings, how_to_get_a_token

WINDOW = 10.0  # seconds of HubSpot's rolling limit per app
SEARCHES_PER_SECOND = 5  # per account, over all apps
# How much of a limit is used, so that a request of somebody else's or a late one still fits in.
_SHARE = 18.5 / 19
_SEARCH_SHARE = 0.96

ATTEMPTS = 10
"""Tries per request; with the waits below some two minutes."""
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 30.0  # seconds, doubling in between
_LONGEST_PATIENCE = 300.0  # a Retry-After beyond these seconds means: not in this run
_PAUSE = 1.0  # seconds for everybody after a 429 without Retry-After
_TIMEOUT = httpx.Timeout(30.0, connect=10.0)
_CONNECTIONS = 16

# Locked for a moment; too early; migrating; nothing wrong with the request, in short. 5xx besides.
_PASSING = {408, 423, 425, 477}


class HubSpotError(RuntimeError):
    """HubSpot gave no answer that helps. The message says to which request, and why."""


class WrongToken(HubSpotError):
    """401: the token is wrong, expired or revoked. Nothing else can work, so the sync stops at once."""


class Unavailable(HubSpotError):
    """The token lacks scopes, or the account lacks the feature. The sync goes on without the table."""

    def __init__(self, message: str, scopes: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.scopes = scopes
        """The missing scopes, where HubSpot names them."""


class QuotaReached(HubSpotError):
    """The day's requests are used up. The sync stops cleanly and goes on next time."""


class NotFound(HubSpotError):
    """404: there is no such thing."""


class Refused(HubSpotError):
    """400 and its like: HubSpot does not understand the request."""


@dataclass
class Statistics:
    """What a client has done so far. Thread-safe where it is counted in one place (`count`)."""

    requests: int = 0
    searches: int = 0
    repeated: int = 0
    """Of the requests: those that tried something again."""
    rows: int = 0
    """Records, associations and messages that came."""
    seconds_backed_off: float = 0.0
    """All threads together: waits before a repetition. Waits for one's turn are not in it."""
    statuses: Counter[int] = field(default_factory=Counter)
    """Answers by status; 0 is no or half an answer."""
    too_many: Counter[str] = field(default_factory=Counter)
    """429 by the policy that HubSpot names; "unnamed" where it names none."""

    def __post_init__(self) -> None:
        self._lock = threading.Lock()

    def count(self, **more: float) -> None:
        with self._lock:
            for name, number in more.items():
                setattr(self, name, getattr(self, name) + number)

    def count_status(self, status: int, policy: str = "") -> None:
        with self._lock:
            self.statuses[status] += 1
            if policy:
                self.too_many[policy] += 1


class _TryAgain(Exception):
    """This attempt failed, and another may not. Never leaves this module."""

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait
        """Seconds that HubSpot asks for."""


class Http:
    """HubSpot's address with the token. Thread-safe; to be closed."""

    def __init__(
        self,
        settings: Settings,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        if not settings.hubspot_token:
            raise WrongToken(f"There is no HubSpot token. {how_to_get_a_token()}")
        self.statistics = Statistics()
        self._token = settings.hubspot_token
        self._sleep = sleep
        maximum = settings.hubspot_requests_per_10_s
        timing = {"clock": clock, "sleep": sleep}
        self._requests = Limit(maximum, WINDOW, maximum / WINDOW * _SHARE, **timing)
        self._searches = Limit(SEARCHES_PER_SECOND, 1.0, SEARCHES_PER_SECOND * _SEARCH_SHARE, **timing)
        self._client = httpx.Client(
            base_url=settings.hubspot_url,
            headers={"Authorization": f"Bearer {self._token}", "User-Agent": "sales-reports"},
            timeout=_TIMEOUT,
            limits=httpx.Limits(max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS),
            transport=transport,
        )
        # Jitter only has to differ between threads; nothing that is stored depends on it.
        self._random = random.Random()

    def close(self) -> None:
        self._client.close()

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        """The JSON of an answer. Raises HubSpotError or one of its kinds."""
        return self._ask("GET", path, params=params)

    def post(
        self,
        path: str,
        body: Mapping[str, Any],
        params: Mapping[str, Any] | None = None,
        *,
        search: bool = False,
    ) -> Any:
        """As `get`, for the endpoints that read by POST. Searches have a limit of their own besides."""
        return self._ask("POST", path, params=params, json=body, search=search)

    def _ask(self, method: str, path: str, *, search: bool = False, **request: Any) -> Any:
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_TryAgain),
            stop=tenacity.stop_after_attempt(ATTEMPTS),
            wait=self._wait,
            sleep=self._back_off,
        )
        try:
            return retrying(self._attempt, method, path, search, request)
        except tenacity.RetryError as error:
            reason = error.last_attempt.exception()
        # Outside of the handler and without a cause: what libraries say may quote a header.
        raise HubSpotError(
            f"HubSpot does not answer {method} {path}: {ATTEMPTS} attempts failed, the last with {reason}. "
            "What has been read is kept; run again later (status.hubspot.com says whether HubSpot is down)"
        )

    def _attempt(self, method: str, path: str, search: bool, request: dict[str, Any]) -> Any:
        with ExitStack() as turn:
            if search:
                turn.enter_context(self._searches.request())
            turn.enter_context(self._requests.request())
            self.statistics.count(requests=1, searches=int(search))
            try:
                response = self._client.request(method, path, **request)
                problem = ""
            except httpx.HTTPError as error:
                response, problem = None, type(error).__name__
        if response is None:
            self.statistics.count_status(0)
            raise _TryAgain(_WORDS.get(problem, problem))
        if response.is_success:
            try:
                answer = response.json()
            except ValueError:
                answer = None
            self.statistics.count_status(response.status_code if answer is not None else 0)
            if answer is None:
                raise _TryAgain("an answer that is cut off")
            return answer
        raise self._meaning(f"{method} {path}", response)

    def _meaning(self, request: str, response: httpx.Response) -> Exception:
        """What a status other than 2xx means."""
        status, said = response.status_code, _ErrorBody(self._without_token(response.text))
        if status == 429:
            return self._too_many(request, response, said.policy())
        self.statistics.count_status(status)
        words = f"HubSpot answers {request} with {status}{said.quoted}"
        if status == 401:
            return WrongToken(f"{words}. The token is wrong, expired or revoked. {how_to_get_a_token()}")
        if status in (402, 403):
            scopes = said.missing_scopes()
            remedy = (
                f"The token lacks the scopes {', '.join(scopes)}; add them to the key in HubSpot"
                if scopes
                else "The token may not, or the account's plan lacks the feature"
            )
            return Unavailable(f"{words}. {remedy}", scopes)
        if status in _PASSING or status >= 500:
            wait = _retry_after(response)
            if wait > _LONGEST_PATIENCE:
                return HubSpotError(f"{words}, to be tried again in {wait:.0f} s. Run again then")
            return _TryAgain(f"status {status}", wait)
        if status == 404:
            return NotFound(words)
        return Refused(words)

    def _too_many(self, request: str, response: httpx.Response, policy: str) -> Exception:
        self.statistics.count_status(429, policy or "unnamed")
        wait = _retry_after(response)
        nothing_left = response.headers.get("X-HubSpot-RateLimit-Daily-Remaining", "").strip() == "0"
        if "DAILY" in policy or nothing_left or wait > _LONGEST_PATIENCE:
            return QuotaReached(
                f"HubSpot answers {request} with 429: the account's requests of today are used up. What has "
                "been read is kept; the next run goes on from there (HubSpot counts anew at midnight in the "
                "account's time zone)"
            )
        # Everybody waits, because all threads share the limit.
        self._requests.pause(wait or _PAUSE)
        return _TryAgain(f"status 429 ({policy or 'no policy named'})", wait)

    def _wait(self, state: tenacity.RetryCallState) -> float:
        """Doubling, jittered upwards by half, and never shorter than HubSpot asks for."""
        grown = min(_FIRST_WAIT * 2 ** (state.attempt_number - 1), _LONGEST_WAIT)
        failure = state.outcome.exception()
        return max(grown, failure.wait) * (1 + self._random.random() / 2)

    def _back_off(self, seconds: float) -> None:
        self.statistics.count(repeated=1, seconds_backed_off=seconds)
        self._sleep(seconds)

    def _without_token(self, text: str) -> str:
        """What HubSpot says, should it echo the token."""
        return re.sub(re.escape(self._token), "***", text, flags=re.IGNORECASE)


# What httpx calls things, for messages; its own words may quote a header line.
_WORDS = {
    "ConnectError": "no connection",
    "ConnectTimeout": "no connection in time",
    "ReadTimeout": "no answer in time",
    "WriteTimeout": "a request that could not be sent in time",
    "PoolTimeout": "no free connection in time",
    "ReadError": "a connection that broke",
    "WriteError": "a connection that broke",
    "RemoteProtocolError": "an answer that is cut off",
    "DecodingError": "an answer that is cut off",
}


class _ErrorBody:
    """The body of an error, whatever it is: HubSpot's JSON, another JSON, HTML or nothing."""

    def __init__(self, text: str) -> None:
        try:
            body = json.loads(text)
        except ValueError:
            body = {}
        self._body = body if isinstance(body, dict) else {}

    @property
    def quoted(self) -> str:
        """HubSpot's message for the end of ours, shortened; empty if there is none."""
        message = self._body.get("message")
        return f" ({message[:300]})" if isinstance(message, str) and message else ""

    def policy(self) -> str:
        policy = self._body.get("policyName")
        return policy.upper() if isinstance(policy, str) else ""

    def missing_scopes(self) -> tuple[str, ...]:
        """The scopes in `context.missingScopes`, of the error or of those in it; a list or its text."""
        errors = self._body.get("errors")
        found: list[str] = []
        for error in [self._body, *(errors if isinstance(errors, list) else [])]:
            context = error.get("context") if isinstance(error, dict) else None
            if isinstance(context, dict):
                scopes = context.get("missingScopes", context.get("requiredScopes", []))
                found += [scope for scope in _as_list(scopes) if isinstance(scope, str)]
            elif isinstance(context, str) and (match := re.search(r"missingScopes=\[([^\]]*)\]", context)):
                found += [scope.strip() for scope in match[1].split(",")]
        return tuple(dict.fromkeys(scope for scope in found if scope))


def _as_list(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _retry_after(response: httpx.Response) -> float:
    """Seconds to wait by the header Retry-After (seconds or an HTTP date); 0 without one."""
    text = response.headers.get("Retry-After", "").strip()
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return 0.0
