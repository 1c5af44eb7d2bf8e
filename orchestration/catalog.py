"""`python -m orchestration.catalog [report]`: what there is, and everything about one report.

Belongs here: the reading view of what dbt's manifest, the invariants and the references say about
reports. Nothing is stated here that is not stated there.
"""

from __future__ import annotations

import inspect
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any

from orchestration.checks import Invariant, invariants
from orchestration.dbt_runs import DbtError, load_manifest
from orchestration.reference import references
from orchestration.report_functions import is_function
from orchestration.settings import PROJECT_ROOT, SettingsError, load_settings, set_tool_environment
from orchestration.table_rules import rules_of

WIDTH = 100
Node = Mapping[str, Any]


def reports(manifest: Mapping[str, Any]) -> list[Node]:
    """The report marts, by collection and number."""
    marts = [
        node
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and node["name"].startswith("rpt_")
    ]
    return sorted(
        marts, key=lambda node: (collection_of(node), report_of(node).get("number") or 0, node["name"])
    )


def report_of(node: Node) -> Mapping[str, Any]:
    """What the YAML of a mart says about the report (`config.meta.report`)."""
    return node["config"]["meta"].get("report") or {}


def collection_of(node: Node) -> str:
    return node["fqn"][2]


def overview(manifest: Mapping[str, Any]) -> str:
    """All reports with collection, number and title."""
    lines: list[str] = []
    for node in reports(manifest):
        collection = collection_of(node).replace("_", " ").capitalize()
        if collection not in lines:
            lines += ["", collection] if lines else [collection]
        report = report_of(node)
        lines.append(f"  {report.get('number') or '–':>2}  {node['name']:<38} {report.get('title', '')}")
    return "\n".join([*lines, "", "Everything about one: python -m orchestration.catalog rpt_…"])


def entry(
    manifest: Mapping[str, Any], name: str, laws: Iterable[Invariant], sources: Mapping[str, str]
) -> str:
    """Everything about one report. `sources` are the texts of the reference computations by mart.

    Raises KeyError, with the names there are, for a report that does not exist.
    """
    known = {node["name"]: node for node in reports(manifest)}
    name = name if name.startswith("rpt_") else f"rpt_{name}"
    if name not in known:
        raise KeyError(f"no report {name}; there are {', '.join(known)}")
    node = known[name]
    laws = [law for law in laws if law.report == name]
    lines = list(_entry_lines(manifest, node, laws, sources.get(name)))
    return "\n".join(line for line, next_line in pairwise([*lines, ""]) if line or next_line)


def _entry_lines(
    manifest: Mapping[str, Any], node: Node, laws: list[Invariant], source: str | None
) -> Iterator[str]:
    report = report_of(node)
    heading = " · ".join(
        str(part) for part in (report.get("number"), report.get("title"), collection_of(node)) if part
    )
    yield f"{node['schema']}.{node['name']}   {heading}"
    yield from _wrapped(report.get("question", ""), "  ")
    yield ""
    yield from _wrapped(node["description"], "")
    for title, key in (
        ("Grain", "grain"),
        ("Filters", "filters"),
        ("Date", "date_property"),
        ("HubSpot properties", "properties"),
        ("Rules", "rules"),
    ):
        if value := report.get(key):
            yield from _wrapped(
                f"{title}: {', '.join(map(str, value)) if isinstance(value, list) else value}", ""
            )
    yield from _section("Edge cases", report.get("edge_cases", []))
    yield from _section("Columns", map(_column, node["columns"].values()))
    yield from _section("Tests", _tests(manifest, node))
    for unit_test in _unit_tests(manifest, node["name"]):
        yield from _example(unit_test)
    yield from _section(
        "Invariants",
        (f"{law.name} ({'blocking' if law.blocking else 'warning'}): {law.words}" for law in laws),
    )
    for function in _functions(manifest, node["name"]):
        yield from _function(function)
    yield from _section("Drill-down", (_drill_down(*item) for item in report.get("drill_down", {}).items()))
    yield from _section("SQL", [node["original_file_path"]])
    if source:
        yield "Reference"
        yield from textwrap.indent(source.rstrip(), "  ").splitlines()


