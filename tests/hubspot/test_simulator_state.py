"""The simulated account without HTTP: filling it, changing it, and what always holds.

Belongs here: raw tables to an account, sequences of changes, synthetic deals, the entry point.
"""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.hubspot_simulator import Clock, Crm, NoSuchRecord, crm_from_tables
from orchestration.hubspot_simulator import __main__ as entry
from orchestration.hubspot_simulator.loading import text
from orchestration.hubspot_simulator.search import search
from orchestration.hubspot_simulator.synthetic import synthetic_crm
from orchestration.ingest import demo
from orchestration.ingest.contract import TABLES, VERSION_CAP
from orchestration.settings import PROJECT_ROOT, Settings

END = datetime(2026, 7, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def tables() -> dict[str, list[dict]]:
    generated = demo.generate(1, 200, int(END.timestamp() * 1000))
    return {name: rows.to_pylist() for name, rows in generated.items()}


# --- filling --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("", ""),
        ("🚀 Söhne\n", "🚀 Söhne\n"),
        (True, "true"),
        (False, "false"),
        (7, "7"),
        (Decimal("8900.0000000000"), "8900"),
        (Decimal("0E-10"), "0"),
        (Decimal("-75.5000000000"), "-75.5"),
        (Decimal("100"), "100"),
        (datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC), "2026-01-02T03:04:05.678Z"),
        (datetime(1969, 12, 31, 23, 59, 59, 999000, tzinfo=UTC), "1969-12-31T23:59:59.999Z"),
    ],
)
def test_values_are_text(value: object, expected: str | None):
    assert text(value) == expected


def test_nothing_of_the_demo_is_lost_but_what_hubspot_cannot_say(tables):
    crm = crm_from_tables(tables, Clock(END))
    merged = {name: objects.merged for name, objects in crm.objects.items()}
    for name in crm.objects.keys() - {"deal_splits"}:
        rows = {row["id"]: row for row in tables[name] if row["id"] not in merged[name]}
        assert rows.keys() == crm.of(name).records.keys()
        for key, record in crm.of(name).records.items():
            for column, value in rows[key].items():
                if column in record.properties and value is not None:
                    assert record.properties[column] == text(value)
            assert record.created_at == text(rows[key]["created_at"])
            assert record.archived_at == text(rows[key]["archived_at"])
    for table in TABLES.values():
        if table.history_of:
            expected = sorted(
                (row["object_id"], row["name"], row["sequence"], row["value"] or "", text(row["timestamp"]),
                 row["source_type"], row["source_id"], row["updated_by_user_id"])
                for row in tables[table.name]
                if row["object_id"] not in merged[table.history_of]
            )  # fmt: skip
            first = {(row[0], row[1]): row[2] for row in reversed(expected)}
            found = sorted(
                (record.id, name, first[record.id, name] + number, version.value, version.timestamp,
                 version.source_type, version.source_id, version.user_id)
                for record in crm.of(table.history_of).records.values()
                for name, versions in record.history.items()
                for number, version in enumerate(versions)
            )  # fmt: skip
            assert found == expected
            assert found


def test_calculated_versions_are_noise_and_push_nothing_out(tables):
    plain, noisy = crm_from_tables(tables, Clock(END)), crm_from_tables(tables, Clock(END), calculated=0.5)
    added = 0
    for name, objects in plain.objects.items():
        for key, record in objects.records.items():
            for property_name, versions in record.history.items():
                more = noisy.of(name).records[key].history[property_name]
                added += len(more) - len(versions)
                assert len(more) <= VERSION_CAP[name]
                assert [version.timestamp for version in more] == sorted(v.timestamp for v in more)
                rest = [
                    version
                    for before, version in zip([None, *more], more, strict=False)
                    if not (
                        version.source_id == "RollupProperties"
                        and before is not None
                        and before.value == version.value
                    )
                ]
                assert rest == versions
    assert added > 1000


