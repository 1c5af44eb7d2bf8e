"""A night that computes what changed ends where a whole build of the same kept history does.

Row by row, column by column, in every table: random nights over hard CRMs, in which rows come late, go,
and take any value that their column knows, while time goes on.
"""

from __future__ import annotations

import random
import re

import pytest

from orchestration.compiled import build_nodes
from orchestration.ingest.load import load_rows
from orchestration.plan import CONCERNING_ALL
from tests.conftest import first_of
from tests.crm_generator import hard_crm
from tests.harness import compiled_manifest, compiled_project, empty_database, run_settings
from tests.nights import (
    Nights,
    build_night,
    copy_of_raw,
    differences,
    night_nodes,
    prove_whole,
    wrong_verdicts,
)

NIGHTS = 3


def load_night(connection, nights: Nights, history, night: int) -> None:
    settings = run_settings(nights.settings)
    now = nights.settings["run_ts"].replace(microsecond=night)
    load_rows(connection, nights.tables, settings, now=now, history_path=history, fill_required=True)


def whole_build(connection) -> None:
    for schema in ("staging", "intermediate", "core", "reports", "seeds"):
        connection.execute(f"drop schema if exists {schema} cascade")
    build_nodes(connection, compiled_project().nodes.values())
    prove_whole(connection)


def concerns_all(connection) -> bool:
    changed = {name for (name,) in connection.execute("from raw_hubspot._changed_tables").fetchall()}
    return bool(changed & CONCERNING_ALL.keys())


@pytest.mark.parametrize("seed", first_of(range(6)))
def test_nights_end_where_whole_builds_do(seed, tmp_path):
    nights = Nights(hard_crm(seed), random.Random(seed))
    build = empty_database()
    load_night(build, nights, tmp_path / "history.duckdb", 0)
    whole_build(build)
    for night in range(1, NIGHTS + 1):
        nights.next()
        load_night(build, nights, tmp_path / "history.duckdb", night)
        if concerns_all(build):
            whole_build(build)
            continue
        build_night(build)
        fresh = copy_of_raw(build)
        whole_build(fresh)
        found = differences(build, fresh)
        fresh.close()
        assert not found, f"night {night}: " + "; ".join(f"{name}: {what}" for name, what in found.items())
        assert wrong_verdicts(build) == [], f"night {night}"
    build.close()


def test_the_expensive_models_of_records_are_keyed():
    keyed = {name for name, (_, key) in night_nodes().items() if key}
    assert keyed, "no model is keyed: a night would cost a whole build"


def test_views_of_changed_records_are_read_by_models_of_the_same_key_only():
    """Whoever else reads such a view would take tonight's records for all (macros/incremental.sql)."""
    nodes = {
        key: node for key, node in compiled_manifest()["nodes"].items() if node["resource_type"] == "model"
    }
    keys = {
        key: set(re.findall(r"changed\([^)]*\)?, ('\w+'|\[[^]]+\])", node["raw_code"]))
        for key, node in nodes.items()
    }
    restricted = {key for key in keys if keys[key] and nodes[key]["config"]["materialized"] == "view"}
    assert restricted
    for reader, node in nodes.items():
        for view in restricted & set(node["depends_on"]["nodes"]):
            read = node["config"]["materialized"]
            assert read == "incremental" or reader in restricted, f"{reader} reads {view}"
            assert keys[view] & keys[reader] or not keys[reader], f"{reader} reads {view} by another key"
