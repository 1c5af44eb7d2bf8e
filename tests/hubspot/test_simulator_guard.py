"""The contract guard is seen to fail: on answers that HubSpot never gives, and on requests it refuses."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import import_module

import httpx
import pytest

from orchestration.hubspot_simulator import TOKEN, Clock, Crm, Fault, Limits, Simulator
from tests.hubspot.contract_guard import ContractGuard
from tests.hubspot.contract_rules import DEVIATIONS, ENDPOINTS, LIMITS, Deviation

Change = Callable[[dict], object]


@pytest.fixture(scope="module")
def crm() -> Crm:
    crm = Crm(Clock(datetime(2026, 7, 1, tzinfo=UTC)))
    contact = crm.create("contacts", {"email": "a@b.example"})
    for amount in ("1", "2"):
        deal = crm.create("deals", {"dealname": "A", "amount": amount, "dealstage": "new"})
        crm.clock.advance(60)
        crm.update("deals", deal.id, {"amount": "3"}, user_id="7")
        crm.associate("deals", deal.id, "contacts", contact.id, "3")
    crm.owners = [
        {
            "id": "1",
            "type": "PERSON",
            "createdAt": deal.created_at,
            "updatedAt": deal.created_at,
            "archived": False,
        }
    ]
    crm.account = {"portalId": 1, "timeZone": "UTC", "companyCurrency": "USD"}
    return crm


def exchange(crm: Crm, method: str, path: str, body: object = None, *, fault: Fault | None = None):
    """One request against the simulator, answered without a port: what a guard is shown."""
    app = Simulator(crm, limits=Limits(None, None, None))
    if fault:
        app.faults.plan(fault)

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with httpx.AsyncClient(
            transport=transport, base_url="http://hubspot", headers=headers
        ) as client:
            return await client.request(method, path, json=body)

    response = asyncio.run(ask())
    url = response.request.url
    scope = {"method": method, "path": url.path, "query_string": url.query}
    return scope, response.request.content, response.status_code, response.content


DEALS = "/crm/objects/2026-09/deals?limit=2&properties=amount&propertiesWithHistory=amount"
IDS = [{"id": "1"}]
BATCH_BODY = {"inputs": [*IDS, {"id": "9"}], "properties": ["amount"], "propertiesWithHistory": []}
BATCH = ("POST", "/crm/v3/objects/deals/batch/read", BATCH_BODY)
ASSOCIATIONS = "/crm/v4/associations/deals/contacts/batch/read"
SEARCH = ("POST", "/crm/v3/objects/deals/search", {"properties": ["amount"], "limit": 1, "sorts": []})


def version(answer: dict) -> dict:
    return answer["results"][0]["propertiesWithHistory"]["amount"][0]


@pytest.mark.parametrize(
    ("request_", "change", "words"),
    [
        (("GET", DEALS), lambda answer: answer["results"][0].pop("createdAt"), "createdAt is missing"),
        (("GET", DEALS), lambda answer: answer["results"][0].update(id=1), "is 1, not str"),
        (("GET", DEALS), lambda answer: answer["results"][0].update(createdAt="yesterday"), "not datetime"),
        (("GET", DEALS), lambda answer: answer["results"][0].update(new=1), "new is not known to"),
        (("GET", DEALS), lambda answer: answer["results"][0].update(archived=True), "archived is True"),
        (("GET", DEALS), lambda answer: answer["results"][0]["properties"].update(amount=3), "is 3, not str"),
        (("GET", DEALS), lambda answer: answer["results"][0]["properties"].update(x="1"), "not asked for"),
        (("GET", DEALS), lambda answer: version(answer).update(value=None), "value is null"),
        (("GET", DEALS), lambda answer: version(answer).pop("sourceType"), "sourceType is missing"),
        (("GET", DEALS), lambda answer: version(answer).update(updatedByUserId="7"), "not int"),
        (("GET", DEALS), lambda answer: version(answer).update(timestamp="2020-01-01T00:00:00.000Z"),
         "is not newest first"),
        (("GET", DEALS), lambda answer: answer["results"][0]["propertiesWithHistory"].update(
            amount=[version(answer)] * 21), "21 versions of amount"),
        (("GET", DEALS), lambda answer: answer["results"].append(answer["results"][0]), "3 records on"),
        (("GET", DEALS), lambda answer: answer.update(paging={}), "paging without next.after"),
        (("GET", DEALS), lambda answer: answer["results"][0]["properties"].update(hs_object_id="5"),
         "hs_object_id is 5"),
        (BATCH, lambda answer: answer.pop("errors"), "207 with 0 errors"),
        (BATCH, lambda answer: answer.update(status="FINE"), "status: Invalid value"),
        (BATCH, lambda answer: answer["errors"][0].pop("message"), "message is missing"),
        (SEARCH, lambda answer: answer.update(total="2"), "not int"),
        (("GET", "/crm/owners/2026-09"), lambda answer: answer["results"][0].update(type="ROBOT"), "Invalid"),
        (("GET", "/account-info/v3/details"), lambda answer: answer.pop("timeZone"), "timeZone is missing"),
        (("GET", "/crm/v3/objects/nothing"), lambda answer: answer.pop("message"), "message is missing"),
        (("POST", ASSOCIATIONS, {"inputs": IDS}),
         lambda answer: answer["results"][0]["to"][0].pop("associationTypes"), "associationTypes is missing"),
    ],
)  # fmt: skip
def test_planted_answer(crm: Crm, request_: tuple, change: Change, words: str):
    guard = ContractGuard(None)
    scope, body, status, answer = exchange(crm, *request_)
    assert list(guard.problems(scope, body, status, answer)) == []
    changed = json.loads(answer)
    change(changed)
    problems = list(guard.problems(scope, body, status, json.dumps(changed).encode()))
    assert any(words in problem for problem in problems), problems


def test_planted_status(crm: Crm):
    guard = ContractGuard(None)
    scope, body, _, answer = exchange(crm, *BATCH)
    assert any("200 with 1 errors" in text for text in guard.problems(scope, body, 200, answer))
    assert any("202 is not one" in text for text in guard.problems(scope, body, 202, answer))


def test_planted_refusals(crm: Crm):
    guard = ContractGuard(None)
    scope, body, status, answer = exchange(crm, "GET", DEALS, fault=Fault("429", policy="SECONDLY"))
    assert status == 429 and not list(guard.problems(scope, body, status, answer))
    other = answer.replace(b"SECONDLY", b"HOURLY")
    assert any("policyName" in problem for problem in guard.problems(scope, body, status, other))
    assert any("missingScopes" in problem for problem in guard.problems(scope, body, 403, answer))


REFUSED = [
    ("list", "GET", "/crm/v3/objects/deals?limit=101", None),
    ("list", "GET", "/crm/v3/objects/deals?limit=0", None),
    ("list", "GET", "/crm/v3/objects/deals?limit=51&propertiesWithHistory=amount", None),
    ("batch", "POST", BATCH[1], BATCH_BODY | {"inputs": IDS * 101}),
    ("batch", "POST", BATCH[1], BATCH_BODY | {"inputs": IDS * 51, "propertiesWithHistory": ["amount"]}),
    ("splits", "POST", "/deal-splits/2026-09/batch/read", {"inputs": IDS * 101}),
    ("associations", "POST", ASSOCIATIONS, {"inputs": IDS * 1001}),
    ("search", "POST", SEARCH[1], {"limit": 201}),
    ("search", "POST", SEARCH[1], {"limit": 200, "after": "9900"}),
    ("search", "POST", SEARCH[1], {"filterGroups": [{"filters": []}] * 6}),
    ("search", "POST", SEARCH[1], {"sorts": ["amount", "dealname"]}),
    ("owners", "GET", "/crm/v3/owners?limit=501", None),
    ("threads", "GET", "/conversations/v3/conversations/threads?limit=501", None),
    ("sequences", "GET", "/automation/v4/sequences", None),
]  # fmt: skip


@pytest.mark.parametrize(("endpoint", "method", "path", "body"), REFUSED)
def test_a_request_beyond_a_limit_is_noticed_and_refused(
    crm: Crm, endpoint: str, method: str, path: str, body
):
    guard = ContractGuard(None)
    scope, sent, status, answer = exchange(crm, method, path, body)
    assert status == 400
    words = [limit.words for limit in LIMITS if limit.endpoint == endpoint]
    problems = list(guard.problems(scope, sent, status, answer))
    assert any(text in problem for problem in problems for text in words), problems
    guard.refusals_expected = True
    assert list(guard.problems(scope, sent, status, answer)) == []
    assert any("answered 200, though" in text for text in guard.problems(scope, sent, 200, answer))


def test_every_limit_is_tried():
    assert {limit.endpoint for limit in LIMITS} == {endpoint for endpoint, *_ in REFUSED}
    assert len(REFUSED) > len(LIMITS)


def test_a_request_of_the_wrong_shape_is_noticed(crm: Crm):
    guard = ContractGuard(None)
    for change, words in (
        ({"inputs": [{"id": 1}]}, "is 1, not str"),
        ({"limit": 5}, "not known to"),
        ({"properties": "amount"}, "not a list"),
    ):
        body = BATCH_BODY | change
        scope, sent, status, answer = exchange(crm, BATCH[0], BATCH[1], body)
        assert any(words in problem for problem in guard.problems(scope, sent, status, answer))
    scope, sent, status, answer = exchange(crm, "GET", "/crm/v7/objects/deals")
    assert list(guard.problems(scope, sent, status, answer)) == ["there is no such endpoint"]


@pytest.mark.parametrize("deviation", DEVIATIONS, ids=lambda item: f"{item.model}.{item.attribute}")
def test_a_deviation_is_one(deviation: Deviation):
    """What is listed really differs from the SDK's model, so that the list does not grow old."""
    parts = {endpoint.models for endpoint in ENDPOINTS} - {"", "{type}"} | {"crm.deals"}
    models = [
        model
        for part in parts
        if (model := getattr(import_module(f"hubspot.{part}.models"), deviation.model, None))
    ]
    assert models and deviation.reason
    for model in models:
        names = {key: name for name, key in model.attribute_map.items()}
        name = names.get(deviation.attribute)
        match deviation.what:
            case "unknown to the model":
                assert name is None
            case "any type":
                assert model.openapi_types[name] == "list[str]"
            case "null values":
                assert model.openapi_types[name] == "dict[str, str]"
            case "null":
                assert model.openapi_types[name] == "str"
            case _:
                pytest.fail(f"{deviation.what} means nothing")
