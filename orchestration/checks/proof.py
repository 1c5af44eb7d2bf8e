"""The whole proof of a build: all invariants, and the marts of a sample against the slow computations.

Belongs here: what is run, side by side, and in which order the results come. Of a small build most of
the time goes into planning calls of report functions, and into the slow computations in Python, which
keep one core busy each; so they run beside each other.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import duckdb

from orchestration.checks import Invariant, Result, invariants, run_invariants
from orchestration.checks.reference_sample import compare_with_references, reference_invariants
from orchestration.compiled import Project
from orchestration.ingest.values import literal


def laws(models: Iterable[str]) -> list[Invariant]:
    """Everything that `prove` proves of a project with these dbt models."""
    return [*invariants(), *reference_invariants(set(models))]


def prove(connection: duckdb.DuckDBPyConnection, project: Project) -> list[Result]:
    """Prove the build in the connection's default database; one result per law.

    `project` is the project as dbt compiled it for this build. Needs the build committed, since it
    is read by several connections.
    """
    of_functions = {law.name for law in invariants() if _calls_functions(law)}
    of_tables = {law.name for law in invariants()} - of_functions

    with _beside(connection) as one, _beside(connection) as two, ThreadPoolExecutor(max_workers=2) as pool:
        functions = pool.submit(run_invariants, one, of_functions)
        tables_and_sample = pool.submit(_prove_tables_and_sample, two, of_tables, project)
        results = functions.result() + tables_and_sample.result()
    by_name = {result.invariant.name: result for result in results}
    return [by_name[law.name] for law in laws(project.nodes)]


def _prove_tables_and_sample(
    connection: duckdb.DuckDBPyConnection, names: Collection[str], project: Project
) -> list[Result]:
    return run_invariants(connection, names) + compare_with_references(connection, project)


def _calls_functions(law: Invariant) -> bool:
    return bool(re.search(r"\breports\.\w+\(|\bproof_answers_", law.sql))


@contextmanager
def _beside(connection: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    """A second connection to the same databases, with the same names, and time zone."""
    with connection.cursor() as cursor:
        for setting in ("search_path", "TimeZone"):
            (value,) = connection.execute(f"select current_setting('{setting}')").fetchone()
            cursor.execute(f"set {setting} = {literal(value)}")
        yield cursor