def test_merges_may_be_still_to_come(tables):
    before, after = (
        crm_from_tables(tables, Clock(END), merges_to_come=True),
        crm_from_tables(tables, Clock(END)),
    )
    losers = [(name, loser) for name, _, loser in before.planned_merges]
    assert {name for name, _ in losers} == {"deals", "contacts"}
    for name, loser in losers:
        assert before.of(name).records[loser].archived_at is None
        assert not any(
            loser in (record.properties.get("hs_merged_object_ids") or "").split(";")
            for record in before.of(name).records.values()
        )
    assert any(before.of(name).records[loser].history for name, loser in losers)
    before.merge_as_planned()
    before.settle()
    for name, objects in after.objects.items():
        assert before.of(name).records == objects.records
        assert before.of(name).merged == objects.merged
        assert before.indexed(name) == objects.index
        for to_type in ("contacts", "companies", "deals"):
            for key in objects.records:
                assert before.links(name, to_type, key) == after.links(name, to_type, key)


def test_an_id_that_hubspot_could_not_have_given(tables):
    with pytest.raises(ValueError, match="deals: the id 'A-1' is no number"):
        crm_from_tables({"deals": [{"id": "A-1"}]})


# --- changing -------------------------------------------------------------------------------------


def test_a_value_that_is_the_same_makes_no_version():
    crm = Crm(Clock(END))
    deal = crm.create("deals", {"amount": "1", "dealname": None})
    before = deal.updated_at
    crm.clock.advance(1)
    crm.update("deals", deal.id, {"amount": "1", "dealname": ""})
    assert deal.updated_at == before and len(deal.history["amount"]) == 1
    crm.update("deals", deal.id, {"amount": "1"}, source_type="CALCULATED")
    assert deal.updated_at > before and [v.source_type for v in deal.history["amount"]] == [
        "CRM_UI", "CALCULATED",
    ]  # fmt: skip


def test_an_id_is_given_once():
    crm = Crm(Clock(END))
    first, second, third = (crm.create("deals", {}).id for _ in range(3))
    crm.delete("deals", third)
    assert crm.create("deals", {}).id not in (first, second, third)
    loaded = crm_from_tables({"deals": [{"id": "7"}, {"id": "9", "merged_into_id": "7"}]}, Clock(END))
    assert loaded.create("deals", {}).id == "10"


def test_two_deals_may_become_a_third():
    crm = Crm(Clock(END))
    first, second = (crm.create("deals", {"amount": amount}) for amount in ("1", "2"))
    contact = crm.create("contacts", {})
    ids = [first.id, second.id]
    for deal in ids:
        crm.associate("deals", deal, "contacts", contact.id, "3")
        crm.associate("contacts", contact.id, "deals", deal, "4")
    crm.clock.advance(60)
    merged = crm.merge("deals", *ids, into_new=True)
    assert merged.id == "3" and list(crm.of("deals").records) == ["3"]
    assert [crm.of("deals").find(former) for former in ids] == [merged, merged]
    assert merged.properties["hs_merged_object_ids"] == "1;2"
    assert merged.properties["hs_object_id"] == "3"
    assert merged.properties["amount"] == "1"
    assert [version.value for version in merged.history["amount"]] == ["2", "1"]
    assert merged.updated_at == merged.properties["hs_lastmodifieddate"] < crm.clock.now_text()
    assert [link.to_id for link in crm.links("deals", "contacts", "3")] == [contact.id]
    assert [link.to_id for link in crm.links("contacts", "deals", contact.id)] == ["3"]
    assert crm.links("deals", "contacts", "1") == []
    assert crm.indexed("deals").keys() == {"3"}


def test_what_is_not_there_cannot_be_changed():
    crm = Crm(Clock(END))
    deal = crm.create("deals", {})
    crm.archive("deals", deal.id)
    for change in (
        lambda: crm.update("deals", deal.id, {"amount": "1"}),
        lambda: crm.archive("deals", deal.id),
        lambda: crm.merge("deals", deal.id, deal.id),
        lambda: crm.restore("deals", "77"),
        lambda: crm.delete("deals", "77"),
    ):
        with pytest.raises(NoSuchRecord):
            change()


