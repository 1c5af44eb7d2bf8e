"""A table macro of DuckDB's as a query for another engine: what is the same for all of them.

Belongs here: reading a report function as dbt compiles it, and writing out what only a macro of DuckDB's
can do. What an engine has other words for stands in the subclasses of Translation, beside the engine.

    arguments             a name without a table means the argument, before any column: here parameters
    helper functions      are expanded where they are called, as DuckDB expands macros
    columns(lambda …)     which columns there are depends on the arguments; here they are all there, and
                          NULL where DuckDB would leave them out
    * exclude, * replace, group by all, qualify     are written out
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlglot import exp, parse_one
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.simplify import simplify

Schema = dict[str, dict[str, dict[str, str]]]
"""Types of columns by schema, table and column."""


def is_helper(node: Mapping[str, Any]) -> bool:
    """Whether a function is for other functions only."""
    return bool(node["config"]["meta"]["function"].get("is_helper"))


class Translation:
    """A table macro of DuckDB's as a query with parameters, in another engine's words."""

    text_array: str
    """The engine's name of the type of a list of texts."""
    arguments: dict[str, tuple[str, str | None]]
    """Type and default of each argument."""
    query: exp.Expression
    """The query; a parameter of its number for each argument."""

    def __init__(
        self, node: Mapping[str, Any], macros: Mapping[str, Mapping[str, Any]], schema: Schema
    ) -> None:
        self._macros = macros
        parameters = {name: _parameter(n) for n, name in enumerate(_argument_names(node), start=1)}
        query = self._expand_macros(self._with_arguments(_parsed(node), parameters))
        self.arguments = self._arguments(node, query)
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
        self.query = rewritten(query, self.in_own_words)

    def in_own_words(self, node: exp.Expression) -> exp.Expression:
        """One node in the words of the engine; its parts have had their turn."""
        raise NotImplementedError

    def date_trunc(self, unit: exp.Expression, day: exp.Expression) -> exp.Expression:
        """The beginning of the day's week, month …; the unit may be an argument."""
        raise NotImplementedError

    def _expand_macros(self, query: exp.Expression) -> exp.Expression:
        for table in list(query.find_all(exp.Table)):
            call = table.this
            if not isinstance(call, exp.Anonymous):
                continue
            macro = self._macros[call.name]
            values = dict(zip(_argument_names(macro), call.expressions, strict=True))
            body = self._expand_macros(self._with_arguments(_parsed(macro), values))
            alias = table.args.get("alias") or exp.TableAlias(this=exp.to_identifier(call.name))
            table.replace(exp.Subquery(this=body, alias=alias.copy()))
        return query

    def _arguments(self, node: Mapping[str, Any], query: exp.Expression) -> dict[str, tuple[str, str | None]]:
        """Type and default of each argument: a list where the body reads it as one, a date by its name, else
        what is documented, or what the default is."""
        found = {}
        lists = {
            cast.this.name
            for cast in query.find_all(exp.TryCast)
            if isinstance(cast.this, exp.Parameter) and cast.to.is_type("array")
        }
        for number, argument in enumerate(
            node["config"]["meta"]["function"]["signature"].split(","), start=1
        ):
            name, _, default = (part.strip() for part in argument.partition(":="))
            documented = node["config"]["meta"].get("arguments", {}).get(name, {}).get("type")
            if str(number) in lists:
                kind = self.text_array
            elif name.endswith(("_from", "_to")):
                kind = "date"
            else:
                kind = documented or ("boolean" if default in ("true", "false") else "text")
            found[name] = (kind, default or None)
        return found

    def _with_arguments(self, query: exp.Expression, values: Mapping[str, exp.Expression]) -> exp.Expression:
        """The query with values for the arguments: every bare name of theirs, as DuckDB reads macros."""

        def replaced(node: exp.Expression) -> exp.Expression:
            if isinstance(node, exp.Column) and not node.table and node.name in values:
                return values[node.name].copy()
            # sqlglot takes the unit of date_trunc for a word, whatever it is.
            if isinstance(node, exp.TimestampTrunc | exp.DateTrunc) and node.unit.name.lower() in values:
                return self.date_trunc(values[node.unit.name.lower()].copy(), node.this)
            return node

        return rewritten(query, replaced)


def rewritten(query: exp.Expression, rewrite: Callable[[exp.Expression], exp.Expression]) -> exp.Expression:
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


def _parameter(number: int) -> exp.Parameter:
    return exp.Parameter(this=exp.Literal.number(number))


def not_zero(number: exp.Expression) -> exp.Expression:
    """What whole numbers are divided by: Postgres may divide in rows that a join is about to leave out."""
    return exp.func("nullif", number, exp.Literal.number(0))


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

    return simplify(rewritten(rewritten(condition.this.copy(), known), decided))


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
