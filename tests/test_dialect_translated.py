"""Macros of engines that are not here, as far as sqlglot translates them back to DuckDB's SQL.

A translation proves little where it is wrong in the same way as the macro; it finds slips: a factor that is
forgotten, a week that begins on another day. What it cannot translate is named here.

Belongs here: Snowflake, BigQuery and Trino. Spark's macros are Databricks', and run for themselves.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime

import duckdb
import pytest
import sqlglot
from sqlglot.errors import ErrorLevel

from tests.test_dialect import Values, cases, rendered, with_from

# Macros of which sqlglot's translation says something else, with the reason.
NOT_TRANSLATED = {
    "snowflake": {
        "split_to_rows": "lateral flatten becomes no SQL",
        "days_between": "lateral flatten becomes no SQL",
    },
    "bigquery": {
        "epoch_ms": "DuckDB's function of the name rounds to the nearest",
        "iso_weekday": "DuckDB counts days of a week from 0",
        "decimal_type": "BIGNUMERIC becomes DECIMAL(38, 5)",
        "number_text": "BIGNUMERIC becomes DECIMAL(38, 5)",
        "money": "BIGNUMERIC becomes DECIMAL(38, 5)",
    },
    "trino": {
        "local_date": "at_timezone stays as it is",
        "raw_midnight": "at_timezone stays as it is",
        "local_midnight": "at_timezone stays as it is",
        "date_of": "format stays as it is",
        "all_reached": "an element is not appended to a list by ||",
    },
}
TOO_LONG_FOR_A_DOUBLE = "'9999999999999999'"  # which a quotient of decimals is on DuckDB


def translated_cases() -> list:
    return [
        pytest.param(engine, *case, id=f"{engine}-{case[0]}")
        for engine, left_out in NOT_TRANSLATED.items()
        for case in cases()
        if not any(f"{name}(" in case[0] for name in left_out)
    ]


@pytest.fixture(scope="module")
def duck():
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'; set threads = 1")
        yield connection


def rows(duck, sql: str, values: Values) -> Counter:
    """The rows of a query over `given`; a date as its midnight, an instant as local time in UTC."""
    names = ", ".join(["n", "a", "b"][: len(values[0]) + 1])
    given = ",\n".join(f"({n}, {', '.join(row)})" for n, row in enumerate(values))
    return Counter(
        (n, plain(value))
        for n, value in duck.execute(f"with given ({names}) as (values {given}) {sql}").fetchall()
    )


def plain(value):
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
    return datetime.fromisoformat(value.isoformat()) if isinstance(value, date) else value


@pytest.mark.parametrize(("engine", "case", "values"), translated_cases())
def test_macro_means_the_same_when_translated(duck, engine, case, values):
    values = [row for row in values if not any(TOO_LONG_FOR_A_DOUBLE in value for value in row)]
    values = values[:: 1 + len(values) // 200]
    sql = f"select n, {with_from(rendered(case, engine))}"
    [translated] = sqlglot.transpile(sql, read=engine, write="duckdb", unsupported_level=ErrorLevel.IGNORE)
    expected = rows(duck, f"select n, {with_from(rendered(case, 'duckdb'))}", values)
    assert expected
    assert rows(duck, translated, values) == expected
