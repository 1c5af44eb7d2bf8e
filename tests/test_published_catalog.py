"""What the published database says about its checks and reports."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from orchestration import publish, published_catalog
from orchestration.checks import Invariant, Result
from orchestration.data_folder import attach_marts
from orchestration.dbt_runs import NodeResult
from tests.harness import compiled_manifest


def node_result(unique_id: str, name: str, kind: str, failures: int = 0) -> NodeResult:
    return NodeResult(unique_id, name, kind, "pass" if not failures else "warn", "", failures, 0.25)


MANIFEST = {
    "nodes": {
        "test.a": {
            "attached_node": "model.rpt_deals",
            "config": {"severity": "ERROR"},
            "description": "",
            "resource_type": "test",
        },
        "test.b": {
            "attached_node": None,
            "config": {"severity": "warn"},
            "description": "Two\nlines.",
            "resource_type": "test",
        },
        "model.rpt_deals": {
            "name": "rpt_deals",
            "resource_type": "model",
            "config": {"materialized": "table", "meta": {}},
        },
    }
}


@pytest.fixture
def build(tmp_path: Path) -> Path:
    """A build database whose tests and invariants have run."""
    path = tmp_path / "build.duckdb"
    law = Invariant(name="deals_add_up", report="rpt_deals", words="U1: they do.", sql="", blocking=False)
    with duckdb.connect(path) as connection:
        publish.withdraw_verdict(connection)
        results = [
            node_result("test.a", "rpt_deals_is_unique", "test"),
            node_result("test.b", "nothing_is_odd", "test", failures=3),
            node_result("model.rpt_deals", "rpt_deals", "model"),
        ]
        published_catalog.record_tests(connection, results, MANIFEST)
        carried = replace(law, name="functions_add_up")
        published_catalog.record_invariants(
            connection, [Result(law, 2, [], 0.5), Result(carried, 0, [], 0, carried_from="W")]
        )
    return path


def published(build: Path, manifest: dict) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute(f"attach '{build}' as build")
    connection.execute("use build")
    attach_marts(connection, build.with_name("marts.duckdb"))
    published_catalog.write(connection, manifest)
    return connection


def test_each_check_of_the_build_is_there_once_with_what_came_of_it(build: Path):
    connection = published(build, MANIFEST)
    assert connection.execute("from core.fct_checks").fetchall() == [
        ("", "nothing_is_odd", "Two lines.", False, False, 3, 0.25, None),
        ("rpt_deals", "deals_add_up", "U1: they do.", False, False, 2, 0.5, "now of all"),
        ("rpt_deals", "functions_add_up", "U1: they do.", False, True, 0, 0, "with build W"),
        ("rpt_deals", "rpt_deals_is_unique", None, True, True, 0, 0.25, None),
    ]


def test_a_build_that_changes_forgets_its_checks(build: Path):
    with duckdb.connect(build) as connection:
        publish.withdraw_verdict(connection)
    assert published(build, MANIFEST).execute("select count(*) from core.fct_checks").fetchone() == (0,)


def test_reports_are_described_by_their_yaml(build: Path):
    manifest = compiled_manifest()
    connection = published(build, manifest)
    rows = connection.execute("select report, function_name, definition from core.dim_reports").fetchall()
    marts = [name for name in manifest["nodes"] if name.split(".")[-1].startswith("rpt_")]
    assert len(rows) == len(marts) == 31
    for name, function, definition in rows:
        node = manifest["nodes"][f"model.sales_reports.{name}"]
        stored = json.loads(definition)
        assert stored["report"] == node["config"]["meta"]["report"]
        assert (function is None) == (stored["function"] is None)
        if function:
            meta = manifest["nodes"][f"model.sales_reports.{function}"]["config"]["meta"]
            assert stored["function"]["arguments"] == meta["function"]["arguments"]
            described = set(stored["function"]["argument_texts"])
            assert described == set(meta["function"]["arguments"])
    without = {name for name, function, _ in rows if function is None}
    assert without == {"rpt_data_quality", "rpt_deal_pipeline_waterfall_deals"}


def test_every_column_is_commented(build: Path):
    connection = published(build, MANIFEST)
    comments = connection.execute(
        "select comment from duckdb_columns() where table_name in ('dim_reports', 'fct_checks')"
    ).fetchall()
    assert len(comments) == 17
    assert all(comment for (comment,) in comments)
