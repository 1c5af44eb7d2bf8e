"""The report functions on Postgres: set-returning SQL functions out of the same source as DuckDB's macros.

Belongs here: how a table macro, as dbt compiles it for Postgres, becomes a function. What differs in
meaning between the engines and is in models too stands in `macros/dialect/`; here is what only a
macro of DuckDB's can do, and what its syntax has that Postgres' lacks:

    arguments             a name without a table means the argument, before any column; here `$1`, …
    helper functions      are expanded where they are called, as DuckDB expands macros
    columns(lambda …)     which columns there are depends on the arguments; here they are all there, and
                          NULL where DuckDB would leave them out
    * exclude, * replace, group by all     are written out
    a / b                 of whole numbers is no whole number
    error(…)              a function of its own that raises
    median, quantile_cont, arg_max, any_value, list_position, unnest of a series
    order by, min, max    texts by code point

The body is bound when it is created (BEGIN ATOMIC), so a function belongs to the tables of its build,
whatever their schemas are called later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import psycopg
from psycopg import sql
from sqlglot import exp, parse_one
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.simplify import simplify

from orchestration.report_functions import function_nodes

ERROR_FUNCTION = "report_error"
_TEXT = exp.DataType.Type.TEXT

Schema = dict[str, dict[str, dict[str, str]]]
"""Types of columns by schema, table and column."""


def create_functions(server: psycopg.Connection, manifest: Mapping[str, Any]) -> list[str]:
    """Create the report functions of a manifest compiled for Postgres in the build's schemas; their names.

    Raises psycopg.Error if Postgres refuses one.
    """
    nodes = function_nodes(manifest)
    macros = {node["name"]: node for node in nodes}
    schema = read_schema(server, {node["schema"] for node in manifest["nodes"].values() if _is_mart(node)})
    core = next(node["schema"] for node in nodes if _is_helper(node))
    server.execute(_error_function(core))
    created = []
    for node in nodes:
        if not _is_helper(node):
            _create_function(server, node, Translation(node, macros, schema, core))
            created.append(node["name"])
    return created


def _is_mart(node: Mapping[str, Any]) -> bool:
    return node["resource_type"] == "model" and node["config"].get("schema") in ("core", "reports")


def _is_helper(node: Mapping[str, Any]) -> bool:
    return bool(node["config"]["meta"]["function"].get("is_helper"))


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


def _create_function(server: psycopg.Connection, node: Mapping[str, Any], translation: Translation) -> None:
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


def _returned_columns(server: psycopg.Connection, translation: Translation) -> list[tuple[str, str]]:
    """Names and types of what the body gives, as Postgres sees it."""
    server.execute(f"create temp view returned as {translation.with_nulls}")
    columns = server.execute(
        "select attname, format_type(atttypid, atttypmod) from pg_attribute "
        "where attrelid = 'pg_temp.returned'::regclass and attnum > 0 order by attnum"
    ).fetchall()
    server.execute("drop view pg_temp.returned")
    return columns


# --- translation ----------------------------------------------------------------------------------


class Translation:
    """A table macro of DuckDB's in Postgres' words."""

    arguments: dict[str, tuple[str, str | None]]
    """Type and default of each argument."""
    body: str
    """The query, with `$1` … for the arguments."""
    with_nulls: str
    """The query with NULL of their types for the arguments."""

    def __init__(
        self, node: Mapping[str, Any], macros: Mapping[str, Mapping[str, Any]], schema: Schema, core: str
    ) -> None:
        self._macros, self._core = macros, core
        parameters = {name: _parameter(n) for n, name in enumerate(_argument_names(node), start=1)}
        query = self._expand_macros(_with_arguments(_parsed(node), parameters))
        self.arguments = _arguments(node, query)
        conditions = _take_column_conditions(query)
        query = qualify(
            query,
            schema=schema,
            dialect="duckdb",
            isolate_tables=False,
            validate_qualify_columns=False,
            quote_identifiers=False,
        )
        _write_out_by_name(query)
        _write_out_qualify(query)
        _write_out_columns(query, conditions)
        _write_out_group_by_all(query)
        query = annotate_types(query, schema=schema, dialect="duckdb")
        query = _rewritten(query, self._in_postgres)
        _sort_by_code_point(query)
        self.body = query.sql("postgres")
        nulls = _rewritten(query.copy(), self._null_for_parameter)
        self.with_nulls = nulls.sql("postgres")

    def _expand_macros(self, query: exp.Expression) -> exp.Expression:
        for table in list(query.find_all(exp.Table)):
            call = table.this
            if not isinstance(call, exp.Anonymous):
                continue
            macro = self._macros[call.name]
            values = dict(zip(_argument_names(macro), call.expressions, strict=True))
            body = self._expand_macros(_with_arguments(_parsed(macro), values))
            alias = table.args.get("alias") or exp.TableAlias(this=exp.to_identifier(call.name))
            table.replace(exp.Subquery(this=body, alias=alias.copy()))
        return query

    def _null_for_parameter(self, node: exp.Expression) -> exp.Expression:
        if isinstance(node, exp.Parameter):
            kinds = [kind for kind, _ in self.arguments.values()]
            return exp.cast(exp.null(), kinds[int(node.name) - 1], dialect="postgres")
        return node

    def _in_postgres(self, node: exp.Expression) -> exp.Expression:
        """One node in the words of Postgres; its parts have had their turn."""
        if isinstance(node, exp.Div):
            return exp.Div(this=exp.cast(node.this, "double"), expression=_not_zero(node.expression))
        if isinstance(node, exp.Anonymous) and node.name.lower() == "error":
            call = exp.Anonymous(this=ERROR_FUNCTION, expressions=node.expressions)
            return exp.Dot(this=exp.to_identifier(self._core, quoted=True), expression=call)
        if isinstance(node, exp.Anonymous) and node.name.lower() == "list_position":
            return exp.Anonymous(this="array_position", expressions=node.expressions)
        if isinstance(node, exp.Explode) and isinstance(node.this, exp.GenerateSeries):
            return node.this
        if isinstance(node, exp.TimestampTrunc | exp.DateTrunc):
            return _date_trunc(exp.Literal.string(node.unit.name.lower()), node.this)
        if isinstance(node, exp.IgnoreNulls) and isinstance(node.this, exp.AnyValue):
            return _first(node.this.this)
        if isinstance(node, exp.TryCast):
            return exp.cast(node.this, node.to)
        if isinstance(node, exp.DataType) and node.this == exp.DataType.Type.INT128:
            return exp.DataType.build("numeric(38, 0)", dialect="postgres")
        if isinstance(node, exp.IntDiv):
            return exp.Anonymous(this="div", expressions=[node.this, _not_zero(node.expression)])
        if isinstance(node, exp.ArgMax):
            by = node.expression
            return _first(node.this, by.expressions if isinstance(by, exp.Tuple) else [by])
        return node


def _rewritten(query: exp.Expression, rewrite: Callable[[exp.Expression], exp.Expression]) -> exp.Expression:
    """The query with every part rewritten, in place, what is inside first."""
    for node in reversed(list(query.bfs())):
        new = rewrite(node)
        if new is not node:
            if node is query:
                query = new
            else:
                node.replace(new)
    return query


def _parsed(node: Mapping[str, Any]) -> exp.Expression:
    query = parse_one(node["compiled_code"], read="duckdb")
    for table in query.find_all(exp.Table):
        table.set("catalog", None)
    return query


def _argument_names(node: Mapping[str, Any]) -> list[str]:
    signature = node["config"]["meta"]["function"]["signature"]
    return [argument.partition(":=")[0].strip() for argument in signature.split(",")]


def _arguments(node: Mapping[str, Any], query: exp.Expression) -> dict[str, tuple[str, str | None]]:
    """Type and default of each argument: a list where the body reads it as one, a date by its name, else
    what is documented, or what the default is."""
    found = {}
    lists = {
        cast.this.name
        for cast in query.find_all(exp.TryCast)
        if isinstance(cast.this, exp.Parameter) and cast.to.is_type("array")
    }
    for number, argument in enumerate(node["config"]["meta"]["function"]["signature"].split(","), start=1):
        name, _, default = (part.strip() for part in argument.partition(":="))
        documented = node["config"]["meta"].get("arguments", {}).get(name, {}).get("type")
        if str(number) in lists:
            kind = "text[]"
        elif name.endswith(("_from", "_to")):
            kind = "date"
        else:
            kind = documented or ("boolean" if default in ("true", "false") else "text")
        found[name] = (kind, default or None)
    return found


def _parameter(number: int) -> exp.Parameter:
    return exp.Parameter(this=exp.Literal.number(number))


def _with_arguments(query: exp.Expression, values: Mapping[str, exp.Expression]) -> exp.Expression:
    """The query with values for the arguments: every bare name of theirs, as DuckDB reads macros."""

    def replaced(node: exp.Expression) -> exp.Expression:
        if isinstance(node, exp.Column) and not node.table and node.name in values:
            return values[node.name].copy()
        # sqlglot takes the unit of date_trunc for a word, whatever it is.
        if isinstance(node, exp.TimestampTrunc | exp.DateTrunc) and node.unit.name.lower() in values:
            return _date_trunc(values[node.unit.name.lower()].copy(), node.this)
        return node

    return _rewritten(query, replaced)


def _date_trunc(unit: exp.Expression, day: exp.Expression) -> exp.Expression:
    """Of a date Postgres would make an instant in the time zone of the session."""
    return exp.Anonymous(this="date_trunc", expressions=[unit, exp.cast(day, "timestamp")])


def _not_zero(number: exp.Expression) -> exp.Expression:
    """What whole numbers are divided by: Postgres may divide in rows that a join is about to leave out."""
    return exp.func("nullif", number, exp.Literal.number(0))


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


# --- columns that depend on arguments -------------------------------------------------------------


def _take_column_conditions(query: exp.Expression) -> exp.Expression | None:
    """The condition of `columns(lambda c: condition)`, in place of which a star is put."""
    for columns in query.find_all(exp.Columns):
        condition = columns.this
        columns.replace(exp.Star())
        return condition
    return None


def _write_out_columns(query: exp.Select, condition: exp.Lambda | None) -> None:
    """All columns that the condition can be true of, NULL where it is not."""
    if condition is None:
        return
    written = []
    for column in query.selects:
        when = _condition_for(condition, column.alias_or_name)
        if when == exp.false():
            continue
        if when != exp.true():
            column = exp.alias_(exp.Case().when(when, column.unalias().copy()), column.alias_or_name)
        written.append(column)
    query.set("expressions", written)


def _condition_for(condition: exp.Lambda, column: str) -> exp.Expression:
    """The condition of a column: TRUE, FALSE, or what it depends on."""
    (name,) = condition.expressions

    def known(node: exp.Expression) -> exp.Expression:
        if isinstance(node, (exp.Column, exp.Identifier, exp.Dot)) and node.name == name.name:
            return exp.Literal.string(column)
        return node

    def decided(node: exp.Expression) -> exp.Expression:
        if isinstance(node, exp.In) and node.this.is_string:
            return exp.true() if node.this in node.expressions else exp.false()
        return node

    return simplify(_rewritten(_rewritten(condition.this.copy(), known), decided))


def _write_out_by_name(query: exp.Expression) -> None:
    """Both sides of a union by name with the same columns in the same order."""
    for union in query.find_all(exp.SetOperation):
        if union.args.get("by_name"):
            sides = [
                {column.alias_or_name: column for column in side.selects}
                for side in (union.left, union.right)
            ]
            names = list(sides[0] | sides[1])
            for side, columns in zip((union.left, union.right), sides, strict=True):
                written = [columns.get(name) or exp.alias_(exp.null(), name) for name in names]
                side.set("expressions", written)
            union.set("by_name", False)


def _write_out_qualify(query: exp.Expression) -> None:
    """A condition on windows becomes a column, and the query one around it."""
    for select in list(query.find_all(exp.Select)):
        if condition := select.args.get("qualify"):
            inner = select.copy()
            inner.set("qualify", None)
            inner.select(exp.alias_(condition.this.copy(), "is_qualified"), copy=False)
            names = [exp.column(name, table="qualified") for name in select.named_selects]
            source = exp.Subquery(this=inner, alias=exp.TableAlias(this=exp.to_identifier("qualified")))
            outer = exp.select(*names).from_(source).where(exp.column("is_qualified", table="qualified"))
            select.replace(outer)


def _write_out_group_by_all(query: exp.Expression) -> None:
    for group in query.find_all(exp.Group):
        if group.args.get("all"):
            keys = [
                exp.Literal.number(position)
                for position, column in enumerate(group.parent.selects, start=1)
                if not column.find(exp.AggFunc)
            ]
            group.replace(exp.Group(expressions=keys))


def _sort_by_code_point(query: exp.Expression) -> None:
    """Orders, least and greatest of texts as DuckDB has them, whatever the collation of the database."""
    for sorts in list(query.find_all(exp.Ordered, exp.Min, exp.Max)):
        text = sorts.this
        if text.type and text.type.is_type(*exp.DataType.TEXT_TYPES):
            collation = exp.to_identifier("C", quoted=True)
            sorts.set("this", exp.Collate(this=text.copy(), expression=collation))
