"""Random calls of report functions on both engines, and how their answers differ.

Belongs here: what can be asked of a function, read off its manifest node, and the comparison. On which
CRMs they are asked is said by the tests.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import duckdb
import psycopg

from orchestration.report_functions import function_nodes

NAMES = {
    "owners": ("core.dim_owners", "owner_id", "owner_name"),
    "teams": ("core.dim_teams", "team_id", "team_name"),
    "pipelines": ("core.dim_pipelines", "pipeline_id", "pipeline_label"),
}
ONE_PIPELINE = {"deal_funnel"}
ONE_NAME = {"goal"}  # arguments that take a name, not a list of them


class Asker:
    """Random arguments for one function of one CRM."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, node: Mapping[str, Any], seed: object) -> None:
        self._connection, self._node = connection, node
        self._meta = node["config"]["meta"]
        self._random = random.Random(f"{seed} {node['name']}")
        (self._today,) = connection.execute("select run_date from core.build_info").fetchone()

    def arguments(self) -> dict[str, Any]:
        """Arguments that are allowed, each of them left out now and then."""
        chance, function = self._random, self._meta["function"]
        begin = self._today - timedelta(days=chance.choice([0, 1, 20, 90, 200, 430]))
        found: dict[str, Any] = {
            "date_from": begin,
            "date_to": begin + timedelta(days=chance.choice([0, 1, 7, 31, 92, 366, 550])),
            "group_by": chance.choice(function["group_by"]),
            "include_subteams": chance.random() < 0.5,
            "bucket": chance.choice([None, None, "day", "week", "month", "quarter", "year"]),
            "cumulative": chance.random() < 0.3,
        }
        if (found["date_to"] - begin).days > 100 and found["bucket"] == "day":
            found["bucket"] = "week"
        for name, source in NAMES.items():
            if (name != "pipelines" or function["has_pipelines"]) and chance.random() < 0.4:
                found[name] = self._names(*source)
        if self._node["name"] in ONE_PIPELINE:
            found["pipelines"] = self._names(*NAMES["pipelines"], most=1)
        for name, allowed in function["arguments"].items():
            if chance.random() < 0.7:
                found[name] = self._value(name, allowed)
        if found.get("close_from") and found.get("close_to"):
            found["close_from"], found["close_to"] = sorted((found["close_from"], found["close_to"]))
        left_out = self._meta.get("not_offered", [])
        return {name: value for name, value in found.items() if value is not None and name not in left_out}

    def _value(self, name: str, allowed: object) -> object:
        chance, texts = self._random, self._meta.get("arguments", {}).get(name, {})
        if isinstance(allowed, Mapping):
            return chance.sample(allowed["each_of"], chance.randint(1, len(allowed["each_of"])))
        if isinstance(allowed, Sequence) and not isinstance(allowed, str):
            return chance.choice(allowed)
        if isinstance(allowed, bool) or texts.get("type") == "boolean":
            return chance.random() < 0.5
        if texts.get("type") == "date":
            return self._today + timedelta(days=chance.randint(-300, 200))
        if choices := texts.get("choices"):
            relation = f"(from {choices['relation']} where {choices.get('where', 'true')})"
            names = self._names(relation, choices["id"], choices["label"], most=1 if name in ONE_NAME else 3)
            return names[0] if names and name in ONE_NAME else names
        return None

    def _names(self, relation: str, id_: str, label: str, most: int = 3) -> list[str] | None:
        """Some ids, or labels that are one id's."""
        rows = self._connection.execute(
            f"select {id_}, case when count(distinct {id_}) over (partition by {label}) = 1 then {label} end "
            f"from (select distinct {id_}, {label} from {relation}) where {id_} is not null order by all"
        ).fetchall()
        chosen = self._random.sample(rows, min(len(rows), self._random.randint(1, most)))
        return [label or id_ if self._random.random() < 0.5 else id_ for id_, label in chosen] or None


def call(function: str, arguments: Mapping[str, Any], array: str) -> str:
    """The call in SQL; lists are written as the engine has them: `array` is `array[{}]` or `[{}]`."""

    def written(value: object) -> str:
        if isinstance(value, list):
            return array.format(", ".join(map(written, value)))
        if isinstance(value, bool):
            return str(value).lower()
        return f"date '{value}'" if isinstance(value, date) else "'" + str(value).replace("'", "''") + "'"

    given = ", ".join(f"{name} := {written(value)}" for name, value in arguments.items())
    return f"select * from {function}({given})"


def difference(expected: Answer, actual: Answer) -> str:
    """What is not the same: columns that DuckDB leaves out are NULL on Postgres, all others are equal, in
    the same order of rows; '' where all is."""
    if expected.problems != actual.problems:
        return f"{actual.problems!r} instead of {expected.problems!r}"
    if missing := set(expected.columns) - set(actual.columns):
        return f"no columns {sorted(missing)}"
    if len(expected.rows) != len(actual.rows):
        return f"{len(actual.rows)} rows instead of {len(expected.rows)}"
    for number, (one, other) in enumerate(zip(expected.rows, actual.rows, strict=True)):
        for column, value in other.items():
            if not is_equal(one.get(column), value):
                return f"row {number}, {column}: {value!r} instead of {one.get(column)!r} (DuckDB: {one})"
    return ""


def is_equal(one: object, other: object) -> bool:
    if isinstance(one, float) and other is not None:
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)
    return one == other


@dataclass(frozen=True)
class Answer:
    """What an engine says to a call: columns and rows, or what is wrong with the call."""

    columns: list[str]
    rows: list[dict[str, Any]]
    problems: str = ""


def answer(connection: Any, asked: str) -> Answer:
    """An engine's answer; both name the same problems in the same words."""
    try:
        cursor = connection.execute(asked)
    except duckdb.InvalidInputException as error:
        return Answer([], [], str(error).partition(": ")[2])
    except psycopg.errors.RaiseException as error:
        return Answer([], [], error.diag.message_primary)
    columns = [column[0] for column in cursor.description]
    return Answer(columns, [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()])


def report_functions(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The nodes of the functions that users call."""
    nodes = function_nodes(manifest)
    return [node for node in nodes if not node["config"]["meta"]["function"].get("is_helper")]
