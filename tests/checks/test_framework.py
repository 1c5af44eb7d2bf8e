"""Collecting, running and recording invariants; and all blocking ones on hard CRMs."""

from __future__ import annotations

import re

import pytest

from orchestration import checks
from orchestration.checks import Invariant, Result, invariants, record_warnings, run_invariants
from tests.checks.planting import Plot
from tests.conftest import first_of
from tests.crm_generator import hard_crm
from tests.harness import compiled_project, load_crm

HARD_CRMS = range(100, 106)


@pytest.mark.parametrize("seed", first_of(HARD_CRMS))
def test_blocking_laws_hold_on_hard_crms(seed):
    """K8: a CRM with every trap must publish. What the CRM says twice may warn."""
    crm = hard_crm(seed)
    build = load_crm(crm.tables, **crm.settings)
    build.ensure(*build.project.nodes)
    broken = [str(result) for result in run_invariants(build.connection) if result.blocks]
    build.connection.close()
    assert not broken, "\n".join(broken)


def test_all_laws_hold_where_everything_is_right(plot: Plot):
    assert [str(result) for result in plot.before.values() if not result.passed] == []


def test_laws_are_about_models_and_say_why():
    models = compiled_project().nodes
    for invariant in invariants():
        assert invariant.report in models, invariant.name
        assert re.fullmatch(r"[a-z0-9_]+", invariant.name)
        assert invariant.words and invariant.sql


def test_warnings_are_those_that_compare_what_the_crm_itself_says():
    """K8: everything else blocks."""
    assert {invariant.name for invariant in invariants() if not invariant.blocking} == {
        "hubspots_won_flag_agrees_with_the_stage",
        "last_versions_are_the_present_values",
        "hubspots_stage_entry_is_the_last_stage_version",
        "r5_won_deals_close_on_the_day_they_were_won",
        "r9_funnel_won_by_close_date_is_won_of_won_and_lost",
        "meeting_outcomes_no_meeting_is_held_before_it_starts",
        "last_snapshot_is_the_live_count",
        "stored_snapshots_hold_the_deals_that_history_knows",
    }


def test_unknown_names_are_refused(plot: Plot):
    with pytest.raises(KeyError, match="no_such_law"):
        run_invariants(plot.connection, ["no_such_law"])


def test_a_law_that_cannot_run_is_broken(plot: Plot, monkeypatch):
    law = Invariant(name="law", report="fct_deals", words="…", sql="select 1 as id from nowhere")
    monkeypatch.setattr(checks, "invariants", lambda: (law,))
    (result,) = run_invariants(plot.connection)
    assert result.blocks
    assert "nowhere" in result.sample[0]["error"]


def test_names_stand_once(monkeypatch):
    from orchestration.checks import core

    monkeypatch.setattr(core, "INVARIANTS", core.INVARIANTS * 2)
    with pytest.raises(ValueError, match="deals_have_one_row_each"):
        invariants.__wrapped__()


def test_violations_are_counted_in_full_and_shown_in_part(plot: Plot):
    with plot.planted("delete from core.fct_activities"):
        result = plot.result("activities_are_the_raw_ones_that_count")
    assert result.violation_count == 16
    assert len(result.sample) == checks.SAMPLE_SIZE
    assert result.ids == sorted(result.ids)


def test_failing_warnings_stand_in_data_quality_until_they_hold(plot: Plot):
    name = "last_versions_are_the_present_values"
    rows = (
        f"select report, severity, row_count, sample_ids from reports.rpt_data_quality where issue = '{name}'"
    )
    with plot.planted("update raw_hubspot.deals set amount = 14 where id in ('d7', 'd3')"):
        for _ in range(2):  # may be repeated
            assert record_warnings(plot.connection, [plot.result(name)]) == 1
            assert plot.connection.execute(rows).fetchall() == [("fct_deals", "warning", 2, "d3,d7")]
        plot.connection.execute("update raw_hubspot.deals set amount = 12 where id = 'd7'")
        plot.connection.execute("update raw_hubspot.deals set amount = 90 where id = 'd3'")
        assert record_warnings(plot.connection, [plot.result(name)]) == 0
        assert plot.connection.execute(rows).fetchall() == []


def test_broken_blocking_laws_are_no_rows_of_data_quality(plot: Plot):
    law = next(invariant for invariant in invariants() if invariant.blocking)
    before = plot.connection.execute("select count(*) from reports.rpt_data_quality").fetchone()
    with plot.planted("select 1"):
        assert record_warnings(plot.connection, [Result(law, 1, [{"id": "x"}], 0.0)]) == 0
        after = plot.connection.execute("select count(*) from reports.rpt_data_quality").fetchone()
    assert before == after
