"""The raw tables of a build on a Postgres server, for the second dbt target.

Belongs here: the copy of `raw_hubspot`, table by table with the same names, types and rows. Loading is
done once, into the build database, whatever the engine; dbt builds the marts over there.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import duckdb
import psycopg
from psycopg import sql

from orchestration.ingest.values import literal, quoted

SCHEMA = "raw_hubspot"
_CHUNK = 1 << 20  # bytes
_TYPES = {
    "VARCHAR": "text",
    "BIGINT": "bigint",
    "INTEGER": "integer",
    "BOOLEAN": "boolean",
    "DATE": "date",
    "DOUBLE": "double precision",
    "TIMESTAMP WITH TIME ZONE": "timestamptz",
}


def copy_raw_tables(
    build: duckdb.DuckDBPyConnection, postgres_url: str, schema: str = SCHEMA
) -> dict[str, int]:
    """Replace schema `raw_hubspot` on the server, in one transaction; rows per table.

    `build` is an open build database; another `schema` of it can be copied as well. What depends on
    the old tables over there (dbt's staging views) goes with them. Raises psycopg.Error if the server
    refuses, and nothing has changed then.
    """
    tables = [
        name
        for (name,) in build.execute(
            "select table_name from duckdb_tables() "
            f"where database_name = current_database() and schema_name = {literal(schema)} "
            "order by table_name"
        ).fetchall()
    ]
    build.execute("set TimeZone = 'UTC'")
    with psycopg.connect(postgres_url) as server, server.cursor() as cursor:
        cursor.execute("set local client_min_messages = warning")  # no list of what is dropped
        cursor.execute(sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(schema)))
        cursor.execute(sql.SQL("create schema {}").format(sql.Identifier(schema)))
        return {name: _copy_table(build, cursor, schema, name) for name in tables}


def _copy_table(build: duckdb.DuckDBPyConnection, cursor: psycopg.Cursor, schema: str, name: str) -> int:
    columns = [(row[0], row[1]) for row in build.execute(f"describe {schema}.{quoted(name)}").fetchall()]
    target = sql.Identifier(schema, name)
    cursor.execute(
        sql.SQL("create table {} ({})").format(
            target,
            sql.SQL(", ").join(
                sql.SQL("{} {}").format(sql.Identifier(column), sql.SQL(_postgres_type(kind)))
                for column, kind in columns
            ),
        )
    )
    # Postgres has no text with NUL characters.
    listed = ", ".join(
        f"replace({quoted(column)}, chr(0), '')" if kind == "VARCHAR" else quoted(column)
        for column, kind in columns
    )
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "rows.csv"
        # CSV tells NULL (nothing) from an empty text ("") on both sides.
        build.execute(
            f"copy (select {listed} from {schema}.{quoted(name)}) to {literal(str(rows))} "
            "(format csv, header false)"
        )
        copy_from = sql.SQL("copy {} from stdin (format csv, encoding 'UTF8')").format(target)
        with rows.open("rb") as file, cursor.copy(copy_from) as copy:
            while chunk := file.read(_CHUNK):
                copy.write(chunk)
    count = cursor.rowcount
    cursor.execute(sql.SQL("analyze {}").format(target))
    return count


def _postgres_type(kind: str) -> str:
    return _TYPES.get(kind) or kind.replace("DECIMAL", "numeric")
