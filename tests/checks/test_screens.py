"""Screens: they tell in one pass what the law itself tells key by key."""

from __future__ import annotations

import random

import duckdb
import pytest

from orchestration import checks
from orchestration.checks import Invariant, equal_sums, invariants, run_invariants
from tests.checks.planting import Plot

SUMS = {"by": "day, name", "measures": "row_count, amount"}
ROWS = """
    select date '2026-01-01' + day as day, name, row_count, amount
    from (values {rows}) as side (day, name, row_count, amount)
"""


@pytest.fixture
def connection():
    with duckdb.connect() as connection:
        yield connection


def rows(*given: tuple) -> str:
    """A side of a law: (day, name, count, amount) each."""
    written = ", ".join(
        "("
        + ", ".join("null" if value is None else repr(value) for value in (day, name, count))
        + f", cast({'null' if amount is None else amount} as decimal(38, 2)))"
        for day, name, count, amount in given
    )
    return ROWS.format(rows=written)


def outcome(connection: duckdb.DuckDBPyConnection, left: str, right: str) -> tuple[bool, bool]:
    """Whether the law, and whether its screen, finds the sides to be unlike."""
    law = equal_sums(left, right, **SUMS)
    found = connection.execute(law["sql"]).fetchall()
    (numbers,) = connection.execute(law["screen"]).fetchall()
    return bool(found), any(numbers)


@pytest.mark.parametrize(
    ("left", "right", "unlike"),
    [
        ([(1, "a", 2, 5), (2, "b", 1, 7)], [(2, "b", 1, 7), (1, "a", 1, 3), (1, "a", 1, 2)], False),
        ([(1, "a", 1, 5), (2, "a", 1, 5)], [(1, "a", 2, 10)], True),  # all in all the same
        ([(1, "a", 1, 5), (2, "b", 1, 7)], [(1, "a", 1, 7), (2, "b", 1, 5)], True),  # exchanged
        ([(1, None, 1, 5)], [(1, None, 1, 5)], False),
        ([(1, "a", None, None)], [(2, "b", 0, 0)], False),  # P13: what is missing counts as zeros
        ([(1, "a", 1, "0.01")], [(1, "a", 1, 0)], True),
        ([(1, "a", 1, "999999999999999999.99")], [(1, "a", 1, "999999999999999999.98")], True),
    ],
)
def test_sides_are_screened_as_they_are_compared(connection, left, right, unlike):
    assert outcome(connection, rows(*left), rows(*right)) == (unlike, unlike)


@pytest.mark.parametrize("seed", range(30))
def test_screen_and_law_agree_on_random_sides(connection, seed):
    chance = random.Random(seed)

    def side() -> list[tuple]:
        return [
            (chance.randrange(2), chance.choice(["a", None]), chance.randrange(2), chance.randrange(2))
            for _ in range(chance.randrange(1, 4))
        ]

    law, screen = outcome(connection, rows(*side()), rows(*side()))
    assert law == screen


def test_many_laws_have_a_screen_and_each_can_be_asked(plot: Plot):
    screened = [law for law in invariants() if law.screen]
    assert len(screened) > 100
    # Asked anew: the relations that the screens read may be those of another test's laws.
    results = run_invariants(plot.connection, [law.name for law in screened])
    assert not [str(result) for result in results if not result.passed]
    for law in screened:  # a screen that fails would only be slow, so nobody would see it
        numbers = plot.connection.execute(law.screen).fetchall()
        assert not any(number for row in numbers for number in row), law.name


def law_of(**parts: str) -> Invariant:
    return Invariant(name="law", report="fct_deals", words="…", **parts)


def test_a_law_is_asked_only_where_its_screen_is_not_clear(plot: Plot, monkeypatch):
    broken = "select 1 as id"
    for screen, passed in [("select 0, null", True), ("select 0, 1", False), ("", False)]:
        monkeypatch.setattr(checks, "invariants", lambda screen=screen: (law_of(sql=broken, screen=screen),))
        (result,) = run_invariants(plot.connection)
        assert result.passed == passed


def test_sums_too_large_to_be_screened_are_compared(plot: Plot, monkeypatch):
    huge = "select 1 as key, cast('99999999999999999999999999999999999' as decimal(38, 0)) as amount"
    law = law_of(**equal_sums(huge, huge, by="key", measures="amount"))
    with pytest.raises(duckdb.OutOfRangeException):
        plot.connection.execute(law.screen)
    monkeypatch.setattr(checks, "invariants", lambda: (law,))
    assert run_invariants(plot.connection)[0].passed


def test_a_screen_that_cannot_run_breaks_its_law(plot: Plot, monkeypatch):
    law = law_of(sql="select 1 as id where false", screen="select 0 from nowhere")
    monkeypatch.setattr(checks, "invariants", lambda: (law,))
    (result,) = run_invariants(plot.connection)
    assert result.blocks
    assert "nowhere" in result.sample[0]["error"]
