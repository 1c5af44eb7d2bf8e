"""Tables between the build's DuckDB and a Postgres server, either way, with the same names, types and rows.

Belongs here: what a table becomes on the other side, and the copying. Which tables go when is said by
`postgres.py`.

Both ways go by CSV, which tells NULL (nothing) from an empty text ("") on both sides, and through a
file, so that no table has to fit into memory.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import psycopg
from psycopg import sql

from orchestration.ingest.values import literal, quoted

RAW = "raw_hubspot"
_CHUNK = 1 << 20  # bytes
# The longest line that DuckDB reads: a note of HubSpot's has 65,536 characters, a JSON of ours some more.
_LONGEST_LINE = 1 << 26
_POSTGRES_TYPES = {
    "VARCHAR": "text",
    "BIGINT": "bigint",
    "INTEGER": "integer",
    "BOOLEAN": "boolean",
    "DATE": "date",
    "DOUBLE": "double precision",
    "TIMESTAMP WITH TIME ZONE": "timestamptz",
}
_DUCKDB_TYPES = {
    **{there: here for here, there in _POSTGRES_TYPES.items()},
    "character varying": "VARCHAR",
    "timestamp with time zone": "TIMESTAMP WITH TIME ZONE",
    "timestamp without time zone": "TIMESTAMP",
    "time without time zone": "TIME",
}


class CopyError(RuntimeError):
    """A table has a type that the other engine's copy cannot have; a mistake of the project's."""


# --- there ----------------------------------------------------------------------------------------


def copy_schema(build: duckdb.DuckDBPyConnection, server: psycopg.Connection, schema: str) -> dict[str, int]:
    """Copy all tables of a schema of the build database into one of that name that is there and empty.

    Rows per table. Commits nothing. Raises psycopg.Error if the server refuses.
    """
    tables = [
        name
        for (name,) in build.execute(
            "select table_name from duckdb_tables() "
            f"where database_name = current_database() and schema_name = {literal(schema)} "
            "order by table_name"
        ).fetchall()
    ]
    return {name: copy_table(build, server, f"{schema}.{quoted(name)}", schema, name) for name in tables}


def copy_table(
    build: duckdb.DuckDBPyConnection, server: psycopg.Connection, source: str, schema: str, name: str
) -> int:
    """Copy the table `source` of DuckDB into a new table on the server; its number of rows."""
    columns = [(row[0], row[1]) for row in build.execute(f"describe {source}").fetchall()]
    target = sql.Identifier(schema, name)
    typed = [
        sql.SQL("{} {}").format(sql.Identifier(column), sql.SQL(_postgres_type(kind)))
        for column, kind in columns
    ]
    server.execute(sql.SQL("create table {} ({})").format(target, sql.SQL(", ").join(typed)))
    return _copy_rows(build, server, source, target)


def replace_table(
    build: duckdb.DuckDBPyConnection, server: psycopg.Connection, source: str, schema: str, name: str
) -> None:
    """Have DuckDB's rows in a table that is there, or in a new one with the source's comments."""
    target = sql.Identifier(schema, name)
    if server.execute("select to_regclass(%s)", [target.as_string(server)]).fetchone()[0]:
        server.execute(sql.SQL("truncate {}").format(target))
        _copy_rows(build, server, source, target)
        return
    copy_table(build, server, source, schema, name)
    own_schema, _, own_name = source.partition(".")
    where = (
        f"schema_name = {literal(own_schema)} and table_name = {literal(own_name)} and comment is not null"
    )
    for (words,) in build.execute(f"select comment from duckdb_tables() where {where}").fetchall():
        server.execute(sql.SQL("comment on table {} is {}").format(target, sql.Literal(words)))
    columns = build.execute(f"select column_name, comment from duckdb_columns() where {where}").fetchall()
    for column, words in columns:
        named = sql.Identifier(schema, name, column)
        server.execute(sql.SQL("comment on column {} is {}").format(named, sql.Literal(words)))


def _copy_rows(
    build: duckdb.DuckDBPyConnection, server: psycopg.Connection, source: str, target: sql.Identifier
) -> int:
    """Rows of DuckDB's `source` into a table of the same columns; their number."""
    build.execute("set TimeZone = 'UTC'")
    columns = [(row[0], row[1]) for row in build.execute(f"describe {source}").fetchall()]
    # Postgres has no text with NUL characters.
    listed = ", ".join(
        f"replace({quoted(column)}, chr(0), '')" if kind == "VARCHAR" else quoted(column)
        for column, kind in columns
    )
    names = sql.SQL(", ").join(sql.Identifier(column) for column, _ in columns)
    copy_from = sql.SQL("copy {} ({}) from stdin (format csv, encoding 'UTF8')").format(target, names)
    with _scratch_file() as rows, server.cursor() as cursor:
        build.execute(
            f"copy (select {listed} from {source}) to {literal(str(rows))} (format csv, header false)"
        )
        with rows.open("rb") as file, cursor.copy(copy_from) as copy:
            while chunk := file.read(_CHUNK):
                copy.write(chunk)
        count = cursor.rowcount
    server.execute(sql.SQL("analyze {}").format(target))
    return count


