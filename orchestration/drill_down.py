"""Which records stand behind a number of a report (U4).

Belongs here: reading a report's `drill_down` from its YAML and making SQL of it, for the mart and
for the report function with its switches. The viewer and the tests use it. The predicates
themselves stand in the YAML, beside the measures they are about; nothing is computed here.

In `config.meta.report` of the mart:
  population   predicate of the records that the mart is made of, if not all of the relation
  drill_down   for each measure: `relation` and `id` of the records, `where` they count in the
               measure, `value` that is summed (a count has none), and `keys`, the relation's own
               names or expressions for columns of the mart
In `config.meta.arguments` of the function, for each argument that is no mere filter of a column:
  where          predicate per value, none for NULL; takes the place of the population
  keys           per value, other columns of the relation for columns of the mart
  not_drillable  values for which no list of records can be given, such as parts of records
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class DrillDown:
    """The records behind one measure."""

    relation: str
    id: str
    where: str
    value: str | None = None
    keys: Mapping[str, str] = field(default_factory=dict)

    def column(self, name: str) -> str:
        """The relation's expression for a column of the mart."""
        return self.keys.get(name, name)

    def records_sql(self, conditions: Iterable[str] = ()) -> str:
        """SQL of the distinct ids, as `record_id`, where all `conditions` hold."""
        predicate = " and ".join(f"({condition})" for condition in (self.where, *conditions))
        return f"select distinct {self.id} as record_id from {self.relation} where {predicate}"


def mart_drill_down(report: Mapping[str, Any], measure: str) -> DrillDown:
    """The records behind a measure of the mart. `report` is its `config.meta.report`."""
    return _drill_down(report["drill_down"][measure], [report.get("population", "true")], {})


def function_drill_down(
    report: Mapping[str, Any],
    function: Mapping[str, Any],
    measure: str,
    given: Mapping[str, Any],
) -> DrillDown | None:
    """The records behind a measure of the report function, called with the arguments `given`.

    `function` is the function's `config.meta`. None if the records cannot be listed.
    """
    predicates: list[str] = []
    keys: dict[str, str] = {}
    for name, default in function["function"]["arguments"].items():
        described = function.get("arguments", {}).get(name, {})
        value = given.get(name, default[0] if isinstance(default, list) else None)
        if value in described.get("not_drillable", ()):
            return None
        if "where" in described:
            predicates.append("true" if value is None else described["where"][value])
        keys |= described.get("keys", {}).get(value, {})
    return _drill_down(report["drill_down"][measure], predicates or [report.get("population", "true")], keys)


def _drill_down(measure: Mapping[str, Any], predicates: list[str], keys: Mapping[str, str]) -> DrillDown:
    return DrillDown(
        relation=measure["relation"],
        id=measure["id"],
        where=" and ".join(f"({predicate})" for predicate in (measure["where"], *predicates)),
        value=measure.get("value"),
        keys={**measure.get("keys", {}), **keys},
    )
