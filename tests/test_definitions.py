"""What Dagster sees: assets, groups, checks, dependencies; and that a job runs the steps in order.

The steps themselves are replaced here: what they do is tested where they live.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from graphlib import TopologicalSorter
from types import SimpleNamespace

import dagster as dg
import pytest

from orchestration import dbt_runs, steps
from orchestration.assets import PUBLISHED
from orchestration.checks import Result, invariants
from orchestration.ingest.contract import TABLES
from orchestration.lock import only_run
from orchestration.report_functions import is_function
from orchestration.run_log import RunLog
from orchestration.settings import PROJECT_ROOT, Settings
from orchestration.table_rules import rules_of
from tests.harness import compiled_manifest

COLLECTIONS = {"coach_reps_and_teams", "forecasts_and_pipelines", "sales_outcomes", "data_quality"}


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A data folder whose manifest is there, so that nothing has to be parsed."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("data"))
    settings.dbt_target_dir.mkdir()
    path = settings.dbt_target_dir / f"manifest-{dbt_runs.project_hash(settings)}.json"
    path.write_text(json.dumps(compiled_manifest()))
    return settings


@pytest.fixture(scope="module")
def build_defs(settings: Settings) -> Iterator:
    with pytest.MonkeyPatch.context() as patch:
        # build_defs sets the environment of dbt and Dagster; not for the other tests.
        for name in ("SALES_REPORTS_DBT_PATH", "DAGSTER_HOME", "PYTHONPATH", "DO_NOT_TRACK"):
            patch.setenv(name, "")
        patch.setenv("SALES_REPORTS_DATA_DIR", str(settings.data_dir))
        from orchestration.definitions import build_defs

        yield build_defs


@pytest.fixture(scope="module")
def definitions(build_defs, settings: Settings) -> dg.Definitions:
    return build_defs(settings=settings)


@pytest.fixture(scope="module")
def graph(definitions: dg.Definitions):
    return definitions.resolve_asset_graph()


def names(keys) -> set[str]:
    return {key.to_user_string() for key in keys}


def test_there_is_an_asset_per_raw_table(graph):
    raw = names(key for key in graph.get_all_asset_keys() if graph.get(key).group_name == "raw")
    assert {f"hubspot/{table}" for table in TABLES} <= raw
    assert {"hubspot/_run", "hubspot/_sync_log"} <= raw


def test_groups_are_the_layers_and_collections(graph):
    groups = {graph.get(key).group_name for key in graph.get_all_asset_keys()}
    assert groups == {"raw", "seeds", "staging", "intermediate", "core", "published"} | COLLECTIONS


def test_every_dbt_test_and_every_invariant_is_an_asset_check(graph):
    checks = {key.name: graph.get(key) for key in graph.asset_check_keys}
    tests = [node for node in compiled_manifest()["nodes"].values() if node["resource_type"] == "test"]
    assert {test["name"] for test in tests} <= checks.keys()
    for test in tests:
        assert all(rule in checks[test["name"]].description for rule in rules_of(test))
    assert {invariant.name for invariant in invariants()} <= checks.keys()


def test_invariants_block_where_they_say_so(graph):
    for invariant in invariants():
        (key,) = (key for key in graph.asset_check_keys if key.name == invariant.name)
        assert graph.get(key).blocking == invariant.blocking, invariant.name


def test_raw_tables_and_reports_have_freshness(graph):
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        is_watched = node.group_name in ("raw", "published") or key.path[-1].startswith("rpt_")
        assert (node.freshness_policy_or_from_metadata is not None) == is_watched, key


def test_the_published_database_comes_after_every_mart(graph):
    marts = {
        f"{node['schema']}/{node['name']}"
        for node in compiled_manifest()["nodes"].values()
        if node["resource_type"] == "model"
        and node["schema"] in ("core", "reports")
        and not is_function(node)
    }
    assert names(graph.get(PUBLISHED).parent_keys) == marts


def test_there_is_one_job_and_a_daily_schedule_that_runs_by_itself(definitions):
    jobs = [job.name for job in definitions.resolve_all_job_defs() if not job.name.startswith("__")]
    (schedule,) = definitions.schedules
    assert jobs == ["sales_reports"]
    assert schedule.job_name == "sales_reports"
    assert schedule.cron_schedule == "0 5 * * *"
    assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING


def test_the_schedule_keeps_the_time_zone_of_the_settings(build_defs, settings):
    (schedule,) = build_defs(settings=replace(settings, time_zone="Europe/Berlin")).schedules
    assert schedule.execution_timezone == "Europe/Berlin"


def test_loading_the_definitions_writes_nothing_and_starts_nothing(settings):
    """Reading the manifest is all that happens at import."""
    before = sorted(settings.data_dir.rglob("*"))
    subprocess.run(
        [sys.executable, "-c", "import orchestration.definitions"],
        cwd=PROJECT_ROOT,
        env={"PATH": "", "SALES_REPORTS_DATA_DIR": str(settings.data_dir)},
        check=True,
    )
    assert sorted(settings.data_dir.rglob("*")) == before


# --- the job --------------------------------------------------------------------------------------


def dbt_events() -> Iterator[dict]:
    """What a good build says of each model, seed and test, in an order that can be."""
    nodes = {
        key: node
        for key, node in compiled_manifest()["nodes"].items()
        if node["resource_type"] in ("model", "seed", "test")
    }
    order = TopologicalSorter(
        {
            key: [parent for parent in node["depends_on"].get("nodes", []) if parent in nodes]
            for key, node in nodes.items()
        }
    )
    names = {"model": "LogModelResult", "seed": "LogSeedResult", "test": "LogTestResult"}
    for key in order.static_order():
        kind = nodes[key]["resource_type"]
        status = "pass" if kind == "test" else "success"
        yield {
            "info": {"name": names[kind], "msg": "", "invocation_id": "1"},
            "data": {
                "node_info": {"unique_id": key, "node_status": status, "materialized": "table"},
                "status": status,
                "num_failures": 0,
            },
        }


@pytest.fixture
def ran(monkeypatch) -> list[str]:
    """The steps that ran, in order; each is replaced by one that says it has worked."""
    ran: list[str] = []
    table = SimpleNamespace(
        name="deals", loaded=3, offered=4, rejected=1, rejected_values=0, status="loaded", seconds=0.1
    )

    def load_raw(settings, log, now):
        with log.phase("Load"):
            ran.append("load")
            return SimpleNamespace(tables=[table], seconds=1.0)

    def build_models(settings, log, node_count, selection):
        with log.phase("Models"):
            ran.append("models")
            yield from dbt_events()

    def prove(settings, log):
        with log.phase("Checks"):
            ran.append("checks")
            yield from (Result(invariant, 0, [], 0.0) for invariant in reported())

    def publish_build(settings, log):
        with log.phase("Publish"):
            ran.append("publish")
            return SimpleNamespace(row_counts={"core.x": 5}, path="x", function_count=1, removed=[])

    for step in (load_raw, build_models, prove, publish_build):
        monkeypatch.setattr(steps, step.__name__, step)
    return ran


def reported():
    """Every invariant that the definitions know, those on the sample too."""
    from orchestration.checks.reference_sample import reference_invariants

    models = {
        node["name"] for node in compiled_manifest()["nodes"].values() if node["resource_type"] == "model"
    }
    return (*invariants(), *reference_invariants(models))


def run_job(definitions: dg.Definitions) -> dg.ExecuteInProcessResult:
    return definitions.resolve_job_def("sales_reports").execute_in_process(
        raise_on_error=False, run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    )


def test_the_job_loads_builds_proves_and_publishes_with_metadata(definitions, ran):
    result = run_job(definitions)
    assert result.success
    assert ran == ["load", "models", "checks", "publish"]
    (deals,) = (
        event.materialization
        for event in result.get_asset_materialization_events()
        if event.asset_key == dg.AssetKey(["hubspot", "deals"])
    )
    shown = {"dagster/row_count": 3, "offered": 4, "rejected": 1, "seconds": 0.1}
    assert {name: deals.metadata[name].value for name in shown} == shown
    evaluated = result.get_asset_check_evaluations()
    assert len(evaluated) > 400
    assert all(check.passed for check in evaluated)


def test_a_broken_blocking_invariant_stops_publication(definitions, ran, monkeypatch):
    def prove(settings, log):
        first, *rest = reported()
        with log.phase("Checks"):
            yield Result(first, 1, [{"id": "7"}], 0.0)
            yield from (Result(invariant, 0, [], 0.0) for invariant in rest)
            raise steps.ChecksFailed("1 invariant is broken")

    monkeypatch.setattr(steps, "prove", prove)
    result = run_job(definitions)
    assert not result.success
    assert ran == ["load", "models"]


@pytest.mark.thorough
def test_a_warning_does_not_stop_publication(definitions, ran, monkeypatch):
    warning = next(invariant for invariant in invariants() if not invariant.blocking)

    def prove(settings, log):
        yield Result(warning, 1, [{"id": "7"}], 0.0)
        yield from (Result(other, 0, [], 0.0) for other in reported() if other is not warning)

    monkeypatch.setattr(steps, "prove", prove)
    result = run_job(definitions)
    assert result.success
    assert ran == ["load", "models", "publish"]


def test_a_failing_load_runs_nothing_else_and_tells_who_is_to_hear(
    build_defs, settings, ran, monkeypatch, tmp_path
):
    def load_raw(settings, log, now):
        with log.phase("Load"):
            raise ValueError("deals: cannot be read")

    monkeypatch.setattr(steps, "load_raw", load_raw)
    told = tmp_path / "told"
    told_settings = replace(settings, on_failure=f"printf '%s' >{told}")
    assert not run_job(build_defs(settings=told_settings)).success
    assert ran == []
    assert told.read_text() == "Load: deals: cannot be read"


def test_a_run_that_dagster_starts_holds_the_lock_too(build_defs, settings, ran, monkeypatch):
    seen = []

    def load_raw(settings, log, now):
        program = (
            "import sys; from orchestration.lock import *; from datetime import *; from pathlib import Path\n"
        )
        program += "with only_run(Path(sys.argv[1]), datetime(2026, 1, 1, tzinfo=timezone.utc)): pass"
        command = [sys.executable, "-c", program, settings.lock_path]
        done = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True)
        seen.append(done.stderr)
        raise ValueError("enough")

    monkeypatch.setattr(steps, "load_raw", load_raw)
    run_job(build_defs(settings=settings, log=RunLog()))
    assert "Another run has been under way since" in seen[0]
    with only_run(settings.lock_path, datetime(2026, 1, 1, tzinfo=UTC)):
        pass  # given back
