"""What goes wrong on the way: faults by a seed, or one by one.

Belongs here: kinds of faults, when they strike, and what they do to an answer. What HubSpot does by
its own rules (limits, scopes, index lag) is elsewhere; here is what may happen at any time.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from random import Random

import orjson
from starlette.responses import PlainTextResponse, Response

from .errors import expired_token, json_response, server_error, too_many


class ConnectionCut(Exception):
    """The connection ends in the middle of an answer."""


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong with one request.

    kind: `429` (policy, with or without Retry-After), `expired` (401), `5xx` (status), `odd_error` (a
    body that is not HubSpot's schema, or no JSON), `hang` (a status, silence for `seconds`, then a cut),
    `cut` (half a body), `partial` (of a batch, every other record is held back with an error; other
    requests pass).
    """

    kind: str
    status: int = 500
    policy: str = "TEN_SECONDLY_ROLLING"
    retry_after: int | None = None
    seconds: float = 0.0

    def instead(self) -> Response | None:
        """The answer that comes instead of the real one; None where the real one is only spoilt."""
        match self.kind:
            case "429":
                return too_many(self.policy, self.retry_after).response()
            case "expired":
                return expired_token().response()
            case "5xx":
                return server_error(self.status).response()
            case "odd_error":
                return _odd_error(self.status)
        return None

    def spoil(self, path: str, response: Response) -> Response:
        """The real answer, or what a partial batch leaves of it: 207 with an error for the rest."""
        if self.kind != "partial" or not path.endswith("/batch/read") or response.status_code >= 300:
            return response
        answer = orjson.loads(response.body)
        held_back = answer["results"][::2]
        if not held_back:
            return response
        # Associations and their errors name the record that they start from.
        key = "fromObjectId" if "from" in held_back[0] else "ids"
        ids = [result["from"]["id"] if "from" in result else result["id"] for result in held_back]
        error = {
            "status": "error",
            "category": "INTERNAL_ERROR",
            "message": "There was a problem with the request.",
            "context": {key: ids},
            "errors": [],
            "links": {},
        }
        answer["results"] = answer["results"][1::2]
        answer["errors"] = [*answer.get("errors", []), error]
        answer["numErrors"] = len(answer["errors"])
        return json_response(answer, 207)

    async def send(self, response: Response, scope, receive, send) -> None:
        """Send an answer as this fault lets it through. Raises ConnectionCut."""
        if self.kind not in ("hang", "cut"):
            await response(scope, receive, send)
            return
        # Without a start of the answer uvicorn would send a 500 of its own.
        start = {"status": response.status_code, "headers": response.raw_headers}
        await send({"type": "http.response.start", **start})
        if self.kind == "hang":
            await send({"type": "http.response.body", "body": b"", "more_body": True})
            await asyncio.sleep(self.seconds)
        else:
            half = bytes(response.body)[: len(response.body) // 2]
            await send({"type": "http.response.body", "body": half, "more_body": True})
        raise ConnectionCut


ODD = "X-Simulator-Odd-Error"
"""Header of an error whose body is not HubSpot's, so that nobody takes it for a mistake of ours."""


def _odd_error(status: int) -> Response:
    """Error bodies as gateways and old endpoints write them (issue 4: decide by status)."""
    headers = {ODD: "yes"}
    match status:
        case 502:
            html = "<html><body>Bad Gateway</body></html>"
            return PlainTextResponse(html, status, headers, media_type="text/html")
        case 503:
            return Response(b"", status, headers)
        case 504:
            return json_response(["upstream request timeout"], status, headers)
    odd = {"error": {"code": status}, "message": None, "context": "{missingScopes=[a, b]}"}
    return json_response(odd, status, headers)


# Those that come by chance; an expired token has to be planned, because it ends a sync.
KINDS = ("429", "5xx", "odd_error", "hang", "cut", "partial")


class Faults:
    """Which requests meet with a fault.

    `rate` is the share of requests that do, `kinds` which ones, both decided by `seed`; `plan` puts
    single faults before the next requests. `missing_scopes` are answered with 403, `expired` with 401, and
    each page of a list repeats the last `overlap` records of the page before.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        rate: float = 0.0,
        kinds: Iterable[str] = KINDS,
        missing_scopes: Iterable[str] = (),
        overlap: int = 0,
        hang_seconds: float = 0.2,
    ) -> None:
        self.rate, self.kinds, self.overlap = rate, tuple(kinds), overlap
        self.missing_scopes = set(missing_scopes)
        self.expired = False
        self.hang_seconds = hang_seconds
        self.struck: deque[Fault] = deque(maxlen=10_000)
        self._random = Random(seed)
        self._planned: deque[Fault | None] = deque()

    def plan(self, *faults: Fault | None) -> None:
        """The next requests meet with these, one each; None lets one through."""
        self._planned.extend(faults)

    def clear(self) -> None:
        """Nothing goes wrong any more."""
        self.rate, self.overlap, self.expired = 0.0, 0, False
        self.missing_scopes.clear()
        self._planned.clear()

    def next(self) -> Fault | None:
        """The fault of a request that comes in now."""
        fault = self._planned.popleft() if self._planned else self._drawn()
        if fault is not None:
            self.struck.append(fault)
        return fault

    def check_token(self) -> None:
        """Raises 401 while the token is expired."""
        if self.expired:
            raise expired_token()

    def _drawn(self) -> Fault | None:
        if not self.rate or self._random.random() >= self.rate:
            return None
        kind = self._random.choice(self.kinds)
        policy = self._random.choice(("SECONDLY", "TEN_SECONDLY_ROLLING"))
        return Fault(
            kind,
            status=self._random.choice((500, 502, 503, 504)),
            policy=policy,
            retry_after=self._random.choice((None, 1)),
            seconds=self.hang_seconds,
        )
