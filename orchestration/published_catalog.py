"""What the published database says about its reports and their checks, for readers without the project.

Belongs here: the tables `core.dim_reports` and `core.fct_checks`, which the viewer reads. Every text in
them comes from the YAML beside the mart, through dbt's manifest, and from the invariants; none is
written here. They describe a build and are no part of it: no model reads them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import duckdb

from orchestration.checks import Result
from orchestration.dbt_runs import NodeResult
from orchestration.report_functions import is_function

REPORTS = "core.dim_reports"
CHECKS = "core.fct_checks"
SUMMARY = "_summary"

_REPORT_COLUMNS = {
    "report": ("varchar", "The mart of the report, in schema reports."),
    "function_name": (
        "varchar",
        "The function that answers with it; NULL where there is only a mart.",
    ),
    "rows_function_name": (
        "varchar",
        "The function that gives its single records, if any.",
    ),
    "report_number": ("integer", "HubSpot's order of the reports, 1 to 25; tabs of one report share it."),
    "title": ("varchar", "HubSpot's name of the report."),
    "collection": ("varchar", "HubSpot's collection that it belongs to."),
    "question": ("varchar", "The question that it answers."),
    "description": ("varchar", "What a row of the mart is, and its measures."),
    "definition": (
        "varchar",
        "JSON: all of config.meta.report of its YAML, the columns of mart and function with type and "
        "description, and the function's arguments.",
    ),
}
_CHECK_COLUMNS = {
    "report": ("varchar", "The mart or core table that the check is about."),
    "check_name": ("varchar", "Name of the check: a sentence with underscores."),
    "words": (
        "varchar",
        "The law in words; NULL where the name says it.",
    ),
    "is_blocking": ("boolean", "Whether a build that fails it is not published."),
    "is_passed": ("boolean", "Whether it holds: see proof."),
    "violation_count": ("bigint", "Rows that break it."),
    "seconds": ("double", "How long it took; 0 where it was not run."),
    "proof": (
        "varchar",
        "Which rows it was run over on this build, and with which build before it was proven of all; NULL "
        "for dbt's tests, which a night runs over what it computed anew.",
    ),
}
_TEXTS = {
    REPORTS: "One row per report mart: what the report is, from the same YAML that documents it.",
    CHECKS: "One row per check of this build: dbt's tests and the invariants.",
}


def record_tests(
    connection: duckdb.DuckDBPyConnection, results: Iterable[NodeResult], manifest: Mapping[str, Any]
) -> None:
    """Keep the outcome of dbt's tests in the build database, until it is published."""
    _record(connection, list(_test_rows(results, manifest)))


def record_invariants(connection: duckdb.DuckDBPyConnection, results: Iterable[Result]) -> None:
    """Keep the outcome of the invariants in the build database, until it is published."""
    rows = [
        [
            *(law.report, law.name, law.words, law.blocking),
            *(result.passed, result.violation_count, result.seconds, result.proof),
        ]
        for result in results
        for law in [result.invariant]
    ]
    _record(connection, rows)


def forget_checks(connection: duckdb.DuckDBPyConnection) -> None:
    """The build is about to change: what its checks found no longer counts. Needs the schema `audit`."""
    typed = ", ".join(f"{name} {kind}" for name, (kind, _) in _CHECK_COLUMNS.items())
    connection.execute(f"create or replace table audit.checks ({typed})")


def write(connection: duckdb.DuckDBPyConnection, manifest: Mapping[str, Any]) -> None:
    """Create both tables among the marts, from the manifest and what the checks of the build found."""
    _create(connection, REPORTS, _REPORT_COLUMNS)
    _insert(connection, REPORTS, list(report_rows(manifest)))
    _create(connection, CHECKS, _CHECK_COLUMNS)
    connection.execute(f"insert into {CHECKS} from audit.checks order by report, check_name")


def report_rows(manifest: Mapping[str, Any]) -> Iterator[list[Any]]:
    """Rows of `core.dim_reports`, in HubSpot's order within each collection."""
    nodes = manifest["nodes"].values()
    functions = {node["name"]: node for node in nodes if is_function(node)}
    marts = [node for node in nodes if node["config"].get("meta", {}).get("report")]
    for mart in sorted(marts, key=_order):
        report = mart["config"]["meta"]["report"]
        name = mart["name"].removeprefix("rpt_")
        function = functions.get(name + SUMMARY) or functions.get(name)
        definition = {
            "report": report,
            "columns": _columns(mart) | (_columns(function) if function else {}),
            "function": _function(function) if function else None,
        }
        yield [
            mart["name"],
            function["name"] if function else None,
            name if name in functions and name + SUMMARY in functions else None,
            report.get("number"),
            report["title"],
            report["collection"],
            _one_line(report["question"]),
            _one_line(mart["description"]),
            json.dumps(definition, ensure_ascii=False),
        ]


def _order(mart: Mapping[str, Any]) -> tuple:
    report = mart["config"]["meta"]["report"]
    return report["collection"], report.get("number") or 0, mart["name"]


def _columns(node: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    return {
        column["name"]: {
            "data_type": column.get("data_type") or "",
            "description": _one_line(column["description"]),
        }
        for column in node["columns"].values()
    }


def _function(node: Mapping[str, Any]) -> dict[str, Any]:
    meta = node["config"]["meta"]
    return {
        "description": _one_line(node["description"]),
        **{key: meta["function"][key] for key in ("group_by", "arguments", "has_pipelines")},
        "argument_texts": meta.get("arguments", {}),
        "not_offered": meta.get("not_offered", []),
    }


def _test_rows(results: Iterable[NodeResult], manifest: Mapping[str, Any]) -> Iterator[list[Any]]:
    for result in results:
        if result.kind != "test":
            continue
        node = manifest["nodes"][result.unique_id]
        attached = manifest["nodes"].get(node.get("attached_node") or "")
        about = attached["name"] if attached else ""
        is_blocking = node["config"]["severity"].lower() == "error"
        words = _one_line(node.get("description") or "") or None
        passed = result.status in ("pass", "success")
        yield [about, result.name, words, is_blocking, passed, result.failures, result.seconds, None]


def _record(connection: duckdb.DuckDBPyConnection, rows: list[list[Any]]) -> None:
    _insert(connection, "audit.checks", rows)


def _create(
    connection: duckdb.DuckDBPyConnection, table: str, columns: Mapping[str, tuple[str, str]]
) -> None:
    connection.execute(
        f"create or replace table {table} ({', '.join(f'{name} {columns[name][0]}' for name in columns)})"
    )
    connection.execute(f"comment on table {table} is {_text(_TEXTS[table])}")
    for name, (_, words) in columns.items():
        connection.execute(f"comment on column {table}.{name} is {_text(words)}")


def _insert(connection: duckdb.DuckDBPyConnection, table: str, rows: list[list[Any]]) -> None:
    """All rows by one statement: one each takes DuckDB a second for the checks of a build."""
    if rows:
        marks = f"({', '.join('?' for _ in rows[0])})"
        values = ", ".join([marks] * len(rows))
        connection.execute(f"insert into {table} values {values}", [cell for row in rows for cell in row])


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