_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["create", "update", "archive", "restore", "merge", "delete", "advance"]),
        st.integers(0, 9),
        st.integers(0, 9),
    ),
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(_STEPS, st.integers(0, 3))
def test_whatever_happens_index_order_and_merges_are_sound(steps, seed):
    crm = Crm(Clock(END), index_lag_ms=5_000, seed=seed)
    for number, (what, first, second) in enumerate(steps):
        ids = [str(first + 1), str(second + 1)]
        try:
            match what:
                case "create":
                    crm.create("deals", {"amount": str(number)})
                case "update":
                    crm.update("deals", ids[0], {"amount": str(number)})
                case "merge":
                    crm.merge("deals", *ids, into_new=number % 2 == 0)
                case "advance":
                    crm.clock.advance(second)
                case _:
                    getattr(crm, what)("deals", ids[0])
        except NoSuchRecord:
            continue
    objects = crm.of("deals")
    assert [record.id for record in objects.after(None)] == sorted(objects.records, key=int)
    assert not objects.merged.keys() & objects.records.keys()
    for record in objects.records.values():
        assert (record.history["amount"][-1].value or "") == (record.properties["amount"] or "")
        assert len(record.history["amount"]) <= 20
        times = [version.timestamp for version in record.history["amount"]]
        assert times == sorted(times)
    crm.clock.advance(5)
    total, found = search(crm, "deals", {"limit": 200})
    assert found == sorted(objects.live(), key=int) and total == len(found)
    assert all(objects.index[key] == objects.records[key].properties for key in found)


def test_the_clock():
    clock = Clock(END)
    clock.advance(1.5)
    assert clock.now_text() == "2026-07-01T00:00:01.500Z"
    running = Clock()
    assert abs(running.now() - datetime.now(UTC).timestamp() * 1000) < 5_000
    running.advance(3600)
    ahead = datetime.fromisoformat(running.now_text()) - datetime.now(UTC)
    assert timedelta(minutes=59) < ahead < timedelta(minutes=61)


def test_nothing_that_reads_hubspot_knows_the_simulator():
    for path in (PROJECT_ROOT / "orchestration" / "ingest").rglob("*.py"):
        assert "hubspot_simulator" not in path.read_text(), path


# --- synthetic deals and the entry point ----------------------------------------------------------


def test_synthetic_deals():
    crm, again = synthetic_crm(500, Clock(END)), synthetic_crm(500, Clock(END))
    records = crm.of("deals").records
    assert len(records) == 500 and records == again.of("deals").records
    versions = sum(len(versions) for record in records.values() for versions in record.history.values())
    assert 8 <= versions / 500 <= 13
    for record in records.values():
        for name, kept in record.history.items():
            assert kept[-1].value == record.properties[name]
            assert len(kept) <= VERSION_CAP["deals"]
    assert search(crm, "deals", {"limit": 1})[0] == 500


def test_the_entry_point_serves_the_demo_company_and_says_how_to_read_it():
    crm, end = entry.demo_crm(Settings(demo_deals=60, demo_end=END), END)
    assert end == END
    assert crm.of("deals").live() and crm.account["portalId"] == 48810274
    welcome = entry._welcome("http://127.0.0.1:1", end, 190)
    assert "HUBSPOT_TOKEN=simulated-token SALES_REPORTS_HUBSPOT_URL=http://127.0.0.1:1\n" in welcome
    assert "SALES_REPORTS_RUN_TS=2026-07-01T00:00:00+00:00" in welcome
    assert "SALES_REPORTS_SOURCE=hubspot make run" in welcome
    assert "REQUESTS_PER_10_S=100" in entry._welcome("", end, 100)


def test_the_entry_point_says_when_its_port_is_taken(monkeypatch, capsys):
    monkeypatch.setenv("SALES_REPORTS_DEMO_DEALS", "10")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert entry.main(["--port", str(taken.getsockname()[1])]) == 1
    assert "choose another with --port" in capsys.readouterr().err


def test_the_entry_point_says_what_is_wrong_with_settings(monkeypatch, capsys):
    monkeypatch.setenv("SALES_REPORTS_DEMO_DEALS", "many")
    assert entry.main([]) == 1
    assert "SALES_REPORTS_DEMO_DEALS" in capsys.readouterr().err
