"""A run with the source `hubspot`: the same reports as from files, what a person sees, Dagster's assets."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import dagster as dg
import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from orchestration import assets, run, steps
from orchestration.hubspot_simulator import Limits, Simulator
from orchestration.hubspot_simulator.__main__ import demo_crm
from orchestration.ingest import demo
from orchestration.ingest.contract import TABLES
from orchestration.ingest.delivery import ArrowRows, Delivery
from orchestration.ingest.demo.company import FISCAL_YEAR_START
from orchestration.ingest.hubspot import read
from orchestration.ingest.hubspot.http import WrongToken
from orchestration.ingest.load import load
from orchestration.run_log import RunLog
from orchestration.settings import Settings
from tests.harness import DATABASE, Build, compiled_manifest, compiled_project
from tests.hubspot.conftest import running_account
from tests.hubspot.syncing import Place, deal, only, set_up

pytestmark = pytest.mark.thorough

NOW = datetime(2026, 7, 1, tzinfo=UTC)
DEMO = Settings(demo_deals=120)


@pytest.fixture(scope="module")
def demo_place(tmp_path_factory):
    """The demo company, read from its simulated account."""
    crm, end = demo_crm(DEMO, NOW)
    app = Simulator(crm, limits=Limits(None, None, None))
    with running_account(app) as account:
        place = Place(account, tmp_path_factory.mktemp("demo") / "data")
        place.sync()
        yield place, end


def build(delivery: Delivery, settings: Settings) -> Build:
    connection = duckdb.connect(config={"threads": 1})
    connection.execute(f"attach ':memory:' as {DATABASE}")
    connection.execute(f"use {DATABASE}")
    load(connection, delivery, settings, now=NOW, history_path=":memory:")
    return Build(connection, compiled_project())


def without_what_hubspot_cannot_say(delivery: Delivery) -> Delivery:
    """The demo as files, but for records that were merged away before the first sync.

    HubSpot answers for their ids with the winner: their own rows and versions are out of reach.
    """
    kept = dict(delivery.tables)
    for name, table in TABLES.items():
        if name in kept and (table.history_of or table.is_object):
            records = delivery.tables[table.history_of or name].rows
            present = [row["id"] for row in records.to_pylist() if not row.get("merged_into_id")]
            lists = [row.get("hs_merged_object_ids") or "" for row in records.to_pylist()]
            present = pa.array(sorted(set(present) - set(";".join(lists).split(";"))))
            rows = delivery.tables[name].rows
            kept[name] = ArrowRows(rows.filter(pc.is_in(rows[table.key[0]], present)))
    return replace(delivery, tables=kept)


def test_the_demo_through_hubspot_and_from_its_files_gives_the_same_reports(demo_place):
    place, end = demo_place
    settings = place.settings(run_ts=end, fiscal_year_start_month=FISCAL_YEAR_START)
    through_hubspot = build(read(settings, NOW), settings)
    files = without_what_hubspot_cannot_say(demo.read(DEMO, NOW))
    from_files = build(files, replace(DEMO, run_ts=end))
    reports = [name for name in compiled_project().nodes if name.startswith("rpt_")]
    facts = [name for name in compiled_project().nodes if name.startswith("fct_")]
    assert len(reports) >= 31
    assert len(facts) >= 10
    filled = 0
    for name in [*reports, *facts]:
        schema = "reports" if name in reports else "core"
        query = f"select * from {schema}.{name} order by all"
        expected = from_files.ensure(name).execute(query).fetchall()
        assert through_hubspot.ensure(name).execute(query).fetchall() == expected, name
        filled += bool(expected)
    assert filled >= 40


# --- what a person sees ---------------------------------------------------------------------------


@pytest.fixture
def place(simulator, tmp_path):
    set_up(simulator.crm)
    deal(simulator.crm)
    simulator.clock.advance(86_400)
    simulator.crm.settle()
    with only():
        yield Place(simulator, tmp_path / "data")


def test_the_sync_is_a_phase_of_the_run_with_a_line_in_the_summary(place):
    place.account.faults.missing_scopes = {"crm.objects.contacts.read"}
    log = RunLog()
    summary = steps.sync_hubspot(place.settings(), log)
    assert log.sync is summary
    assert [phase.name for phase in log.phases] == ["Sync"]
    assert f"by {summary.statistics.requests} requests" in log.phases[0].words
    (line, unavailable, *_) = list(run._sync_lines(summary))
    assert "account 1234" in line
    assert "% of the limit" in line
    assert "0 answered 429" in line
    assert {"contacts", "calls"} <= set(unavailable.partition(": ")[2].split(", "))


def test_the_summary_says_that_the_quota_is_used_up_and_what_is_published_then(place):
    first = place.sync()
    place.account.app.limits = Limits(None, None, 5)
    lines = list(run._sync_lines(place.sync()))
    assert "used up" in lines[-2]
    assert f"complete up to {first.read_until:%Y-%m-%d %H:%M} UTC" in lines[-1]


def test_a_wrong_token_is_told_with_what_to_do_and_without_the_token(place):
    settings = place.settings(hubspot_token="pat-wrong-secret")
    log = RunLog()
    with pytest.raises(WrongToken) as caught:
        steps.sync_hubspot(settings, log)
    text = run.explain(log.failure, settings)
    assert log.failure is caught.value
    assert "HUBSPOT_TOKEN" in text
    assert "crm.objects.deals.read" in text
    assert "pat-wrong-secret" not in text


def test_before_the_first_sync_the_load_says_what_to_do(place):
    (problem,) = place.delivery().problems
    assert "make run" in problem


def test_a_table_that_is_not_available_is_named_by_the_load(place):
    place.account.faults.missing_scopes = {"crm.objects.contacts.read"}
    place.sync()
    loaded = build_raw(place)
    missing = {table.name for table in loaded.tables if table.status == "not delivered"}
    assert {"contacts", "contact_property_history", "calls"} <= missing
    assert any(note.startswith("contacts is not available: ") for note in loaded.notes)


def test_a_deleted_record_is_delivered_as_such_and_stays_in_the_raw_tables(place):
    gone = place.account.crm.of("deals").live().popitem()[0]
    kept = deal(place.account.crm)
    place.sync()
    connection = duckdb.connect(config={"threads": 1})
    build_raw(place, connection)
    place.account.crm.delete("deals", gone)
    place.account.clock.advance(8 * 86_400)
    place.sync()
    build_raw(place, connection)
    found = connection.execute(
        "select id, hard_deleted_at is null from raw_hubspot.deals order by all"
    ).fetchall()
    assert found == sorted([(gone, False), (kept, True)])


def build_raw(place: Place, connection: duckdb.DuckDBPyConnection | None = None):
    settings = place.settings(max_reject_share=1.0)
    return load(
        connection or duckdb.connect(config={"threads": 1}),
        place.delivery(),
        settings,
        now=place.now(),
        history_path=place.data_dir / "history.duckdb",
    )


# --- Dagster --------------------------------------------------------------------------------------


def test_each_landed_table_is_an_asset_before_its_raw_table(place):
    manifest = compiled_manifest()
    parts = (place.settings(), RunLog(), manifest, assets.Translator())
    landed, raw = assets.landed_tables(*parts), assets.raw_tables(*parts)
    deps = {spec.key: {dep.asset_key for dep in spec.deps} for spec in raw.specs}
    for name in TABLES:
        assert deps[dg.AssetKey(["hubspot", name])] == {dg.AssetKey(["hubspot_api", name])}
    result = dg.materialize(
        [landed],
        resources={assets.RUN_LOCK: None},
        instance=dg.DagsterInstance.ephemeral(),
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
    )
    found = {event.asset_key.path[-1]: event.materialization.metadata
             for event in result.get_asset_materialization_events()}  # fmt: skip
    assert set(found) == set(TABLES)
    assert found["deals"]["rows landed"].value == 1
    assert datetime.fromisoformat(found["deals"]["cursor"].value).tzinfo is not None
    assert found["deals"]["requests of the sync"].value == len(place.account.app.seen)
    assert found["deals"]["answers 429"].value == 0


def test_without_the_source_hubspot_nothing_is_synced():
    manifest = compiled_manifest()
    raw = assets.raw_tables(Settings(), RunLog(), manifest, assets.Translator())
    assert not any(spec.deps for spec in raw.specs)
