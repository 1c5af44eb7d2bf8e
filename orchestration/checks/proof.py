"""The proof of a build: all invariants, and the marts of a sample against the slow computations.

Belongs here: what is run of a whole build and of a night, side by side, and in which order the results
come. Of a small build most of the time goes into planning calls of report functions, and into the slow
computations in Python, which keep one core busy each; so they run beside each other.

A whole build is proven whole. A night goes on from a proven build, by the same code (`plan.py`), and what
it did not compute is as it was proven. So of it are proven

    laws that hold record by record        of the changed records
    laws of the days of report 17          of today and a few days, other ones each night
    laws of sums, and all other warnings   of all rows
    report functions                       by one answer each, the total of the last quarter
    the slow computations                  on a smaller sample, changed records first

and the other laws about functions keep the verdict of the last whole build, which the result names: it
is a week old at most, and the functions and their laws are the same to the letter.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb

from orchestration.checks import (
    Invariant,
    Result,
    create_relations,
    invariants,
    kept_warnings,
    needed_relations,
    run_invariants,
    set_variables,
)
from orchestration.checks.changed import run_of_changed
from orchestration.checks.reference_sample import (
    OF_A_NIGHT,
    compare_with_references,
    reference_invariants,
)
from orchestration.checks.universal_functions import asks_in_all, calls_functions
from orchestration.compiled import Project
from orchestration.ingest.values import literal


def laws(models: Iterable[str]) -> list[Invariant]:
    """Everything that `prove` proves of a project with these dbt models."""
    return [*invariants(), *reference_invariants(set(models))]


@dataclass(frozen=True)
class Parts:
    """The names of the invariants, each in one part of a proof."""

    functions: set[str]
    """Those of all rows that ask functions."""
    tables: set[str]
    """Those of all rows that do not."""
    changed: set[str]
    """Those of changed records."""
    kept: set[str]
    """Warnings whose violations are kept."""
    carried: set[str]
    """Those that are not run."""


def parts(of_a_night: bool) -> Parts:
    """Which invariants are run how, of a whole build or of a night."""
    found = invariants()
    by_record = {law.name for law in found if law.by}
    kept = {law.name for law in found if law.by and not law.blocking}
    functions = {law.name for law in found if calls_functions(law)}
    carried = {law.name for law in found if calls_functions(law) and law.blocking and not asks_in_all(law)}
    if not of_a_night:
        by_record, carried = kept, set()
    return Parts(
        functions=functions - carried,
        tables={law.name for law in found} - functions - by_record,
        changed=by_record if of_a_night else set(),
        kept=set() if of_a_night else kept,
        carried=carried,
    )


def prove(
    connection: duckdb.DuckDBPyConnection, project: Project, proven_with: str | None = None
) -> list[Result]:
    """Prove the build in the connection's default database; one result per law.

    `project` is the project as dbt compiled it for this build; `proven_with`, of a night, the last build that
    was proven whole. Needs the build committed, since it is read by several connections.
    """
    by_kind = parts(of_a_night=proven_with is not None)
    with _beside(connection) as one, _beside(connection) as two, ThreadPoolExecutor(max_workers=2) as pool:
        functions = pool.submit(run_invariants, one, by_kind.functions)
        others = pool.submit(_prove_tables_and_sample, two, by_kind, project, proven_with)
        results = functions.result() + others.result()
    results += [
        Result(law, 0, [], 0.0, carried_from=proven_with or "")
        for law in invariants()
        if law.name in by_kind.carried
    ]
    by_name = {result.invariant.name: result for result in results}
    return [by_name[law.name] for law in laws(project.nodes)]


def _prove_tables_and_sample(
    connection: duckdb.DuckDBPyConnection, by_kind: Parts, project: Project, proven_with: str | None
) -> list[Result]:
    results = run_invariants(connection, by_kind.tables)
    results += _run_kept(connection, by_kind.kept)
    if proven_with is not None:
        results += run_of_changed(connection, by_kind.changed, proven_with)
    sample = {} if proven_with is None else OF_A_NIGHT
    return results + compare_with_references(connection, project, **sample)


def _run_kept(connection: duckdb.DuckDBPyConnection, names: Collection[str]) -> list[Result]:
    chosen = [law for law in invariants() if law.name in names]
    set_variables(connection)
    errors = create_relations(connection, needed_relations(chosen))
    return [kept_warnings.run_of_all(connection, law, errors) for law in chosen]


@contextmanager
def _beside(connection: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    """A second connection to the same databases, with the same names, and time zone."""
    with connection.cursor() as cursor:
        for setting in ("search_path", "TimeZone"):
            (value,) = connection.execute(f"select current_setting('{setting}')").fetchone()
            cursor.execute(f"set {setting} = {literal(value)}")
        yield cursor
