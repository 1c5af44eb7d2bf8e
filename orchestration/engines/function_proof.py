"""Questions to the report functions of an engine, and how its answers compare to DuckDB's.

Belongs here: what is asked before a build is published, and the comparison. The laws of `checks/` are
proven by DuckDB's functions on the marts that came back from the engine; what remains to be proven over
there is that its own functions say the same. How an engine is asked belongs to its module.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb

from orchestration.checks import VARIABLES
from orchestration.report_functions import function_nodes

# Ways in which every function is asked: everything in one row, and all that a row can be part of.
WAYS: tuple[dict[str, Any], ...] = (
    {"group_by": "none"},
    {"group_by": "team", "include_subteams": True, "bucket": "month", "cumulative": True},
)
_NEEDED = {"deal_funnel": ("pipelines", "one_pipeline"), "quota_attainment": ("goal", "one_goal")}


@dataclass(frozen=True)
class Answer:
    """What an engine says to a call: columns and rows, or what is wrong with the call."""

    columns: list[str]
    rows: list[dict[str, Any]]
    problems: str = ""


def report_functions(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The nodes of the functions that users call."""
    nodes = function_nodes(manifest)
    return [node for node in nodes if not node["config"]["meta"]["function"].get("is_helper")]


def questions(
    build: duckdb.DuckDBPyConnection, manifest: Mapping[str, Any], ways: Sequence[Mapping[str, Any]] = WAYS
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Names of functions with arguments: each function is asked about the account's last full fiscal
    quarter; complaints are answers too."""
    known = {name: build.execute(query).fetchone()[0] for name, query in _scalars(build)}
    for node in report_functions(manifest):
        for way in ways:
            yield node["name"], _arguments(node, way, known)


def _scalars(build: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, str]]:
    """What laws ask about, set as variables on the way, since one is read by the next."""
    for name, query in VARIABLES.items():
        build.execute(f"set variable {name} = ({query})")
        yield name, f"select getvariable('{name}')"


def _arguments(node: Mapping[str, Any], way: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    meta = node["config"]["meta"]
    found = {"date_from": known["quarter_start"], "date_to": known["quarter_end"]}
    found |= {name: value for name, value in way.items() if name not in meta.get("not_offered", [])}
    if node["name"] in _NEEDED:
        argument, variable = _NEEDED[node["name"]]
        value = known[variable]
        found[argument] = [value] if argument == "pipelines" else value
    return {name: value for name, value in found.items() if value is not None}


# --- a call on either engine ----------------------------------------------------------------------


def call(function: str, arguments: Mapping[str, Any], array: str, named: str = ":=") -> str:
    """The call in SQL; lists are written as the engine has them: `array` is `array[{}]` or `[{}]`."""

    def written(value: object) -> str:
        if isinstance(value, list):
            return array.format(", ".join(map(written, value)))
        if isinstance(value, bool):
            return str(value).lower()
        return f"date '{value}'" if isinstance(value, date) else "'" + str(value).replace("'", "''") + "'"

    given = ", ".join(f"{name} {named} {written(value)}" for name, value in arguments.items())
    return f"select * from {function}({given})"


def answer(build: duckdb.DuckDBPyConnection, asked: str) -> Answer:
    """DuckDB's answer. Raises what DuckDB raises, but for complaints about arguments."""
    try:
        cursor = build.execute(asked)
    except duckdb.InvalidInputException as error:
        return Answer([], [], str(error).partition(": ")[2])
    columns = [column[0] for column in cursor.description]
    return Answer(columns, [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()])


def difference(expected: Answer, actual: Answer) -> str:
    """What an engine's answer has otherwise than DuckDB's, '' where nothing is.

    Columns that DuckDB leaves out are NULL there; all others are equal, in the same order of rows.
    An engine that sees that there are no rows, in an empty range say, need not get round to complaining.
    """
    if expected.problems != actual.problems:
        both_complain = expected.problems and actual.problems
        if both_complain or expected.rows or actual.rows:
            return f"{actual.problems!r} instead of {expected.problems!r}"
        return ""
    if missing := set(expected.columns) - set(actual.columns):
        return f"no columns {sorted(missing)}"
    if len(expected.rows) != len(actual.rows):
        return f"{len(actual.rows)} rows instead of {len(expected.rows)}"
    for number, (one, other) in enumerate(zip(expected.rows, actual.rows, strict=True)):
        for column, value in other.items():
            if not _is_equal(one.get(column), value):
                return f"row {number}, {column}: {value!r} instead of {one.get(column)!r}"
    return ""


def _is_equal(one: object, other: object) -> bool:
    if isinstance(one, float) and other is not None:
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)
    return one == other
