"""What the YAML of a report (`config.meta.report`) says about its mart, as the laws read it.

Belongs here: the definitions of all marts. What follows from them stands in `universal.py` for the
marts and in `universal_functions.py` for their functions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import yaml

from orchestration.settings import PROJECT_ROOT

# Measures that count things of which several cells may have the same.
DISTINCT_MEASURES = {"rpt_prospecting_sequences": {"contact_count"}}


@dataclass(frozen=True)
class Definition:
    """What the YAML of a report says about its mart."""

    mart: str
    grain: tuple[str, ...]
    measures: tuple[str, ...]
    columns: tuple[str, ...]
    population: str
    """SQL predicate of the records that the mart counts at all."""
    drill_down: dict[str, dict] = field(default_factory=dict)

    @property
    def function(self) -> str:
        return self.mart.removeprefix("rpt_")

    @property
    def dates(self) -> list[str]:
        return [column for column in self.grain if column.endswith("_date")]

    @property
    def additive(self) -> list[str]:
        distinct = DISTINCT_MEASURES.get(self.mart, set())
        return [measure for measure in self.measures if measure not in distinct]


@cache
def definitions(models: Path = PROJECT_ROOT / "models" / "marts") -> tuple[Definition, ...]:
    """The definitions of all marts, by name."""
    found = []
    for path in sorted(models.glob("*/rpt_*.yml")):
        for model in yaml.load(path.read_text(), Loader=yaml.CSafeLoader)["models"]:
            report = model.get("config", {}).get("meta", {}).get("report")
            if report is not None:
                found.append(
                    Definition(
                        mart=model["name"],
                        grain=tuple(report["grain"]),
                        measures=tuple(report.get("measures", ())),
                        columns=tuple(column["name"] for column in model["columns"]),
                        population=report.get("population", "true"),
                        drill_down=report.get("drill_down", {}),
                    )
                )
    return tuple(sorted(found, key=lambda definition: definition.mart))
