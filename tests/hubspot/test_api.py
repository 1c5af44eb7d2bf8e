"""HubSpot's endpoints, asked of the simulator: nothing is lost, doubled or mistaken for something else."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from orchestration.hubspot_simulator import search
from orchestration.hubspot_simulator.crm import iso
from orchestration.hubspot_simulator.faults import Fault
from orchestration.ingest.hubspot import api, rows
from orchestration.ingest.hubspot.http import HubSpotError, QuotaReached, Unavailable, WrongToken
from orchestration.ingest.hubspot.objects import crm_objects
from orchestration.settings import Settings
from tests.hubspot.fake_time import FakeTime, connected

DEALS = crm_objects()["deals"]
NOW = datetime(2026, 7, 1, tzinfo=UTC)
PROPERTIES = ("dealname", "amount", "hs_merged_object_ids")


def deals(crm, number: int) -> list[str]:
    return [crm.create("deals", {"dealname": f"Deal {i}", "amount": str(i)}).id for i in range(number)]


def ids_of(records: list[dict]) -> list[str]:
    return [record["id"] for record in records]


def read_ids(pages) -> list[str]:
    return [id_ for page in pages for id_ in page]


# --- settings of the account ----------------------------------------------------------------------


@pytest.fixture
def furnished(simulator):
    crm = simulator.crm
    crm.account = {"portalId": 77, "timeZone": "Europe/Berlin", "companyCurrency": "EUR"}
    dates = {"createdAt": "2024-01-01T00:00:00.000Z", "updatedAt": "2024-01-01T00:00:00.000Z"}
    crm.owners = [
        {"id": "1", "email": "a@x", "type": "PERSON", "userId": 11, "userIdIncludingInactive": 11}
        | {"archived": False, "teams": [{"id": "5", "name": "EMEA", "primary": True}]}
        | dates,
        {"id": "2", "type": "PERSON", "userIdIncludingInactive": 12, "archived": True} | dates,
    ]
    crm.teams = [{"id": "5", "name": "EMEA"}, {"id": "6", "name": "DACH", "parentTeamId": "5"}]
    stage = {"id": "s", "label": "New", "displayOrder": 0, "archived": False}
    stage |= {
        "metadata": {"probability": "0.2", "isClosed": "false"},
        "writePermissions": "READ_ONLY",
    } | dates
    pipeline = {"id": "default", "label": "Sales", "displayOrder": 0, "archived": False}
    crm.pipelines = {"deals": [pipeline | {"stages": [stage]} | dates]}
    crm.call_dispositions = [{"id": "d", "label": "Busy", "deleted": False}]
    crm.exchange_rates = [
        {"id": str(i), "fromCurrencyCode": "USD", "toCurrencyCode": "EUR", "conversionRate": 0.9}
        | {"effectiveAt": iso(i * 86_400_000), "visibleInUI": True}
        | dates
        for i in range(230)
    ]
    crm.sequences = [{"id": "9", "name": "Follow up", "userId": "11"} | dates]
    crm.channels = [{"id": "1000", "name": "Chat"}, {"id": "1002", "name": "Email"}]
    return simulator


@pytest.mark.parametrize("version", ["2026-09", "v3"])
def test_what_a_person_has_set_up_is_read_in_both_versions(furnished, version):
    with connected(furnished, version) as hubspot:
        assert rows.account_row(hubspot.account()) == {
            "portal_id": "77",
            "time_zone": "Europe/Berlin",
            "company_currency": "EUR",
        }
        (present,), (former,) = (list(hubspot.owners(archived)) for archived in (False, True))
        assert [rows.owner_row(owner)["user_id"] for owner in present + former] == ["11", "12"]
        assert rows.owner_row(former[0])["archived"] is True
        assert rows.owner_team_rows(present[0]) == [{"owner_id": "1", "team_id": "5", "is_primary": True}]
        assert rows.owner_team_rows(former[0]) == []
        assert [(t["id"], t["parent_team_id"]) for t in map(rows.team_row, hubspot.teams())] == [
            ("5", None),
            ("6", "5"),
        ]
        (pipeline,) = hubspot.pipelines("deals")
        assert rows.pipeline_row("deals", pipeline)["object_type"] == "deal"
        (stage,) = rows.stage_rows("deals", pipeline)
        assert (stage["probability"], stage["is_closed"], stage["id"]) == ("0.2", "false", "s")
        assert hubspot.pipelines("leads") == []
        assert [rows.call_disposition_row(d)["label"] for d in hubspot.call_dispositions()] == ["Busy"]
        rates = [rows.exchange_rate_row(rate) for rate in hubspot.exchange_rates()]
        assert len({rate["effective_at"] for rate in rates}) == 230
        assert [rows.sequence_row(s) for s in hubspot.sequences(["11", "12"])] == [
            {"id": "9", "name": "Follow up"}
        ]
        assert [rows.channel_row(c)["kind"] for c in hubspot.channels()] == ["LIVE_CHAT", "other"]


def test_teams_come_without_parents_where_there_is_no_teams_api():
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/settings/users/2026-09/teams":
            return httpx.Response(200, json={"results": [{"id": "5", "name": "EMEA", "userIds": []}]})
        return httpx.Response(404)

    assert "parent_team_id" not in rows.team_row(mocked(answer).teams()[0])


def mocked(answer, fake: FakeTime | None = None) -> api.HubSpot:
    fake = fake or FakeTime()
    settings = Settings(source="hubspot", hubspot_token="t")
    return api.HubSpot(settings, sleep=fake.sleep, clock=fake.clock, transport=httpx.MockTransport(answer))


def test_a_beta_is_used_where_it_is_no_version_yet():
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        found = "/2026-09-beta/" in request.url.path
        return httpx.Response(200 if found else 404, json={"results": []})

    hubspot = mocked(answer)
    assert read_ids(hubspot.record_ids("forecasts")) == []
    assert read_ids(hubspot.threads()) == hubspot.channels() == []
    assert asked == [
        "/crm/objects/2026-09/forecasts",
        "/crm/objects/2026-09-beta/forecasts",
        "/conversations/conversations/2026-09/channels",
        "/conversations/conversations/2026-09-beta/threads",
        "/conversations/conversations/2026-09-beta/channels",
    ]


# --- records --------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["2026-09", "v3"])
def test_all_ids_come_page_after_page(simulator, version):
    ids = deals(simulator.crm, 250)
    simulator.crm.archive("deals", ids[3])
    with connected(simulator, version) as hubspot:
        pages = list(hubspot.record_ids("deals"))
        assert [len(page) for page in pages] == [100, 100, 49]
        assert read_ids(pages) == [id_ for id_ in ids if id_ != ids[3]]
        assert read_ids(hubspot.record_ids("deals", archived=True)) == [ids[3]]


def test_records_come_with_what_was_asked_for_in_the_order_of_the_ids(simulator):
    ids = deals(simulator.crm, 60)[::-1]
    with connected(simulator) as hubspot:
        batch = hubspot.records("deals", ids, ("dealname", "closedate", "no_such"), ())
        assert ids_of(batch.records) == ids
        assert batch.records[0]["properties"]["dealname"] == "Deal 59"
        assert "no_such" not in batch.records[0]["properties"]
        assert (batch.missing, batch.merged) == ([], {})
        with pytest.raises(ValueError, match="60 ids are more"):
            hubspot.records("deals", ids, PROPERTIES, ("amount",))
        assert hubspot.statistics.rows == 60


def test_history_comes_newest_first(simulator):
    (id_,) = deals(simulator.crm, 1)
    simulator.clock.advance(60)
    simulator.crm.update("deals", id_, {"amount": "7"})
    with connected(simulator) as hubspot:
        (record,) = hubspot.records("deals", [id_], PROPERTIES, ("amount",)).records
        assert [v["value"] for v in record["propertiesWithHistory"]["amount"]] == ["7", "0"]


def test_ids_that_are_not_there_are_missing(simulator):
    ids = deals(simulator.crm, 4)
    simulator.crm.delete("deals", ids[1])
    simulator.crm.archive("deals", ids[2])
    with connected(simulator) as hubspot:
        batch = hubspot.records("deals", [*ids, "999"], PROPERTIES)
        assert ids_of(batch.records) == [ids[0], ids[3]]
        assert batch.missing == [ids[1], ids[2], "999"]
        assert hubspot.statistics.requests == 1  # HubSpot has said so; nothing is asked singly


@pytest.mark.parametrize("properties", [PROPERTIES, ("dealname",)], ids=["named", "unnamed"])
@pytest.mark.parametrize("asked", ["loser", "both", "winner first"])
def test_a_merged_away_id_is_told_with_its_winner(simulator, asked, properties):
    loser, winner, other = deals(simulator.crm, 3)
    simulator.crm.merge("deals", winner, loser)
    ids = {
        "loser": [other, loser],
        "both": [loser, winner, other],
        "winner first": [winner, other, loser],
    }[asked]
    with connected(simulator) as hubspot:
        batch = hubspot.records("deals", ids, properties)
    assert batch.merged == {loser: winner}
    assert batch.missing == []
    order = [winner if id_ == loser else id_ for id_ in ids]
    assert ids_of(batch.records) == list(dict.fromkeys(order))


def test_a_partial_batch_is_completed_one_by_one(simulator):
    ids = deals(simulator.crm, 20)
    simulator.faults.plan(Fault("partial"))
    with connected(simulator) as hubspot:
        batch = hubspot.records("deals", ids, PROPERTIES)
        assert ids_of(batch.records) == ids
        assert (batch.missing, batch.merged) == ([], {})
        assert hubspot.statistics.requests > 1


def partial(*errors: dict, found: tuple[str, ...] = ()) -> httpx.Response:
    results = [{"id": id_, "properties": {}} for id_ in found]
    return httpx.Response(207, json={"status": "COMPLETE", "results": results, "errors": list(errors)})


def test_a_record_that_cannot_be_read_is_an_error_and_not_missing():
    fake = FakeTime()
    error = {"category": "INTERNAL_ERROR", "message": "odd", "context": {"ids": ["1"]}}
    hubspot = mocked(lambda request: partial(error), fake)
    with pytest.raises(HubSpotError, match=r"cannot read deals 1 \(odd\)"):
        hubspot.records("deals", ["1"], PROPERTIES)
    assert len([wait for wait in fake.sleeps if wait >= 1]) == 4  # growing, and an end


def test_an_id_that_nobody_mentions_is_asked_for_alone():
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        inputs = [item["id"] for item in json.loads(request.content)["inputs"]]
        asked.append(inputs)
        return partial(found=tuple(id_ for id_ in inputs if id_ == "1"))

    batch = mocked(answer).records("deals", ["1", "2"], PROPERTIES)
    assert (ids_of(batch.records), batch.missing) == (["1"], ["2"])
    assert asked == [["1", "2"], ["2"]]


def test_the_bin_is_listed_with_when_and_history(simulator):
    ids = deals(simulator.crm, 60)
    simulator.clock.advance(5)
    for id_ in ids:
        simulator.crm.archive("deals", id_)
    with connected(simulator) as hubspot:
        pages = list(hubspot.archived_records("deals", PROPERTIES, ("amount",)))
        assert [len(page) for page in pages] == [50, 10]
        assert {record["archivedAt"] for page in pages for record in page} == {"2026-07-01T00:00:05.000Z"}
        assert pages[0][0]["propertiesWithHistory"]["amount"][0]["value"] == "0"
        assert [len(page) for page in hubspot.archived_records("deals", PROPERTIES)] == [60]


# --- changes --------------------------------------------------------------------------------------


def test_changes_of_a_window_are_found_half_open(simulator):
    crm, clock = simulator.crm, simulator.clock
    before, first, last, after = [], [], [], []
    for some, seconds in ((before, 0.999), (first, 0.001), (last, 9.999), (after, 0.001)):
        clock.advance(seconds)
        some += deals(crm, 1)
    since = NOW + timedelta(seconds=1)
    with connected(simulator) as hubspot:
        found = read_ids(hubspot.changed_ids("deals", since, since + timedelta(seconds=10)))
        assert found == first + last
        assert hubspot.statistics.searches == 1
        crm.create("contacts", {"email": "a@x"})  # whose property has another name
        assert read_ids(hubspot.changed_ids("contacts", NOW, NOW + timedelta(days=1)))


def test_more_changes_than_a_search_can_give(simulator, monkeypatch):
    monkeypatch.setattr(search, "MOST_RESULTS", 1000)  # 10,000, in small
    ids = deals(simulator.crm, 1250)
    with connected(simulator) as hubspot:
        pages = list(hubspot.changed_ids("deals", NOW, NOW + timedelta(seconds=1)))
    assert read_ids(pages) == ids
    assert {len(page) for page in pages} == {200, 50}


def test_a_record_that_leaves_the_window_while_it_is_paged_is_in_the_next_one(simulator, monkeypatch):
    monkeypatch.setattr(api, "SEARCH_LIMIT", 3)
    crm, clock = simulator.crm, simulator.clock
    ids = deals(crm, 9)
    until = NOW + timedelta(minutes=1)
    clock.advance(60)
    with connected(simulator) as hubspot:
        pages = hubspot.changed_ids("deals", NOW, until)
        seen = next(pages)
        assert seen == ids[:3]
        clock.advance(1)
        crm.update("deals", ids[0], {"amount": "new"})  # already seen
        crm.update("deals", ids[4], {"amount": "new"})  # still to come
        seen += read_ids(pages)
        assert seen == [id_ for id_ in ids if id_ != ids[4]]  # no page has shifted
        following = read_ids(hubspot.changed_ids("deals", until, until + timedelta(minutes=1)))
        assert following == [ids[0], ids[4]]


@pytest.mark.parametrize("seed", range(6))
def test_no_change_is_lost_over_windows_while_records_change_and_the_index_lags(simulator, monkeypatch, seed):
    """What SYNC relies on: windows that overlap by more than the index lags hold every change."""
    monkeypatch.setattr(api, "SEARCH_LIMIT", 4)
    chance = random.Random(seed)
    crm, clock = simulator.crm, simulator.clock
    crm.index_lag_ms = 60_000
    ids = deals(crm, 12)
    changed: dict[str, int] = dict.fromkeys(ids, clock.now())

    def meanwhile() -> None:
        for _ in range(chance.randrange(4)):
            clock.advance(chance.uniform(0, 20))
            if chance.random() < 0.3:
                id_ = deals(crm, 1)[0]
            else:
                id_ = chance.choice(list(changed))
                crm.update("deals", id_, {"amount": str(chance.random())})
            changed[id_] = clock.now()

    cursor = NOW
    read_at: dict[str, int] = {}
    with connected(simulator) as hubspot:
        for night in range(5):
            clock.advance(chance.uniform(0, 400))
            if night == 4:
                clock.advance(61)  # a last one with the index at rest
            until = datetime.fromtimestamp(clock.now() / 1000, UTC)
            page_ids = []
            for page in hubspot.changed_ids("deals", cursor - timedelta(minutes=10), until):
                page_ids += page
                read_at |= dict.fromkeys(page, clock.now())  # when the record itself is read
                if night < 4:
                    meanwhile()
            assert page_ids == sorted(set(page_ids), key=int)
            cursor = until
    assert all(read_at[id_] >= at for id_, at in changed.items())


def test_a_search_that_never_ends_is_an_error():
    answer = {"results": [{"id": "5"}], "paging": {"next": {"after": "200"}}}
    hubspot = mocked(lambda request: httpx.Response(200, json=answer))
    with pytest.raises(HubSpotError, match="page after page the same"):
        list(hubspot.changed_ids("deals", NOW, NOW))
    with pytest.raises(HubSpotError, match="page after page the same"):
        list(hubspot.record_ids("deals"))


# --- what belongs to records ----------------------------------------------------------------------


@pytest.mark.parametrize("version", ["2026-09", "v3"])
def test_associations_page_per_record_and_have_a_row_per_type(simulator, version):
    crm = simulator.crm
    busy, quiet, plain = deals(crm, 3)
    contacts = [crm.create("contacts", {}).id for _ in range(1203)]
    for contact in contacts:
        crm.associate("deals", busy, "contacts", contact, "3")
    crm.associate("deals", plain, "contacts", contacts[0], "3")
    crm.associate("deals", plain, "contacts", contacts[0], "17", "Buyer")
    with connected(simulator, version) as hubspot:
        (found,) = hubspot.associations("deals", "contacts", [busy, quiet, plain])
        assert hubspot.statistics.requests == 3  # 500, 500 and 203 targets
    assert sorted(int(row["to_id"]) for row in found if row["from_id"] == busy) == sorted(map(int, contacts))
    assert [row for row in found if row["from_id"] == plain] == [
        {"from_type": "deal", "from_id": plain, "to_type": "contact", "to_id": contacts[0]}
        | {"type_id": type_id, "label": label}
        for type_id, label in (("3", None), ("17", "Buyer"))
    ]
    assert not [row for row in found if row["from_id"] == quiet]


def test_associations_are_asked_for_a_thousand_records_at_a_time(simulator):
    ids = deals(simulator.crm, 2001)
    contact = simulator.crm.create("contacts", {}).id
    for id_ in ids:
        simulator.crm.associate("deals", id_, "contacts", contact, "3")
    with connected(simulator) as hubspot:
        assert [len(found) for found in hubspot.associations("deals", "contacts", ids)] == [1000, 1000, 1]


def test_partial_associations_are_asked_for_again(simulator):
    ids = deals(simulator.crm, 10)
    contact = simulator.crm.create("contacts", {}).id
    for id_ in ids[1:]:
        simulator.crm.associate("deals", id_, "contacts", contact, "3")
    simulator.faults.plan(Fault("partial"))
    with connected(simulator) as hubspot:
        (found,) = hubspot.associations("deals", "contacts", ids)
        assert sorted(row["from_id"] for row in found) == sorted(ids[1:])
        assert hubspot.statistics.requests == 2


def test_associations_that_cannot_be_read_are_an_error():
    error = {"category": "INTERNAL_ERROR", "message": "odd", "context": {"fromObjectId": ["1"]}}
    hubspot = mocked(lambda request: partial(error))
    with pytest.raises(HubSpotError, match=r"associations deals to contacts of 1 records \(odd\)"):
        list(hubspot.associations("deals", "contacts", ["1"]))


def test_deal_splits(simulator):
    split, plain = deals(simulator.crm, 2)
    for owner, share in (("1", "0.6"), ("2", "0.4")):
        values = {"deal_id": split, "hubspot_owner_id": owner, "hs_deal_split_percentage": share}
        simulator.crm.create("deal_splits", values)
    with connected(simulator) as hubspot:
        found = [
            row for page in hubspot.deal_splits([split, plain]) for d in page for row in rows.split_rows(d)
        ]
    assert [(row["deal_id"], row["owner_id"], row["percentage"]) for row in found] == [
        (split, "1", "60.0"),
        (split, "2", "40.0"),
    ]


# --- conversations --------------------------------------------------------------------------------


def test_threads_and_messages(simulator):
    crm = simulator.crm
    for number in range(510):
        at = iso(number * 60_000)
        crm.threads[str(number)] = {"id": str(number), "createdAt": at, "latestMessageTimestamp": at}
        crm.threads[str(number)] |= {"status": "OPEN", "archived": False, "spam": False, "inboxId": "1"}
        crm.threads[str(number)] |= {"originalChannelId": "1000", "originalChannelAccountId": "1"}
    message = {"id": "m", "type": "MESSAGE", "createdAt": iso(5), "direction": "INCOMING"}
    comment = {"id": "c", "type": "COMMENT", "createdAt": iso(6)}
    common = {"conversationsThreadId": "3", "createdBy": "V-7", "archived": False}
    crm.messages["3"] = [message | common | {"senders": [{"actorId": "V-7"}]}, comment | common]
    with connected(simulator) as hubspot:
        assert [len(page) for page in hubspot.threads()] == [500, 10]
        since = datetime(1970, 1, 1, 8, 25, tzinfo=UTC)
        assert [thread["id"] for page in hubspot.threads(since) for thread in page] == [
            "506",
            "507",
            "508",
            "509",
        ]
        assert rows.thread_row(next(hubspot.threads())[0])["status"] == "OPEN"
        messages = [message for page in hubspot.messages("3") for message in page]
        assert list(rows.message_rows("3", messages)) == [
            {"thread_id": "3", "id": "m", "created_at": iso(5), "direction": "INCOMING", "sender": "V-7"}
        ]
        assert list(hubspot.messages("gone")) == []


# --- what is not there ----------------------------------------------------------------------------


def test_a_missing_scope_makes_a_table_unavailable_and_names_it(simulator):
    simulator.faults.missing_scopes.add("crm.objects.leads.read")
    with connected(simulator) as hubspot:
        with pytest.raises(Unavailable, match=r"crm\.objects\.leads\.read") as caught:
            next(hubspot.record_ids("leads"))
        assert caught.value.scopes == ("crm.objects.leads.read",)
        assert next(hubspot.record_ids("deals")) == []


@pytest.mark.parametrize("status", [400, 404])
def test_an_object_that_the_account_does_not_have_is_unavailable(status):
    hubspot = mocked(lambda request: httpx.Response(status, json={"message": "Unable to infer object type"}))
    for ask in (
        lambda: next(hubspot.record_ids("leads")),
        lambda: next(hubspot.changed_ids("leads", NOW, NOW)),
        lambda: hubspot.pipelines("leads"),
    ):
        with pytest.raises(Unavailable, match=r"no leads \(scopes: crm.objects.leads.read\)"):
            ask()


def test_a_refused_page_in_the_middle_is_an_error_and_no_missing_feature():
    def answer(request: httpx.Request) -> httpx.Response:
        if "after" in request.url.params:
            return httpx.Response(400)
        return httpx.Response(200, json={"results": [{"id": "1"}], "paging": {"next": {"after": "1"}}})

    with pytest.raises(HubSpotError) as caught:
        list(mocked(answer).record_ids("deals"))
    assert not isinstance(caught.value, Unavailable)


def test_sequences_of_users_without_a_seat_are_none():
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.params["userId"] == "1":
            return httpx.Response(403)
        return httpx.Response(200, json={"results": [{"id": "9", "name": "x"}]})

    hubspot = mocked(answer)
    assert [s["id"] for s in hubspot.sequences(["1", "2", "3"])] == ["9"]
    assert hubspot.sequences([]) == []
    with pytest.raises(Unavailable):
        hubspot.sequences(["1"])


def test_the_daily_quota_and_a_wrong_token_stop_at_once(simulator):
    simulator.app.limits.per_day = 0
    with connected(simulator) as hubspot:
        with pytest.raises(QuotaReached):
            hubspot.account()
        simulator.faults.expired = True
        with pytest.raises(WrongToken, match="In HubSpot, open Settings"):
            hubspot.account()
        assert hubspot.statistics.requests == 2


def test_an_answer_without_results_is_an_error():
    hubspot = mocked(lambda request: httpx.Response(200, json={"status": "fine"}))
    with pytest.raises(HubSpotError, match="no results in it"):
        list(hubspot.owners(False))
