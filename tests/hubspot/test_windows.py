"""Windows of records: complete, in order, once each, no more of them ahead than said, and no thread left."""

from __future__ import annotations

import random
import threading
import time

import pyarrow as pa
import pytest

from orchestration.hubspot_simulator import Limits
from orchestration.hubspot_simulator.crm import Version, iso
from orchestration.hubspot_simulator.faults import KINDS, Fault
from orchestration.hubspot_simulator.synthetic import synthetic_crm
from orchestration.ingest.contract import VERSION_CAP
from orchestration.ingest.hubspot.http import HubSpotError, QuotaReached, WrongToken
from orchestration.ingest.hubspot.objects import crm_objects
from orchestration.ingest.hubspot.sync import sync
from orchestration.ingest.hubspot.windows import (
    HISTORY_SCHEMA,
    Window,
    list_windows,
    listed_window,
    read_associations,
    read_windows,
)
from orchestration.settings import Settings
from tests.hubspot.fake_time import connected

OBJECTS = crm_objects()
DEALS = OBJECTS["deals"]
DAY = 86_400_000


def chunked(ids: list[str], size: int = 100) -> list[list[str]]:
    return [ids[start : start + size] for start in range(0, len(ids), size)]


def windows_of(account, size: int = 100, object_type: str = "deals", **more) -> list[Window]:
    with connected(account, **more) as hubspot:
        return list(read_windows(hubspot, OBJECTS[object_type], hubspot.record_ids(object_type), size=size))


def rows_of(windows: list[Window], table: str) -> list[dict]:
    return [row for window in windows for row in getattr(window, table).to_pylist()]


@pytest.fixture
def many(simulator):
    """730 deals with some ten versions each, answered after different whiles."""
    simulator.app.crm.objects.update(synthetic_crm(730, simulator.clock).objects)
    simulator.app.latency = (0.0, 0.004)
    yield simulator
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("hubspot")] == []


def expected_history(account) -> list[tuple]:
    return sorted(
        (record.id, name, version.value, version.timestamp)
        for record in account.crm.of("deals").records.values()
        for name in DEALS.history
        for version in record.history.get(name, ())
    )


# --- completeness and order -----------------------------------------------------------------------


@pytest.mark.parametrize("version", ["2026-09", "v3"])
def test_all_records_come_once_in_order_with_all_their_versions(many, version):
    windows = windows_of(many, size=200, version=version)
    ids = list(many.crm.of("deals").records)
    assert [window.ids for window in windows] == chunked(ids, 200)
    assert [row["id"] for row in rows_of(windows, "records")] == ids
    history = rows_of(windows, "history")
    found = [(row["object_id"], row["name"], row["value"], row["timestamp"]) for row in history]
    assert sorted(found) == expected_history(many)
    record = many.crm.of("deals").records[ids[7]]
    row = rows_of(windows, "records")[7]
    assert row["amount"] == record.properties["amount"]
    assert (row["created_at"], row["archived"], row["archived_at"]) == (record.created_at, "false", None)


def test_what_comes_does_not_depend_on_who_is_first(many):
    first, second = windows_of(many, size=300), windows_of(many, size=300)
    for one, other in zip(first, second, strict=True):
        assert one.records.equals(other.records)
        assert one.history.equals(other.history)


def test_the_tables_are_text_with_fixed_columns_whatever_comes(many):
    windows = windows_of(many, size=500)
    names = ["id", "created_at", "updated_at", "archived", "archived_at", *DEALS.properties]
    for window in windows:
        assert window.records.schema == pa.schema([(name, pa.string()) for name in names])
        assert window.history.schema == HISTORY_SCHEMA
    (empty,) = windows_of(many, object_type="contacts") or [None]
    assert empty is None