def _column(column: Mapping[str, Any]) -> str:
    return f"{column['name']} {column.get('data_type') or ''}: {column['description']}"


def _tests(manifest: Mapping[str, Any], node: Node) -> list[str]:
    return sorted(
        rule
        for test in manifest["nodes"].values()
        if test["resource_type"] == "test" and node["unique_id"] in test["depends_on"]["nodes"]
        for rule in rules_of(test)
    )


def _unit_tests(manifest: Mapping[str, Any], model: str) -> list[Mapping[str, Any]]:
    found = [test for test in manifest["unit_tests"].values() if test["model"] == model]
    return sorted(found, key=lambda test: test["name"])


def _example(test: Mapping[str, Any]) -> Iterator[str]:
    yield f"Worked example: {test['name']}"
    yield from _wrapped(test.get("description") or "", "  ")
    for given in test["given"]:
        yield from _rows(f"given {given['input']}", given)
    yield from _rows("expect", test["expect"])
    yield ""


def _rows(title: str, table: Mapping[str, Any]) -> Iterator[str]:
    rows = table.get("rows")
    if not isinstance(rows, list):
        yield f"  {title}: {table.get('fixture') or rows or 'no rows'}"
        return
    yield f"  {title}" + ("" if rows else ": no rows")
    for row in rows:
        cells = ", ".join(f"{key}={value}" for key, value in row.items())
        yield from textwrap.wrap(cells, WIDTH, initial_indent="    ", subsequent_indent="      ")


def _functions(manifest: Mapping[str, Any], mart: str) -> list[Node]:
    """The report functions of a mart: its name without `rpt_`, and that with `_summary`."""
    name = mart.removeprefix("rpt_")
    return [
        node
        for node in manifest["nodes"].values()
        if is_function(node) and node["name"] in (name, f"{name}_summary")
    ]


def _function(node: Node) -> Iterator[str]:
    meta = node["config"]["meta"]
    yield f"Function {node['schema']}.{node['name']}"
    yield from _wrapped(meta["function"]["signature"], "  ")
    yield from _wrapped(node["description"], "  ")
    yield from _wrapped(f"group_by: {', '.join(meta['function'].get('group_by', []))}", "  ")
    for argument, text in meta.get("arguments", {}).items():
        yield from _wrapped(f"{argument}: {text['description']}", "  ")
    for column in node["columns"].values():
        yield from _wrapped(_column(column), "  ")
    yield ""


def _drill_down(measure: str, place: Mapping[str, Any]) -> str:
    more = ", ".join(
        f"{key} {value}" for key, value in place.items() if key not in ("relation", "id", "where")
    )
    text = f"{measure}: {place['id']} of {place['relation']} where {place.get('where', 'true')}"
    return f"{text} ({more})" if more else text


def _section(title: str, items: Iterable[str]) -> Iterator[str]:
    items = list(items)
    if items:
        yield ""
        yield title
        for item in items:
            yield from _wrapped(item, "  ")
        yield ""


def _wrapped(text: str, indent: str) -> list[str]:
    text = " ".join(text.split())
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent + "    ")


def main(arguments: list[str]) -> int:
    try:
        settings = load_settings(reads_source=False)
        set_tool_environment(settings)
        manifest = load_manifest(settings)
        if not arguments:
            print(overview(manifest))
        for name in arguments:
            sources = {
                mart: f"# {inspect.getsourcefile(found.compute)}".replace(f"{PROJECT_ROOT}/", "")
                + f"\n{inspect.getsource(found.compute)}"
                for mart, found in references().items()
            }
            print(entry(manifest, name, invariants(), sources))
    except (SettingsError, DbtError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyError as error:
        print(error.args[0], file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
