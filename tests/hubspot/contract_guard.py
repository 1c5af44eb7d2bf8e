"""Every request and answer of a test is held against HubSpot's contract.

Belongs here: an ASGI middleware around the simulator that collects violations on either side: a client
that asks what HubSpot would refuse, and a simulator that answers what HubSpot never would. What the
contract says is `contract_rules.py`; the SDK's setters, with client-side validation on, judge what is
required and which values an enumeration has.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache
from importlib import import_module
from typing import NamedTuple
from urllib.parse import parse_qs

import orjson

from orchestration.hubspot_simulator.faults import ODD
from orchestration.ingest.contract import VERSION_CAP
from tests.hubspot.contract_rules import (
    DEVIATIONS,
    ENDPOINTS,
    HAND_WRITTEN,
    LIMITS,
    OBJECT_MODELS,
    Call,
    Shape,
)

_DEVIATIONS = {(item.model, item.attribute, item.what) for item in DEVIATIONS}
_POLICIES = ("SECONDLY", "TEN_SECONDLY_ROLLING", "DAILY")


class ContractGuard:
    """An ASGI app around another; `violations` says in words what broke the contract.

    A request that breaks a limit is a violation too, unless `refusals_expected`: then it only has to
    be refused.
    """

    def __init__(self, app) -> None:
        self.app = app
        self.violations: list[str] = []
        self.refusals_expected = False

    async def __call__(self, scope, receive, send) -> None:
        body, answer, status, odd = b"", bytearray(), 0, set()
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        given = False

        async def replay():
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        async def keep(message) -> None:
            nonlocal status
            status = message.get("status", status)
            odd.update(name for name, _ in message.get("headers", ()) if name == ODD.lower().encode())
            answer.extend(message.get("body", b""))
            await send(message)

        try:
            await self.app(scope, replay, keep)
        except Exception:
            self.note(scope, body, None, b"")
            raise
        # An error in odd words is meant to be one: only its request is checked.
        self.note(scope, body, None if odd else status, bytes(answer))

    def note(self, scope, body: bytes, status: int | None, answer: bytes) -> None:
        """Check one exchange; a status of None is one whose answer says nothing: cut off, or odd."""
        where = f"{scope['method']} {scope['path']}"
        self.violations += [f"{where}: {problem}" for problem in self.problems(scope, body, status, answer)]

    def problems(self, scope, body: bytes, status: int | None, answer: bytes) -> Iterator[str]:
        for endpoint in ENDPOINTS:
            if (path := endpoint.match(scope["method"], scope["path"])) is not None:
                break
        else:
            if not (self.refusals_expected and status in (404, 405)):
                yield "there is no such endpoint"
            return
        query = parse_qs(scope["query_string"].decode())
        call = Call(endpoint, path, query, orjson.loads(body) if body else None)
        refused = list(self.request_problems(call))
        if not self.refusals_expected:
            yield from refused
        if status is None or status >= 500:
            return
        if refused and status < 300:
            yield f"answered {status}, though {refused[0]}"
        yield from answer_problems(call, status, orjson.loads(answer) if answer else None)

    def request_problems(self, call: Call) -> Iterator[str]:
        if call.endpoint.request:
            models = _sdk(_module(call))
            yield from models.check(call.endpoint.request, call.body, "request")
        for limit in LIMITS:
            if limit.endpoint == call.endpoint.name and not limit.holds(call):
                yield f"{limit.words} ({limit.source})"


def answer_problems(call: Call, status: int, answer: object) -> Iterator[str]:
    """What is wrong with an answer below 500."""
    if status >= 400:
        yield from _sdk("crm.deals").check("Error", answer, "error")
        if status == 429 and answer.get("policyName") not in _POLICIES:
            yield f"429 without a known policyName: {answer.get('policyName')}"
        if status == 403 and not (answer.get("context") or {}).get("missingScopes"):
            yield "403 without context.missingScopes"
        return
    if status == 204:
        if answer is not None:
            yield "204 with a body"
        return
    if call.endpoint.models:
        if status not in call.endpoint.responses:
            yield f"status {status} is not one of this endpoint"
            return
        yield from _sdk(_module(call)).check(call.endpoint.responses[status], answer, "answer")
    else:
        models = Models(HAND_WRITTEN[call.endpoint.name])
        answers = answer if call.endpoint.is_bare_list else [answer]
        for item in answers:
            yield from models.check("", item, "answer")
    if isinstance(answer, dict):
        yield from _rule_problems(call, status, answer)


def _rule_problems(call: Call, status: int, answer: Mapping) -> Iterator[str]:
    """What the shapes do not say: paging, partial batches, and what a record has to hold."""
    results = answer.get("results")
    most = call.number("limit", 10) if call.endpoint.name == "list" else None
    if most is not None and len(results) > most:
        yield f"{len(results)} records on a page of {most}"
    if "paging" in answer and not answer["paging"].get("next", {}).get("after"):
        yield "paging without next.after: it has to be absent on the last page"
    if (status == 207) != bool(answer.get("errors")):
        yield f"status {status} with {len(answer.get('errors') or [])} errors"
    if call.endpoint.name in ("list", "batch", "read"):
        archived = call.query.get("archived", ["false"])[-1].lower() == "true"
        for record in [answer] if call.endpoint.name == "read" else results:
            yield from _record_problems(call, record, archived)


def _record_problems(call: Call, record: Mapping, archived: bool) -> Iterator[str]:
    if record.get("archived") is not archived or ("archivedAt" in record) is not archived:
        yield f"record {record['id']}: archived is {record.get('archived')} though {archived} was asked for"
    if record["properties"].get("hs_object_id") != record["id"]:
        yield f"record {record['id']}: hs_object_id is {record['properties'].get('hs_object_id')}"
    asked = {*call.listed("properties"), *call.listed("propertiesWithHistory")}
    always = {"hs_object_id", "createdate", "hs_lastmodifieddate", "lastmodifieddate"}
    if more := record["properties"].keys() - asked - always:
        yield f"record {record['id']}: {sorted(more)} were not asked for"
    histories = record.get("propertiesWithHistory") or {}
    if more := histories.keys() - set(call.listed("propertiesWithHistory")):
        yield f"record {record['id']}: histories of {sorted(more)} were not asked for"
    for name, versions in histories.items():
        times = [version["timestamp"] for version in versions]
        if times != sorted(times, reverse=True):
            yield f"record {record['id']}: {name} is not newest first"
        if len(versions) > VERSION_CAP.get(call.path["type"], 20):
            yield f"record {record['id']}: {len(versions)} versions of {name}"


# --- models ---------------------------------------------------------------------------------------


class Attribute(NamedTuple):
    """What a model says of one of its JSON names."""

    kind: str
    required: bool
    setter: object
    """Sets a value with the SDK's validation, None for a shape written by hand."""


