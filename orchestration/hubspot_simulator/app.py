"""The ASGI app: paths of both API versions, token, limits and faults around the handlers.

Belongs here: which path is which handler and which scope it needs, and the order in which HubSpot
says no (401, 429, 403, then the request itself). Paths: developers.hubspot.com, API reference
"2026-09" and "legacy" of each endpoint; calling/v1 has no dated version.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from math import ceil
from random import Random
from typing import NamedTuple

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route

from .crm import Crm
from .errors import (
    ApiError,
    bad_request,
    method_not_allowed,
    missing_scopes,
    not_found,
    too_many,
    wrong_token,
)
from .faults import Faults
from .limits import Limits
from .objects_api import ObjectsApi
from .settings_api import SettingsApi
from .vocabulary import OBJECT_TYPES, SCOPES

TOKEN = "simulated-token"
"""No secret: what the simulator lets in when nothing else is said."""
DATED = "2026-09"

_log = logging.getLogger(__name__)
Handler = Callable[[Request, object], Response]


class Seen(NamedTuple):
    """One request: when it came in (monotonic seconds), what it was, and how it was answered."""

    at: float
    method: str
    path: str
    status: int
    policy: str
    """The limit that refused it; empty for all others."""

    @property
    def is_search(self) -> bool:
        return self.path.endswith("/search")


class Simulator:
    """A HubSpot account behind an ASGI interface.

    `latency` are the shortest and longest seconds that HubSpot takes to answer, drawn evenly; None
    answers at once. `seen` holds the last 200,000 requests in the order of their answers.
    """

    def __init__(
        self,
        crm: Crm,
        *,
        token: str = TOKEN,
        limits: Limits | None = None,
        faults: Faults | None = None,
        latency: tuple[float, float] | None = None,
    ) -> None:
        self.crm = crm
        self.token = token
        self.limits = limits or Limits()
        self.faults = faults or Faults()
        self.latency = latency
        self.seen: deque[Seen] = deque(maxlen=200_000)
        self._random = Random(0)
        objects, settings = ObjectsApi(crm, lambda: self.faults.overlap), SettingsApi(crm)
        self._routes = [
            Route(path, _Endpoint(handler, scope), methods=[method])
            for method, paths, handler, scope in _paths(objects, settings)
            for path in paths
        ]

    def peak(self, seconds: float, *, searches: bool = False) -> int:
        """The most requests, or searches only, that were answered and not refused within any `seconds`."""
        let_through: deque[float] = deque()
        most = 0
        for seen in sorted(self.seen):
            if seen.status == 429 or (searches and not seen.is_search):
                continue
            let_through.append(seen.at)
            while let_through[0] <= seen.at - seconds:
                let_through.popleft()
            most = max(most, len(let_through))
        return most

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"the simulator answers HTTP only, not {scope['type']}")
        # HubSpot takes paths with and without a slash at the end; its own SDK uses both. Of an API that
        # has no dated version yet, the beta stands under the date.
        path = (scope["path"].rstrip("/") or "/").replace(f"/{DATED}-beta", f"/{DATED}")
        scope = {**scope, "path": path}
        request = Request(scope, receive)
        fault = self.faults.next()
        await self._travel()
        arrived, policy = time.monotonic(), ""
        try:
            response, policy = await self._answer(request, path, fault)
        except ApiError as error:
            response = error.response()
        except Exception:
            _log.exception("the simulator failed at %s %s", request.method, path)
            raise
        self.seen.append(Seen(arrived, request.method, path, response.status_code, policy))
        await self._travel()
        if fault is None:
            await response(scope, receive, send)
        else:
            await fault.send(response, scope, receive, send)

    async def _travel(self) -> None:
        """Half of the latency, on the way there or back."""
        if self.latency:
            await asyncio.sleep(self._random.uniform(*self.latency) / 2)

    async def _answer(self, request: Request, path: str, fault) -> tuple[Response, str]:
        """The response, and the limit that refused the request if one did."""
        if request.headers.get("authorization") != f"Bearer {self.token}":
            raise wrong_token()
        self.faults.check_token()
        is_search = path.endswith("/search")
        if refused := self.limits.refuse(is_search):
            policy, seconds = refused
            # HubSpot says how long to wait for some of its limits only.
            after = max(1, ceil(seconds)) if policy == "TEN_SECONDLY_ROLLING" else None
            return too_many(policy, after).response(), policy
        if fault is not None and (early := fault.instead()) is not None:
            return early, ""
        endpoint, scope = self._route(request.scope)
        request = Request({**request.scope, **scope}, request.receive)
        if (needed := endpoint.scope(request)) in self.faults.missing_scopes:
            raise missing_scopes(needed)
        body = await request.body()
        try:
            content = orjson.loads(body) if body else None
        except orjson.JSONDecodeError as error:
            raise bad_request("Invalid input JSON") from error
        with self.crm.lock:
            response = endpoint.handler(request, content)
        if fault is not None:
            response = fault.spoil(path, response)
        if not is_search:
            response.headers.update(self.limits.headers())
        return response, ""

    def _route(self, scope) -> tuple[_Endpoint, dict]:
        wrong_method = False
        for route in self._routes:
            match, child = route.matches(scope)
            if match is Match.FULL:
                return route.endpoint, child
            wrong_method |= match is Match.PARTIAL
        if wrong_method:
            raise method_not_allowed()
        raise not_found()


class _Endpoint:
    """What a route leads to: a handler, and the scope that a caller needs for it."""

    def __init__(self, handler: Handler, name: str) -> None:
        self.handler, self._name = handler, name

    def scope(self, request: Request) -> str:
        path = request.path_params
        name = self._name or OBJECT_TYPES.get(path.get("object_type") or path.get("from_type") or "", "")
        return SCOPES.get(name, "")


def _paths(objects: ObjectsApi, settings: SettingsApi) -> list[tuple[str, tuple[str, ...], Handler, str]]:
    """Method, paths (dated, then numbered version), handler, and the name whose scope is needed; an
    empty name is that of the object type in the path."""

    def of_objects(rest: str) -> tuple[str, str]:
        return (f"/crm/objects/{DATED}/{rest}", f"/crm/v3/objects/{rest}")

    conversations = (f"/conversations/conversations/{DATED}", "/conversations/v3/conversations")

    def of_conversations(rest: str) -> tuple[str, ...]:
        return tuple(f"{start}/{rest}" for start in conversations)

    kind, record = "{object_type}", "{object_type}/{record_id}"
    return [
        ("POST", (f"/deal-splits/{DATED}/batch/read", "/crm/v3/objects/deals/splits/batch/read"),
         objects.deal_splits, "deal_splits"),
        ("POST", of_objects(f"{kind}/batch/read"), objects.batch_read, ""),
        ("POST", of_objects(f"{kind}/search"), objects.search, ""),
        ("POST", of_objects(f"{kind}/merge"), objects.merge, ""),
        ("POST", of_objects(f"{kind}/gdpr-delete"), objects.gdpr_delete, ""),
        ("GET", of_objects(kind), objects.list, ""),
        ("POST", of_objects(kind), objects.create, ""),
        ("GET", of_objects(record), objects.read, ""),
        ("PATCH", of_objects(record), objects.update, ""),
        ("DELETE", of_objects(record), objects.archive, ""),
        ("POST", (f"/crm/associations/{DATED}/{{from_type}}/{{to_type}}/batch/read",
                  "/crm/v4/associations/{from_type}/{to_type}/batch/read"),
         settings.associations, ""),
        ("GET", (f"/crm/owners/{DATED}", "/crm/v3/owners"), settings.owners, "owners"),
        ("GET", (f"/crm/pipelines/{DATED}/{kind}", f"/crm/v3/pipelines/{kind}"), settings.pipelines, ""),
        ("GET", (f"/account-info/{DATED}/details", "/account-info/v3/details"), settings.account, "account"),
        ("GET", (f"/settings/teams/{DATED}",), settings.teams, "teams"),
        ("GET", (f"/settings/users/{DATED}/teams", "/settings/v3/users/teams"),
         settings.user_teams, "teams"),
        ("GET", ("/calling/v1/dispositions",), settings.call_dispositions, "call_dispositions"),
        ("GET", (f"/settings/currencies/{DATED}/exchange-rates", "/settings/v3/currencies/exchange-rates"),
         settings.exchange_rates, "exchange_rates"),
        ("GET", (f"/automation/sequences/{DATED}", "/automation/v4/sequences"),
         settings.sequences, "sequences"),
        ("GET", of_conversations("channels"), settings.channels, "conversations"),
        ("GET", of_conversations("threads"), settings.threads, "conversations"),
        ("GET", of_conversations("threads/{thread_id}/messages"), settings.messages, "conversations"),
    ]  # fmt: skip
