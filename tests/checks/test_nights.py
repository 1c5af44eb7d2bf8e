"""The proof of a night: laws bite over the rows of changed records. That they hold where a night went right
is seen in tests/test_incremental.py."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from orchestration.checks import (
    Invariant,
    Result,
    changed,
    invariants,
    kept_warnings,
    needed_relations,
    run_invariants,
)
from orchestration.checks.changed import ROWS, run_of_changed
from orchestration.checks.definitions import definitions
from orchestration.checks.proof import laws, parts, prove
from orchestration.checks.universal import EACH_ONCE, universal_invariants
from tests.checks import (
    test_across_reports,
    test_coach_reps_and_teams,
    test_core,
    test_forecasts_and_pipelines,
    test_sales_outcomes,
    test_universal,
)
from tests.checks.planting import Plot, spoilt
from tests.conftest import first_of
from tests.nights import night_nodes

OF_RECORDS = [law for law in invariants() if law.by]
KEPT = {law.name for law in OF_RECORDS if not law.blocking}
KEYS = {
    "deal": ("intermediate.int_deals_changed", "select id as deal_id from raw_hubspot.deals"),
    "contact": ("intermediate.int_contacts_changed", "select id as contact_id from raw_hubspot.contacts"),
    "activity": (
        "intermediate.int_activities_changed",
        " union all ".join(
            f"select '{kind}' as activity_type, id as activity_id from raw_hubspot.{kind}s"
            for kind in ("call", "meeting", "task", "email", "note")
        ),
    ),
}
PLANTS = {
    name: plant
    for module in (
        *(test_across_reports, test_coach_reps_and_teams, test_core),
        *(test_forecasts_and_pipelines, test_sales_outcomes),
    )
    for name, plant in module.PLANTS.items()
} | {
    law.name: test_universal.plant(
        law.name.removeprefix(f"{law.report}_"), test_universal.DEFINITIONS[law.report]
    )
    for law in universal_invariants()
}
SUMS = {f"reports.{definition.mart}" for definition in definitions()}


@pytest.fixture
def all_changed(plot: Plot, monkeypatch) -> Iterator[None]:
    """All records of the tidy CRM are changed, and all days drawn."""
    monkeypatch.setitem(changed.CHANGED, "day", "select snapshot_date from core.dim_snapshot_dates")
    for law in OF_RECORDS:
        if not law.blocking:
            kept_warnings.forget(plot.connection, law)
    with changed_keys(plot, {kind: query for kind, (_, query) in KEYS.items()}):
        yield


@contextmanager
def changed_keys(plot: Plot, keys: dict[str, str]) -> Iterator[None]:
    """The records that these queries give are those that the night computed anew, of other kinds none."""
    tables = [table for table, _ in KEYS.values()]
    for table in tables:
        plot.connection.execute(f"delete from {table}")
    for kind, query in keys.items():
        plot.connection.execute(f"insert into {KEYS[kind][0]} by name {query}")
    yield
    for table in tables:
        plot.connection.execute(f"delete from {table}")


def named_tables(sql: str) -> set[str]:
    return set(re.findall(r"\b(?:core|reports|raw_hubspot)\.\w+", sql))


def result_of(plot: Plot, law: Invariant) -> Result:
    (result,) = run_of_changed(plot.connection, {law.name}, "a build before")
    assert result.ids != ["error"], str(result)
    return result


def bites(plot: Plot, law: Invariant, tables: set[str], plant: str) -> bool:
    with spoilt(plot, tables, plant):
        return not result_of(plot, law).passed


# --- laws of changed records ----------------------------------------------------------------------


@pytest.mark.parametrize("law", first_of(OF_RECORDS), ids=lambda law: law.name)
def test_law_bites_where_the_planted_record_is_changed(plot: Plot, all_changed, law):
    """By its own plant. What is planted in a mart of sums is the business of U4, which nights run over all:
    there the law has to miss records that are gone from one of the tables that it reads."""
    assert result_of(plot, law).passed
    plant = PLANTS[law.name]
    assert isinstance(plant, str)
    tables = named_tables(plant)
    written = set(re.findall(r"(?:update|into|from) ((?:core|reports|raw_hubspot)\.\w+)", plant))
    in_sums = written & SUMS - ROWS[law.by].keys()
    if not in_sums:
        assert bites(plot, law, tables, plant), f"a night does not see: {plant}"
        return
    u4 = {f"{mart.removeprefix('reports.')}_has_the_records_behind_its_cells" for mart in in_sums}
    assert u4 <= parts(of_a_night=True).tables
    with spoilt(plot, tables, plant):
        assert [r for r in run_invariants(plot.connection, u4) if not r.passed], f"U4 does not see: {plant}"
    read = named_tables(" ".join([law.sql, *needed_relations([law]).values()]))
    assert any(
        bites(plot, law, {table}, f"delete from {table}") for table in sorted(read & ROWS[law.by].keys())
    )


def test_only_changed_records_are_looked_at(plot: Plot):
    (law,) = (law for law in OF_RECORDS if law.name == "stage_visits_change_the_stage_each_time")
    for deal, is_seen in (("d1", False), ("d3", True)):
        with changed_keys(plot, {"deal": f"select '{deal}' as deal_id"}):
            assert bites(plot, law, named_tables(PLANTS[law.name]), PLANTS[law.name]) == is_seen


def test_a_view_holds_what_the_rows_of_changed_records_give(plot: Plot):
    """In a build some marts are views; in the plot all are tables."""
    execute, mart = plot.connection.execute, "reports.rpt_deal_change_history"
    rows = execute(f"from {mart} where deal_id = 'd3' order by all").fetchall()
    assert rows
    execute(f"create table reports.kept as from {mart}")
    execute(f"drop table {mart}")
    execute(plot.build.project.nodes["rpt_deal_change_history"].statement)
    try:
        with (
            changed_keys(plot, {"deal": "select 'd3' as deal_id"}),
            changed.changed_rows(plot.connection, "deal", f"select {all_columns(plot, mart)} from {mart}"),
        ):
            assert execute(f"from changed.{mart} order by all").fetchall() == rows
            assert execute("select distinct deal_id from changed.core.fct_deals").fetchall() == [("d3",)]
    finally:
        execute(f"drop view {mart}")
        execute(f"create table {mart} as from reports.kept")
        execute("drop table reports.kept")


def all_columns(plot: Plot, table: str) -> str:
    return ", ".join(name for name, *_ in plot.connection.execute(f"describe {table}").fetchall())


def test_warnings_of_records_are_those_that_give_the_id_of_the_record():
    """By it their violations are kept (`kept_warnings.py`)."""
    assert (
        KEPT
        == parts(of_a_night=False).kept
        == {
            "hubspots_won_flag_agrees_with_the_stage",
            "last_versions_are_the_present_values",
            "hubspots_stage_entry_is_the_last_stage_version",
            "r5_won_deals_close_on_the_day_they_were_won",
        }
    )


def test_tables_of_records_are_listed_by_their_key():
    kinds = {("deal_id",): "deal", ("contact_id",): "contact", ("activity_type", "activity_id"): "activity"}
    for node, key in night_nodes().values():
        if key and node.schema in ("core", "reports"):
            assert f"{node.schema}.{node.name}" in ROWS[kinds[key]], node.name


def test_tables_that_hold_records_once_are_proven_to_do_so():
    known = {law.name: law for law in invariants()}
    for table, name in EACH_ONCE.items():
        assert table in known[name].sql


def test_a_law_that_cannot_run_is_broken(plot: Plot, all_changed, monkeypatch):
    law = Invariant(
        name="law", report="fct_deals", by="deal", words="…", sql="select no_such as id from core.fct_deals"
    )
    monkeypatch.setattr(changed, "invariants", lambda: (law,))
    (result,) = run_of_changed(plot.connection, {"law"}, "a build before")
    assert result.blocks
    assert "no_such" in result.sample[0]["error"]


# --- nights ---------------------------------------------------------------------------------------


def test_every_law_has_one_result_that_says_how_it_was_proven(plot: Plot, all_changed):
    results = prove(plot.connection, plot.build.project, "W")
    assert [result.invariant.name for result in results] == [
        law.name for law in laws(plot.build.project.nodes)
    ]
    assert [str(result) for result in results if not result.passed] == []
    by_kind = parts(of_a_night=True)
    for result in results:
        name, law = result.invariant.name, result.invariant
        assert result.is_carried == (name in by_kind.carried)
        assert bool(result.of and result.carried_from) == bool(law.by)
        if result.is_carried:
            assert (result.seconds, result.proof, law.blocking) == (0, "with build W", True)
            assert str(result) == f"{name}: proven with build W"
        elif law.by:
            assert result.proof.startswith("now of ") and result.proof.endswith("of all with build W")
        else:
            assert "build W" not in result.proof


def test_whole_builds_are_proven_whole():
    by_kind = parts(of_a_night=False)
    assert by_kind.functions | by_kind.tables | by_kind.kept == {law.name for law in invariants()}
    assert not by_kind.changed | by_kind.carried


def test_nights_ask_every_additive_function_once():
    asked = {law.report for law in invariants() if law.name in parts(of_a_night=True).functions}
    assert asked >= {law.report for law in invariants() if law.name.endswith("_adds_up_to_in_all")}
    assert len(asked) > 20


def test_errors_of_a_night_are_seen_by_records_functions_and_sample(plot: Plot):
    visits = "core.fct_deal_stage_visits"
    plant = f"update {visits} set duration_ms = duration_ms + 1 where deal_id = 'd3'"
    for law in OF_RECORDS:
        if not law.blocking:
            kept_warnings.forget(plot.connection, law)
    with changed_keys(plot, {"deal": "select 'd3' as deal_id"}), spoilt(plot, [visits], plant):
        results = prove(plot.connection, plot.build.project, "W")
    assert {result.invariant.name for result in results if result.blocks} >= {
        "stage_visits_are_disjoint_and_gap_free",
        "rpt_time_in_deal_stage_has_the_records_behind_its_cells",
        "fct_deal_stage_visits_of_the_sample_is_that_of_the_build",
    }
