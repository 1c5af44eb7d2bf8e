"""Planted errors: small changes to a finished build, undone afterwards.

Belongs here: the ground on which each invariant is seen to fail. Which error is planted for which
invariant stands in the test of its collection.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from orchestration.checks import Invariant, Result, run_invariants
from tests.harness import Build


@dataclass(frozen=True)
class WrongAnswer:
    """An error planted in a report function: its column is `expression`, over what it was."""

    function: str
    column: str
    expression: str


Plant = str | WrongAnswer
"""SQL statements that change the build's tables, or a function that answers something else."""


class Plot:
    """A build in which everything is right, until something is planted."""

    def __init__(self, build: Build) -> None:
        self.build = build
        self.connection = build.connection

    def result(self, name: str) -> Result:
        """What comes of one invariant."""
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
        return (
            f"{head} as table\nwith answer as (\n{body}\n)\n"
            f"select * replace ({plant.expression} as {plant.column}) from answer"
        )


def assert_fails_on_its_plant(
    plot: Plot, invariant: Invariant, plants: Mapping[str, Plant]
) -> None:
    """The invariant holds on the build, and no longer with its error in it."""
    before = plot.result(invariant.name)
    assert before.passed, str(before)
    with plot.planted(plants[invariant.name]):
        after = plot.result(invariant.name)
    assert not after.passed, f"{invariant.name} does not see: {plants[invariant.name]}"
    assert after.ids != ["error"], f"{invariant.name} did not find the error but broke: {after}"
    assert after.blocks == invariant.blocking
