"""The project keeps its own rules: a walk over dbt's manifest.

Belongs here: the shape of `architecture.md`. Every report is whole (SQL, definition, function,
reference, invariant, worked example) and everything about it stands under one name; layers read in
one direction; names say what a thing is; the SQL runs on more engines than one. What the numbers
should be does not belong here.
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict

import pytest

from orchestration.checks import COLLECTIONS, invariants
from orchestration.checks.universal import universal_invariants
from orchestration.checks.universal_functions import NO_FUNCTION
from orchestration.reference import references
from orchestration.report_functions import is_function
from orchestration.settings import PROJECT_ROOT
from orchestration.table_rules import has_rules
from tests.harness import compiled_manifest

COLLECTION_FOLDERS = {"coach_reps_and_teams", "forecasts_and_pipelines", "sales_outcomes", "data_quality"}
SUMMARY = "_summary"
"""Ends the name of a record mart's second function, the report itself."""
REPORT_KEYS = {
    "title",
    "collection",
    "question",
    "date_property",
    "grain",
    "measures",
    "filters",
    "chart",
    "properties",
    "rules",
    "edge_cases",
}
CHART_TYPES = {
    "area",
    "attainment",
    "bar",
    "funnel",
    "grouped_bar",
    "heat",
    "range",
    "scatter",
    "stacked_bar",
    "table",
    "timeline",
    "waterfall",
}
SHARED_COLUMNS = {"group_id", "group_label", "bucket_start", "parent_team_id", "depth"}
"""Columns of every report function."""

MANIFEST = compiled_manifest()
MODELS = {n["name"]: n for n in MANIFEST["nodes"].values() if n["resource_type"] == "model"}
MARTS = sorted(name for name in MODELS if name.startswith("rpt_"))
CORE = sorted(name for name, node in MODELS.items() if node["schema"] == "core" and not is_function(node))
FUNCTIONS = sorted(name for name, node in MODELS.items() if is_function(node) and node["schema"] == "reports")


def layer(node: dict) -> str:
    """source, seed, staging, intermediate, core, report, or function (helpers of functions too)."""
    if node["resource_type"] in ("source", "seed"):
        return node["resource_type"]
    if is_function(node):
        return "function"
    first, *rest = node["fqn"][1:]
    if first != "marts":
        return first
    return "core" if rest[0] == "core" else "report"


def parents(node: dict) -> list[dict]:
    known = MANIFEST["nodes"] | MANIFEST["sources"]
    return [known[key] for key in node["depends_on"]["nodes"] if key in known]


def children() -> dict[str, set[str]]:
    found = defaultdict(set)
    for name, node in MODELS.items():
        for parent in parents(node):
            found[parent["name"]].add(name)
    return found


def data_tests_of(name: str) -> list[dict]:
    """The data tests attached to a model."""
    key = MODELS[name]["unique_id"]
    return [
        node
        for node in MANIFEST["nodes"].values()
        if node["resource_type"] == "test" and node.get("attached_node") == key
    ]


def report(name: str) -> dict:
    return MODELS[name]["config"]["meta"].get("report", {})


def functions_of(mart: str) -> list[str]:
    name = mart.removeprefix("rpt_")
    return [function for function in (name, name + SUMMARY) if function in FUNCTIONS]


