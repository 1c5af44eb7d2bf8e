"""dbt's test `keeps_rules`: one query per table that says which of its rules are broken, and how often.

Belongs here: that it finds what breaks a rule, by name, on literal rows; that each rule has a result of
its own; and that a build names the rules which broke. What the rules of a table are is its YAML's business.
"""

from __future__ import annotations

from dataclasses import replace

import duckdb
import pytest

from orchestration import dbt_runs
from orchestration.dbt_invocation import Node, Outcome
from orchestration.table_rules import has_rules, rules_of
from tests.harness import compiled_manifest

TESTS = {n["name"]: n for n in compiled_manifest()["nodes"].values() if n["resource_type"] == "test"}
VISITS = TESTS["fct_deal_stage_visits_keeps_its_rules"]
ONE_ROW, LEAVE, LAST, STAGE_CLASS = (
    f"fct_deal_stage_visits_{words}"
    for words in (
        "one_row_per_deal_and_visit",
        "leave_after_they_enter",
        "are_open_if_last",
        "stage_class_is_open_won_lost_or_unknown",
    )
)
PART = ["--select", "fct_deal_stage_visits"]
GOOD = "('a', 1, 'open', timestamptz '2026-05-01', timestamptz '2026-05-02', 5, false, false)"


def broken(*rows: str) -> dict[str, int]:
    """What the test of the visits gives where these are all rows."""
    connection = duckdb.connect()
    connection.execute("attach ':memory:' as marts; create schema marts.core")
    connection.execute(
        "create table marts.core.fct_deal_stage_visits (deal_id text, visit_number bigint, stage_class text, "
        "entered_at timestamptz, exited_at timestamptz, duration_ms bigint, is_open_visit boolean, "
        "is_last_visit boolean)"
    )
    if rows:
        connection.execute(f"insert into marts.core.fct_deal_stage_visits values {', '.join(rows)}")
    return dict(connection.execute(VISITS["compiled_code"]).fetchall())


def test_every_rule_has_its_name():
    assert rules_of(VISITS) == [ONE_ROW, LEAVE, LAST, STAGE_CLASS]


def test_nothing_is_found_where_every_rule_is_kept_or_no_row_is():
    assert broken() == {}
    assert broken(GOOD, GOOD.replace("1,", "2,", 1)) == {}


@pytest.mark.parametrize(
    ("what", "instead", "rule"),
    [
        ("5, false", "-5, false", LEAVE),
        ("5, false", "null, false", LEAVE),
        ("'open'", "'closed'", STAGE_CLASS),
        ("false, false", "true, true", LAST),
        ("false, false", "null, false", LAST),
    ],
)
def test_a_rule_that_is_false_or_unknown_is_named_with_its_rows(what, instead, rule):
    rows = [GOOD.replace("1,", f"{number},", 1) for number in (1, 2, 3)]
    assert broken(rows[0], *(row.replace(what, instead) for row in rows[1:])) == {rule: 2}


def test_a_key_that_is_there_twice_is_counted_once_and_hides_no_other_rule():
    worse = GOOD.replace("'open'", "'closed'")
    assert broken(GOOD, GOOD, GOOD, worse.replace("1,", "2,", 1)) == {ONE_ROW: 1, STAGE_CLASS: 1}


def test_names_of_rules_are_said_once():
    names = [rule for test in TESTS.values() for rule in rules_of(test)]
    assert len(names) == len(set(names))
    assert sum(has_rules(test) for test in TESTS.values()) < len(names) / 2


# --- results --------------------------------------------------------------------------------------


def dbt_result(status: str, test: dict = VISITS) -> Node:
    """dbt's result of a test."""
    return Node(test["unique_id"], test["name"], "test", status, "words", 7, 1.0, test["test_metadata"])


@pytest.fixture
def shown(monkeypatch) -> list[list[str]]:
    """The commands by which failed tests are asked what they found: three rows break two rules."""
    commands: list[list[str]] = []

    def invoke(settings, arguments, hear):
        commands.append(arguments)
        return Outcome(True, "", [replace(dbt_result("success"), rows=[[LAST, 2], [STAGE_CLASS, 1]])])

    monkeypatch.setattr(dbt_runs, "_invoke", invoke)
    return commands


def test_every_rule_that_is_kept_passes(shown):
    build = dbt_runs.Build(None, PART)
    build._conclude(Outcome(True, "", [dbt_result("pass")]))
    assert [(r.name, r.status, r.failures) for r in build.results] == [
        (rule, "pass", 0) for rule in rules_of(VISITS)
    ]
    assert not shown


def test_a_build_that_fails_names_the_rules_that_broke(shown):
    build = dbt_runs.Build(None, PART)
    with pytest.raises(dbt_runs.DbtError) as error:
        build._conclude(Outcome(False, "", [dbt_result("fail")]))
    assert f"test {LAST}: 2 rows; test {STAGE_CLASS}: 1 rows" in str(error.value)
    assert LEAVE not in str(error.value)
    assert VISITS["name"] in shown[0]
    assert {r.name: (r.status, r.failures) for r in build.results} == {
        ONE_ROW: ("pass", 0),
        LEAVE: ("pass", 0),
        LAST: ("fail", 2),
        STAGE_CLASS: ("fail", 1),
    }


def test_a_test_that_dbt_cannot_run_is_named_itself(shown):
    build = dbt_runs.Build(None, PART)
    with pytest.raises(dbt_runs.DbtError, match=f"test {VISITS['name']}: words"):
        build._conclude(Outcome(False, "", [dbt_result("error")]))
