"""What Snowflake, BigQuery, Databricks and Trino know, of all that the project's SQL uses.

sqlglot parses nearly every function and type in every dialect, since it is made to translate. So the names
are read as they are written and held against lists from the vendors' documentation.

Belongs here: the lists, and what is wrong with SQL for an engine (`complaints`), which needs none of them.
Compiling has `test_compiled_elsewhere.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import sqlglot
from sqlglot import exp
from sqlglot.errors import ErrorLevel, ParseError, TokenError
from sqlglot.tokens import Token, TokenType


@dataclass(frozen=True)
class Dialect:
    functions: frozenset[str]
    types: frozenset[str]  # as they are written in casts
    reserved: frozenset[str]  # words that name nothing unless quoted
    nests_recursion: bool = True  # a recursion may stand inside another query
    names_recursion: bool = False  # a recursion names its columns
    says_intervals: bool = True  # interval '1 minute'
    has_percent: bool = True  # the operator


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


COMMON_FUNCTIONS = words("""
    abs cast coalesce count dense_rank extract floor greatest lag last_value lead least length lower max
    max_by min mod nullif regexp_replace round row_number split substr sum translate trim upper
""")
COMMON_TYPES = frozenset(("bigint", "integer", "date", "timestamp"))
COMMON_RESERVED = words("""
    all and any as between by case cast create cross distinct else end except exists false for from full
    group having in inner intersect into is join left like natural not null on or order outer recursive
    right select then true union using when where with
""")

DIALECTS = {
    "snowflake": Dialect(
        functions=COMMON_FUNCTIONS
        | words("""
            array_append array_construct array_contains array_generate_range convert_timezone
            date_from_parts date_part date_trunc dateadd datediff dayofweekiso flatten
            greatest_ignore_nulls least_ignore_nulls listagg rtrim sign split_part to_variant
        """),
        types=COMMON_TYPES
        | {"varchar", "double", "double precision", "timestamp_ntz", "decimal(38, 2)", "decimal(38, 10)"}
        | {"number(38, 0)", "number(38, 2)"},
        reserved=(COMMON_RESERVED - {"recursive", "end", "outer", "except"})
        | words("""
            alter check column connect constraint current delete drop following grant ilike increment
            insert lateral localtime localtimestamp minus of qualify regexp revoke rlike row rows sample
            set some start table tablesample to trigger try_cast unique update values whenever
        """),
    ),
    "bigquery": Dialect(
        functions=COMMON_FUNCTIONS
        | words("""
            array_concat date date_add date_diff date_trunc error generate_date_array safe_offset
            string_agg timestamp timestamp_add unix_millis unnest
        """),
        types=COMMON_TYPES | {"string", "bignumeric", "float64", "datetime"},
        reserved=COMMON_RESERVED
        | words("""
            array asc assert_rows_modified at collate contains cube current default define desc enum
            escape exclude extract fetch following grouping groups hash if ignore interval lateral limit
            lookup merge new no nulls of over partition preceding proto qualify range respect rollup rows
            set some struct tablesample to treat unbounded unnest window within
        """),
        nests_recursion=False,
        says_intervals=False,
        has_percent=False,
    ),
    "databricks": Dialect(
        functions=COMMON_FUNCTIONS
        | words("""
            add_months array array_append array_contains concat date_trunc datediff explode lpad
            from_utc_timestamp
            make_date sequence split_part string_agg to_utc_timestamp try_cast unix_millis weekday
        """),
        types=COMMON_TYPES | {"string", "double", "decimal(38, 2)", "decimal(38, 10)", "decimal(38, 0)"},
        reserved=words(
            "anti cross except full inner intersect join lateral left minus natural on right semi union using"
        )
        | words("and case else end false from in is not null or select then true when where with"),
    ),
    "trino": Dialect(
        functions=COMMON_FUNCTIONS
        | words("""
            array_max array_min at_timezone contains date_add date_diff date_trunc day_of_week filter
            format listagg sequence split_part try_cast unnest with_timezone
        """),
        types=COMMON_TYPES
        | {"varchar", "double", "decimal(38, 2)", "decimal(38, 10)", "timestamp(6) with time zone"},
        reserved=(COMMON_RESERVED - {"all", "any"})
        | words("""
            alter constraint cube current_date current_time current_timestamp current_user deallocate
            delete describe drop escape execute extract grouping insert listagg localtime localtimestamp
            normalize prepare rollup skip table trim uescape unnest values
        """),
        names_recursion=True,
        says_intervals=False,
    ),
}

# What stands before a bracket and calls nothing.
NOT_CALLED = words("""
    all and any as between by case distinct else exists from group in interval is join lateral like not on
    or over select then union values when where with
