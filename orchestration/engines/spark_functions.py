"""The report functions on Spark: SQL table functions out of the same source as DuckDB's macros.

Belongs here: how a table macro, as dbt compiles it for Spark, becomes a function. What differs in meaning
between the engines and is in models too stands in `macros/dialect/`, what only a macro of DuckDB's can do
in `function_translation.py`; here is what its syntax has that Spark's lacks:

    arguments             are columns of a table of the function's name, which its outermost queries see
    order by              is left out: a table function of Spark's has no order, its caller gives it one
    a / b                 of whole numbers is no whole number
    error(…)              raise_error(…)
    a filter on a window  goes into the aggregate
    string_agg, quantile_cont, arg_max, any_value, list_position, unnest of a series

A function reads the tables of its build, so it is shown, and found again, together with them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import duckdb
from sqlglot import exp
from sqlglot.optimizer.scope import Scope, traverse_scope

from orchestration.data_folder import MARTS
from orchestration.engines.function_translation import Schema, Translation, is_helper, not_zero
from orchestration.report_functions import function_nodes

_DAYS_FROM = "days_from"
_ARGUMENTS = "arguments"
_AGGREGATES = {"any_value", "listagg", "max_by", "percentile"}  # those that sqlglot does not know as such
_TIMESTAMPS = (
    exp.DataType.Type.TIMESTAMP,
    exp.DataType.Type.TIMESTAMPNTZ,
    exp.DataType.Type.TIMESTAMPTZ,
)


def functions(build: duckdb.DuckDBPyConnection, manifest: Mapping[str, Any], suffix: str) -> dict[str, str]:
    """By its name, what follows `create function <database>.` for each report function of a build.

    `manifest` is compiled for Spark, for a build of any suffix.
    """
    nodes = [_of_build(node, suffix) for node in function_nodes(manifest)]
    macros = {node["name"]: node for node in nodes}
    schema = _read_schema(build, suffix)
    return {
        node["name"]: _definition(node, SparkTranslation(node, macros, schema))
        for node in nodes
        if not is_helper(node)
    }


def _of_build(node: Mapping[str, Any], suffix: str) -> dict[str, Any]:
    """The node as it would be compiled for the build of this suffix."""
    _, _, own_suffix = node["schema"].partition("_")
    code = re.sub(rf"\b(core|reports)_{own_suffix}\.", rf"\1_{suffix}.", node["compiled_code"])
    # Spark's datediff has two arguments, DuckDB's, as which it would be read, has three.
    code = re.sub(r"\bdatediff\(", f"{_DAYS_FROM}(", code)
    return {**node, "compiled_code": code}


def _read_schema(build: duckdb.DuckDBPyConnection, suffix: str) -> Schema:
    """The columns of all tables of the build, as sqlglot takes them."""
    found: Schema = {}
    rows = build.execute(
        "select schema_name, table_name, column_name, data_type from duckdb_columns() "
        f"where database_name = '{MARTS}' order by column_index"
    ).fetchall()
    for schema, table, column, kind in rows:
        found.setdefault(f"{schema}_{suffix}", {}).setdefault(table, {})[column] = kind
    return found


def _definition(node: Mapping[str, Any], translation: SparkTranslation) -> str:
    arguments = ", ".join(
        f"{name} {kind}" + ("" if default is None else f" default {default}")
        for name, (kind, default) in translation.arguments.items()
    )
    words = " ".join(node["description"].split()).replace("\\", "\\\\").replace("'", "\\'")
    return f"{node['alias']}({arguments}) returns table comment '{words}' return {translation.body}"


class SparkTranslation(Translation):
    """A table macro of DuckDB's in Spark's words."""

    text_array = "array<string>"
    body: str

    def __init__(
        self, node: Mapping[str, Any], macros: Mapping[str, Mapping[str, Any]], schema: Schema
    ) -> None:
        self._name = node["alias"]
        super().__init__(node, macros, schema)
        self.arguments = {
            name: ("string" if kind in ("text", "varchar") else kind, default)
            for name, (kind, default) in self.arguments.items()
        }
        self.query.set("order", None)
        for cte in self.query.find_all(exp.CTE):
            cte.set("materialized", None)
        _name_queries_once(self.query)
        self._read_arguments()
        self.body = self.query.sql("spark")

    def _read_arguments(self) -> None:
        """Have the arguments in a query of their own, which those read that need them.

        Spark finds the arguments of a function in its outermost query and in those of its WITH, no deeper.
        """
        names = list(self.arguments)
        for select in list(self.query.find_all(exp.Select)):
            own = [part for part in select.find_all(exp.Parameter) if part.parent_select is select]
            for parameter in own:
                argument: exp.Expression = exp.column(
                    f"asked_{names[int(parameter.name) - 1]}", table=_ARGUMENTS
                )
                if _stands_beside_aggregates(parameter):
                    argument = exp.Anonymous(this="any_value", expressions=[argument])
                parameter.replace(argument)
            if own:
                _read_first(select, _ARGUMENTS)
        values = [exp.alias_(exp.column(name, table=self._name), f"asked_{name}") for name in names]
        query = exp.CTE(this=exp.select(*values), alias=exp.TableAlias(this=exp.to_identifier(_ARGUMENTS)))
        queries = self.query.args["with_"]
        queries.set("expressions", [query, *queries.expressions])

    def in_own_words(self, node: exp.Expression) -> exp.Expression:
        match node:
            case exp.Div():
                return exp.Div(this=exp.cast(node.this, "double"), expression=not_zero(node.expression))
            case exp.IntDiv():
                return exp.IntDiv(this=node.this, expression=not_zero(node.expression))
            case exp.Sub() if node.this.is_type("date") and node.expression.is_type("date"):
                return exp.Anonymous(this="datediff", expressions=[node.this, node.expression])
            case exp.Anonymous() if node.name.lower() == "error":
                return exp.Anonymous(this="raise_error", expressions=node.expressions)
            case exp.Anonymous() if node.name == _DAYS_FROM:
                return exp.Anonymous(this="datediff", expressions=node.expressions)
            case exp.Anonymous() if node.name.lower() == "list_position":
                position = exp.Anonymous(this="array_position", expressions=node.expressions)
                return exp.func("nullif", position, exp.Literal.number(0))
            case exp.Cast() if isinstance(node.this, exp.Explode) and node.to.is_type("date"):
                return _days(node.this.this)
            case exp.TimestampTrunc() | exp.DateTrunc():
                return self.date_trunc(exp.Literal.string(node.unit.name.lower()), node.this)
            case exp.IgnoreNulls() if isinstance(node.this, exp.AnyValue):
                return exp.Anonymous(this="any_value", expressions=[node.this.this, exp.true()])
            case exp.TryCast() if isinstance(node.this, exp.Parameter):
                return node.this if node.to.is_type("array") else exp.cast(node.this, node.to)
            case exp.DataType() if node.this == exp.DataType.Type.INT128:
                return exp.DataType.build("decimal(38, 0)", dialect="spark")
            case exp.DataType() if node.this in _TIMESTAMPS:
                return exp.DataType.build("timestamp", dialect="spark")
            case exp.Sign():
                return exp.cast(node.copy(), "int")
            case exp.ArgMax():
                return _value_where_greatest(node.this, node.expression)
            case exp.GroupConcat():
                return _joined(node)
            case exp.PercentileCont():
                return exp.Anonymous(this="percentile", expressions=[node.this, node.expression])
            case exp.Window() if isinstance(node.this, exp.Filter):
                aggregate, condition = node.this.this, node.this.expression.this
                aggregate.set("this", exp.Case().when(condition.copy(), aggregate.this.copy()))
                node.set("this", aggregate)
        return node

    def date_trunc(self, unit: exp.Expression, day: exp.Expression) -> exp.Expression:
        return exp.Anonymous(this="date_trunc", expressions=[unit, exp.cast(day, "timestamp")])


def _name_queries_once(query: exp.Expression) -> None:
    """Give each query of a WITH a name of its own, since all of them will stand in one."""
    names = {id(cte): f"{cte.alias}_{number}" for number, cte in enumerate(query.find_all(exp.CTE), start=1)}
    for scope in traverse_scope(query):
        for table, source in scope.selected_sources.values():
            if isinstance(table, exp.Table) and isinstance(source, Scope):
                table.set("this", exp.to_identifier(names[id(source.expression.find_ancestor(exp.CTE))]))
    for cte in query.find_all(exp.CTE):
        cte.set("alias", exp.TableAlias(this=exp.to_identifier(names[id(cte)])))


def _read_first(select: exp.Select, name: str) -> None:
    """Have a table of one row before all others that a query reads."""
    former = select.args.get("from_")
    joins = select.args.get("joins") or []
    if former:
        joins = [exp.Join(this=former.this, kind="CROSS"), *joins]
    select.set("from_", exp.From(this=exp.to_table(name)))
    select.set("joins", joins)


def _stands_beside_aggregates(part: exp.Expression) -> bool:
    """Whether a part of a query's column is outside of the aggregates that the column has."""
    node = part
    while not isinstance(node.parent, exp.Select):
        node = node.parent
        if _is_aggregate(node):
            return False
    has_aggregates = any(_is_aggregate(other) and other.parent_select is node.parent for other in node.walk())
    return node.arg_key in ("expressions", "having") and has_aggregates


