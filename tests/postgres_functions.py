"""Random calls of report functions: what can be asked of one, read off its manifest node.

Belongs here: the choice of arguments. Asking both engines and comparing what they say is done by
`orchestration/engines/function_proof.py`; on which CRMs, by the tests.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import duckdb

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