def _postgres_type(kind: str) -> str:
    return _POSTGRES_TYPES.get(kind) or kind.replace("DECIMAL", "numeric")


# --- and back -------------------------------------------------------------------------------------


def fetch_schema(
    server: psycopg.Connection, schema: str, build: duckdb.DuckDBPyConnection, target: str
) -> dict[str, int]:
    """Copy all tables of a schema of the server into the DuckDB schema `target`, in place of those there.

    Rows per table. Raises CopyError for a column whose type DuckDB's copy cannot have.
    """
    names = server.execute(
        "select tablename from pg_tables where schemaname = %s order by tablename", [schema]
    ).fetchall()
    return {name: _fetch_table(server, schema, name, build, target) for (name,) in names}


def _fetch_table(
    server: psycopg.Connection, schema: str, name: str, build: duckdb.DuckDBPyConnection, target: str
) -> int:
    source = sql.Identifier(schema, name)
    columns = server.execute(
        "select attname, format_type(atttypid, atttypmod) from pg_attribute "
        "where attrelid = %s::regclass and attnum > 0 and not attisdropped order by attnum",
        [source.as_string(server)],
    ).fetchall()
    typed = {column: _duckdb_type(kind, f"{schema}.{name}.{column}") for column, kind in columns}
    listed = ", ".join(f"{literal(column)}: {literal(kind)}" for column, kind in typed.items())
    copy_to = sql.SQL("copy (select * from {}) to stdout (format csv, encoding 'UTF8')").format(source)
    with _scratch_file() as rows, server.cursor() as cursor:
        with rows.open("wb") as file, cursor.copy(copy_to) as copy:
            for chunk in copy:
                file.write(chunk)
        build.execute(
            f"create or replace table {target}.{quoted(name)} as "
            f"select * from read_csv({literal(str(rows))}, columns = {{{listed}}}, "
            "header = false, auto_detect = false, nullstr = '', "
            "allow_quoted_nulls = false, delim = ',', quote = '\"', escape = '\"', "
            f"max_line_size = {_LONGEST_LINE}, parallel = false)"
        )
        return cursor.rowcount


def _duckdb_type(kind: str, column: str) -> str:
    if scaled := re.fullmatch(r"numeric(\(\d+,\d+\))", kind):
        return f"DECIMAL{scaled[1]}"
    if kind not in _DUCKDB_TYPES:
        raise CopyError(
            f"{column} is {kind} on Postgres, which is no type of the marts; cast it in the model"
        )
    return _DUCKDB_TYPES[kind]


# --- both -----------------------------------------------------------------------------------------


@contextmanager
def in_utc(server: psycopg.Connection) -> Iterator[None]:
    """Have instants in UTC and dates as ISO has them on both ways, inside one transaction."""
    with server.transaction():
        server.execute(
            "set local TimeZone = 'UTC'; set local DateStyle = 'ISO'; set local extra_float_digits = 1"
        )
        yield


@contextmanager
def _scratch_file() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="sales_reports_copy_") as folder:
        yield Path(folder) / "rows.csv"