@pytest.mark.parametrize("seed", range(3))
def test_faults_of_all_kinds_change_nothing(many, seed):
    calm = windows_of(many, size=300)
    kinds = random.Random(seed).sample(KINDS, len(KINDS))
    # The first request asks for ids: a partial batch needs one that is no list.
    many.faults.plan(None, *(Fault(kind, seconds=0.01) for kind in kinds for _ in range(3)))
    many.faults.rate, many.faults.hang_seconds = 0.3, 0.01
    rough = windows_of(many, size=300)
    assert {fault.kind for fault in many.faults.struck} == set(KINDS)
    for one, other in zip(calm, rough, strict=True):
        assert one.records.equals(other.records)
        assert one.history.equals(other.history)
        assert other.missing == [] and other.merged == {}


def test_a_list_that_repeats_records_gives_them_once_per_window(many):
    many.faults.overlap = 7
    windows = windows_of(many, size=250)
    for window in windows:
        ids = window.records["id"].to_pylist()
        assert len(set(ids)) == len(ids)
        assert ids == window.ids
    assert {id_ for window in windows for id_ in window.ids} == set(many.crm.of("deals").records)


def test_properties_that_the_account_does_not_have_are_told(many):
    many.crm.of("deals").property_names.discard("hs_priority")
    deals = crm_objects(("region",))["deals"]
    with connected(many) as hubspot:
        (window,) = read_windows(hubspot, deals, hubspot.record_ids("deals"))
    assert {"region", "hs_priority"} <= window.unknown
    assert not {"dealname", "amount", "hubspot_owner_id"} & window.unknown
    many.crm.update("deals", window.ids[-1], {"region": "north"})  # known, though empty nearly everywhere
    with connected(many) as hubspot:
        (window,) = read_windows(hubspot, deals, hubspot.record_ids("deals"))
    assert "region" not in window.unknown


def test_a_misspelt_custom_property_is_said_by_the_sync(simulator, tmp_path):
    simulator.crm.account = {"portalId": 1, "timeZone": "UTC", "companyCurrency": "USD"}
    simulator.crm.create("deals", {"dealname": "x", "region": "north"})
    custom = ("region", "regoin")
    settings = Settings(source="hubspot", data_dir=tmp_path, custom_properties=custom)
    with connected(simulator) as hubspot:
        summary = sync(settings, hubspot=hubspot)
    assert summary.notes == ("deals: HubSpot knows no property regoin (SALES_REPORTS_CUSTOM_PROPERTIES)",)


def test_objects_without_history_are_read_a_hundred_at_a_time(simulator):
    for number in range(250):
        simulator.crm.create("companies", {"name": f"Company {number}", "domain": ""})
    with connected(simulator) as hubspot:
        (window,) = read_windows(hubspot, OBJECTS["companies"], hubspot.record_ids("companies"))
        assert hubspot.statistics.requests == 3 + 3
    assert window.records["name"].to_pylist() == [f"Company {number}" for number in range(250)]
    assert window.records["domain"].to_pylist() == [""] * 250  # cleared is not the same as never set
    assert window.records["country"].null_count == 250
    assert window.history.num_rows == 0


def test_a_list_brings_the_same_records_with_half_of_the_requests(simulator):
    for number in range(450):
        simulator.crm.create("companies", {"name": f"Company {number}"})
    simulator.crm.archive("companies", "450")
    simulator.faults.overlap = 3
    companies, told = OBJECTS["companies"], []
    with connected(simulator) as hubspot:
        listed = list(list_windows(hubspot, companies, hear=told.extend, known={"1", "7"}, size=200))
        requests = hubspot.statistics.requests
        read = list(read_windows(hubspot, companies, hubspot.record_ids("companies"), size=1000))
        assert hubspot.statistics.requests - requests == 2 * requests
    assert [len(window.ids) for window in listed] == [200, 200, 47]
    rows = {row["id"]: row for row in rows_of(listed, "records")}
    assert rows == {row["id"]: row for row in rows_of(read, "records") if row["id"] not in ("1", "7")}
    assert set(told) == {str(number) for number in range(1, 450)}
    for window in listed:
        assert window.records["id"].to_pylist() == window.ids
        assert len(set(window.ids)) == len(window.ids)


