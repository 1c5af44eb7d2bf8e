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
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import duckdb

from orchestration import publish
from orchestration.checks.compare import Row, row_differences
from orchestration.compiled import Project, build_nodes
from orchestration.data_folder import MARTS_SCHEMAS, STORAGE_VERSION, attach_marts
from orchestration.ingest.load import load_rows
from orchestration.reference.raw import fetch
from orchestration.report_functions import create_functions, function_nodes
from orchestration.settings import PROJECT_ROOT, Settings

DATABASE = "build"  # the name under which compiled SQL knows the build database
COMPILED_FROM = ("dbt_project.yml", "profiles.yml", "models", "macros", "seeds", "tests/dbt")


# --- compiled SQL ---------------------------------------------------------------------------------


@cache
def compiled_project(variables: str = "{}") -> Project:
    """The project as dbt compiles it with these variables (JSON)."""
    return Project.from_manifest(compiled_manifest(variables))


@cache
def compiled_manifest(variables: str = "{}", prepare: Callable[[Path], None] | None = None) -> dict:
    """dbt's manifest, compiled with these variables (JSON); once per state of its sources.

    `prepare` is given the folder in which dbt finds the build's databases; without it they are empty.
    """
    target = _compiled_folder() / "-".join(
        [_content_hash(variables), *([prepare.__name__] if prepare else [])]
    )
    if not (target / "manifest.json").exists():
        _compile(target, variables, prepare)
    return json.loads((target / "manifest.json").read_text())


def _content_hash(variables: str) -> str:
    digest = hashlib.sha256(variables.encode())
    for source in COMPILED_FROM:
        path = PROJECT_ROOT / source
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                digest.update(str(file.relative_to(PROJECT_ROOT)).encode() + file.read_bytes())
    return digest.hexdigest()[:16]


@cache
def compiled_inline(jinja: str) -> str:
    """Jinja outside of any model as dbt compiles it; once per state of the project's sources."""
    target = _compiled_folder() / f"{_content_hash(jinja)}.sql"
    if not target.exists():
        target.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory() as scratch:
            target.write_text(_dbt(Path(scratch), "compile", "--inline", jinja))
    return target.read_text()


def _compiled_folder() -> Path:
    return Path(tempfile.gettempdir()) / f"sales_reports_compiled_{os.getuid()}"


def _compile(target: Path, variables: str, prepare: Callable[[Path], None] | None) -> None:
    """Run `dbt compile` into a folder that appears all at once."""
    target.parent.mkdir(exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=target.parent))
    if prepare:
        prepare(scratch)
    try:
        _dbt(scratch, "compile", "--vars", variables)
        scratch.rename(target)
    except OSError:  # another test session was faster
        shutil.rmtree(scratch)
    except BaseException:
        shutil.rmtree(scratch)
        raise


def _dbt(folder: Path, *arguments: str) -> str:
    """What a command of dbt prints whose databases and artefacts lie in `folder`."""
    command = [Path(sys.executable).parent / "dbt", *arguments, "--target", "duckdb", "--quiet"]
    command += ["--project-dir", PROJECT_ROOT, "--profiles-dir", PROJECT_ROOT]
    command += ["--target-path", folder, "--log-path", folder]
    environment = os.environ | {
        "SALES_REPORTS_DBT_PATH": str(folder / f"{DATABASE}.duckdb"),
        "SALES_REPORTS_DBT_MARTS_PATH": str(folder / "marts.duckdb"),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }
    done = subprocess.run([str(part) for part in command], env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"dbt {arguments[0]} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


# --- builds ---------------------------------------------------------------------------------------


@dataclass
class Build:
    """A CRM loaded into a database in memory; nodes are built when they are first asked for."""

    connection: duckdb.DuckDBPyConnection
    project: Project
    built: set[str] = field(default_factory=set)

    def ensure(self, *names: str) -> duckdb.DuckDBPyConnection:
        """Build the named nodes with all that they need. Errors name the node."""
        nodes = self.project.with_ancestors(names)
        self.built |= set(build_nodes(self.connection, nodes, self.built))
        return self.connection


def load_crm(tables: Mapping[str, list[Row]], **options) -> Build:
    """A build of one CRM with nothing built yet. For the options see `build_marts`."""
    variables = json.dumps(options.pop("variables", {}), sort_keys=True)
    connection = empty_database()
    load_rows(
        connection,
        tables,
        run_settings(options),
        now=options.get("run_ts") or datetime(2026, 7, 1, tzinfo=UTC),
        history_path=":memory:",
        fill_required=True,
    )
    return Build(connection, compiled_project(variables))


def empty_database() -> duckdb.DuckDBPyConnection:
    """A database in memory under the name that compiled SQL knows."""
    connection = duckdb.connect(config={"threads": 1})
    connection.execute(f"attach ':memory:' as {DATABASE}")
    connection.execute(f"use {DATABASE}")
    connection.execute("set TimeZone = 'UTC'")
    return connection


def write_marts(connection: duckdb.DuckDBPyConnection, target: Path, manifest: Mapping) -> None:
    """Copy the marts of a build with all nodes into a file, and complete it as publication does."""
    nodes = publish.published_nodes(manifest)
    connection.execute(f"attach '{target}' as copied (storage_version '{STORAGE_VERSION}')")
    for schema in MARTS_SCHEMAS:
        connection.execute(f"create schema copied.{schema}")
    for node in nodes:
        table = f'{node["schema"]}."{node["alias"]}"'
        connection.execute(f"create table copied.{table} as from {table}")
    connection.execute("detach copied")
    with duckdb.connect() as file:
        attach_marts(file, target)
        publish.withdraw_verdict(file)
        create_functions(file, function_nodes(manifest))
        publish.complete(file, nodes, manifest)


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


def run_settings(options: Mapping[str, object]) -> Settings:
    """The settings of a run from options as `build_marts` takes them."""
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


def assert_rows_equal(what: str, actual: list[Row], expected: list[Row], measures: Iterable[str]) -> None:
    """Fail unless both sides hold the same rows; see `row_differences` for how they are matched."""
    differences = row_differences(actual, expected, measures)
    shown = "\n".join(f"  {found['id']}: {found['difference']}" for found in differences[:6])
    assert not differences, (
        f"{what}: {len(differences)} rows differ ({len(expected)} expected, {len(actual)} actual)\n{shown}"
    )


def assert_mart_equals(
    build: Build | duckdb.DuckDBPyConnection,
    mart: str,
    expected: list[Row],
    measures: Iterable[str],
    what: str = "",
) -> None:
    """Fail unless the mart holds exactly the reference's rows."""
    connection = build.ensure(mart) if isinstance(build, Build) else build
    actual = fetch(connection, f"select * from reports.{mart}")
    assert_rows_equal(f"{what} {mart}".strip(), actual, expected, measures)