def seed(name: str) -> list[dict[str, str]]:
    with (PROJECT_ROOT / "seeds" / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


# --- a report is whole ----------------------------------------------------------------------------


@pytest.mark.parametrize("mart", MARTS)
def test_report_is_defined_beside_its_sql(mart):
    node, meta = MODELS[mart], report(mart)
    path = node["original_file_path"]
    assert node["patch_path"], f"{path} has no YAML beside it"
    assert node["patch_path"].split("://")[1] == path.replace(".sql", ".yml")
    assert not REPORT_KEYS - meta.keys(), f"config.meta.report lacks {REPORT_KEYS - meta.keys()}"
    assert meta["collection"] == node["fqn"][-2]
    assert meta["collection"] == "data_quality" or 1 <= meta["number"] <= 25
    assert meta["question"].endswith("?")
    assert meta["chart"]["type"] in CHART_TYPES
    assert node["description"].startswith("One row per ")
    assert node["config"]["contract"]["enforced"]


@pytest.mark.parametrize("mart", MARTS)
def test_every_column_is_described_and_typed(mart):
    for column in MODELS[mart]["columns"].values():
        assert column["description"] and column["data_type"], column["name"]


@pytest.mark.parametrize("mart", MARTS)
def test_grain_is_tested_as_it_is_defined(mart):
    tested = [
        set(columns)
        for test in data_tests_of(mart)
        if has_rules(test)
        for columns in test["test_metadata"]["kwargs"].get("unique", {}).values()
    ]
    grain = report(mart)["grain"]
    # Together with the deal: a change's id begins with it (fct_deal_changes_have_ids_of_their_deal).
    grains = [set(grain), {"deal_id", "change_id"}] if grain == ["change_id"] else [set(grain)]
    assert any(unique in grains for unique in tested), f"no rule says that {grain} is unique"
    for column in grain:
        constraints = [c["type"] for c in MODELS[mart]["columns"][column]["constraints"]]
        assert "not_null" in constraints, f"{column} is part of the grain and may be NULL"


@pytest.mark.parametrize("mart", MARTS)
def test_definition_names_columns_that_exist(mart):
    columns, meta = MODELS[mart]["columns"].keys(), report(mart)
    for part in ("grain", "measures", "filters"):
        assert set(meta[part]) <= columns, f"{part} names {set(meta[part]) - columns}"
    shown = {"owner_id", "owner_name", "team_id", "team_name"} if mart != "rpt_data_quality" else set()
    shown |= {"pipeline_id", "pipeline_label"} if "pipeline_id" in meta["grain"] else set()
    assert shown <= columns, f"a BI tool would have to join for {shown - columns}"


@pytest.mark.parametrize("mart", sorted(set(MARTS) - {"rpt_data_quality"}))
def test_records_behind_every_measure_are_named(mart):
    ways = report(mart).get("drill_down", {})
    # A running total has the records of its slices, a share none.
    of_records = {m for m in report(mart)["measures"] if not re.search("^cumulative_|_share$", m)}
    assert set(ways) >= of_records
    for measure, way in ways.items():
        assert {"relation", "id", "where"} <= way.keys(), measure
        for schema, table in re.findall(r"\b(core|reports)\.(\w+)", way["relation"]):
            assert MODELS[table]["schema"] == schema
        if measure.endswith(("_amount", "_ms", "_days")):
            assert "value" in way, f"{measure} is a sum of what?"


@pytest.mark.parametrize("mart", MARTS)
def test_report_has_a_worked_example(mart):
    key = MODELS[mart]["unique_id"]
    examples = [test for test in MANIFEST["unit_tests"].values() if key in test["depends_on"]["nodes"]]
    assert examples
    for example in examples:
        assert example["description"], example["name"]


@pytest.mark.parametrize("mart", MARTS)
def test_report_is_computed_again_by_another_road(mart):
    reference = references()[mart]
    columns = MODELS[mart]["columns"].keys()
    assert set(reference.measures) <= columns
    assert not set(reference.measures) & set(report(mart)["grain"])


@pytest.mark.parametrize("mart", MARTS)
def test_report_states_an_invariant_of_its_own(mart):
    universal = {invariant.name for invariant in universal_invariants()}
    own = [i for i in invariants() if i.report == mart and i.name not in universal]
    assert own, f"orchestration/checks/{report(mart)['collection']}.py says nothing about {mart}"


@pytest.mark.parametrize("mart", sorted(set(MARTS) - {"rpt_data_quality"}))
def test_data_quality_knows_what_the_report_reads(mart):
    read = {row["report"] for row in seed("report_columns")}
    assert mart in read, "seeds/report_columns.csv has no row for it"


@pytest.mark.parametrize("mart", sorted(set(MARTS) - NO_FUNCTION))
def test_report_has_a_function(mart):
    found = functions_of(mart)
    assert found
    folder = MODELS[mart]["fqn"][:-1]
    assert all(MODELS[name]["fqn"][:-1] == folder for name in found)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_function_is_documented_with_its_report(function):
    node = MODELS[function]
    mart = "rpt_" + function.removesuffix(SUMMARY)
    assert node["patch_path"] == MODELS[mart]["patch_path"], "document it in the YAML of its mart"
    assert node["description"].startswith("Report function")
    meta = node["config"]["meta"]
    own = meta["function"]["arguments"]
    described = meta.get("arguments", {})
    assert set(described) == set(own), f"arguments of {function} to describe: {set(own) ^ set(described)}"
    for name, argument in described.items():
        assert argument["description"], name
        choices = own[name] if isinstance(own[name], list) else []
        assert not choices or set(argument.get("where", choices)) >= set(choices) - {None}, name
        assert set(argument.get("keys", {})) | set(argument.get("not_drillable", ())) <= set(choices), name
    for column in node["columns"].values():
        assert column["description"] and column["data_type"], column["name"]


@pytest.mark.parametrize("mart", MARTS)
def test_chart_shows_columns_of_the_report(mart):
    chart = report(mart)["chart"]
    known = SHARED_COLUMNS | MODELS[mart]["columns"].keys()
    for function in functions_of(mart):
        known |= MODELS[function]["columns"].keys()
    for part in (chart, chart.get("records", {})):
        assert part.get("type", "table") in CHART_TYPES
        for axis, named in part.items():
            if axis not in ("type", "group_by", "records"):
                assert set([named] if isinstance(named, str) else named) <= known, axis


def test_everything_named_exists():
    """Checks, references and seeds are about models that are there."""
    about = {invariant.report for invariant in invariants()}
    assert not about - MODELS.keys()
    assert not references().keys() - MODELS.keys()
    for name in ("report_columns", "report_inputs"):
        named = {row["report"] for row in seed(name)}
        assert not named - MODELS.keys(), f"seeds/{name}.csv"
    assert set(COLLECTIONS) >= COLLECTION_FOLDERS


# --- layers ---------------------------------------------------------------------------------------

MAY_READ = {
    "staging": {"source"},
    "intermediate": {"staging", "intermediate", "core", "seed"},
    "core": {"intermediate", "core", "seed"},
    "report": {"intermediate", "core", "seed"},
    "function": {"core", "report", "function"},
}


@pytest.mark.parametrize("name", sorted(MODELS))
def test_layers_read_in_one_direction(name):
    node = MODELS[name]
    wrong = [
        f"{parent['name']} ({layer(parent)})"
        for parent in parents(node)
        if layer(parent) not in MAY_READ[layer(node)]
    ]
    assert not wrong, f"{layer(node)} must not read {wrong}"


def test_nobody_reads_a_report_but_its_function():
    readers = children()
    for mart in MARTS:
        assert readers[mart] <= set(functions_of(mart)), f"{readers[mart]} read {mart}"


# --- names ----------------------------------------------------------------------------------------

NAMES = {
    "staging": r"stg_[a-z]+__[a-z_]+",
    "intermediate": r"int_[a-z_]+",
    "core": r"(dim|fct|bridge)_[a-z_]+|build_info",
    "report": r"rpt_[a-z_]+",
    "function": r"[a-z_]+",
}
# Endings and beginnings that say what a column holds.
TYPES = [
    (r"_at$", {"timestamptz"}),
    (r"_date$", {"date"}),
    (r"^(is|has)_", {"boolean"}),
    (r"_count$", {"bigint"}),
    (r"^(?!is_|has_).*_amount$", {"decimal(38,2)"}),
    (r"_ms$", {"bigint"}),
    (r"^(?!period_).*_ids?$", {"varchar"}),  # a period's is a number of ours
    (r"_(name|label|names)$", {"varchar"}),
]


@pytest.mark.parametrize("name", sorted(MODELS))
def test_name_says_the_layer(name):
    assert re.fullmatch(NAMES[layer(MODELS[name])], name)
    assert MODELS[name]["original_file_path"].endswith(f"/{name}.sql")


@pytest.mark.parametrize("name", [*CORE, *MARTS])
def test_column_names_say_the_type(name):
    wrong = [
        f"{column['name']} {column['data_type']}"
        for column in MODELS[name]["columns"].values()
        for pattern, types in TYPES
        if re.search(pattern, column["name"]) and (column["data_type"] or "").lower() not in types
    ]
    assert not wrong


@pytest.mark.parametrize("name", CORE)
def test_core_says_its_grain_and_keeps_a_contract(name):
    node = MODELS[name]
    assert node["description"].startswith("One row"), node["description"][:60]
    assert node["config"]["contract"]["enforced"]
    assert node["columns"] and all(column["description"] for column in node["columns"].values())


# --- style ----------------------------------------------------------------------------------------

# What only DuckDB understands or is quick with, and what hides a mistake.
NOT_PORTABLE = {
    r"\bgroup by all\b": "name the columns",
    r"\bqualify\b": "use a CTE",
    r"::": "use cast()",
    r"\bexclude\s*\(": "name the columns",
    r"\breplace\s*\([^,()]+ as ": "name the columns",
    r"\blist_\w+\(": "unnest, or a dispatched macro",
    r"\basof\b": "use a window function",
    r"\bnot in \(\s*select\b": "use not exists: Postgres looks through the whole list for every row",
    r"\bcurrent_(date|timestamp)\b": "run_ts is an input (H12)",
    r"\bnow\(\)": "run_ts is an input (H12)",
}
TABLE_MODELS = sorted(name for name, node in MODELS.items() if not is_function(node))


def sql_of(name: str) -> str:
    """The model's SQL as written, without comments and strings."""
    text = MODELS[name]["raw_code"]
    text = re.sub(r"\{#.*?#\}|--[^\n]*", "", text, flags=re.DOTALL)
    return re.sub(r"'[^']*'", "''", text)


@pytest.mark.parametrize("name", TABLE_MODELS)
def test_sql_is_portable(name):
    found = [why for pattern, why in NOT_PORTABLE.items() if re.search(pattern, sql_of(name), re.IGNORECASE)]
    assert not found


@pytest.mark.parametrize("name", [name for name in TABLE_MODELS if layer(MODELS[name]) != "staging"])
def test_sql_ends_with_final(name):
    assert re.search(r"\nfinal as \(", sql_of(name))
    assert sql_of(name).rstrip().endswith("select * from final")