# --- merged, missing, archived --------------------------------------------------------------------


def test_merged_and_missing_ids_are_told_and_a_winner_comes_once(many):
    ids = list(many.crm.of("deals").records)
    winner, near, far, gone = ids[3], ids[4], ids[120], ids[60]
    many.crm.merge("deals", winner, near)
    many.crm.merge("deals", winner, far)  # in another batch of the window than its winner
    many.crm.delete("deals", gone)
    with connected(many) as hubspot:
        (window,) = read_windows(hubspot, DEALS, chunked(ids))
    assert window.merged == {near: winner, far: winner}
    assert window.missing == [gone]
    found = window.records["id"].to_pylist()
    assert found == [id_ for id_ in ids if id_ not in (near, far, gone)]
    keys = [tuple(row.values()) for row in window.history.to_pylist()]
    assert len(keys) == len(set(keys))


def test_a_page_of_the_bin_has_the_shape_of_a_window(many):
    ids = list(many.crm.of("deals").records)[:3]
    for id_ in ids:
        many.crm.archive("deals", id_)
    with connected(many) as hubspot:
        (page,) = hubspot.archived_records("deals", DEALS.properties, DEALS.history)
    window = listed_window(DEALS, page)
    assert window.ids == ids
    assert set(window.records["archived"].to_pylist()) == {"true"}
    assert window.records["archived_at"].null_count == 0
    assert window.history.num_rows > 0


# --- versions -------------------------------------------------------------------------------------


def history_of(account, versions: list[Version], name: str = "amount") -> list[tuple]:
    record = account.crm.create("deals", {"dealname": "x"})
    record.history[name] = versions
    account.crm.of("deals").property_names.add(name)
    return [
        (row["value"], row["timestamp"], row["sequence"], row["source_type"])
        for row in rows_of(windows_of(account), "history")
        if (row["object_id"], row["name"]) == (record.id, name)
    ]


def test_versions_of_one_instant_are_numbered_from_the_oldest(simulator):
    versions = [Version(str(n), iso(at), "CRM_UI") for n, at in enumerate([1, 2, 2, 2, 3])]
    assert [row[:3] for row in history_of(simulator, versions)] == [
        ("0", iso(1), 0),
        ("1", iso(2), 0),
        ("2", iso(2), 1),
        ("3", iso(2), 2),
        ("4", iso(3), 0),
    ]


def test_calculated_versions_that_change_nothing_are_left_out_and_others_are_not(simulator):
    versions = [
        Version("0.2", iso(1), "CALCULATED"),
        Version("0.2", iso(2), "CALCULATED"),
        Version("0.4", iso(3), "CALCULATED"),
        Version("0.5", iso(3), "CRM_UI"),
        Version("0.5", iso(3), "CALCULATED"),
        Version("0.5", iso(4), "CRM_UI"),
        Version("", iso(5), "CRM_UI"),
        Version("", iso(6), "CALCULATED"),
    ]
    assert history_of(simulator, versions, "hs_deal_stage_probability") == [
        ("0.2", iso(1), 0, "CALCULATED"),
        ("0.4", iso(3), 0, "CALCULATED"),
        ("0.5", iso(3), 1, "CRM_UI"),
        ("0.5", iso(4), 0, "CRM_UI"),
        ("", iso(5), 0, "CRM_UI"),
    ]


def test_a_list_at_the_cap_stays_whole_so_that_its_truncation_is_seen(simulator):
    cap = VERSION_CAP["deals"]
    noise = [Version("1", iso(n * DAY), "CRM_UI" if n % 2 else "CALCULATED") for n in range(cap)]
    assert len(history_of(simulator, noise)) == cap
    assert len(history_of(simulator, noise[1:])) == cap / 2


