"""The project's seeds and models as dbt compiled them, and how to build them without dbt.

Belongs here: which nodes a manifest holds, in which order they can be built, and the statement that
creates each of them in an empty database that already has `raw_hubspot`. The nightly proof builds
marts of a sample with it, tests those of small CRMs. Running dbt does not belong here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

from orchestration.report_functions import Connection, create_function_sql, in_two_parts, is_function
from orchestration.settings import PROJECT_ROOT


@dataclass(frozen=True)
class Node:
    """One seed or model: its place, the nodes it reads, and the statement that creates it."""

    name: str
    schema: str
    parents: tuple[str, ...]
    statement: str


@dataclass(frozen=True)
class Project:
    """All seeds and models by name, parents before children.

    Compiled for another engine than DuckDB it has models only: dbt or a copy brings the seeds, and
    there are no report functions.
    """

    nodes: dict[str, Node]

    @classmethod
    def from_manifest(cls, manifest: Mapping, root: Path = PROJECT_ROOT) -> Project:
        """The project of a compiled manifest (`manifest.json` as a dict).

        Raises ValueError if a model has no compiled code: dbt has to have compiled or built it.
        """
        engine = manifest["metadata"]["adapter_type"]
        found = {key: node for key, node in sorted(manifest["nodes"].items()) if _is_buildable(node, engine)}
        parents = {
            key: [parent for parent in node["depends_on"].get("nodes", []) if parent in found]
            for key, node in found.items()
        }
        nodes = [
            Node(
                name=found[key]["alias"],
                schema=found[key]["schema"],
                parents=tuple(found[parent]["alias"] for parent in parents[key]),
                statement=_statement(found[key], root),
            )
            for key in TopologicalSorter(parents).static_order()
        ]
        return cls({node.name: node for node in nodes})

    @property
    def marts(self) -> list[str]:
        return sorted(name for name in self.nodes if name.startswith("rpt_"))

    def with_ancestors(self, names: Iterable[str]) -> list[Node]:
        """The named nodes and all that they need, in an order that works."""
        wanted, stack = set(), list(names)
        while stack:
            name = stack.pop()
            if name not in wanted:
                wanted.add(name)
                stack += self.nodes[name].parents
        return [node for name, node in self.nodes.items() if name in wanted]


def build_nodes(connection: Connection, nodes: Iterable[Node], built: Collection[str] = ()) -> list[str]:
    """Create the nodes that are not yet `built` in the connection's default database.

    Returns the names of those created. Errors name the node.
    """
    created = []
    for node in nodes:
        if node.name in built:
            continue
        try:
            connection.execute(f'create schema if not exists "{node.schema}"')
            connection.execute(node.statement)
        except Exception as error:  # of either engine
            raise RuntimeError(f"{node.name}: {error}") from error
        created.append(node.name)
    return created


def _is_buildable(node: Mapping, engine: str) -> bool:
    if engine == "duckdb":
        return node["resource_type"] in ("model", "seed")
    return node["resource_type"] == "model" and not is_function(node)


def _statement(node: Mapping, root: Path) -> str:
    if is_function(node):
        return create_function_sql(node)
    relation = f'"{node["schema"]}"."{node["alias"]}"'
    if node["resource_type"] == "seed":
        types = node["config"].get("column_types") or {}
        typed = ", ".join(f"'{column}': '{kind}'" for column, kind in types.items())
        # dbt knows no times of day in seeds: they are text unless their type is given.
        given = ", auto_type_candidates = ['BOOLEAN', 'BIGINT', 'DOUBLE', 'DATE', 'TIMESTAMP', 'VARCHAR']"
        given += f", types = {{{typed}}}" if typed else ""
        path = str(root / node["original_file_path"]).replace("'", "''")
        return f"create table {relation} as select * from read_csv('{path}', header = true{given})"
    body = node.get("compiled_code")
    if not body:
        raise ValueError(f"{node['name']} has no compiled code; run dbt compile, run or build first")
    # Two-part names: the marts of a sample stand in another database than the build's.
    body = in_two_parts(body)
    kind = "view" if node["config"]["materialized"] == "view" else "table"
    return f"create {kind} {relation} as\n{body}"
