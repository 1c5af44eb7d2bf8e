"""Write, audit, publish: how a finished build reaches its readers (K9, K10).

Belongs here: the published file, the link that readers open, which earlier builds are kept, and the
way back to one. What is in a mart, and whether it is right, was decided before.

A reader opens `<data>/sales_reports.duckdb`, a link to `<data>/published/<build_id>.duckdb`. That file
is `marts.duckdb`, in which the build has worked: it gets comments, functions and the catalog, its
place and its name; nothing is copied. It is complete and on disk before the link moves, and the link
moves in one step; whoever has the former build open keeps it. A kill at any point leaves either the
old build or the new one, and nothing to clean up.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from orchestration import published_catalog
from orchestration.data_folder import MARTS, MARTS_SCHEMAS, build_of, open_build, published_path
from orchestration.ingest.history import last_forgotten
from orchestration.ingest.load import load_id
from orchestration.ingest.values import literal, quoted
from orchestration.report_functions import function_nodes, is_function
from orchestration.settings import Settings, SettingsError, load_settings

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
    """Publish the marts of the build. `manifest` is dbt's, compiled, of the same build.

    A build that is published already is only pointed to. Raises PublishError if the build has not
    passed its checks or tables are missing, and OSError or duckdb.Error if the file cannot be written;
    the readers' link then points where it pointed.
    """
    settings.published_dir.mkdir(parents=True, exist_ok=True)
    remove_leftovers(settings)
    build_id = audited_build_id(settings.build_path)
    path = published_path(settings, build_id)
    nodes, functions = published_nodes(manifest), function_nodes(manifest)
    if build_of(settings.marts_path) == build_id:
        with closing(open_build(settings.build_path, settings.memory_limit)) as connection:
            complete(connection, nodes, manifest)
        _sync(settings.marts_path)
        os.replace(settings.marts_path, path)
        _sync(settings.published_dir)
    elif not path.exists():
        raise PublishError(f"The tables of build {build_id} are gone; run the whole job.")
    point_link(settings.published_link, path)
    settings.last_check_path.unlink(missing_ok=True)
    removed = prune(settings)
    return Published(path, settings.published_link, _row_counts(path, nodes), len(functions), removed)


def published_nodes(manifest: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The manifest nodes of the tables that are published: those of core and reports, nothing else."""
    nodes = [
        node
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model"
        and node["config"]["schema"] in MARTS_SCHEMAS
        and not is_function(node)
    ]
    return sorted(nodes, key=lambda node: (node["schema"], node["alias"]))


def complete(
    connection: duckdb.DuckDBPyConnection,
    nodes: Iterable[Mapping[str, Any]],
    manifest: Mapping[str, Any],
) -> None:
    """Make the attached marts what readers get: only the tables of `nodes`, with their comments, and
    beside them what the manifest says about the reports and what the checks found.

    Raises PublishError if tables are missing.
    """
    tables = {f"{node['schema']}.{node['alias']}": node for node in nodes}
    there = dict(
        connection.execute(
            f"select schema_name || '.' || table_name, 'table' from duckdb_tables() "
            f"where database_name = '{MARTS}' union all "
            f"select schema_name || '.' || view_name, 'view' from duckdb_views() "
            f"where database_name = '{MARTS}' and not internal"
        ).fetchall()
    )
    if missing := sorted(tables.keys() - there.keys()):
        raise PublishError(f"The build lacks {', '.join(missing)}; run the whole job.")
    connection.execute("begin")
    for name, kind in there.items():
        if name not in tables:  # what a killed dbt left, or an older project
            schema, _, table = name.partition(".")
            connection.execute(f"drop {kind} {MARTS}.{quoted(schema)}.{quoted(table)}")
    for name, node in tables.items():
        for statement in _comments(node, there[name], f"{quoted(node['schema'])}.{quoted(node['alias'])}"):
            connection.execute(statement)
    published_catalog.write(connection, manifest)
    connection.execute("commit")
    connection.execute(f"checkpoint {MARTS}")