def test_who_changed_a_version_is_kept(simulator):
    simulator.crm.create("deals", {"amount": "1"}, source_type="CRM_UI", source_id="userId:9", user_id="9")
    (row,) = rows_of(windows_of(simulator), "history")
    assert (row["source_type"], row["source_id"], row["updated_by_user_id"]) == ("CRM_UI", "userId:9", "9")


# --- what is held, and how it ends ----------------------------------------------------------------


@pytest.mark.thorough
def test_a_slow_caller_is_not_flooded_nor_left_idle(many):
    many.app.latency = None
    with connected(many) as hubspot:
        windows = read_windows(hubspot, DEALS, hubspot.record_ids("deals"), size=100)
        next(windows)
        # While this window is landed: its two batches, four ahead, and two in the places it has left.
        most = 2 + 4 + 2
        patience = time.monotonic() + 20
        while hubspot.statistics.rows < most * 50 and time.monotonic() < patience:
            time.sleep(0.01)
        time.sleep(0.1)
        assert hubspot.statistics.rows <= most * 50  # not flooded
        assert hubspot.statistics.rows >= (2 + 4) * 50  # nor idle
        assert len(list(windows)) == 7


def test_the_quota_in_the_middle_ends_all_threads_after_whole_windows(many):
    many.app.limits = Limits(None, None, 14)
    with connected(many) as hubspot:
        windows = []
        with pytest.raises(QuotaReached):
            for window in read_windows(hubspot, DEALS, hubspot.record_ids("deals"), size=100):
                windows.append(window)
    ids = list(many.crm.of("deals").records)
    assert 1 <= len(windows) < 8
    assert [window.ids for window in windows] == chunked(ids)[: len(windows)]
    assert all(window.records.num_rows == 100 for window in windows)


def test_a_wrong_token_is_raised_from_the_thread_of_the_ids(many):
    many.faults.expired = True
    with pytest.raises(WrongToken):
        windows_of(many)


def test_an_error_of_the_ids_is_raised_after_the_windows_before_it(many):
    ids = list(many.crm.of("deals").records)

    def pages():
        yield ids[:100]
        yield ids[100:200]
        raise HubSpotError("the list broke")

    windows = []
    with connected(many) as hubspot, pytest.raises(HubSpotError, match="the list broke"):
        for window in read_windows(hubspot, DEALS, pages(), size=100):
            windows.append(window)
    assert [window.ids for window in windows] == [ids[:100], ids[100:200]]


def test_a_caller_that_stops_ends_all_threads(many):
    with connected(many) as hubspot:
        windows = read_windows(hubspot, DEALS, hubspot.record_ids("deals"), size=50)
        next(windows)
        windows.close()
        asked = hubspot.statistics.requests
        time.sleep(0.05)
        assert hubspot.statistics.requests == asked
        assert asked < 8 + 15  # not all were asked for


# --- associations ---------------------------------------------------------------------------------


def test_associations_come_in_windows_of_a_thousand_records_in_order(simulator):
    crm = simulator.crm
    ids = [crm.create("deals", {"dealname": "x"}).id for _ in range(2300)]
    contacts = [crm.create("contacts", {}).id for _ in range(3)]
    for number, id_ in enumerate(ids):
        for contact in contacts[: number % 3]:
            crm.associate("deals", id_, "contacts", contact, "3")
    simulator.app.latency = (0.0, 0.02)
    with connected(simulator) as hubspot:
        windows = list(read_associations(hubspot, "deals", "contacts", ids))
    assert [window.ids for window in windows] == chunked(ids, 1000)
    found = [(row["from_id"], row["to_id"]) for window in windows for row in window.rows.to_pylist()]
    assert found == [(id_, to) for number, id_ in enumerate(ids) for to in contacts[: number % 3]]
    assert windows[0].rows.schema.names == ["from_type", "from_id", "to_type", "to_id", "type_id", "label"]
