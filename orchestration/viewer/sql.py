"""Values and names in SQL.

Belongs here: how a value that a person chose stands in a query. Nothing from outside gets into SQL
another way.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from orchestration.ingest.values import literal as text
from orchestration.ingest.values import quoted as name

__all__ = ["conditions", "literal", "name", "text"]


def literal(value: object) -> str:
    """A value of Python's as a literal; lists and tuples as lists of literals.

    Raises TypeError for a kind of value that no argument has.
    """
    match value:
        case None:
            return "NULL"
        case bool():
            return "true" if value else "false"
        case int() | Decimal():
            return str(value)
        case str():
            return text(value)
        case date():
            return f"date '{value.isoformat()}'"
        case list() | tuple():
            return f"[{', '.join(map(literal, value))}]"
    raise TypeError(f"{type(value).__name__} is no value of an argument")


def conditions(parts: Iterable[str]) -> str:
    """All of them at once; true if there are none."""
    return " and ".join(f"({part})" for part in parts) or "true"
