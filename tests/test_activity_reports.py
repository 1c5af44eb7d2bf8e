"""Reports on activities and leads: rows, the summary of a record mart, list arguments, variables.

Belongs here: what `test_functions.py` does not ask of the functions of reports 2, 3 and 5 to 10, against
the slow computations, and each build variable against its default.
"""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta

import pytest

from orchestration.reference import references
from orchestration.reference.crm import MS_PER_DAY, Crm, RunSettings
from orchestration.reference.lead_journey import journey
from orchestration.reference.raw import fetch
from tests.crm_generator import hard_crm
from tests.harness import Build, assert_mart_equals, load_crm

EVER = "date '1990-01-01', date '2100-01-01'"
SEEDS = range(5)


@pytest.fixture(scope="module", params=SEEDS)
def built(request):
    """A hard CRM whose tables are all there: its build, the same rows for the references, its seed."""
    hard = hard_crm(request.param, is_complete=True)
    build = load_crm(hard.tables, **hard.settings)
    yield build, Crm(hard.tables, RunSettings(**hard.settings)), request.param
    build.connection.close()


def call(build: Build, function: str, arguments: str) -> list[dict]:
    return fetch(build.ensure(function), f"from reports.{function}({arguments})")


def window(crm: Crm, rng: random.Random) -> tuple[date, date]:
    start = crm.today - timedelta(days=rng.randrange(400))
    return start, start + timedelta(days=rng.choice([1, 30, 120, 500]))


def sql(start: date, end: date) -> str:
    return f"date '{start}', date '{end}'"


# --- 6: the summary of a record mart --------------------------------------------------------------


def test_response_times_by_rank(built):
    """Median and 90th percentile are continuous (K13), shares are of all contacts."""
    build, crm, seed = built
    start, end = window(crm, random.Random(seed))
    contacts = [
        row
        for row in references()["rpt_lead_response_time"].compute(crm)
        if start <= row["assigned_date"] < end
    ]
    times = sorted(row["response_time_ms"] for row in contacts if row["first_engagement_at"])
    (row,) = call(build, "lead_response_time_summary", f"{sql(start, end)}, group_by := 'none'")
    assert (row["contact_count"], row["engaged_count"]) == (len(contacts), len(times))
    assert row["unengaged_count"] == len(contacts) - len(times)
    assert row["median_response_time_ms"] == pytest.approx(_quantile(times, 0.5))
    assert row["p90_response_time_ms"] == pytest.approx(_quantile(times, 0.9))
    in_a_day = sum(time <= MS_PER_DAY for time in times)
    assert row["within_24h_rate"] == (pytest.approx(in_a_day / len(contacts)) if contacts else None)


def _quantile(values: list[int], share: float) -> float | None:
    if not values:
        return None
    place = share * (len(values) - 1)
    below = values[int(place)]
    above = values[min(int(place) + 1, len(values) - 1)]
    return below + (above - below) * (place - int(place))


# --- rows -----------------------------------------------------------------------------------------


def test_pages_of_the_timeline_are_the_whole(built):
    build, crm, _ = built
    rows = call(build, "team_activity_timeline", EVER)
    assert len({(row["activity_type"], row["activity_id"]) for row in rows}) == len(rows)
    assert [row["occurred_at"] for row in rows] == sorted((row["occurred_at"] for row in rows), reverse=True)
    middle = crm.today - timedelta(days=40)
    newer = call(build, "team_activity_timeline", f"date '{middle}', date '2100-01-01'")
    older = call(build, "team_activity_timeline", f"date '1990-01-01', date '{middle}'")
    assert newer + older == rows
    assert all(crm.day(row["occurred_at"]) >= middle for row in newer)


# --- arguments ------------------------------------------------------------------------------------


def test_journey_over_any_stages(built):
    """The stages that are asked for, in that order; optional as asked, or as the seed says."""
    build, crm, seed = built
    rng = random.Random(seed)
    seeded = {stage: is_optional for stage, _, is_optional in crm.settings.lead_journey_stages}
    labels = {stage: label for stage, label, _ in crm.settings.lead_journey_stages}
    for _ in range(4):
        stages = rng.sample(list(seeded), rng.randint(1, 5))
        optional = None if rng.random() < 0.4 else [s for s in stages[1:] if rng.random() < 0.5]
        expected = defaultdict(int)
        asked = tuple(
            (stage, labels[stage], seeded[stage] if optional is None else stage in optional)
            for stage in stages
        )
        for row in journey(crm, asked):
            expected[row["stage_position"], row["stage_id"]] += row["contact_count"]
        arguments = f"{EVER}, group_by := 'none', stages := {stages}"
        if optional is not None:
            arguments += f", optional_stages := {optional}::varchar[]"
        rows = call(build, "lead_journey", arguments)
        assert [row["stage_id"] for row in rows] == stages
        assert {
            (row["stage_position"], row["stage_id"]): row["contact_count"]
            for row in rows
            if row["contact_count"]
        } == {key: count for key, count in expected.items() if count}


def test_a_stage_of_hubspots_that_nobody_has_entered_counts_nobody():
    contact = {"id": "1", "createdate": datetime(2026, 6, 1, tzinfo=UTC), "lifecyclestage": "lead"}
    build = load_crm({"contacts": [contact], "contact_property_history": []})
    rows = call(build, "lead_journey", f"{EVER}, group_by := 'none', stages := ['lead', 'subscriber']")
    build.connection.close()
    assert [(row["stage_id"], row["contact_count"]) for row in rows] == [("lead", 1), ("subscriber", 0)]


# --- build variables (§5 of decisions.md) ---------------------------------------------------------

VARIABLES = {
    "completed_meeting_outcomes": ["CUSTOM", "it's done"],
    "connected_outcomes": ["custom-1", "it's"],
    "automated_email_sources": ["SEQUENCE", "it's"],
}
CHANGED = {
    "completed_meeting_outcomes": (
        "rpt_completed_activities",
        "rpt_meeting_outcomes",
        "rpt_prospecting_meetings",
    ),
    "connected_outcomes": ("rpt_prospecting_calls",),
    "automated_email_sources": ("rpt_lead_response_time", "rpt_lead_funnel"),
}


@pytest.fixture(scope="module")
def switched():
    """Hard CRMs built with every variable set."""
    builds = []
    for seed in range(8):
        hard = hard_crm(seed, is_complete=True)
        builds.append((hard, load_crm(hard.tables, **hard.settings, variables=VARIABLES)))
    yield builds
    for _, build in builds:
        build.connection.close()


@pytest.mark.thorough
@pytest.mark.parametrize("variable", VARIABLES)
def test_variable_changes_what_it_should(switched, variable):
    """With the variable marts equal their references, which are not those of the default."""
    makes_a_difference = dict.fromkeys(CHANGED[variable], False)
    values = {name: tuple(listed) for name, listed in VARIABLES.items()}
    for hard, build in switched:
        crm = Crm(hard.tables, RunSettings(**hard.settings, **values))
        default = Crm(hard.tables, RunSettings(**hard.settings, **(values | {variable: ()})))
        for mart in CHANGED[variable]:
            reference = references()[mart]
            expected = reference.compute(crm)
            assert_mart_equals(build, mart, expected, reference.measures, f"CRM {hard.seed}:")
            makes_a_difference[mart] |= expected != reference.compute(default)
    assert all(makes_a_difference.values()), makes_a_difference
