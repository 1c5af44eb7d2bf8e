"""Requests to HubSpot: what a status means, what is tried again and when; nobody hears the token."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from orchestration.ingest.hubspot.http import (
    ATTEMPTS,
    Http,
    HubSpotError,
    NotFound,
    QuotaReached,
    Refused,
    Unavailable,
    WrongToken,
)
from orchestration.settings import Settings
from tests.hubspot.fake_time import FakeTime

TOKEN = "pat-eu1-planted-secret"
SETTINGS = Settings(source="hubspot", hubspot_token=TOKEN)
OK = httpx.Response(200, json={"results": []})


def client(answers: Iterable[object] | Callable, fake: FakeTime | None = None, **settings: object) -> Http:
    """A client whose network gives these answers one after another, the last one for good."""
    answers = answers if callable(answers) else _script(list(answers))
    fake = fake or FakeTime()
    transport = httpx.MockTransport(answers)
    return Http(
        Settings(source="hubspot", hubspot_token=TOKEN, **settings),
        sleep=fake.sleep,
        clock=fake.clock,
        transport=transport,
    )


def _script(answers: list[object]) -> Callable[[httpx.Request], httpx.Response]:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["Authorization"] == f"Bearer {TOKEN}"
        given = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(given, Exception):
            raise given
        # A response object can be read once only.
        return httpx.Response(given.status_code, headers=given.headers, content=given.content)

    return answer


def error(status: int, headers: dict[str, str] | None = None, **body: object) -> httpx.Response:
    return httpx.Response(status, headers=headers, json=body)


def ask(answers: Iterable[object], fake: FakeTime | None = None) -> object:
    with_time = client(answers, fake)
    return with_time.get("/crm/objects/2026-09/deals")


# --- what is tried again --------------------------------------------------------------------------

CUT = httpx.Response(200, content=b'{"results": [{"id": "1", "prop')


@pytest.mark.parametrize(
    "passing",
    [
        error(500),
        httpx.Response(502, text="<html>Bad Gateway</html>"),
        httpx.Response(503),
        httpx.Response(504, json=["upstream request timeout"]),
        httpx.Response(524),
        error(423, message="locked"),
        error(408),
        CUT,
        httpx.Response(200),
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
        httpx.RemoteProtocolError("peer closed connection without sending complete message body"),
        error(429, policyName="TEN_SECONDLY_ROLLING"),
        error(429, policyName="SECONDLY"),
        httpx.Response(429, text="slow down"),
    ],
)
def test_what_passes_is_tried_again(passing):
    fake = FakeTime()
    http = client([passing, passing, OK], fake)
    assert http.get("/crm/objects/2026-09/deals") == {"results": []}
    assert http.statistics.requests == 3
    assert http.statistics.repeated == 2
    assert http.statistics.statuses[200] == 1


def test_waits_grow_with_jitter_and_end():
    fake = FakeTime()
    with pytest.raises(
        HubSpotError, match=f"{ATTEMPTS} attempts failed, the last with status 503.*run again"
    ):
        ask([error(503)], fake)
    waits = [wait for wait in fake.sleeps if wait > 0.1]  # the others are the limiter's
    assert len(waits) == ATTEMPTS - 1
    for number, wait in enumerate(waits):
        least = min(0.5 * 2**number, 30)
        assert least <= wait <= least * 1.5
    assert any(wait % 0.5 for wait in waits)
    assert sum(waits) < 300


def test_retry_after_is_kept_to_in_seconds_and_as_a_date():
    fake = FakeTime()
    ask([error(429, {"Retry-After": "7"}, policyName="TEN_SECONDLY_ROLLING"), OK], fake)
    assert 1007 <= fake.now < 1013
    in_twenty = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    fake = FakeTime()
    ask([error(503, {"Retry-After": in_twenty}), OK], fake)
    assert 1018 <= fake.now < 1032


def test_after_a_429_everybody_waits():
    fake = FakeTime()
    instants = []
    answers = [error(429, {"Retry-After": "5"}), OK]

    def answer(request: httpx.Request) -> httpx.Response:
        instants.append((request.url.path, fake.now))
        if request.url.path == "/second":
            return OK
        given = answers.pop(0)
        if given is not OK:
            # Another thread asks while this one is told to wait.
            before = fake.now
            http._requests.pause(5.0)
            assert http.get("/second") == {"results": []}
            assert instants[-1][1] - before >= 5
        return given

    http = client(answer, fake)
    assert http.get("/first") == {"results": []}


def test_429s_are_counted_by_kind():
    http = client([error(429, policyName="SECONDLY"), error(429, policyName="secondly"), error(429), OK])
    http.get("/x")
    assert http.statistics.too_many == {"SECONDLY": 2, "unnamed": 1}
    assert http.statistics.statuses == {429: 3, 200: 1}


# --- what is final --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (error(401, message="expired"), WrongToken, r"401 \(expired\).*scopes crm\.objects\.deals\.read"),
        (httpx.Response(401, text="<html>"), WrongToken, "wrong, expired or revoked. In HubSpot, open"),
        (httpx.Response(403), Unavailable, "403.*the account's plan lacks"),
        (httpx.Response(402), Unavailable, "402"),
        (error(404, message="no"), NotFound, "404"),
        (error(400, message="Invalid input JSON"), Refused, r"GET /crm.*400 \(Invalid input JSON\)"),
        (httpx.Response(400, json=["odd"]), Refused, "400"),
        (httpx.Response(302, headers={"Location": "https://elsewhere.example"}), Refused, "302"),
        (error(429, policyName="DAILY"), QuotaReached, "used up.*next run goes on"),
        (error(429, {"X-HubSpot-RateLimit-Daily-Remaining": "0"}), QuotaReached, "used up"),
        (error(429, {"Retry-After": "3600"}), QuotaReached, "used up"),
        (error(477, {"Retry-After": "86400"}), HubSpotError, "tried again in 86400 s"),
    ],
)
def test_what_is_final_is_not_tried_again(answer, kind, words):
    http = client([answer])
    with pytest.raises(kind, match=words) as caught:
        http.get("/crm/objects/2026-09/deals")
    assert type(caught.value) is kind
    assert http.statistics.requests == 1


@pytest.mark.parametrize(
    "body",
    [
        {"context": {"missingScopes": ["crm.objects.leads.read"]}},
        {"errors": [{"context": {"missingScopes": ["crm.objects.leads.read"]}}]},
        {"errors": [{"context": "{missingScopes=[crm.objects.leads.read]}"}]},
        {"context": {"missingScopes": "crm.objects.leads.read"}},
    ],
)
def test_403_names_the_missing_scopes(body):
    with pytest.raises(Unavailable, match=r"lacks the scopes crm\.objects\.leads\.read") as caught:
        ask([error(403, **body)])
    assert caught.value.scopes == ("crm.objects.leads.read",)


def test_without_a_token_nothing_is_asked():
    with pytest.raises(WrongToken, match=r"no HubSpot token\. In HubSpot, open Settings"):
        Http(Settings(source="hubspot"))


# --- the limits -----------------------------------------------------------------------------------


def paced(per_10_s: int, requests: int, search: bool) -> list[float]:
    fake = FakeTime()
    instants: list[float] = []

    def answer(request: httpx.Request) -> httpx.Response:
        instants.append(fake.now)
        return OK

    http = client(answer, fake, hubspot_requests_per_10_s=per_10_s)
    for _ in range(requests):
        http.post("/search", {}, search=search)
    assert http.statistics.searches == (requests if search else 0)
    return instants


def most(instants: list[float], window: float) -> int:
    return max(sum(1 for other in instants if at <= other < at + window) for at in instants)


@pytest.mark.parametrize(("allowed", "least"), [(190, 180), (100, 95)])
def test_the_rolling_limit_is_kept_and_used(allowed, least):
    instants = paced(allowed, 600, search=False)
    assert least <= most(instants, 10) <= allowed
    assert 600 / (instants[-1] - instants[0]) >= 0.95 * allowed / 10


def test_searches_have_a_limit_of_their_own():
    instants = paced(190, 60, search=True)
    assert most(instants, 1) == 5
    assert 60 / (instants[-1] - instants[0]) >= 4.7


def test_the_pace_is_the_one_that_was_measured_to_work():
    instants = paced(190, 200, search=False)
    assert 199 / (instants[-1] - instants[0]) == pytest.approx(18.5, rel=0.001)


# --- nobody hears the token -----------------------------------------------------------------------

ECHO = f"Bearer {TOKEN}"


@pytest.mark.parametrize(
    "answer",
    [
        error(401, message=f"The token {TOKEN} is expired"),
        error(403, message=ECHO),
        error(404, message=ECHO),
        error(400, message=ECHO, context={"missingScopes": [TOKEN]}),
        error(429, policyName="DAILY", message=ECHO),
        error(500, message=ECHO),
        httpx.Response(500, text=ECHO),
        httpx.LocalProtocolError(f"Illegal header value b'{ECHO}'"),
        httpx.ConnectError(f"cannot send {ECHO}"),
        httpx.Response(200, text=ECHO),
        error(429, policyName=TOKEN),
        error(403, context={"missingScopes": [TOKEN]}),
        error(429, policyName=f"DAILY {TOKEN}"),
    ],
)
def test_no_message_log_or_traceback_holds_the_token(answer, caplog):
    caplog.set_level(logging.DEBUG)
    http = client([answer])
    with pytest.raises(HubSpotError) as caught:
        http.get("/crm/objects/2026-09/deals")
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    # This test's own frame has the planted answers among its locals.
    shown.stack[:] = [frame for frame in shown.stack if frame.filename != __file__]
    everything = "".join(shown.format()) + caplog.text + repr(caught.value) + repr(caught.value.args)
    assert "GET /crm/objects/2026-09/deals" in everything
    everything += repr(http.statistics) + repr(http) + repr(http._client.headers)
    assert TOKEN not in everything.lower()
    assert not caught.value.__cause__


def test_the_bodies_of_requests_are_json():
    bodies = []

    def answer(request: httpx.Request) -> httpx.Response:
        bodies.append((request.method, json.loads(request.content), request.url.params.get("archived")))
        return OK

    client(answer).post("/x", {"inputs": [{"id": "1"}]}, {"archived": "true"})
    assert bodies == [("POST", {"inputs": [{"id": "1"}]}, "true")]
