"""The report functions on Postgres: set-returning SQL functions out of the same source as DuckDB's macros.

Belongs here: how a table macro, as dbt compiles it for Postgres, becomes a function. What differs in
meaning between the engines and is in models too stands in `macros/dialect/`, what only a macro of
DuckDB's can do in `function_translation.py`; here is what its syntax has that Postgres' lacks:

    arguments             are `$1`, …
    a / b                 of whole numbers is no whole number
    error(…)              a function of its own that raises
    median, quantile_cont, arg_max, any_value, list_position, unnest of a series
    order by, min, max    texts by code point

The body is bound when it is created (BEGIN ATOMIC), so a function belongs to the tables of its build,
whatever their schemas are called later.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import psycopg
from psycopg import sql
from sqlglot import exp

from orchestration.engines.function_translation import Schema, Translation, is_helper, not_zero, rewritten
from orchestration.report_functions import function_nodes

ERROR_FUNCTION = "report_error"


def create_functions(server: psycopg.Connection, manifest: Mapping[str, Any]) -> list[str]:
    """Create the report functions of a manifest compiled for Postgres in the build's schemas; their names.

    Raises psycopg.Error if Postgres refuses one.
    """
    nodes = function_nodes(manifest)
    macros = {node["name"]: node for node in nodes}
    schema = read_schema(server, {node["schema"] for node in manifest["nodes"].values() if _is_mart(node)})
    core = next(node["schema"] for node in nodes if is_helper(node))
    server.execute(_error_function(core))
    created = []
    for node in nodes:
        if not is_helper(node):
            _create_function(server, node, PostgresTranslation(node, macros, schema, core))
            created.append(node["name"])
    return created


def _is_mart(node: Mapping[str, Any]) -> bool:
    return node["resource_type"] == "model" and node["config"].get("schema") in ("core", "reports")


def read_schema(server: psycopg.Connection, names: Iterable[str]) -> Schema:
    """The columns of all tables in these schemas, as sqlglot takes them."""
    found: Schema = {}
    rows = server.execute(
        "select table_schema, table_name, column_name, data_type from information_schema.columns "
        "where table_schema = any(%s) order by ordinal_position",
        [list(names)],
    ).fetchall()
    for schema, table, column, kind in rows:
        found.setdefault(schema, {}).setdefault(table, {})[column] = kind
    return found


def _error_function(schema: str) -> sql.Composed:
    return sql.SQL(
        "create or replace function {}(problems text) returns boolean language plpgsql stable as "
        "$$ begin raise exception using message = problems; end $$"
    ).format(sql.Identifier(schema, ERROR_FUNCTION))


def _create_function(
    server: psycopg.Connection, node: Mapping[str, Any], translation: PostgresTranslation
) -> None:
    name = sql.Identifier(node["schema"], node["alias"])
    returned = _returned_columns(server, translation)
    arguments = ", ".join(
        f"{argument} {kind}" + ("" if default is None else f" default {default}")
        for argument, (kind, default) in translation.arguments.items()
    )
    columns = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(column), sql.SQL(kind)) for column, kind in returned
    )
    server.execute(sql.SQL("drop function if exists {}").format(name))  # of a publication that was ended
    server.execute(
        sql.SQL("create function {}({}) returns table ({}) language sql stable begin atomic {}; end").format(
            name, sql.SQL(arguments), columns, sql.SQL(translation.body)
        )
    )
    words = " ".join(node["description"].split())
    server.execute(sql.SQL("comment on function {} is {}").format(name, sql.Literal(words)))


def _returned_columns(server: psycopg.Connection, translation: PostgresTranslation) -> list[tuple[str, str]]:
    """Names and types of what the body gives, as Postgres sees it."""
    server.execute(f"create temp view returned as {translation.with_nulls}")
    columns = server.execute(
        "select attname, format_type(atttypid, atttypmod) from pg_attribute "
        "where attrelid = 'pg_temp.returned'::regclass and attnum > 0 order by attnum"
    ).fetchall()
    server.execute("drop view pg_temp.returned")
    return columns


# --- translation ----------------------------------------------------------------------------------


class PostgresTranslation(Translation):
    """A table macro of DuckDB's in Postgres' words."""

    text_array = "text[]"
    body: str
    """The query, with `$1` … for the arguments."""
    with_nulls: str
    """The query with NULL of their types for the arguments."""

    def __init__(
        self, node: Mapping[str, Any], macros: Mapping[str, Mapping[str, Any]], schema: Schema, core: str
    ) -> None:
        self._core = core
        super().__init__(node, macros, schema)
        _sort_by_code_point(self.query)
        self.body = self.query.sql("postgres")
        self.with_nulls = rewritten(self.query.copy(), self._null_for_parameter).sql("postgres")

    def _null_for_parameter(self, node: exp.Expression) -> exp.Expression:
        if isinstance(node, exp.Parameter):
            kinds = [kind for kind, _ in self.arguments.values()]
            return exp.cast(exp.null(), kinds[int(node.name) - 1], dialect="postgres")
        return node

    def in_own_words(self, node: exp.Expression) -> exp.Expression:
        """One node in the words of Postgres; its parts have had their turn."""
        if isinstance(node, exp.Div):
            return exp.Div(this=exp.cast(node.this, "double"), expression=not_zero(node.expression))
        if isinstance(node, exp.Anonymous) and node.name.lower() == "error":
            call = exp.Anonymous(this=ERROR_FUNCTION, expressions=node.expressions)
            return exp.Dot(this=exp.to_identifier(self._core, quoted=True), expression=call)
        if isinstance(node, exp.Anonymous) and node.name.lower() == "list_position":
            return exp.Anonymous(this="array_position", expressions=node.expressions)
        if isinstance(node, exp.Explode) and isinstance(node.this, exp.GenerateSeries):
            return node.this
        if isinstance(node, exp.TimestampTrunc | exp.DateTrunc):
            return self.date_trunc(exp.Literal.string(node.unit.name.lower()), node.this)
        if isinstance(node, exp.IgnoreNulls) and isinstance(node.this, exp.AnyValue):
            return _first(node.this.this)
        if isinstance(node, exp.TryCast):
            return exp.cast(node.this, node.to)
        if isinstance(node, exp.DataType) and node.this == exp.DataType.Type.INT128:
            return exp.DataType.build("numeric(38, 0)", dialect="postgres")
        if isinstance(node, exp.IntDiv):
            return exp.Anonymous(this="div", expressions=[node.this, not_zero(node.expression)])
        if isinstance(node, exp.ArgMax):
            by = node.expression
            return _first(node.this, by.expressions if isinstance(by, exp.Tuple) else [by])
        return node

    def date_trunc(self, unit: exp.Expression, day: exp.Expression) -> exp.Expression:
        """Of a date Postgres would make an instant in the time zone of the session."""
        return exp.Anonymous(this="date_trunc", expressions=[unit, exp.cast(day, "timestamp")])


def _first(value: exp.Expression, by: Sequence[exp.Expression] = ()) -> exp.Expression:
    """An aggregate: the value that is not NULL in the row where `by` is greatest."""
    inner: exp.Expression = value.copy()
    if by:
        ordered = [exp.Ordered(this=key.copy(), desc=True, nulls_first=False) for key in by]
        inner = exp.Order(this=inner, expressions=ordered)
    known = value.copy().is_(exp.null()).not_()
    filtered = exp.Filter(
        this=exp.Anonymous(this="array_agg", expressions=[inner]), expression=exp.Where(this=known)
    )
    return exp.Bracket(this=exp.Paren(this=filtered), expressions=[exp.Literal.number(1)], offset=1)


def _sort_by_code_point(query: exp.Expression) -> None:
    """Orders, least and greatest of texts as DuckDB has them, whatever the collation of the database."""
    for sorts in list(query.find_all(exp.Ordered, exp.Min, exp.Max)):
        text = sorts.this
        if text.type and text.type.is_type(*exp.DataType.TEXT_TYPES):
            collation = exp.to_identifier("C", quoted=True)
            sorts.set("this", exp.Collate(this=text.copy(), expression=collation))
