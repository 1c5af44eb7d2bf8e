"""The whole proof: every law once, in order, and errors seen wherever they are planted."""

from __future__ import annotations

import pytest

from orchestration.checks import invariants
from orchestration.checks.proof import laws, prove
from tests.checks.planting import Plot, spoilt


def test_every_law_has_one_result_in_order(plot: Plot):
    results = prove(plot.connection, plot.build.project)
    names = [law.name for law in laws(plot.build.project.nodes)]
    assert [result.invariant.name for result in results] == names
    assert len(names) == len(set(names)) > len(invariants())
    assert [str(result) for result in results if not result.passed] == []


@pytest.mark.thorough
def test_errors_are_seen_by_tables_functions_and_sample(plot: Plot):
    visits = "core.fct_deal_stage_visits"
    with spoilt(plot, [visits], f"update {visits} set duration_ms = duration_ms + 1 where deal_id = 'd3'"):
        results = prove(plot.connection, plot.build.project)
    broken = {result.invariant.name for result in results if result.blocks}
    assert broken >= {
        "stage_visits_are_disjoint_and_gap_free",
        "rpt_time_in_deal_stage_is_what_its_function_adds_up_to_by_any_group",
        "fct_deal_stage_visits_of_the_sample_is_that_of_the_build",
    }