class Models:
    """Models by name, the SDK's or hand-written ones, that JSON values are checked against."""

    def __init__(self, models: Mapping[str, object]) -> None:
        self._attributes = {name: _attributes(model) for name, model in models.items()}

    def check(self, name: str, value: object, where: str) -> Iterator[str]:
        """The ways in which a JSON value is not this model."""
        attributes = self._attributes[name]
        if not isinstance(value, dict):
            yield f"{where} is {type(value).__name__}, not {name}"
            return
        for key in value.keys() - attributes.keys():
            if (name, key, "unknown to the model") not in _DEVIATIONS:
                yield f"{where}.{key} is not known to {name}"
        for key, attribute in attributes.items():
            if key not in value:
                if attribute.required:
                    yield f"{where}.{key} is missing in {name}"
            elif value[key] is None:
                if (name, key, "null") not in _DEVIATIONS:
                    yield f"{where}.{key} is null in {name}"
            elif (name, key, "any type") not in _DEVIATIONS:
                nulls = (name, key, "null values") in _DEVIATIONS
                yield from self._check_kind(attribute.kind, value[key], f"{where}.{key}", nulls)
                yield from _validated(attribute, value[key], f"{where}.{key}")

    def _check_kind(self, kind: str, value: object, where: str, nulls: bool) -> Iterator[str]:
        if found := re.fullmatch(r"list\[(.+)\]", kind):
            if not isinstance(value, list):
                yield f"{where} is {type(value).__name__}, not a list"
                return
            for item in value:
                yield from self._check_kind(found[1], item, f"{where}[]", nulls)
        elif found := re.fullmatch(r"dict\[str, (.+)\]", kind):
            if not isinstance(value, dict):
                yield f"{where} is {type(value).__name__}, not an object"
                return
            for key, item in value.items():
                if item is not None or not nulls:
                    yield from self._check_kind(found[1], item, f"{where}.{key}", nulls)
        elif kind in self._attributes:
            yield from self.check(kind, value, where)
        elif not _PRIMITIVES[kind](value):
            yield f"{where} is {value!r}, not {kind}"


def _is_instant(value: object) -> bool:
    try:
        return isinstance(value, str) and value.endswith("Z") and bool(datetime.fromisoformat(value))
    except ValueError:
        return False


_PRIMITIVES = {
    "str": lambda value: isinstance(value, str),
    "int": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "float": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "bool": lambda value: isinstance(value, bool),
    "datetime": _is_instant,
    "object": lambda value: True,
}


def _validated(attribute: Attribute, value: object, where: str) -> Iterator[str]:
    """The SDK's own word on a value: enumerations, above all."""
    if attribute.setter is None:
        return
    try:
        attribute.setter(value)
    except ValueError as error:
        yield f"{where}: {error}"


def _attributes(model: object) -> dict[str, Attribute]:
    if isinstance(model, Shape):
        return {
            name.removeprefix("*"): Attribute(kind, name.startswith("*"), None)
            for name, kind in model.types.items()
        }
    return {
        key: Attribute(model.openapi_types[name], _is_required(model, name), _setter(model, name))
        for name, key in model.attribute_map.items()
    }


def _setter(model: type, name: str):
    """A function that gives a value to an attribute of an empty instance, validated."""
    configuration = import_module(model.__module__.split(".models")[0] + ".configuration").Configuration()
    configuration.client_side_validation = True
    instance = object.__new__(model)
    instance.local_vars_configuration = configuration
    return lambda value: setattr(instance, name, value)


def _is_required(model: type, name: str) -> bool:
    try:
        _setter(model, name)(None)
    except ValueError:
        return True
    return False


@cache
def _sdk(module: str) -> Models:
    """The models of a part of the SDK, by class name."""
    models = import_module(f"hubspot.{module}.models")
    return Models({name: model for name, model in vars(models).items() if hasattr(model, "openapi_types")})


def _module(call: Call) -> str:
    """The part of the SDK that an endpoint's models are in."""
    if call.endpoint.models != "{type}":
        return call.endpoint.models
    return OBJECT_MODELS.get(call.path["type"], "crm.objects")
