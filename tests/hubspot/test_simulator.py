"""The simulator over HTTP: what HubSpot does with records, as callers see it.

Belongs here: records and lists by requests. Limits and faults are in `test_simulator_faults.py`, the
state without HTTP in `test_simulator_state.py`.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator

import httpx
import pytest

from orchestration.hubspot_simulator import Fault
from orchestration.hubspot_simulator.server import running
from tests.hubspot.conftest import Account

V3 = "/crm/v3/objects"


@pytest.fixture
def client(simulator: Account) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {simulator.token}"}
    with httpx.Client(base_url=simulator.url, headers=headers) as client:
        yield client


def read(client: httpx.Client, kind: str, ids: list[str], properties=(), history=()) -> httpx.Response:
    body = {
        "inputs": [{"id": record_id} for record_id in ids],
        "properties": list(properties),
        "propertiesWithHistory": list(history),
    }
    return client.post(f"{V3}/{kind}/batch/read", json=body)


def listed(client: httpx.Client, kind: str, **parameters) -> list[str]:
    """All ids of a list, page by page."""
    ids, after = [], None
    while True:
        page = client.get(f"{V3}/{kind}", params=parameters | ({"after": after} if after else {})).json()
        ids += [record["id"] for record in page["results"]]
        if "paging" not in page:
            return ids
        after = page["paging"]["next"]["after"]


def found(client: httpx.Client, kind: str, *filters: tuple[str, str, str], **more) -> dict:
    names = ("propertyName", "operator", "value")
    body = {"filterGroups": [{"filters": [dict(zip(names, item, strict=True)) for item in filters]}]}
    return client.post(f"{V3}/{kind}/search", json=body | more).json()


def test_both_versions_have_the_same_shapes(simulator: Account, client: httpx.Client):
    deal = simulator.crm.create("deals", {"dealname": "A"})
    contact = simulator.crm.create("contacts", {"email": "a@b.example"})
    simulator.crm.associate("deals", deal.id, "contacts", contact.id, "3")
    simulator.crm.account = {"portalId": 1, "timeZone": "UTC", "companyCurrency": "USD"}
    simulator.crm.teams = [{"id": "5", "name": "Sales", "parentTeamId": None}]
    reading = {"inputs": [{"id": deal.id}], "properties": ["dealname"], "propertiesWithHistory": []}
    associating = {"inputs": [{"id": deal.id}]}
    pairs = [
        ("GET", "/crm/objects/2026-09/deals", "/crm/v3/objects/deals", None),
        ("GET", f"/crm/objects/2026-09/deals/{deal.id}", f"/crm/v3/objects/deals/{deal.id}", None),
        ("POST", "/crm/objects/2026-09/deals/batch/read", "/crm/v3/objects/deals/batch/read", reading),
        ("POST", "/crm/objects/2026-09/deals/search", "/crm/v3/objects/deals/search", {"limit": 5}),
        ("POST", "/crm/associations/2026-09/deals/contacts/batch/read",
         "/crm/v4/associations/deals/contacts/batch/read", associating),
        ("POST", "/deal-splits/2026-09/batch/read", "/crm/v3/objects/deals/splits/batch/read", associating),
        ("GET", "/crm/owners/2026-09", "/crm/v3/owners/", None),
        ("GET", "/crm/pipelines/2026-09/deals", "/crm/v3/pipelines/deals", None),
        ("GET", "/account-info/2026-09/details", "/account-info/v3/details", None),
        ("GET", "/settings/users/2026-09/teams", "/settings/v3/users/teams", None),
        ("GET", "/settings/currencies/2026-09/exchange-rates",
         "/settings/v3/currencies/exchange-rates", None),
        ("GET", "/automation/sequences/2026-09?userId=1", "/automation/v4/sequences/?userId=1", None),
        ("GET", "/conversations/conversations/2026-09-beta/threads",
         "/conversations/v3/conversations/threads", None),
        ("GET", "/conversations/conversations/2026-09/channels",
         "/conversations/v3/conversations/channels", None),
    ]  # fmt: skip
    for method, dated, numbered, body in pairs:
        first, second = client.request(method, dated, json=body), client.request(method, numbered, json=body)
        assert first.status_code == second.status_code == 200, (dated, first.text, second.text)
        assert first.json() == second.json()


def test_asked_for_and_empty_is_null_and_not_asked_for_is_absent(simulator: Account, client: httpx.Client):
    deal = simulator.crm.create("deals", {"dealname": "A", "amount": "5", "my_own": "x"})
    simulator.crm.update("deals", deal.id, {"amount": ""})
    names = ["dealname", "amount", "closedate", "my_own", "no_such_property"]
    (record,) = read(client, "deals", [deal.id], names).json()["results"]
    values = record["properties"]
    assert (values["dealname"], values["amount"], values["closedate"], values["my_own"]) == (
        "A",
        "",
        None,
        "x",
    )
    assert "no_such_property" not in values
    (bare,) = read(client, "deals", [deal.id]).json()["results"]
    assert bare["properties"].keys() == {"createdate", "hs_lastmodifieddate", "hs_object_id"}
    assert "propertiesWithHistory" not in bare


def test_history_is_newest_first_and_capped(simulator: Account, client: httpx.Client):
    deal = simulator.crm.create("deals", {"amount": "0"}, user_id="7")
    contact = simulator.crm.create("contacts", {"lifecyclestage": "0"})
    for number in range(1, 61):
        simulator.clock.advance(1)
        simulator.crm.update("deals", deal.id, {"amount": str(number)}, source_type="API", source_id="x")
        simulator.crm.update("contacts", contact.id, {"lifecyclestage": str(number)})
    (record,) = read(client, "deals", [deal.id], history=["amount", "dealname"]).json()["results"]
    versions = record["propertiesWithHistory"]["amount"]
    assert [version["value"] for version in versions] == [str(number) for number in range(60, 40, -1)]
    assert versions[0] == {
        "value": "60", "timestamp": "2026-07-01T00:01:00.000Z", "sourceType": "API", "sourceId": "x",
    }  # fmt: skip
    (record,) = read(client, "contacts", [contact.id], history=["lifecyclestage"]).json()["results"]
    assert len(record["propertiesWithHistory"]["lifecyclestage"]) == 45


def test_changes_over_http_append_versions(simulator: Account, client: httpx.Client):
    created = client.post(f"{V3}/deals", json={"properties": {"dealname": "A", "amount": "1"}})
    assert created.status_code == 201
    path = f"{V3}/deals/{created.json()['id']}"
    simulator.clock.advance(5)
    client.patch(path, json={"properties": {"amount": "2", "dealname": "A"}})
    record = client.get(path, params={"propertiesWithHistory": "amount,dealname"}).json()
    history = {
        name: [v["value"] for v in versions] for name, versions in record["propertiesWithHistory"].items()
    }
    assert history == {"amount": ["2", "1"], "dealname": ["A"]}
    assert record["updatedAt"] == "2026-07-01T00:00:05.000Z"
    assert client.delete(path).status_code == 204
    assert client.delete(path).status_code == 204
    assert client.get(path).status_code == 404
    simulator.guard.refusals_expected = True
    assert client.patch(path, json={"properties": {"amount": "3"}}).status_code == 404


def test_archiving_restoring_merging_and_associating_leave_the_modified_date(simulator: Account, client):
    crm = simulator.crm
    deal, other = crm.create("deals", {"amount": "1"}), crm.create("deals", {"amount": "2"})
    before = deal.properties["hs_lastmodifieddate"]
    crm.clock.advance(60)
    crm.archive("deals", deal.id)
    assert listed(client, "deals") == [other.id]
    assert listed(client, "deals", archived=True) == [deal.id]
    archived = client.get(f"{V3}/deals", params={"archived": True}).json()["results"][0]
    assert archived["archivedAt"] == "2026-07-01T00:01:00.000Z"
    assert read(client, "deals", [deal.id]).status_code == 207
    crm.restore("deals", deal.id)
    crm.associate("deals", deal.id, "deals", other.id, "451")
    crm.dissociate("deals", deal.id, "deals", other.id)
    crm.merge("deals", deal.id, other.id)
    assert listed(client, "deals") == [deal.id]
    (record,) = read(client, "deals", [deal.id], ["hs_merged_object_ids"]).json()["results"]
    assert record["properties"]["hs_lastmodifieddate"] == before
    assert record["updatedAt"] == before
    assert found(client, "deals", ("hs_lastmodifieddate", "GT", before))["total"] == 0


def test_the_bin_forgets_after_90_days(simulator: Account, client: httpx.Client):
    deal = simulator.crm.create("deals", {"amount": "1"})
    simulator.crm.archive("deals", deal.id)
    simulator.clock.advance(89 * 86_400)
    assert listed(client, "deals", archived=True) == [deal.id]
    simulator.clock.advance(2 * 86_400)
    assert listed(client, "deals", archived=True) == []


def test_a_merged_away_id_answers_with_the_winner(simulator: Account, client: httpx.Client):
    crm = simulator.crm
    winner, loser, last = (crm.create("deals", {"dealname": name, "amount": name}) for name in "123")
    crm.clock.advance(1)
    crm.update("deals", loser.id, {"amount": "20", "dealstage": "won"})
    crm.merge("deals", winner.id, loser.id)
    answer = read(client, "deals", [loser.id, winner.id], ["amount", "dealstage", "hs_merged_object_ids"])
    assert answer.status_code == 200
    (record,) = answer.json()["results"]
    assert record["id"] == winner.id
    assert record["properties"]["amount"] == "1"
    assert record["properties"]["dealstage"] == "won"
    assert record["properties"]["hs_merged_object_ids"] == loser.id
    (record,) = read(client, "deals", [winner.id], history=["amount"]).json()["results"]
    values = [version["value"] for version in record["propertiesWithHistory"]["amount"]]
    assert values[0] == "1" and sorted(values) == ["1", "1", "2", "20"]
    crm.merge("deals", last.id, winner.id)
    (record,) = read(client, "deals", [loser.id], ["hs_merged_object_ids"]).json()["results"]
    assert record["id"] == last.id
    assert record["properties"]["hs_merged_object_ids"] == f"{winner.id};{loser.id}"
    assert listed(client, "deals") == [last.id]


def test_merge_and_gdpr_delete_over_http(simulator: Account, client: httpx.Client):
    first, second = (simulator.crm.create("contacts", {"email": name}) for name in ("a@b.c", "d@e.f"))
    deal = simulator.crm.create("deals", {"dealname": "A"})
    simulator.crm.associate("deals", deal.id, "contacts", second.id, "3")
    body = {"primaryObjectId": first.id, "objectIdToMerge": second.id}
    assert client.post(f"{V3}/contacts/merge", json=body).json()["id"] == first.id
    (result,) = client.post(
        "/crm/v4/associations/deals/contacts/batch/read", json={"inputs": [{"id": deal.id}]}
    ).json()["results"]
    assert [to["toObjectId"] for to in result["to"]] == [first.id]
    body = {"objectId": first.id, "idProperty": "hs_object_id"}
    assert client.post(f"{V3}/contacts/gdpr-delete", json=body).status_code == 204
    assert listed(client, "contacts") == listed(client, "contacts", archived=True) == []
    missing = read(client, "contacts", [first.id, second.id]).json()
    assert missing["errors"][0]["context"] == {"ids": [first.id, second.id]}
    assert simulator.crm.links("deals", "contacts", deal.id) == []


def test_pages_are_a_chain_without_holes(simulator: Account, client: httpx.Client):
    ids = [simulator.crm.create("calls", {"hs_call_title": str(number)}).id for number in range(25)]
    simulator.crm.archive("calls", ids[3])
    assert listed(client, "calls", limit=8) == [key for key in ids if key != ids[3]]
    assert listed(client, "calls", limit=8, archived=True) == [ids[3]]
    # Twenty-four fill three pages of eight: the last one does not lead to an empty one.
    page = client.get(f"{V3}/calls", params={"limit": 24}).json()
    assert len(page["results"]) == 24 and "paging" not in page
    simulator.faults.overlap = 2
    again = listed(client, "calls", limit=8)
    assert len(again) > 24 and list(dict.fromkeys(again)) == [key for key in ids if key != ids[3]]


def test_search_by_windows_and_a_keyset(simulator: Account, client: httpx.Client):
    ids = []
    for number in range(30):
        ids.append(simulator.crm.create("contacts", {"firstname": str(number)}).id)
        simulator.clock.advance(1)
    since, until = "1782864010000", "1782864020000"  # seconds 10 to 20 of 2026-07-01
    window = [("lastmodifieddate", "GTE", since), ("lastmodifieddate", "LT", until)]
    keys, last = [], "0"
    while True:
        page = found(
            client, "contacts", *window, ("hs_object_id", "GT", last), limit=4,
            sorts=[{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
        )  # fmt: skip
        keys += [record["id"] for record in page["results"]]
        if len(page["results"]) == page["total"]:
            break
        last = keys[-1]
    assert keys == ids[10:20]
    by_iso = found(client, "contacts", ("lastmodifieddate", "GTE", "2026-07-01T00:00:28Z"))
    assert [record["id"] for record in by_iso["results"]] == ids[28:]


def test_search_operators(simulator: Account, client: httpx.Client):
    for amount in ("9", "10", "100", "", None):
        simulator.crm.create("deals", {"amount": amount, "dealname": amount})

    def amounts(operator: str, **more) -> list[str]:
        body = {"propertyName": "amount", "operator": operator, **more}
        groups = {"filterGroups": [{"filters": [body]}], "properties": ["amount"]}
        return [
            record["properties"]["amount"]
            for record in client.post(f"{V3}/deals/search", json=groups).json()["results"]
        ]

    assert amounts("GT", value="9") == ["10", "100"]
    assert amounts("LTE", value="10") == ["9", "10"]
    assert amounts("NEQ", value="9") == ["10", "100"]
    assert amounts("BETWEEN", value="9", highValue="10") == ["9", "10"]
    assert amounts("IN", values=["9", "100"]) == ["9", "100"]
    assert amounts("NOT_IN", values=["9", "100"]) == ["10"]
    assert amounts("HAS_PROPERTY") == ["9", "10", "100"]
    assert amounts("NOT_HAS_PROPERTY") == ["", None]
    down = {"sorts": [{"propertyName": "amount", "direction": "DESCENDING"}], "properties": ["amount"]}
    answer = client.post(f"{V3}/deals/search", json=down | {"limit": 2}).json()
    assert [record["properties"]["amount"] for record in answer["results"]] == ["100", "10"]
    assert answer["paging"]["next"]["after"] == "2" and answer["total"] == 5


def test_search_ends_at_10_000_results(simulator: Account, client: httpx.Client):
    assert client.post(f"{V3}/deals/search", json={"limit": 200, "after": "9800"}).status_code == 200
    simulator.guard.refusals_expected = True
    assert client.post(f"{V3}/deals/search", json={"limit": 200, "after": "9801"}).status_code == 400
    unknown = {"filterGroups": [{"filters": [{"propertyName": "nope", "operator": "EQ", "value": "1"}]}]}
    assert client.post(f"{V3}/deals/search", json=unknown).status_code == 400


def test_the_index_lags_by_the_account_s_clock(simulator: Account, client: httpx.Client):
    crm = simulator.crm
    crm.index_lag_ms = 60_000
    crm.create("deals", {"amount": "1"})
    deal = crm.create("deals", {"amount": "1"})
    crm.clock.advance(60)
    assert found(client, "deals", ("amount", "EQ", "1"))["total"] == 2
    crm.update("deals", deal.id, {"amount": "2"})
    crm.archive("deals", "1")
    assert read(client, "deals", [deal.id], ["amount"]).json()["results"][0]["properties"]["amount"] == "2"
    late = [found(client, "deals", ("amount", "EQ", "1"))["total"]]
    for _ in range(60):
        crm.clock.advance(1)
        late.append(found(client, "deals", ("amount", "EQ", "1"))["total"])
    assert late[0] > 0 and late[-1] == 0
    assert found(client, "deals", ("amount", "EQ", "2"))["total"] == 1


def test_search_still_finds_what_has_just_been_deleted(simulator: Account, client: httpx.Client):
    simulator.crm.index_lag_ms = 60_000
    deal = simulator.crm.create("deals", {"amount": "1"})
    simulator.clock.advance(60)
    assert found(client, "deals")["total"] == 1
    simulator.crm.delete("deals", deal.id)
    late = found(client, "deals")
    simulator.clock.advance(60)
    assert [record["id"] for record in late["results"]] in ([], [deal.id])
    assert found(client, "deals")["total"] == 0


def test_associations_are_paged_beyond_500_and_end_with_the_records(simulator: Account, client: httpx.Client):
    crm = simulator.crm
    deal, lonely = crm.create("deals", {}), crm.create("deals", {})
    contacts = [crm.create("contacts", {}).id for _ in range(501)]
    for contact in contacts:
        crm.associate("deals", deal.id, "contacts", contact, "3")
    crm.associate("deals", deal.id, "contacts", contacts[0], "39", "Decision maker")
    path = "/crm/v4/associations/deals/contacts/batch/read"
    answer = client.post(path, json={"inputs": [{"id": deal.id}, {"id": lonely.id}]})
    assert answer.status_code == 207
    assert answer.json()["errors"][0]["context"] == {"fromObjectId": [lonely.id]}
    (result,) = answer.json()["results"]
    assert len(result["to"]) == 500 and len(result["to"][0]["associationTypes"]) == 2
    after = result["paging"]["next"]["after"]
    (rest,) = client.post(path, json={"inputs": [{"id": deal.id, "after": after}]}).json()["results"]
    assert [to["toObjectId"] for to in (*result["to"], *rest["to"])] == contacts
    crm.archive("contacts", contacts[500])
    assert client.post(path, json={"inputs": [{"id": deal.id, "after": after}]}).status_code == 207
    crm.restore("contacts", contacts[500])
    assert client.post(path, json={"inputs": [{"id": deal.id, "after": after}]}).status_code == 200


def test_a_request_without_the_right_token_is_refused(simulator: Account):
    for headers in ({}, {"Authorization": "Bearer nonsense"}, {"Authorization": simulator.token}):
        answer = httpx.get(f"{simulator.url}/crm/v3/owners", headers=headers)
        assert answer.status_code == 401
        assert answer.json()["category"] == "INVALID_AUTHENTICATION"


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/crm/v3/objects/unicorns", None, 400),
        ("GET", "/crm/v3/objects/deals?after=soon", None, 400),
        ("GET", "/crm/v3/nothing", None, 404),
        ("PUT", "/crm/v3/objects/deals", None, 405),
        ("POST", "/crm/v3/objects/deals/batch/read", ["1"], 400),
        ("POST", "/crm/v3/objects/deals/batch/read", {"inputs": "1"}, 400),
        ("POST", "/crm/v3/objects/deals/merge", {"primaryObjectId": "1", "objectIdToMerge": "2"}, 400),
        ("POST", "/crm/v3/objects/contacts/gdpr-delete", {"objectId": "1"}, 404),
        ("GET", "/conversations/v3/conversations/threads/5/messages", None, 404),
    ],
)
def test_bad_requests(simulator: Account, client: httpx.Client, method: str, path: str, body, status: int):
    simulator.guard.refusals_expected = True
    assert client.request(method, path, json=body).status_code == status


def test_broken_json_is_a_400(simulator: Account):
    with running(simulator.app) as url:  # around the guard, which reads bodies as JSON
        headers = {"Authorization": f"Bearer {simulator.token}"}
        sent = httpx.post(f"{url}/crm/v3/objects/deals/search", content=b"{", headers=headers)
    assert sent.status_code == 400


def test_owners_come_in_two_lists_and_pages(simulator: Account, client: httpx.Client):
    dates = {"createdAt": "2026-01-01T00:00:00.000Z", "updatedAt": "2026-01-01T00:00:00.000Z"}
    simulator.crm.owners = [
        {"id": str(number), "type": "PERSON", "archived": number % 2 == 0, **dates} for number in range(1, 8)
    ]
    first = client.get("/crm/v3/owners", params={"limit": 3}).json()
    rest = client.get("/crm/v3/owners", params={"after": first["paging"]["next"]["after"]}).json()
    assert [owner["id"] for owner in (*first["results"], *rest["results"])] == ["1", "3", "5", "7"]
    gone = client.get("/crm/v3/owners", params={"archived": True}).json()["results"]
    assert [owner["id"] for owner in gone] == ["2", "4", "6"]


def test_threads_since_a_message(simulator: Account, client: httpx.Client):
    for number, (instant, archived) in enumerate(
        [("2026-06-01T00:00:00.000Z", False), ("2026-06-03T00:00:00.000Z", False), (None, True)], 1
    ):
        thread = {
            "id": str(number), "createdAt": "2026-06-01T00:00:00.000Z", "status": "OPEN", "inboxId": "1",
            "originalChannelId": "1000", "originalChannelAccountId": "1", "spam": False, "archived": archived,
        }  # fmt: skip
        simulator.crm.threads[str(number)] = thread | ({"latestMessageTimestamp": instant} if instant else {})
    path = "/conversations/v3/conversations/threads"
    ids = [
        [thread["id"] for thread in client.get(path, params=parameters).json()["results"]]
        for parameters in (
            {},
            {"archived": True},
            {"sort": "latestMessageTimestamp", "latestMessageTimestampAfter": "2026-06-02T00:00:00Z"},
        )
    ]
    assert ids == [["1", "2"], ["3"], ["2"]]


def test_it_listens_on_loopback_only(simulator: Account):
    port = int(simulator.url.rsplit(":", 1)[1])
    assert simulator.url.startswith("http://127.0.0.1:")
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as other:
        other.bind(("127.0.0.2", port))  # would fail if the simulator were bound to every address


def test_what_came_in_is_remembered(simulator: Account, client: httpx.Client):
    client.get("/crm/v3/owners/")
    simulator.faults.plan(Fault("5xx", status=503))
    client.post(f"{V3}/deals/search", json={})
    assert [(seen.method, seen.path, seen.status, seen.is_search) for seen in simulator.app.seen] == [
        ("GET", "/crm/v3/owners", 200, False),
        ("POST", "/crm/v3/objects/deals/search", 503, True),
    ]