def _is_aggregate(node: exp.Expression) -> bool:
    if isinstance(node.parent, exp.Window) or isinstance(node, exp.Window):
        return False
    is_named = isinstance(node, exp.Anonymous) and node.name.lower() in _AGGREGATES
    return is_named or isinstance(node, exp.AggFunc | exp.Filter | exp.WithinGroup)


def _days(series: exp.GenerateSeries) -> exp.Expression:
    """A row for each day of a series; Spark knows no empty one."""
    first, last = (exp.cast(series.args[end].copy(), "date") for end in ("start", "end"))
    days = exp.Anonymous(this="sequence", expressions=[first, last])
    return exp.Explode(this=exp.Case().when(exp.LTE(this=first.copy(), expression=last.copy()), days))


def _value_where_greatest(value: exp.Expression, by: exp.Expression) -> exp.Expression:
    """An aggregate: the value that is not NULL in the row where `by` is greatest."""
    keys = by.expressions if isinstance(by, exp.Tuple) else [by]
    key = exp.Anonymous(this="struct", expressions=[key.copy() for key in keys])
    known = exp.Case().when(value.copy().is_(exp.null()).not_(), key)
    return exp.Anonymous(this="max_by", expressions=[value.copy(), known])


def _joined(texts: exp.GroupConcat) -> exp.Expression:
    order = texts.this
    joined = exp.Anonymous(this="listagg", expressions=[order.this.copy(), texts.args["separator"].copy()])
    return exp.WithinGroup(
        this=joined, expression=exp.Order(expressions=[key.copy() for key in order.expressions])
    )
