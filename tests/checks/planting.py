"""Planted errors: small changes to a finished build, undone afterwards.

Belongs here: the ground on which each invariant is seen to fail. Which error is planted for which
invariant stands in the test of its collection.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

from orchestration.checks import Invariant, Result, run_invariants
from tests.harness import Build


@dataclass(frozen=True)
class WrongAnswer:
    """An error planted in a report function: it answers `select`, over `answer`, what it was."""

    function: str
    select: str


def wrong_column(function: str, column: str, expression: str) -> WrongAnswer:
    """A report function with another expression in one of its columns."""
    return WrongAnswer(function, f"select * replace ({expression} as {column}) from answer")


Plant = str | WrongAnswer
"""SQL statements that change the build's tables, or a function that answers something else."""


class Plot:
    """A build in which everything is right, until something is planted.

    Marts that are views become tables: an error in them is one of their rows, whatever it came from.
    """

    def __init__(self, build: Build) -> None:
        self.build = build
        self.connection = build.connection
        views = self.connection.execute(
            "select view_name from duckdb_views() where schema_name = 'reports' and not internal"
        ).fetchall()
        for (view,) in views:
            self.connection.execute(f"create temp table rows_of_view as from reports.{view}")
            self.connection.execute(f"drop view reports.{view}")
            self.connection.execute(f"create table reports.{view} as from rows_of_view")
            self.connection.execute("drop table rows_of_view")

    @cached_property
    def before(self) -> dict[str, Result]:
        """What comes of each invariant while nothing is planted."""
        return {result.invariant.name: result for result in run_invariants(self.connection)}

    def result(self, name: str) -> Result:
        """What comes of one invariant now."""
        (result,) = run_invariants(self.connection, [name])
        return result

    @contextmanager
    def planted(self, plant: Plant) -> Iterator[None]:
        """The build with an error in it."""
        self.connection.execute("begin")
        try:
            self.connection.execute(self._statements(plant))
            yield
        finally:
            self.connection.execute("rollback")

    def _statements(self, plant: Plant) -> str:
        if isinstance(plant, str):
            return plant
        head, body = self.build.project.nodes[plant.function].statement.split(" as table\n", 1)
        return f"{head} as table\nwith answer as (\n{body}\n)\n{plant.select}"


def assert_fails_on_its_plant(plot: Plot, invariant: Invariant, plants: Mapping[str, Plant]) -> None:
    """The invariant holds on the build, and no longer with its error in it."""
    assert plot.before[invariant.name].passed, str(plot.before[invariant.name])
    with plot.planted(plants[invariant.name]):
        after = plot.result(invariant.name)
    assert not after.passed, f"{invariant.name} does not see: {plants[invariant.name]}"
    assert after.ids != ["error"], f"{invariant.name} did not find the error but broke: {after}"
    assert after.blocks == invariant.blocking


@contextmanager
def spoilt(plot: Plot, tables: Iterable[str], statements: str) -> Iterator[None]:
    """An error planted without a transaction, for whatever reads or writes several databases."""
    execute = plot.connection.execute
    kept = {table: f"kept_{number}" for number, table in enumerate(tables)}
    for table, copy in kept.items():
        execute(f"create or replace temp table {copy} as from {table}")
    execute(statements)
    try:
        yield
    finally:
        for table, copy in kept.items():
            execute(f"delete from {table}; insert into {table} from {copy}")
