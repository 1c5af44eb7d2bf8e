"""Write, audit, publish: how a finished build reaches its readers (K9, K10).

Belongs here: the published file, the link that readers open, which earlier builds are kept, and the
way back to one. What is in a mart, and whether it is right, was decided before.

A reader opens `<data>/sales_reports.duckdb`, a link to `<data>/published/<build_id>.duckdb`. The
file is complete, on disk and under its name before the link moves, and the link moves in one step;
whoever has the former build open keeps it. A kill at any point leaves either the old build or the
new one, and at most a temporary file that the next publication removes.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from orchestration import published_catalog
from orchestration.ingest.history import last_forgotten
from orchestration.ingest.load import load_id
from orchestration.report_functions import (
    comment_function_sql,
    create_function_sql,
    function_nodes,
    is_function,
)
from orchestration.settings import Settings, SettingsError, load_settings

SCHEMAS = ("core", "reports")
# DuckDB 2.0 reads it, and so do 1.4 and 1.5, which today's BI tools ship.
STORAGE_VERSION = "v1.4.0"
_TEMPORARY = ".tmp"


class PublishError(RuntimeError):
    """The build cannot be published, or there is nothing to go back to."""


@dataclass(frozen=True)
class Published:
    """A published build."""

    path: Path
    link: Path
    row_counts: dict[str, int]
    """Rows by `schema.table`."""
    function_count: int
    removed: list[Path]
    """Earlier builds that were not kept."""


def publish(settings: Settings, manifest: Mapping[str, Any]) -> Published:
    """Publish the build database. `manifest` is dbt's, compiled, of the same build.

    Raises PublishError if the build has not passed its checks, and OSError or duckdb.Error if the
    file cannot be written; the readers' link then points where it pointed.
    """
    folder = settings.published_dir
    folder.mkdir(parents=True, exist_ok=True)
    remove_leftovers(settings)
    build_id = _audited_build_id(settings.build_path)
    path = folder / f"{build_id}.duckdb"
    scratch = folder / f"{build_id}.duckdb{_TEMPORARY}"
    nodes = published_nodes(manifest)
    functions = function_nodes(manifest)
    try:
        row_counts = write_database(settings.build_path, scratch, nodes, functions, manifest)
        _sync(scratch)
        os.replace(scratch, path)
        _sync(folder)
        point_link(settings.published_link, path)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise
    removed = prune(settings)
    return Published(path, settings.published_link, row_counts, len(functions), removed)


def published_nodes(manifest: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The manifest nodes of the tables that are published: those of core and reports, nothing else."""
    nodes = [
        node
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and node["schema"] in SCHEMAS and not is_function(node)
    ]
    return sorted(nodes, key=lambda node: (node["schema"], node["alias"]))


def write_database(
    build: Path,
    target: Path,
    nodes: Iterable[Mapping[str, Any]],
    functions: Iterable[Mapping[str, Any]],
    manifest: Mapping[str, Any] | None = None,
) -> dict[str, int]:
    """Copy tables with their comments and create the report functions in a new database file.

    With a manifest, what it says about the reports and what the checks found is written too. Returns
    the rows by `schema.table` of the build's own tables. The build is opened read-only.
    """
    row_counts = {}
    with duckdb.connect() as connection:
        connection.execute(f"attach {_text(str(build))} as build (read_only)")
        connection.execute(
            f"attach {_text(str(target))} as published (storage_version {_text(STORAGE_VERSION)})"
        )
        for schema in SCHEMAS:
            connection.execute(f"create schema if not exists published.{schema}")
        # Functions name tables and each other by two parts: the file is opened under any name.
        connection.execute("use published")
        connection.execute("begin")
        for node in nodes:
            table = f"{_name(node['schema'])}.{_name(node['alias'])}"
            connection.execute(f"create table {table} as from build.{table}")
            for statement in _comments(node, table):
                connection.execute(statement)
            (count,) = connection.execute(f"select count(*) from {table}").fetchone()
            row_counts[f"{node['schema']}.{node['alias']}"] = count
        for node in functions:
            connection.execute(create_function_sql(node))
            connection.execute(comment_function_sql(node))
        if manifest is not None:
            published_catalog.write(connection, manifest, "build")
        connection.execute("commit")
        connection.execute("checkpoint published")
        connection.execute("use memory")
        connection.execute("detach published")
    return row_counts