def _row_counts(path: Path, nodes: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Rows by `schema.table` of the build's own tables."""
    with duckdb.connect(path, read_only=True) as connection:
        counts = {}
        for node in nodes:
            name = f"{node['schema']}.{node['alias']}"
            (counts[name],) = connection.execute(
                f"select count(*) from {quoted(node['schema'])}.{quoted(node['alias'])}"
            ).fetchone()
        return counts


def _comments(node: Mapping[str, Any], kind: str, table: str) -> Iterable[str]:
    """Statements that store the descriptions of a table or view and its columns in the database."""
    yield f"comment on {kind} {table} is {literal(_one_line(node['description']))}"
    for column in node["columns"].values():
        if column["description"]:
            name = f"{table}.{quoted(column['name'])}"
            yield f"comment on column {name} is {literal(_one_line(column['description']))}"


def point_link(link: Path, path: Path) -> None:
    """Make `link` point to `path` in one step, relative, so that the folder can be moved."""
    temporary = link.with_name(f"{link.name}.{os.getpid()}{_TEMPORARY}")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(os.path.relpath(path, link.parent))
    os.replace(temporary, link)
    _sync(link.parent)


def point_back(settings: Settings, left: str, now: str) -> tuple[Path, Path]:
    """Where an engine has gone back from a build to another: the same for the files, as far as they are kept.

    Returns the files of both builds.
    """
    files = published_path(settings, left), published_path(settings, now)
    if files[1].exists():
        point_link(settings.published_link, files[1])
    return files


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
    oldest = oldest_allowed(settings)
    kept = [path for path in builds(settings) if path.stem >= oldest][: settings.keep_builds]
    removed = [path for path in builds(settings) if path not in kept and path != current]
    for path in removed:
        path.unlink()
    return removed


def oldest_allowed(settings: Settings) -> str:
    """Builds of an id before this one are not kept: they hold somebody who has been forgotten since."""
    forgotten_at = last_forgotten(settings.history_path)
    return load_id(forgotten_at) if forgotten_at else ""


def remove_leftovers(settings: Settings) -> None:
    """Remove what a killed run left: links that were not yet in place, never a build."""
    for path in settings.data_dir.glob(f"{settings.published_link.name}.*{_TEMPORARY}"):
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
    settings.last_check_path.unlink(missing_ok=True)
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


def has_passed(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether models and invariants have passed on the build as it is now."""
    return not _steps_missing(connection)


def _steps_missing(connection: duckdb.DuckDBPyConnection) -> list[str]:
    try:
        passed = {step for (step,) in connection.execute("from audit.passed").fetchall()}
    except duckdb.CatalogException:
        passed = set()
    return sorted({"models", "invariants"} - passed)


def audited_build_id(build: Path) -> str:
    """The id of the build in the build database. Raises PublishError if it has not passed its checks."""
    if not build.exists():
        raise PublishError(f"There is no build database {build}; run the whole job first.")
    with duckdb.connect(build, read_only=True) as connection:
        if missing := _steps_missing(connection):
            raise PublishError(
                f"The build has not passed its checks ({', '.join(missing)}) since it last "
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


def main() -> int:
    """`make rollback`."""
    from orchestration.engines import engine_of  # needs this module

    try:
        settings = load_settings(reads_source=False)
        left, now = engine_of(settings).roll_back()
    except (SettingsError, PublishError) as error:
        print(error, file=sys.stderr)
        return 1
    if settings.engine != "duckdb":
        print(f"Readers on {settings.engine} have build {now.stem} now; they had {left.stem}.")
    if current_build(settings) == now:
        print(f"sales_reports.duckdb now points to {now.name}; it pointed to {left.name}.")
    print("The next good build replaces it.")
    return 0


if __name__ == "__main__":
    # By its full name: the errors of other modules are this module's under that name.
    from orchestration.publish import main as main_of_module

    sys.exit(main_of_module())
