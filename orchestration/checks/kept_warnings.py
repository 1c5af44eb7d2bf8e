"""Violations of warnings that nights keep, so that their number is that of all records without reading all.

Belongs here: warnings that hold record by record (`Invariant.by`). A whole proof writes down which records
violate them; a night looks at the changed ones again. Blocking laws need none of it: nothing violates them
in a build that a night goes on from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from time import perf_counter

import duckdb

from orchestration.checks import Invariant, Result, run_law

KEPT = "audit.warned"
"""One row per violation: the law, and the id of the record."""


def run_of_all(connection: duckdb.DuckDBPyConnection, law: Invariant, errors: Mapping[str, str]) -> Result:
    """Run a warning over all records, and keep what violates it."""
    start = perf_counter()
    forget(connection, law)
    try:
        connection.execute(f"create or replace temp table violations as {law.sql}")
    except duckdb.Error:
        return run_law(connection, law, errors)
    _keep(connection, law)
    return _result(connection, law, "from violations", start)


def run_of_changed(
    connection: duckdb.DuckDBPyConnection, law: Invariant, errors: Mapping[str, str]
) -> Result:
    """Run a warning over the rows of changed records, which the connection has in place of all
    (`changed.py`), and count all violations."""
    start = perf_counter()
    connection.execute(f"delete from {KEPT} where law = ? and id in (from changed_{law.by})", [law.name])
    try:
        connection.execute(f"create or replace temp table violations as {law.sql}")
    except duckdb.Error:
        return run_law(connection, law, errors)
    _keep(connection, law)
    return _result(connection, law, f"select id from {KEPT} where law = '{law.name}'", start)


def forget(connection: duckdb.DuckDBPyConnection, law: Invariant) -> None:
    """Keep nothing of a law."""
    connection.execute("create schema if not exists audit")
    connection.execute(f"create table if not exists {KEPT} (law varchar, id varchar)")
    connection.execute(f"delete from {KEPT} where law = ?", [law.name])


def _keep(connection: duckdb.DuckDBPyConnection, law: Invariant) -> None:
    connection.execute(f"insert into {KEPT} select ?, cast(id as varchar) from violations", [law.name])


def _result(connection: duckdb.DuckDBPyConnection, law: Invariant, violations: str, start: float) -> Result:
    result = run_law(connection, replace(law, sql=violations, screen=""))
    return replace(result, invariant=law, seconds=perf_counter() - start)
