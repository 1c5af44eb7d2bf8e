"""Report functions, from dbt's manifest into any database that holds the marts.

Belongs here: which manifest nodes are table functions, in which order they can be created, and the
statement that creates one. dbt only compiles them (materialization `report_function`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from graphlib import TopologicalSorter
from typing import Any, Protocol

MATERIALIZATION = "report_function"


class Connection(Protocol):
    """DuckDB's or psycopg's."""

    def execute(self, query: str, /) -> Any: ...


_THREE_PARTS = re.compile(r'"[^"]+"\.("[^"]+"\."[^"]+")')


def is_function(node: Mapping[str, Any]) -> bool:
    """True for a model that is a table function: a report function or one of its helpers."""
    return node["resource_type"] == "model" and node["config"]["materialized"] == MATERIALIZATION


def function_nodes(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The table functions of a manifest (`manifest.json` as a dict), those that others call first."""
    nodes = {key: node for key, node in manifest["nodes"].items() if is_function(node)}
    order = TopologicalSorter(
        {key: sorted(set(node["depends_on"]["nodes"]) & nodes.keys()) for key, node in sorted(nodes.items())}
    )
    return [nodes[key] for key in order.static_order()]


def in_two_parts(sql: str) -> str:
    """Compiled SQL with relations as `"schema"."name"`, so that it holds in a database of any name."""
    return _THREE_PARTS.sub(r"\1", sql)


def create_function_sql(node: Mapping[str, Any]) -> str:
    """The statement that creates the table function of a compiled manifest node.

    Names in it have two parts, so that it holds in a file opened under any name. The tables and
    functions it reads must exist: DuckDB binds the body when it is created.
    Raises ValueError if the manifest was not compiled (`dbt compile`, `run` or `build`).
    """
    body = node.get("compiled_code")
    if not body:
        raise ValueError(f"{node['name']} has no compiled code; run dbt compile first")
    body = in_two_parts(body)
    signature = node["config"]["meta"]["function"]["signature"]
    return f'create or replace macro "{node["schema"]}"."{node["alias"]}"({signature}) as table\n{body}'


def create_functions(connection: Connection, nodes: Iterable[Mapping[str, Any]]) -> None:
    """Create the table functions of `nodes`, in their order, and describe them. Errors name the function."""
    for node in nodes:
        try:
            connection.execute(create_function_sql(node))
            connection.execute(comment_function_sql(node))
        except Exception as error:
            raise RuntimeError(f"report function {node['alias']}: {error}") from error


def comment_function_sql(node: Mapping[str, Any]) -> str:
    """The statement that stores the description of a table function in the database."""
    text = " ".join(node["description"].split()).replace("'", "''")
    return f'comment on macro table "{node["schema"]}"."{node["alias"]}" is \'{text}\''