def _comments(node: Mapping[str, Any], table: str) -> Iterable[str]:
    """Statements that store the descriptions of a table and its columns in the database."""
    yield f"comment on table {table} is {_text(_one_line(node['description']))}"
    for column in node["columns"].values():
        if column["description"]:
            name = f"{table}.{_name(column['name'])}"
            yield f"comment on column {name} is {_text(_one_line(column['description']))}"


def point_link(link: Path, path: Path) -> None:
    """Make `link` point to `path` in one step, relative, so that the folder can be moved."""
    temporary = link.with_name(f"{link.name}.{os.getpid()}{_TEMPORARY}")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(os.path.relpath(path, link.parent))
    os.replace(temporary, link)
    _sync(link.parent)


def current_build(settings: Settings) -> Path | None:
    """The published build that readers see; None before the first publication."""
    link = settings.published_link
    return link.parent / os.readlink(link) if link.is_symlink() else None


def builds(settings: Settings) -> list[Path]:
    """The published builds, newest first."""
    found = settings.published_dir.glob("*.duckdb")
    return sorted(found, key=lambda path: (path.stat().st_mtime_ns, path.name), reverse=True)


def prune(settings: Settings) -> list[Path]:
    """Remove all but the newest `keep_builds` builds, and those from before somebody was forgotten;
    never the one that readers see."""
    current = current_build(settings)
    forgotten_at = last_forgotten(settings.history_path)
    oldest = load_id(forgotten_at) if forgotten_at else ""
    kept = [path for path in builds(settings) if path.stem >= oldest][: settings.keep_builds]
    removed = [path for path in builds(settings) if path not in kept and path != current]
    for path in removed:
        path.unlink()
    return removed


def remove_leftovers(settings: Settings) -> None:
    """Remove what a killed run left: unfinished files, never a complete build."""
    link = settings.published_link
    files = settings.published_dir.glob(f"*.duckdb{_TEMPORARY}*")  # and their write-ahead logs
    links = settings.data_dir.glob(f"{link.name}.*{_TEMPORARY}")
    for path in [*files, *links]:
        path.unlink(missing_ok=True)


def roll_back(settings: Settings) -> tuple[Path, Path]:
    """Point the link at the build before the current one; the next good build replaces it.

    Returns the build that readers saw and the one they see now. Raises PublishError if there is
    nothing to go back to.
    """
    current = current_build(settings)
    if current is None:
        raise PublishError(f"Nothing has been published in {settings.data_dir} yet; run `make run` first.")
    known = builds(settings)
    older = known[known.index(current) + 1 :] if current in known else known
    if not older:
        raise PublishError(
            f"There is no build before {current.name} in {settings.published_dir}. "
            "SALES_REPORTS_KEEP_BUILDS says how many are kept."
        )
    point_link(settings.published_link, older[0])
    return current, older[0]


# --- the audit's verdict --------------------------------------------------------------------------
# It lies in the build database, so that it cannot outlive the data that was audited: whoever
# publishes by hand, in Dagster, meets it too.


def withdraw_verdict(connection: duckdb.DuckDBPyConnection) -> None:
    """The build is about to change: what was found about it no longer counts."""
    connection.execute("create schema if not exists audit")
    connection.execute("create or replace table audit.passed (step text)")
    published_catalog.forget_checks(connection)


def record_verdict(connection: duckdb.DuckDBPyConnection, step: str) -> None:
    """Record that a step, `models` or `invariants`, has passed on the whole build."""
    connection.execute("insert into audit.passed values (?)", [step])


def _audited_build_id(build: Path) -> str:
    if not build.exists():
        raise PublishError(f"There is no build database {build}; run the whole job first.")
    with duckdb.connect(build, read_only=True) as connection:
        try:
            passed = {step for (step,) in connection.execute("from audit.passed").fetchall()}
        except duckdb.CatalogException:
            passed = set()
        if missing := {"models", "invariants"} - passed:
            raise PublishError(
                f"The build has not passed its checks ({', '.join(sorted(missing))}) since it last "
                "changed, so it is not published; run the whole job."
            )
        (build_id,) = connection.execute("select build_id from raw_hubspot._run").fetchone()
    return build_id


# --- small parts ----------------------------------------------------------------------------------


def _sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def main() -> int:
    """`make rollback`."""
    try:
        left, now = roll_back(load_settings(reads_source=False))
    except (SettingsError, PublishError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"sales_reports.duckdb now points to {now.name}; it pointed to {left.name}.")
    print("The next good build replaces it.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
