"""The report functions of a build on Postgres answer as DuckDB's do over the same marts.

Belongs here: asking Postgres. What is asked, and the comparison, is `function_proof.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import duckdb
import psycopg

from orchestration.engines import function_proof
from orchestration.engines.function_proof import Answer, call, difference, questions
from orchestration.engines.postgres_publication import NEXT


def unlike_answers(
    build: duckdb.DuckDBPyConnection, server: psycopg.Connection, manifest: Mapping[str, Any]
) -> list[str]:
    """Calls that the functions in `reports_next` answer otherwise than DuckDB's over the build's marts."""
    unlike = []
    for name, arguments in questions(build, manifest):
        asked = call(f"reports.{name}", arguments, "[{}]")
        expected = function_proof.answer(build, asked)
        there = call(f"reports{NEXT}.{name}", arguments, "array[{}]")
        if found := difference(expected, answer(server, there)):
            unlike.append(f"{asked}: {found}")
    return unlike


def answer(server: psycopg.Connection, asked: str) -> Answer:
    """Postgres' answer. Raises what Postgres raises, but for complaints about arguments."""
    try:
        with server.transaction():  # which a complaint would end
            cursor = server.execute(asked)
    except psycopg.errors.RaiseException as error:
        return Answer([], [], error.diag.message_primary)
    columns = [column[0] for column in cursor.description]
    return Answer(columns, [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()])
