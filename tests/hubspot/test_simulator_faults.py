"""What the simulator refuses and spoils: limits, tokens, scopes, and faults on the way."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator

import httpx
import pytest

from orchestration.hubspot_simulator import Fault, Faults, Limits
from orchestration.hubspot_simulator.app import Seen
from orchestration.hubspot_simulator.faults import KINDS
from orchestration.hubspot_simulator.vocabulary import OBJECT_TABLES, SCOPES
from tests.hubspot.conftest import Account

OWNERS, SEARCH, BATCH = "/crm/v3/owners", "/crm/v3/objects/deals/search", "/crm/v3/objects/deals/batch/read"


class Seconds:
    """A clock for limits that only the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def client(simulator: Account) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {simulator.token}"}
    with httpx.Client(base_url=simulator.url, headers=headers, timeout=5) as client:
        yield client


# --- limits ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("most", [190, 100])
def test_requests_in_any_ten_seconds(most: int):
    clock = Seconds()
    limits = Limits(most, 5, None, clock=clock)
    for _ in range(most - 1):
        assert limits.refuse(False) is None
    clock.now += 9
    assert limits.refuse(False) is None
    assert limits.refuse(False) == ("TEN_SECONDLY_ROLLING", 1.0)
    clock.now += 1
    # The window rolls: those of ten seconds ago are out, the last one is still in.
    assert [limits.refuse(False) for _ in range(most - 1)] == [None] * (most - 1)
    assert limits.refuse(False) == ("TEN_SECONDLY_ROLLING", 9.0)
    clock.now += 9
    assert limits.refuse(False) is None


def test_searches_in_any_second_count_for_both_limits():
    clock = Seconds()
    limits = Limits(6, 5, None, clock=clock)
    assert [limits.refuse(True) for _ in range(5)] == [None] * 5
    assert limits.refuse(True) == ("SECONDLY", 1.0)
    assert limits.refuse(False) is None
    assert limits.refuse(False)[0] == "TEN_SECONDLY_ROLLING"
    clock.now += 1
    assert limits.refuse(True)[0] == "TEN_SECONDLY_ROLLING"


def test_a_day_s_requests():
    limits = Limits(None, None, 3)
    assert [limits.refuse(False) for _ in range(3)] == [None] * 3
    assert limits.refuse(False)[0] == limits.refuse(True)[0] == "DAILY"
    limits.new_day()
    assert limits.refuse(False) is None


def test_each_limit_is_answered_with_its_policy(simulator: Account, client: httpx.Client):
    simulator.app.limits = Limits(7, 2, 20, clock=Seconds())
    answers = [client.post(SEARCH, json={}) for _ in range(3)] + [client.get(OWNERS) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200, 200, 429, 200, 200, 200, 200, 200, 429]
    assert answers[2].json()["policyName"] == "SECONDLY"
    assert "retry-after" not in answers[2].headers
    assert answers[8].json()["policyName"] == "TEN_SECONDLY_ROLLING"
    assert answers[8].headers["retry-after"] == "10"
    assert "x-hubspot-ratelimit-max" not in answers[0].headers
    left = ("x-hubspot-ratelimit-remaining", "x-hubspot-ratelimit-daily-remaining")
    assert [answers[3].headers[name] for name in left] == ["4", "17"]
    simulator.app.limits.used_today = 20
    refused = client.get(OWNERS)
    assert refused.status_code == 429 and refused.json()["policyName"] == "DAILY"
    assert [seen.policy for seen in simulator.app.seen if seen.policy] == [
        "SECONDLY", "TEN_SECONDLY_ROLLING", "DAILY",
    ]  # fmt: skip


def test_the_peak_of_what_was_let_through(simulator: Account):
    app = simulator.app
    for at, path, status in (
        (0.0, OWNERS, 200), (0.5, SEARCH, 200), (0.9, SEARCH, 503), (0.95, SEARCH, 429), (1.0, OWNERS, 200),
    ):  # fmt: skip
        app.seen.append(Seen(at, "GET", path, status, ""))
    assert [app.peak(seconds) for seconds in (0.3, 1, 1.1)] == [2, 3, 4]
    assert app.peak(10, searches=True) == 2


# --- token and scopes -----------------------------------------------------------------------------


def test_an_expired_token(simulator: Account, client: httpx.Client):
    simulator.faults.expired = True
    answer = client.get(OWNERS)
    assert answer.status_code == 401 and answer.json()["category"] == "EXPIRED_AUTHENTICATION"
    simulator.faults.expired = False
    assert client.get(OWNERS).status_code == 200
    simulator.faults.plan(None, Fault("expired"))
    assert [client.get(OWNERS).status_code for _ in range(3)] == [200, 401, 200]


@pytest.mark.parametrize("kind", OBJECT_TABLES)
def test_a_missing_scope_closes_its_own_objects_only(simulator: Account, client: httpx.Client, kind: str):
    simulator.faults.missing_scopes = {SCOPES[kind]}
    answers = {name: client.get(f"/crm/objects/2026-09/{name}") for name in OBJECT_TABLES}
    refused = {name for name, answer in answers.items() if answer.status_code == 403}
    assert refused == {name for name in OBJECT_TABLES if SCOPES[name] == SCOPES[kind]}
    assert answers[kind].json()["context"] == {"missingScopes": [SCOPES[kind]]}


