"""Reads the raw rows of a build from `raw_hubspot` into a reference `Crm`.

Belongs here: fetching, and nothing that gives rows a meaning.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime

from orchestration.ingest.contract import TABLES
from orchestration.reference.crm import Crm, Row, RunSettings, split_list


def read_crm(cls: type[Crm], connection, restrict: Mapping[str, str], variables: Mapping[str, object]) -> Crm:
    """See `Crm.from_duckdb`."""
    available = {
        (row["table_name"], row["column_name"])
        for row in fetch(connection, "select * from raw_hubspot._available_columns")
    }
    tables, merged_away = {}, defaultdict(set)
    for name, table in TABLES.items():
        object_table = table.history_of or name
        predicate = restrict.get(object_table)
        if predicate and table.history_of:
            predicate = f"object_id in (select id from raw_hubspot.{object_table} where {predicate})"
        where = f" where {predicate}" if predicate else ""
        columns = ", ".join(f'"{column}"' for column in table.columns)
        tables[name] = fetch(connection, f"select {columns} from raw_hubspot.{name}{where}")
        if predicate and "hs_merged_object_ids" in table.columns:
            # P1 looks at every record of the account, not only at the sample.
            for row in fetch(connection, f"select id, hs_merged_object_ids from raw_hubspot.{name}"):
                merged_away[name] |= set(split_list(row["hs_merged_object_ids"])) - {row["id"]}
    return cls(
        tables,
        _run_settings(connection, variables),
        gaps=fetch(connection, "select * from raw_hubspot._history_gaps"),
        available=available,
        merged_away=merged_away,
        rejected_rows=[
            (row["table_name"], row["row_number"], row["record_id"])
            for row in fetch(connection, "select * from raw_hubspot._rejected_rows")
        ],
        rejected_values={
            (row["table_name"], row["column_name"], row["record_id"])
            for row in fetch(connection, "select * from raw_hubspot._rejected_values")
            if not TABLES[row["table_name"]].history_of  # those of a history are still in it, as text
        },
    )


def _run_settings(connection, variables: Mapping[str, object]) -> RunSettings:
    (run,) = fetch(connection, "select * from raw_hubspot._run")
    names = (
        "run_ts",
        "time_zone",
        "company_currency",
        "fiscal_year_start_month",
        "week_starts_on",
        "include_personal_data",
    )
    return RunSettings(**{name: run[name] for name in names}, **variables)


def fetch(connection, query: str) -> list[Row]:
    """Rows of a query as dicts, instants in UTC."""
    cursor = connection.execute(query)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, (_utc(value) for value in values), strict=True)) for values in cursor.fetchall()]


def _utc(value: object) -> object:
    return value.astimezone(UTC) if isinstance(value, datetime) and value.tzinfo else value
