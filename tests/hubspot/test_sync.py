"""What a night reads: first load, increment, bin, sweep, merges, associations, what is unavailable.

Each test lets one thing happen in a simulated account and looks at what would be delivered.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest

from orchestration.hubspot_simulator import Fault, Limits
from orchestration.ingest.hubspot import SyncStopped, records, related
from orchestration.ingest.hubspot.http import HubSpotError, WrongToken
from tests.hubspot.syncing import (
    Killed,
    Place,
    deal,
    kept_versions,
    links,
    live_records,
    only,
    set_up,
)

pytestmark = pytest.mark.thorough

DAY = timedelta(days=1).total_seconds()


@pytest.fixture(autouse=True)
def three_types():
    with only():
        yield


@pytest.fixture
def place(simulator, tmp_path) -> Place:
    set_up(simulator.crm)
    return Place(simulator, tmp_path / "data")


@pytest.fixture
def crm(place):
    return place.account.crm


def night(place: Place, days: float = 1.0, **settings):
    place.account.clock.advance(days * DAY)
    place.account.crm.settle()
    return place.sync(**settings)


def assert_same_records(place: Place, table: str = "deals") -> None:
    expected = live_records(place.account.crm, table)
    landed = place.live(table)
    assert set(landed) == set(expected)
    for id_, properties in expected.items():
        assert {name: landed[id_][name] for name in properties} == properties, id_


def test_a_first_load_has_every_record_version_list_and_association(place, crm):
    for number in range(7):
        deal(crm, amount=str(number))
    crm.update("deals", "3", {"amount": "99", "dealstage": "won"})
    contact = crm.create("contacts", {"email": "a@example.com", "lifecyclestage": "lead"}).id
    crm.associate("deals", "3", "contacts", contact, "3")
    summary = night(place)
    assert_same_records(place)
    assert_same_records(place, "contacts")
    assert place.versions("deal") == kept_versions(crm, "deals")
    assert {tuple(row[c] for c in ("from_type", "from_id", "to_type", "to_id", "type_id"))
            for row in place.rows("associations")} == links(crm)  # fmt: skip
    assert [(row["id"], row["user_id"], row["archived"]) for row in place.rows("owners")] == [
        ("7", "70", "false")
    ]
    assert {(row["id"], row["probability"]) for row in place.rows("pipeline_stages")} == {
        ("new", "0.2"),
        ("won", "1.0"),
    }
    assert summary.portal_id == "1234"
    assert place.delivery().read_until == summary.read_until == place.now() - timedelta(minutes=2)


def test_a_table_that_hubspot_has_nothing_of_is_delivered_empty(place, crm):
    deal(crm)
    night(place)
    assert place.rows("calls") == []
    assert "calls" in place.delivery().tables


def test_an_increment_brings_what_has_changed_and_asks_for_little_more(place, crm):
    for _ in range(400):
        deal(crm)
    first = night(place)
    quiet = night(place)
    for number in range(1, 400, 100):
        crm.update("deals", str(number), {"amount": "5"})
    crm.update("deals", "1", {"amount": ""})
    new = deal(crm, dealname="😀 'new'\n")
    changed = night(place)
    assert_same_records(place)
    assert place.live("deals")[new]["dealname"] == "😀 'new'\n"
    assert place.live("deals")["1"]["amount"] == ""
    assert place.versions("deal") == kept_versions(crm, "deals")
    assert quiet.statistics.rows < 80, "a night without changes reads associations of a seventh"
    assert changed.statistics.requests - quiet.statistics.requests <= 4
    assert first.statistics.requests - quiet.statistics.requests >= 8


def test_what_the_index_learns_late_is_found_by_the_next_night(place, crm):
    deal(crm)
    night(place)
    crm.index_lag_ms = 60_000
    changed = [deal(crm) for _ in range(20)]
    place.account.clock.advance(150)  # less than the lag behind the instant at which searches end
    place.sync()
    place.account.clock.advance(150)
    place.sync()
    assert set(changed) <= set(place.live("deals"))


def test_a_version_that_hubspot_forgets_is_kept(place, crm):
    id_ = deal(crm, amount="0")
    night(place)
    before = place.versions("deal")
    for number in range(1, 31):
        crm.update("deals", id_, {"amount": str(number)})
    night(place)
    assert place.versions("deal") == before | kept_versions(crm, "deals")
    assert (id_, "amount", "0") in {(a, b, d) for a, b, _, d in place.versions("deal")}
    offered = [row["value"] for row in place.rows("deal_property_history") if row["name"] == "amount"]
    assert sorted(offered, key=int) == [str(n) for n in range(11, 31)], "a full reading is offered alone (K3)"


def test_an_archived_record_is_marked_and_a_restored_one_comes_back(place, crm):
    kept, gone, new = deal(crm), deal(crm), deal(crm)
    night(place)
    crm.archive("deals", gone)
    unseen = deal(crm, amount="7")
    crm.archive("deals", unseen)
    night(place)
    rows = {row["id"]: row for row in place.rows("deals")}
    assert rows[gone]["archived"] == "true"
    assert rows[gone]["archived_at"] == crm.of("deals").records[gone].archived_at
    assert rows[unseen]["archived"] == "true", "created and archived between two nights"
    assert (unseen, "amount", "7") in {(a, b, d) for a, b, _, d in place.versions("deal")}
    assert set(place.live("deals")) == {kept, new}
    crm.restore("deals", gone)
    night(place)
    assert_same_records(place)
    assert place.live("deals")[gone]["archived_at"] is None


def test_a_record_that_leaves_the_bin_is_deleted_for_good(place, crm):
    id_, other = deal(crm), deal(crm)
    night(place)
    crm.archive("deals", id_)
    night(place)
    night(place, days=91)
    row = {row["id"]: row for row in place.rows("deals")}[id_]
    assert row["hard_deleted_at"] is not None
    assert set(place.live("deals")) == {other}
    assert {a for a, *_ in place.versions("deal")} == {id_, other}


def test_a_sweep_finds_hard_deletes_once_a_week(place, crm):
    gone, kept = deal(crm), deal(crm)
    night(place)
    crm.delete("deals", gone)
    night(place)
    assert set(place.live("deals")) == {gone, kept}
    night(place, days=6)
    assert set(place.live("deals")) == {kept}
    first = {row["id"]: row["hard_deleted_at"] for row in place.rows("deals")}[gone]
    night(place, days=8)
    assert {row["id"]: row["hard_deleted_at"] for row in place.rows("deals")}[gone] == first


def test_a_merged_record_points_at_its_winner(place, crm):
    winner, loser, third = deal(crm, amount="1"), deal(crm, amount="2", dealtype="new"), deal(crm)
    night(place)
    crm.merge("deals", winner, loser)
    crm.merge("deals", third, winner)
    night(place, days=7)
    merged = {row["id"]: row["merged_into_id"] for row in place.rows("deals")}
    assert merged == {winner: third, loser: third, third: None}
    assert_same_records(place)
    assert kept_versions(crm, "deals") <= place.versions("deal")


def test_a_merge_shows_at_once_when_the_winner_is_changed(place, crm):
    winner, loser = deal(crm), deal(crm)
    night(place)
    crm.merge("deals", winner, loser)
    crm.update("deals", winner, {"amount": "1"})
    night(place)
    assert {row["id"]: row["merged_into_id"] for row in place.rows("deals")} == {loser: winner, winner: None}


def test_associations_of_changed_records_are_new_at_once_and_of_others_in_turn(place, crm, monkeypatch):
    monkeypatch.setattr(related, "_TURNS", 2)
    contacts = [crm.create("contacts", {"email": f"{n}@example.com"}).id for n in range(3)]
    ids = [deal(crm) for _ in range(10)]
    for id_ in ids:
        crm.associate("deals", id_, "contacts", contacts[0], "3")
    night(place)
    for id_ in ids:
        crm.dissociate("deals", id_, "contacts", contacts[0])
        crm.associate("deals", id_, "contacts", contacts[1], "3", "Buyer")
    crm.update("deals", ids[0], {"amount": "3"})

    def targets() -> dict[str, set]:
        found: dict[str, set] = {}
        for row in place.rows("associations"):
            found.setdefault(row["from_id"], set()).add((row["to_id"], row["label"]))
        return found

    new, old = {(contacts[1], "Buyer")}, {(contacts[0], None)}
    night(place)
    found = targets()
    assert found[ids[0]] == new
    assert 5 <= sum(some == new for some in found.values()) <= 6, "one half, and the changed one"
    assert set(map(frozenset, found.values())) == {frozenset(new), frozenset(old)}
    for id_ in ids[:5]:
        crm.dissociate("deals", id_, "contacts", contacts[1])
    night(place)
    night(place)
    assert targets() == dict.fromkeys(ids[5:], new)


def test_a_full_refresh_gives_the_same_tables(place, crm):
    ids = [deal(crm) for _ in range(5)]
    night(place)
    crm.archive("deals", ids[0])
    crm.merge("deals", ids[1], ids[2])
    crm.update("deals", ids[3], {"amount": "1"})
    night(place, days=7)
    before = place.tables()
    assert place.sync(hubspot_full_refresh=True).statistics.rows == 4, "all, and what is in the bin"
    assert place.tables() == before


def test_a_new_custom_property_is_read_for_all_records(place, crm):
    deal(crm, Region__c="North")
    deal(crm, Region__c="South")
    night(place)
    night(place, custom_properties=("Region__c",))
    rows = place.live("deals")
    assert {row["Region__c"] for row in rows.values()} == {"North", "South"}


def test_a_custom_property_that_was_left_out_for_a_while_is_read_anew(place, crm):
    id_ = deal(crm, Region__c="North")
    night(place, custom_properties=("Region__c",))
    crm.update("deals", id_, {"Region__c": "South"})
    night(place)
    night(place, custom_properties=("Region__c",))
    assert place.live("deals")[id_]["Region__c"] == "South"


def test_a_missing_scope_leaves_tables_out_and_the_sync_goes_on(place, crm):
    deal(crm)
    crm.create("contacts", {"email": "a@example.com"})
    place.account.faults.missing_scopes = {"crm.objects.contacts.read"}
    summary = night(place)
    reasons = {table.name: table.unavailable for table in summary.tables if table.unavailable}
    assert {"contacts", "contact_property_history", "calls"} <= set(reasons)
    assert "crm.objects.contacts.read" in reasons["contacts"]
    delivery = place.delivery()
    assert "contacts" not in delivery.tables
    assert "contact_property_history" not in delivery.tables
    assert any(note.startswith("contacts is not available") for note in delivery.notes)
    assert not delivery.problems
    place.account.faults.missing_scopes = set()
    night(place)
    assert_same_records(place, "contacts")


def test_without_a_scope_that_every_report_needs_the_delivery_says_so(place, crm):
    deal(crm)
    place.account.faults.missing_scopes = {"crm.objects.owners.read"}
    night(place)
    (problem,) = place.delivery().problems
    assert problem.startswith("owners: ")
    assert "crm.objects.owners.read" in problem


def test_a_wrong_token_stops_at_once(place, crm):
    deal(crm)
    place.account.faults.expired = True
    with pytest.raises(WrongToken, match="HUBSPOT_TOKEN"):
        place.sync()
    assert len(place.account.app.seen) == 1


def test_the_quota_of_the_first_day_stops_the_load_and_the_next_day_goes_on(place, crm):
    for _ in range(6):
        deal(crm)
    place.account.app.limits = Limits(None, None, 10)
    with pytest.raises(SyncStopped, match="next run goes on"):
        night(place)
    assert any("not complete" in problem for problem in place.delivery().problems)
    place.account.app.limits = Limits(None, None, None)
    night(place)
    assert_same_records(place)


def test_the_quota_of_a_later_day_leaves_what_was_there(place, crm):
    deal(crm)
    first = night(place)
    deal(crm)
    for allowed in (0, 12):
        place.account.app.limits = Limits(None, None, allowed)
        summary = night(place)
        assert "used up" in summary.stopped
        assert summary.read_until == first.read_until == place.delivery().read_until
    place.account.app.limits = Limits(None, None, None)
    assert night(place).stopped is None
    assert_same_records(place)


def test_a_first_load_that_was_killed_goes_on_where_it_was(place, crm, monkeypatch):
    monkeypatch.setattr(records, "read_windows", partial(records.read_windows, size=20))
    for _ in range(100):
        deal(crm)
    place.account.clock.advance(DAY)
    crm.settle()
    place.fuse.left = 15  # 12 lists, a page of ids, and not all of the records
    with pytest.raises(Killed):
        place.sync()
    place.fuse.left = None
    landed = len(place.landed("deals"))
    assert 0 < landed < 100
    asked = len(place.account.app.seen)
    place.sync()
    batches = [
        seen for seen in list(place.account.app.seen)[asked:] if seen.path.endswith("deals/batch/read")
    ]
    assert len(batches) == (100 - landed) // 20
    assert_same_records(place)


def test_hubspot_out_of_order_fails_the_sync_and_keeps_what_is_landed(place, crm):
    deal(crm)
    night(place)
    deal(crm)
    place.account.faults.plan(*[None] * 14, *[Fault("5xx", status=503)] * 400)
    with pytest.raises(HubSpotError, match="run again later"):
        night(place)
    place.account.faults.clear()
    night(place)
    assert_same_records(place)


def test_conversations_come_with_their_new_messages(place, crm):
    def say(thread: str, number: int) -> None:
        now = crm.clock.now_text()
        crm.messages.setdefault(thread, []).append(
            {"id": f"{thread}-{number}", "type": "MESSAGE", "conversationsThreadId": thread, "createdAt": now,
             "createdBy": "A-70", "senders": [{"actorId": "A-70"}], "recipients": [], "direction": "OUTGOING",
             "archived": False}
        )  # fmt: skip
        crm.threads[thread] = {
            "id": thread, "createdAt": now, "status": "OPEN", "originalChannelId": "1000", "inboxId": "1",
               "originalChannelAccountId": "1", "spam": False, "archived": False,
            **crm.threads.get(thread, {}),
            "latestMessageTimestamp": now,
        }  # fmt: skip

    deal(crm)
    say("1", 1)
    say("2", 1)
    night(place)
    say("1", 2)
    crm.threads["2"] |= {"status": "CLOSED", "closedAt": crm.clock.now_text()}
    quiet = night(place)
    messages = {(row["thread_id"], row["id"], row["sender"]) for row in place.rows("conversation_messages")}
    assert messages == {("1", "1-1", "A-70"), ("1", "1-2", "A-70"), ("2", "2-1", "A-70")}
    asked = [seen.path for seen in place.account.app.seen if seen.path.endswith("/messages")]
    assert len(asked) == 3, "once for each thread, once for the news"
    assert quiet.tables
    del crm.threads["1"]
    night(place, days=7)
    threads = {row["id"]: row for row in place.rows("conversation_threads")}
    assert threads["2"]["status"] == "CLOSED"
    assert threads["1"]["hard_deleted_at"] is not None
    assert threads["2"]["hard_deleted_at"] is None


def test_the_token_is_nowhere_in_the_data_folder(place, crm):
    deal(crm)
    night(place)
    secret = place.account.token.encode()
    for path in place.data_dir.rglob("*"):
        assert path.is_dir() or secret not in path.read_bytes(), path
