"""The report functions of a build on Spark answer as DuckDB's do over the same marts.

Belongs here: asking Spark. What is asked, and the comparison, is `function_proof.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import duckdb

from orchestration.engines import function_proof
from orchestration.engines.function_proof import WAYS, Answer, call, difference, questions
from orchestration.engines.spark_process import SparkError, SparkSession

_PATIENCE = 60
"""Seconds for one answer: a function that takes longer is of no use to readers, and would hold up the run."""
# Spark puts a query of a WITH wherever it is named, and so whatever that one names. The functions that it
# answers come to 43 to 355 tables that way, these to 2,643, 635 and 400; the last takes 80 s of two cores'
# time. Marking queries with rand(), so that Spark leaves them in place, it refuses beside conditions on them.
NOT_ASKED = {
    "deal_funnel": "Spark has no memory for its plan",
    "lead_journey": "Spark takes minutes to plan it",
    "quota_attainment": "Spark takes more than a minute for it",
}
_COMPLAINT = re.compile(r"\[USER_RAISED_EXCEPTION\] (.*?) SQLSTATE: P0001", re.DOTALL)


def create_proven(
    build: duckdb.DuckDBPyConnection,
    spark: SparkSession,
    manifest: Mapping[str, Any],
    definitions: Mapping[str, str],
    database: str,
) -> dict[str, str]:
    """Create functions in a database and ask them; by its name, why one of them must not be published.

    Those that it cannot answer (`NOT_ASKED`), that it refuses to create or to run, and those that answer
    otherwise than DuckDB's over the build's marts, are not there afterwards. Spark takes seconds to plan one,
    so each is asked in one way, that with most arguments.
    """
    refused: dict[str, str] = dict(NOT_ASKED)
    for name, arguments in questions(build, manifest, WAYS[-1:]):
        if name in refused:
            continue
        asked = call(f"reports.{name}", arguments, "[{}]")
        expected = function_proof.answer(build, asked)
        try:
            spark.execute(f"create or replace function {database}.{definitions[name]}")
            actual = answer(spark, call(f"{database}.{name}", arguments, "array({})", "=>"))
        except SparkError as error:
            refused[name] = str(error)
        else:
            if found := difference(_in_one_order(expected, expected), _in_one_order(actual, expected)):
                refused[name] = f"{asked}: {found}"
        if name in refused:
            spark.execute(f"drop function if exists {database}.{name}")
    return refused


def answer(spark: SparkSession, asked: str) -> Answer:
    """Spark's answer. Raises SparkError, but for complaints about arguments."""
    try:
        found = spark.execute(asked, _PATIENCE)
    except SparkError as error:
        if complaint := _COMPLAINT.search(str(error)):
            return Answer([], [], complaint[1])
        if "cancelled" in str(error):
            raise SparkError(f"no answer within {_PATIENCE} s") from None
        raise
    return Answer(found.columns, [dict(zip(found.columns, row, strict=True)) for row in found.rows])


def _in_one_order(found: Answer, expected: Answer) -> Answer:
    """The answer with its rows ordered by what both engines have exactly: Spark's functions have no order."""

    def key(row: Mapping[str, Any]) -> list[str]:
        exact = [column for column in expected.columns if not isinstance(row.get(column), float)]
        return [f"{column} {row.get(column)}" for column in exact]

    return Answer(found.columns, sorted(found.rows, key=key), found.problems)
