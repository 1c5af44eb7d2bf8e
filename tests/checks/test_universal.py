"""Each law of all reports is seen to fail on a planted error, report by report; U5 and U6.

The plants are made from the report's definition, as the laws are.
"""

from __future__ import annotations

import pytest

from orchestration.checks.definitions import DISTINCT_MEASURES, Definition, definitions
from orchestration.checks.universal import universal_invariants
from orchestration.checks.universal_functions import NO_FUNCTION, NOT_ADDITIVE, report_and_count
from tests.checks.planting import Plant, Plot, WrongAnswer, assert_fails_on_its_plant, wrong_column
from tests.checks.tidy_crm import SETTINGS, tidy_crm
from tests.harness import build_marts

DEFINITIONS = {definition.mart: definition for definition in definitions()}


def plant(law: str, definition: Definition) -> Plant:
    """An error that the law, named without its report, is there to find."""
    mart = f"reports.{definition.mart}"
    first = f"rowid = (select min(rowid) from {mart})"
    measure = definition.measures[0] if definition.measures else None
    doubled = f"2 * {measure}"
    function, count = report_and_count(definition)
    plants = {
        "has_one_row_per_grain_and_no_missing_key": (
            f"insert into {mart} select * from {mart} where {first}"
        ),
        "has_no_row_of_zeros": (
            f"update {mart} set {', '.join(f'{name} = 0' for name in definition.measures)} where {first}"
        ),
        "shows_each_owner_with_one_name_and_main_team": (
            f"update {mart} set owner_name = 'Somebody' where {first}"
        ),
        "shows_each_pipeline_with_one_label": f"update {mart} set pipeline_label = 'Any' where {first}",
        "has_the_records_behind_its_cells": f"update {mart} set {measure} = {measure} + 1 where {first}",
        "is_empty_where_an_input_is_missing": (
            "insert into reports.rpt_data_quality "
            f"values ('{definition.mart}', 'missing_table:deals', 'warning', 0, null)"
        ),
        "is_what_its_function_adds_up_to_in_all": wrong_column(
            definition.function, measure, f"case when group_by = 'none' then {doubled} else {measure} end"
        ),
        "is_what_its_function_adds_up_to_by_any_group": wrong_column(
            definition.function, measure, f"case when group_by = 'team' then {doubled} else {measure} end"
        ),
        "is_what_its_function_adds_up_to_over_buckets": wrong_column(
            definition.function, measure, f"case when bucket = 'quarter' then {doubled} else {measure} end"
        ),
        "counts_no_more_for_one_group_than_for_all": wrong_column(
            definition.function, measure, f"case when group_by = 'none' then 0 else {measure} end"
        ),
        "answers_an_empty_range_without_error": WrongAnswer(
            function,
            f"from answer union all by name select 1 as {count} where date_from = date_to",
        ),
    }
    return plants[law]


@pytest.mark.parametrize("invariant", universal_invariants(), ids=lambda invariant: invariant.name)
def test_law_is_seen_to_fail(plot: Plot, invariant):
    definition = DEFINITIONS[invariant.report]
    law = invariant.name.removeprefix(f"{definition.mart}_")
    assert_fails_on_its_plant(plot, invariant, {invariant.name: plant(law, definition)})


BEHIND = "has_the_records_behind_its_cells"
WITH_RECORDS = [
    DEFINITIONS[law.report]
    for law in universal_invariants()
    if law.name == f"{law.report}_{BEHIND}" and f"reports.{law.report}" not in str(DEFINITIONS[law.report])
]


@pytest.mark.parametrize("definition", WITH_RECORDS, ids=lambda definition: definition.mart)
def test_records_are_held_against_each_measure(plot: Plot, definition):
    """One pass looks at several measures, and at several kinds of records."""
    mart, name = f"reports.{definition.mart}", f"{definition.mart}_{BEHIND}"
    for measure in definition.drill_down:
        more = f"update {mart} set {measure} = coalesce({measure}, 0) + 1"
        with plot.planted(f"{more} where rowid = (select max(rowid) from {mart})"):
            assert not plot.result(name).passed, measure


def test_a_mart_without_its_input_has_no_records_behind_its_cells(plot: Plot):
    definition = DEFINITIONS["rpt_deals_created"]
    with plot.planted(plant("is_empty_where_an_input_is_missing", definition)):
        assert not plot.result(f"{definition.mart}_{BEHIND}").passed
        plot.connection.execute(f"delete from reports.{definition.mart}")
        assert plot.result(f"{definition.mart}_{BEHIND}").passed


def test_every_mart_but_data_quality_has_a_function_that_is_checked_or_a_reason():
    """A new report cannot slip through: it is held to U1 and U2, or stands among the exceptions."""
    names = {law.name for law in universal_invariants()}
    for mart in DEFINITIONS:
        compared = f"{mart}_is_what_its_function_adds_up_to_by_any_group" in names
        assert compared != (mart in NO_FUNCTION or mart in NOT_ADDITIVE), mart


# --- laws that need a second build ----------------------------------------------------------------


def test_u5_same_input_gives_the_same_marts(plot: Plot):
    again = build_marts(tidy_crm(), DEFINITIONS, **SETTINGS)
    for mart in DEFINITIONS:
        rows = [
            sorted(c.execute(f"from reports.{mart}").fetchall(), key=str) for c in (plot.connection, again)
        ]
        assert rows[0] == rows[1], mart
    again.close()


def test_u6_another_time_zone_moves_records_but_loses_none(plot: Plot):
    """Only the day changes, and only by one: sums over all days are the same in any zone."""
    elsewhere = build_marts(tidy_crm(), DEFINITIONS, **SETTINGS | {"time_zone": "Pacific/Apia"})
    moved = 0
    for mart, definition in DEFINITIONS.items():
        if len(definition.dates) != 1:
            continue
        (day,) = definition.dates
        others = [column for column in definition.grain if column != day]
        measures = [m for m in definition.additive if m not in DISTINCT_MEASURES.get(mart, ())]
        if not measures or mart == "rpt_historical_snapshots":
            continue  # snapshots are taken at midnights: other instants in another zone
        query = (
            f"select {', '.join([*others, *(f'sum({m})' for m in measures)])} from reports.{mart} "
            f"group by {', '.join(str(place + 1) for place in range(len(others)))} order by all"
        )
        here, there = (c.execute(query).fetchall() for c in (plot.connection, elsewhere))
        assert here == there, mart
        days = f"select {day} from reports.{mart} order by all"
        moved += plot.connection.execute(days).fetchall() != elsewhere.execute(days).fetchall()
    assert moved, "no record of the tidy CRM lies near enough to midnight to be moved"
    elsewhere.close()
