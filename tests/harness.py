"""Builds every mart for a small CRM in memory, without starting dbt for each one.

Belongs here: the road from raw rows to marts in a test. The rows go through the real load step,
then through the SQL that dbt compiled once for this state of `models/`, `macros/` and `seeds/`, in
the order of their dependencies. What the marts should hold does not belong here.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import duckdb

from orchestration.ingest.load import load_rows
from orchestration.settings import PROJECT_ROOT, Settings

DATABASE = "build"  # the name under which compiled SQL knows the build database
COMPILED_FROM = ("dbt_project.yml", "profiles.yml", "models", "macros", "seeds", "tests/dbt")
Row = dict[str, object]


# --- compiled SQL ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Node:
    """One seed or model as dbt compiled it."""

    name: str
    schema: str
    materialized: str  # seed, view, table, report_function …
    sql: str  # of a seed: the path of its file
    parents: tuple[str, ...]
    meta: dict
    column_types: dict[str, str]

    @property
    def statement(self) -> str:
        """The statement that creates it in an empty build database."""
        relation = f'"{self.schema}"."{self.name}"'
        if self.materialized == "seed":
            types = ", ".join(f"'{name}': '{kind}'" for name, kind in self.column_types.items())
            given = f", types = {{{types}}}" if types else ""
            return (
                f"create table {relation} as "
                f"select * from read_csv('{self.sql}', header = true{given})"
            )
        if self.materialized == "report_function":
            signature = self.meta["function"]["signature"]
            return f"create macro {relation}({signature}) as table\n{self.sql}"
        kind = "view" if self.materialized == "view" else "table"
        return f"create {kind} {relation} as\n{self.sql}"


@dataclass(frozen=True)
class Project:
    """All nodes by name, parents before children."""

    nodes: dict[str, Node]

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


@cache
def compiled_project(variables: str = "{}") -> Project:
    """The project as dbt compiles it with these variables (JSON); once per state of its sources."""
    folder = Path(tempfile.gettempdir()) / f"sales_reports_compiled_{os.getuid()}"
    target = folder / _content_hash(variables)
    if not (target / "manifest.json").exists():
        _compile(target, variables)
    manifest = json.loads((target / "manifest.json").read_text())
    models = {
        unique_id: node
        for unique_id, node in manifest["nodes"].items()
        if node["resource_type"] in ("model", "seed")
    }
    nodes: dict[str, Node] = {}
    for unique_id in _in_dependency_order(models):
        node = _node(models[unique_id], models)
        nodes[node.name] = node
    return Project(nodes)


def _content_hash(variables: str) -> str:
    digest = hashlib.sha256(variables.encode())
    for source in COMPILED_FROM:
        path = PROJECT_ROOT / source
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                digest.update(str(file.relative_to(PROJECT_ROOT)).encode() + file.read_bytes())
    return digest.hexdigest()[:16]


def _compile(target: Path, variables: str) -> None:
    """Run `dbt compile` into a folder that appears all at once."""
    target.parent.mkdir(exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=target.parent))
    command = [Path(sys.executable).parent / "dbt", "compile", "--target", "duckdb"]
    command += ["--project-dir", PROJECT_ROOT, "--profiles-dir", PROJECT_ROOT]
    command += ["--target-path", scratch, "--log-path", scratch, "--vars", variables, "--quiet"]
    environment = os.environ | {
        "SALES_REPORTS_DBT_PATH": str(scratch / f"{DATABASE}.duckdb"),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }
    done = subprocess.run(
        [str(part) for part in command], env=environment, capture_output=True, text=True
    )
    if done.returncode:
        shutil.rmtree(scratch)
        raise RuntimeError(f"dbt compile failed:\n{done.stdout}{done.stderr}")
    try:
        scratch.rename(target)
    except OSError:  # another test session was faster
        shutil.rmtree(scratch)


def _in_dependency_order(models: Mapping[str, dict]) -> list[str]:
    order: list[str] = []
    done: set[str] = set()

    def visit(unique_id: str) -> None:
        if unique_id in done:
            return
        done.add(unique_id)
        for parent in models[unique_id]["depends_on"].get("nodes", []):
            if parent in models:
                visit(parent)
        order.append(unique_id)

    for unique_id in sorted(models):
        visit(unique_id)
    return order


def _node(node: dict, models: Mapping[str, dict]) -> Node:
    is_seed = node["resource_type"] == "seed"
    sql = str(PROJECT_ROOT / node["original_file_path"]) if is_seed else node["compiled_code"]
    return Node(
        name=node["alias"],
        schema=node["schema"],
        materialized=node["config"]["materialized"],
        # Two-part names, as in the published file.
        sql=sql.replace(f'"{DATABASE}".', ""),
        parents=tuple(
            models[parent]["alias"]
            for parent in node["depends_on"].get("nodes", [])
            if parent in models
        ),
        meta=node["config"].get("meta") or {},
        column_types=node["config"].get("column_types") or {},
    )


# --- builds ---------------------------------------------------------------------------------------


@dataclass
class Build:
    """A CRM loaded into a database in memory; nodes are built when they are first asked for."""

    connection: duckdb.DuckDBPyConnection
    project: Project
    built: set[str] = field(default_factory=set)

    def ensure(self, *names: str) -> duckdb.DuckDBPyConnection:
        """Build the named nodes with all that they need. Errors name the node."""
        for node in self.project.with_ancestors(names):
            if node.name in self.built:
                continue
            try:
                self.connection.execute(f'create schema if not exists "{node.schema}"')
                self.connection.execute(node.statement)
            except duckdb.Error as error:
                raise RuntimeError(f"{node.name}: {error}") from error
            self.built.add(node.name)
        return self.connection


def load_crm(tables: Mapping[str, list[Row]], **options) -> Build:
    """A build of one CRM with nothing built yet. For the options see `build_marts`."""
    variables = json.dumps(options.pop("variables", {}), sort_keys=True)
    connection = duckdb.connect(config={"threads": 1})
    connection.execute(f"attach ':memory:' as {DATABASE}")
    connection.execute(f"use {DATABASE}")
    connection.execute("set TimeZone = 'UTC'")
    load_rows(
        connection,
        tables,
        _settings(options),
        now=options.get("run_ts") or datetime(2026, 7, 1, tzinfo=UTC),
        history_path=":memory:",
        fill_required=True,
    )
    return Build(connection, compiled_project(variables))


def build_marts(
    tables: Mapping[str, list[Row]],
    marts: Iterable[str] | None = None,
    **options,
) -> duckdb.DuckDBPyConnection:
    """Load a small CRM and build its marts: all nodes, or `marts` with their ancestors.

    `tables` maps contract tables to rows with Python values. `options` are the run's settings by
    the names of `settings.py` (`company_currency` for `currency`), and `variables`, dbt variables.
    """
    build = load_crm(tables, **options)
    return build.ensure(*(build.project.nodes if marts is None else marts))


def _settings(options: Mapping[str, object]) -> Settings:
    values = dict(options)
    if "company_currency" in values:
        values["currency"] = values.pop("company_currency")
    known = {f.name for f in fields(Settings)}
    unknown = set(values) - known
    if unknown:
        raise TypeError(f"not settings: {sorted(unknown)}")
    # Small CRMs are bad on purpose: any share of rejects and any drop is fine.
    return Settings(**{"source": "test", "max_reject_share": 1.0, "accept_drop": True} | values)


# --- comparison -----------------------------------------------------------------------------------


def read_rows(connection: duckdb.DuckDBPyConnection, query: str) -> list[Row]:
    """Rows of a query as dicts, instants in UTC."""
    cursor = connection.execute(query)
    names = [column[0] for column in cursor.description]
    return [
        {
            name: value.astimezone(UTC) if isinstance(value, datetime) and value.tzinfo else value
            for name, value in zip(names, values, strict=True)
        }
        for values in cursor.fetchall()
    ]


def assert_rows_equal(
    what: str, actual: list[Row], expected: list[Row], measures: Iterable[str]
) -> None:
    """Fail unless both sides hold the same rows, matched by everything but `measures`.

    Columns that only `actual` has are not looked at. Decimals are compared exactly. Rows that agree
    in all but their measures are counted.
    """
    if not expected:
        assert not actual, f"{what}: expected no rows, found {len(actual)}; first {actual[0]}"
        return
    columns = list(expected[0])
    assert not actual or set(columns) <= set(actual[0]), (
        f"{what}: columns missing: {sorted(set(columns) - set(actual[0]))}"
    )
    values = [column for column in columns if column in set(measures)]
    keys = [column for column in columns if column not in values]
    ours, theirs = _by_key(expected, keys), _by_key(actual, keys)
    differences = [
        _difference(key, keys, ours.get(key), theirs.get(key), values)
        for key in sorted(ours.keys() | theirs.keys(), key=str)
        if key not in ours
        or key not in theirs
        or any(ours[key][value] != theirs[key][value] for value in values)
    ]
    shown = "\n".join(differences[:6])
    assert not differences, (
        f"{what}: {len(differences)} of {len(ours)} expected rows differ "
        f"({len(theirs)} actual rows)\n{shown}"
    )


def _by_key(rows: list[Row], keys: list[str]) -> dict[tuple, Row]:
    """Rows by key; a key that comes again gets a number, so that one row too many is seen."""
    found: dict[tuple, Row] = {}
    for row in rows:
        key, number = tuple(row[column] for column in keys), 0
        while (*key, number) in found:
            number += 1
        found[(*key, number)] = row
    return found


def _difference(
    key: tuple, keys: list[str], expected: Row | None, actual: Row | None, values: list[str]
) -> str:
    place = ", ".join(f"{column}={value}" for column, value in zip(keys, key[:-1], strict=True))
    if expected is None or actual is None:
        side, row = ("only actual", actual) if expected is None else ("only expected", expected)
        measures = ", ".join(f"{v}={row[v]}" for v in values if row[v])
        return f"  {side}: {place} | {measures}"
    cells = ", ".join(
        f"{v}: expected {expected[v]}, actual {actual[v]}"
        for v in values
        if expected[v] != actual[v]
    )
    return f"  differs: {place} | {cells}"


def assert_mart_equals(
    build: Build | duckdb.DuckDBPyConnection,
    mart: str,
    expected: list[Row],
    measures: Iterable[str],
    what: str = "",
) -> None:
    """Fail unless the mart holds exactly the reference's rows."""
    connection = build.ensure(mart) if isinstance(build, Build) else build
    actual = read_rows(connection, f"select * from reports.{mart}")
    assert_rows_equal(f"{what} {mart}".strip(), actual, expected, measures)
