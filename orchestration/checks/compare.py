"""Do two sides hold the same rows? Used by the nightly proof and by tests.

Belongs here: matching rows by key and telling in one line how a pair differs. Where the rows come
from does not belong here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

Row = dict[str, object]
TOLERANCE = 1e-9  # of floating-point columns, relative (K13)


def row_differences(actual: list[Row], expected: list[Row], measures: Iterable[str]) -> list[dict[str, str]]:
    """One dict per row that is on one side only or differs: `id`, its key, and `difference`.

    Rows are matched by all columns of `expected` but `measures`. Columns that only `actual` has are
    not looked at. Decimals are compared exactly. Rows that agree in all but their measures are
    matched in the order of these, so that one row too many is seen.
    Raises ValueError if `actual` lacks a column of `expected`.
    """
    if not expected:
        return [{"id": _text(row), "difference": "no such row expected"} for row in actual]
    columns = list(expected[0])
    if actual and (missing := set(columns) - set(actual[0])):
        raise ValueError(f"columns missing: {sorted(missing)}")
    values = [column for column in columns if column in set(measures)]
    keys = [column for column in columns if column not in values]
    theirs, ours = _by_key(actual, keys, values), _by_key(expected, keys, values)
    found = []
    for key in sorted(ours.keys() | theirs.keys(), key=str):
        difference = _difference(theirs.get(key), ours.get(key), values)
        if difference:
            found.append({"id": _text(dict(zip(keys, key, strict=False))), "difference": difference})
    return found


def _by_key(rows: list[Row], keys: list[str], values: list[str]) -> dict[tuple, Row]:
    """Rows by key; a key that comes again gets the next number."""
    found: dict[tuple, Row] = {}
    for row in sorted(rows, key=lambda row: [str(row[value]) for value in values]):
        key, number = tuple(row[column] for column in keys), 0
        while (*key, number) in found:
            number += 1
        found[(*key, number)] = row
    return found


def _difference(actual: Row | None, expected: Row | None, values: list[str]) -> str:
    if actual is None:
        return f"row missing: {_text({v: expected[v] for v in values})}"
    if expected is None:
        return f"no such row expected: {_text({v: actual[v] for v in values})}"
    return ", ".join(
        f"{value} is {actual[value]}, expected {expected[value]}"
        for value in values
        if not _same(actual[value], expected[value])
    )


def _same(actual: object, expected: object) -> bool:
    if isinstance(actual, float) and expected is not None:
        return math.isclose(actual, float(expected), rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return actual == expected


def _text(row: Row) -> str:
    return ", ".join(f"{name}={value}" for name, value in row.items())
