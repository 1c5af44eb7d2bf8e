"""Report functions, from dbt's manifest into any database that holds the marts.

Belongs here: which manifest nodes are table functions, in which order they can be created, and the
statement that creates one. The same statement runs in the build (materialization
`report_function`); publish and tests use this module.
"""

from __future__ import annotations

from collections.abc import Mapping
from graphlib import TopologicalSorter
from typing import Any

MATERIALIZATION = "report_function"


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


def create_function_sql(node: Mapping[str, Any]) -> str:
    """The statement that creates the table function of a compiled manifest node.

    Names in it have two parts, so that it holds in a file opened under any name. The tables and
    functions it reads must exist: DuckDB binds the body when it is created.
    Raises ValueError if the manifest was not compiled (`dbt compile`, `run` or `build`).
    """
    body = node.get("compiled_code")
    if not body:
        raise ValueError(f"{node['name']} has no compiled code; run dbt compile first")
    body = body.replace(f'"{node["database"]}".', "")
    signature = node["config"]["meta"]["function"]["signature"]
    return f'create or replace macro "{node["schema"]}"."{node["alias"]}"({signature}) as table\n{body}'


def comment_function_sql(node: Mapping[str, Any]) -> str:
    """The statement that stores the description of a table function in the database."""
    text = " ".join(node["description"].split()).replace("'", "''")
    return f'comment on macro table "{node["schema"]}"."{node["alias"]}" is \'{text}\''
