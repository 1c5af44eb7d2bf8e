"""The rules of a table: one dbt test, `keeps_rules`, holds them; to people each is a check of its own.

Belongs here: which rules a test of dbt's manifest stands for. What a rule says stands in the YAML beside
the model, the test is `tests/dbt/generic/keeps_rules.sql`, and `dbt_runs.py` finds out which rule is broken.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TEST = "keeps_rules"


def rules_of(test: Mapping[str, Any]) -> list[str]:
    """Names of the rules that a test stands for; any other test stands for itself."""
    if not has_rules(test):
        return [test["name"]]
    arguments = test["test_metadata"]["kwargs"]
    return [*arguments.get("unique", {}), *arguments.get("rows", {})]


def has_rules(test: Mapping[str, Any]) -> bool:
    """Whether a test is one of a table's rules."""
    return (test.get("test_metadata") or {}).get("name") == TEST
