"""What the published database tells of its reports is what their YAML says."""

from __future__ import annotations

import pytest

from orchestration.publish import published_nodes
from orchestration.report_functions import function_nodes
from orchestration.viewer.catalog import COLLECTIONS, Report, catalog, choices, steps
from orchestration.viewer.database import Build
from orchestration.viewer.state import ReportState
from tests.harness import compiled_manifest

MARTS = {
    node["name"]: node
    for node in published_nodes(compiled_manifest())
    if node["config"]["meta"].get("report")
}

FUNCTIONS = {node["name"]: node for node in function_nodes(compiled_manifest())}


def test_every_report_of_the_project_is_described_word_by_word(demo_build: Build):
    known = catalog(demo_build).by_mart
    assert known.keys() == MARTS.keys()
    for name, node in MARTS.items():
        report, meta = known[name], node["config"]["meta"]["report"]
        assert report.definition == meta
        assert (report.title, report.number) == (meta["title"], meta.get("number"))
        assert report.question == " ".join(meta["question"].split())
        assert report.description == " ".join(node["description"].split())
        own = FUNCTIONS[report.function]["columns"] if report.function else {}
        for column in (node["columns"] | own).values():  # a function says what it does otherwise
            assert report.columns[column["name"]]["description"] == " ".join(column["description"].split())


def test_collections_and_reports_are_in_hubspots_order(demo_build: Build):
    known = catalog(demo_build)
    reports = list(known.reports.values())
    assert list(dict.fromkeys(report.collection for report in reports)) == list(COLLECTIONS)
    numbers = [report.number for report in reports]
    assert numbers == sorted(numbers)
    assert set(numbers) == set(range(1, 26))


def reports(build: Build) -> list[Report]:
    return list(catalog(build).reports.values())


@pytest.mark.thorough
def test_every_value_that_a_control_offers_is_one_that_the_function_takes(demo_build: Build):
    """Each fixed value by itself; of ids out of the database the first, and all at once.

    What all reports have in common is tried with one of them.
    """
    offered = 0
    common = {"owners", "teams", "include_subteams", "bucket", "cumulative"}
    for report in reports(demo_build):
        default = ReportState.default(report)
        for argument in report.arguments.values():
            if argument.kind == "date" or (argument.name in common and report.name != "deals_won_and_lost"):
                continue
            if argument.choices and argument.name != "stages":
                ids = list(choices(demo_build, argument, default.values(report)))
                assert ids, f"{report.name}.{argument.name} offers nothing"
                values = ids if argument.kind == "name" else [ids[:1], ids]
                if report.name == "deal_funnel" and argument.name == "pipelines":
                    values = [[each] for each in ids if each != "none"]
            elif argument.kind == "each_of":
                values = [[each] for each in argument.values]
            elif argument.kind == "flag":
                values = [True, False]
            else:
                values = [value for value in argument.values if value is not None]
            for value in values:
                state = default.choose(report, **{argument.name: value})
                demo_build.table(state.sql(report, demo_build.calendar), 1)
                offered += 1
    assert offered > 150


@pytest.mark.parametrize("name", ["lead_journey", "deal_funnel"])
def test_the_steps_offered_are_those_of_the_report_itself(name: str, demo_build: Build):
    report = catalog(demo_build).reports[name]
    state = ReportState.default(report)
    own = steps(demo_build, report.arguments["stages"], state.values(report))
    rows = demo_build.records(state.sql(report, demo_build.calendar))
    assert [step.id for step in own] == [row["stage_id"] for row in rows if row["stage_id"] != "won"]
    asked = state.choose(
        report,
        stages=[step.id for step in own],
        optional_stages=[step.id for step in own[1:] if step.is_optional],
    )
    assert demo_build.records(asked.sql(report, demo_build.calendar)) == rows


def test_teams_are_offered_as_a_tree(demo_build: Build):
    report = catalog(demo_build).reports["deals_won_and_lost"]
    names = list(choices(demo_build, report.arguments["teams"]).values())
    assert names.index("Sales") < names.index("Sales / EMEA") < names.index("Sales / EMEA / UK & Nordics")


def test_cumulative_is_offered_where_the_function_knows_it(demo_build: Build):
    without = {report.name for report in reports(demo_build) if "cumulative" not in report.arguments}
    assert without == {"historical_snapshots", "team_activity_timeline"}


def test_the_date_property_follows_the_arguments(demo_build: Build):
    known = catalog(demo_build).reports
    for name, values, expected in (
        ("deals_created", {}, "createdate"),
        ("deals_created", {"created_basis": "hs_createdate"}, "hs_createdate"),
        ("deal_funnel", {"cohort": "closed"}, "closedate"),
        ("sales_velocity", {"cohort": "created"}, "createdate"),
        ("call_outcomes", {}, "hs_timestamp"),
    ):
        assert known[name].date_property(values) == expected