""")


def complaints(sql: str, engine: str) -> list[str]:
    """What the engine does not know in a query, or means otherwise, by its documentation; or nothing."""
    try:
        tokens = sqlglot.tokenize(sql, read=engine)
        trees = sqlglot.parse(sql, read=engine, error_level=ErrorLevel.RAISE)
    except (ParseError, TokenError) as error:
        return [f"does not parse: {error}"]
    if len(trees) != 1 or isinstance(trees[0], exp.Command):
        return ["is not one query"]
    dialect = DIALECTS[engine]
    ctes = {
        cte.alias for cte in trees[0].find_all(exp.CTE)
    }  # which look like calls where they name their columns
    return [
        *(f"unknown function {name}" for name in sorted(functions_called(tokens) - ctes - dialect.functions)),
        *(f"unknown type {name}" for name in sorted(types_cast_to(sql, tokens) - dialect.types)),
        *(f"reserved word {name}" for name in sorted(names(trees[0]) & dialect.reserved)),
        *not_shared(tokens, trees[0]),
        *not_of_this_one(dialect, tokens, trees[0]),
    ]


def functions_called(tokens: list[Token]) -> set[str]:
    """Names before an opening bracket, in lower case; not those that an `as` makes an alias or a type."""
    called = set()
    for before, token, after in zip([None, *tokens], tokens, tokens[1:], strict=False):
        word = token.text.lower()
        if after.token_type != TokenType.L_PAREN or not re.fullmatch(r"\w+", word) or word in NOT_CALLED:
            continue
        if token.token_type == TokenType.IDENTIFIER or (before and before.text.lower() == "as"):
            continue
        called.add(word)
    return called


def types_cast_to(sql: str, tokens: list[Token]) -> set[str]:
    """Types in `cast(… as <type>)`, as they are written, in lower case."""
    found, open_casts = set(), []
    for n, token in enumerate(tokens):
        if token.token_type == TokenType.L_PAREN:
            open_casts.append(n > 0 and tokens[n - 1].text.lower() in ("cast", "try_cast"))
        elif token.token_type == TokenType.R_PAREN:
            open_casts.pop()
        elif token.token_type == TokenType.ALIAS and open_casts and open_casts[-1]:
            depth, end = 0, n + 1
            while depth or tokens[end].token_type != TokenType.R_PAREN:
                depth += {TokenType.L_PAREN: 1, TokenType.R_PAREN: -1}.get(tokens[end].token_type, 0)
                end += 1
            found.add(" ".join(sql[tokens[n + 1].start : tokens[end].start].lower().split()))
    return found


def names(tree: exp.Expression) -> set[str]:
    return {name.this.lower() for name in tree.find_all(exp.Identifier) if not name.quoted}


def not_shared(tokens: list[Token], tree: exp.Expression) -> Iterator[str]:
    """What only some engines have, so that models do without it (models/overview.md, Engines)."""
    texts = [token.text.lower() for token in tokens]
    for word, following in zip(texts, [*texts[1:], ""], strict=True):
        if word == "union" and following not in ("all", "distinct"):
            yield "union without all or distinct"
        if word in ("except", "intersect"):
            yield word
    if tree.find(exp.Filter):
        yield "an aggregate with filter"
    if any(select.args.get("windows") for select in tree.find_all(exp.Select)):
        yield "a named window"
    if any(isinstance(test.expression, exp.Boolean) for test in tree.find_all(exp.Is)):
        yield "is true"
    for join in tree.find_all(exp.Join):
        if join.side and not any(
            isinstance(part, exp.EQ) and is_between_tables(part) for part in conditions(join)
        ):
            yield f"an outer join without an equality: {join.sql()}"
    for cte in tree.find_all(exp.CTE):
        if reads_itself(cte) and not cte.parent.recursive:
            yield f"CTE {cte.alias} reads one of its own name"
        if reads_itself(cte) and isinstance(cte.this, exp.Union) and cte.this.args.get("distinct"):
            yield f"recursion {cte.alias} with union distinct"


def not_of_this_one(dialect: Dialect, tokens: list[Token], tree: exp.Expression) -> Iterator[str]:
    """What some of the other engines have."""
    for clause in tree.find_all(exp.With):
        if clause.recursive and clause.parent is not tree and not dialect.nests_recursion:
            yield "a recursion inside another query"
    for cte in tree.find_all(exp.CTE):
        if reads_itself(cte) and not cte.args["alias"].columns and dialect.names_recursion:
            yield f"recursion {cte.alias} without names of columns"
    if any(token.token_type == TokenType.MOD for token in tokens) and not dialect.has_percent:
        yield "the operator %"
    for word, following in pairwise(tokens):
        if word.text.lower() == "interval" and " " in following.text and not dialect.says_intervals:
            yield f"interval '{following.text}'"


def reads_itself(cte: exp.CTE) -> bool:
    read = {table.name for table in cte.this.find_all(exp.Table) if not table.db}
    return cte.alias in read - {inner.alias for inner in cte.this.find_all(exp.CTE)}


def conditions(join: exp.Join) -> list[exp.Expression]:
    on = join.args.get("on")
    return list(on.flatten()) if isinstance(on, exp.And) else [on] if on else []


def is_between_tables(equality: exp.EQ) -> bool:
    sides = [
        {column.table for column in side.find_all(exp.Column)}
        for side in (equality.this, equality.expression)
    ]
    return all(sides) and not sides[0] & sides[1]