def test_associations_need_the_scope_of_their_start(simulator: Account, client: httpx.Client):
    simulator.faults.missing_scopes = {SCOPES["deals"]}
    statuses = [
        client.post(f"/crm/v4/associations/{pair}/batch/read", json={"inputs": []}).status_code
        for pair in ("deals/contacts", "contacts/deals")
    ]
    assert statuses == [403, 200]


# --- faults ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", ["SECONDLY", "TEN_SECONDLY_ROLLING", "DAILY"])
@pytest.mark.parametrize("retry_after", [None, 3])
def test_429_of_each_kind(simulator: Account, client: httpx.Client, policy: str, retry_after: int | None):
    simulator.faults.plan(Fault("429", policy=policy, retry_after=retry_after), None)
    answer = client.get(OWNERS)
    assert answer.status_code == 429
    assert answer.json()["policyName"] == policy
    assert answer.json()["errorType"] == "RATE_LIMIT"
    assert answer.headers.get("retry-after") == (retry_after and str(retry_after))
    assert client.get(OWNERS).status_code == 200


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_errors_of_the_server_in_hubspot_s_words_and_in_others(simulator: Account, client, status: int):
    simulator.faults.plan(Fault("5xx", status=status), Fault("odd_error", status=status))
    proper, odd = client.get(OWNERS), client.get(OWNERS)
    assert proper.status_code == odd.status_code == status
    assert proper.json()["category"] == "INTERNAL_ERROR"
    assert b"category" not in odd.content


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429])
def test_errors_about_the_request_in_odd_words(simulator: Account, client: httpx.Client, status: int):
    simulator.faults.plan(Fault("odd_error", status=status))
    answer = client.get(OWNERS)
    assert answer.status_code == status
    assert not {"category", "status", "policyName"} & answer.json().keys()


def test_a_body_that_is_cut_off(simulator: Account, client: httpx.Client):
    simulator.faults.plan(Fault("cut"))
    with pytest.raises(httpx.RemoteProtocolError):
        client.get(OWNERS)
    assert client.get(OWNERS).json() == {"results": []}


def test_silence_and_then_a_cut(simulator: Account, client: httpx.Client):
    simulator.faults.plan(Fault("hang", seconds=0.1), Fault("hang", seconds=1.0))
    started = time.monotonic()
    with pytest.raises(httpx.RemoteProtocolError):
        client.get(OWNERS)
    assert time.monotonic() - started >= 0.1
    with pytest.raises(httpx.ReadTimeout):
        client.get(OWNERS, timeout=0.05)
    assert client.get(OWNERS).status_code == 200


def test_a_partial_batch(simulator: Account, client: httpx.Client):
    ids = [simulator.crm.create("deals", {"amount": "1"}).id for _ in range(4)]
    contact = simulator.crm.create("contacts", {}).id
    for deal in ids:
        simulator.crm.associate("deals", deal, "contacts", contact, "3")
    body = {"inputs": [{"id": deal} for deal in ids], "properties": [], "propertiesWithHistory": []}
    simulator.faults.plan(*[Fault("partial")] * 3)
    answer = client.post(BATCH, json=body)
    assert answer.status_code == 207
    assert [record["id"] for record in answer.json()["results"]] == [ids[1], ids[3]]
    (error,) = answer.json()["errors"]
    assert error["category"] == "INTERNAL_ERROR" and error["context"] == {"ids": [ids[0], ids[2]]}
    answer = client.post("/crm/v4/associations/deals/contacts/batch/read", json={"inputs": body["inputs"]})
    assert answer.json()["errors"][0]["context"] == {"fromObjectId": [ids[0], ids[2]]}
    assert client.get(OWNERS).status_code == 200  # nothing to hold back
    assert client.post(BATCH, json=body).status_code == 200


def test_faults_come_by_a_seed():
    def drawn(seed: int) -> list[Fault | None]:
        faults = Faults(seed=seed, rate=0.3)
        return [faults.next() for _ in range(2000)]

    first = drawn(1)
    assert first == drawn(1) != drawn(2)
    struck = Counter(fault.kind for fault in first if fault)
    assert struck.keys() == set(KINDS)
    assert 500 < struck.total() < 700
    assert {fault.policy for fault in first if fault} == {"SECONDLY", "TEN_SECONDLY_ROLLING"}


def test_faults_end_when_they_are_cleared(simulator: Account, client: httpx.Client):
    faults = simulator.faults
    faults.rate, faults.kinds, faults.expired, faults.overlap = 1.0, ("5xx",), False, 3
    faults.missing_scopes.add(SCOPES["owners"])
    faults.plan(Fault("429"), Fault("429"))
    assert [client.get(OWNERS).status_code for _ in range(3)][:2] == [429, 429]
    assert client.get(OWNERS).status_code >= 500
    faults.clear()
    assert [client.get(OWNERS).status_code for _ in range(20)] == [200] * 20
    assert len(faults.struck) == 4


def test_latency(simulator: Account, client: httpx.Client):
    client.get(OWNERS)
    simulator.app.latency = (0.05, 0.06)
    started = time.monotonic()
    client.get(OWNERS)
    assert time.monotonic() - started >= 0.05
