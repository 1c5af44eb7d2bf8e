"""Nights without dbt: a CRM that changes at random, and builds that compute what changed.

Belongs here: how a CRM becomes the one of the next night, the project as dbt compiles it for a build that
follows another one, and how such a build is made and proven in a database in memory. What has to hold
afterwards stands in test_incremental.py.
"""

from __future__ import annotations

import copy
import random
import re
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from pathlib import Path

import duckdb

from orchestration.checks import (
    create_relations,
    invariants,
    kept_warnings,
    needed_relations,
    run_invariants,
    set_variables,
)
from orchestration.checks.changed import run_of_changed
from orchestration.checks.proof import parts
from orchestration.compiled import Node, Project, build_nodes
from orchestration.data_folder import MARTS_SCHEMAS, attach_marts
from orchestration.ingest.contract import TABLES
from orchestration.report_functions import in_two_parts
from tests.crm_generator import HardCrm
from tests.harness import (
    DATABASE,
    compiled_inline,
    compiled_manifest,
    compiled_project,
    empty_database,
    load_crm,
)

HOURS_OF_A_NIGHT = (0, 1, 24, 24, 24 * 40)


# --- CRMs -----------------------------------------------------------------------------------------


class Nights:
    """A hard CRM as it was some nights ago, and as it is after each of them."""

    def __init__(self, crm: HardCrm, rng: random.Random) -> None:
        self.rng = rng
        self.whole = crm
        self.settings = dict(crm.settings)
        self.settings["run_ts"] -= timedelta(hours=sum(HOURS_OF_A_NIGHT))
        self.tables = {name: copy.deepcopy(rows) for name, rows in crm.tables.items()}
        self.absent: dict[str, list[dict]] = {name: [] for name in self.tables}
        for name in self.tables:
            if name != "account":
                self._take_out(name, self.rng.choice([0, 0.1, 0.3]))

    def next(self) -> None:
        """Let a night pass: rows come late, go, and change, each to a value that occurs in its column."""
        self.settings["run_ts"] += timedelta(hours=self.rng.choice(HOURS_OF_A_NIGHT))
        for name, rows in self.tables.items():
            if name == "account" or self.rng.random() < 0.4:
                continue
            came = [row for row in self.absent[name] if self.rng.random() < 0.3]
            self.absent[name] = [row for row in self.absent[name] if not any(row is one for one in came)]
            rows += came
            self._take_out(name, self.rng.choice([0, 0, 0.05]))
            for row in rows:
                if self.rng.random() < 0.05:
                    self._edit(name, row)

    def _take_out(self, name: str, share: float) -> None:
        stays = [row for row in self.tables[name] if self.rng.random() >= share]
        self.absent[name] += [row for row in self.tables[name] if not any(row is one for one in stays)]
        self.tables[name] = stays

    def _edit(self, name: str, row: dict) -> None:
        """Another value in one column, keys excepted: rows of the whole CRM know which ones occur."""
        columns = [column for column in row if column not in TABLES[name].key and column != "_loaded_at"]
        if columns:
            column = self.rng.choice(columns)
            row[column] = self.rng.choice(self.whole.tables[name]).get(column)


# --- builds ---------------------------------------------------------------------------------------


@cache
def night_nodes() -> dict[str, tuple[Node, tuple[str, ...]]]:
    """Every node as dbt compiles it where all tables are there already, with the key of keyed models."""
    manifest = compiled_manifest(prepare=_empty_build)
    nodes = Project.from_manifest(manifest).nodes
    keys = {
        node["alias"]: node["config"].get("unique_key")
        for node in manifest["nodes"].values()
        if node["config"]["materialized"] == "incremental"
    }
    return {
        name: (node, tuple([key] if isinstance(key := keys.get(name, ()), str) else key))
        for name, node in nodes.items()
    }


@cache
def night_sums() -> dict[str, tuple[list[str], list[str]]]:
    """Of the marts that add up keyed models: these models, and the measures."""
    nodes = compiled_manifest(prepare=_empty_build)["nodes"]
    keyed = {key for key, node in nodes.items() if node["config"]["materialized"] == "incremental"}
    return {
        node["alias"]: (
            [nodes[key]["alias"] for key in node["depends_on"]["nodes"] if key in keyed],
            list(node["config"]["meta"]["report"]["measures"]),
        )
        for node in nodes.values()
        if node["config"]["materialized"] == "sums"
    }


@cache
def night_hooks() -> dict[str, str]:
    """The statements that follow a night's rows, by keyed model (macros/moved_by_time.sql)."""
    macros = {
        node["alias"]: match[1]
        for node in compiled_manifest(prepare=_empty_build)["nodes"].values()
        for hook in node["config"].get("post-hook", [])
        if (match := re.match(r"\{\{ (\w+)\(this\) if is_in_a_night", hook["sql"]))
    }
    jinja = "".join(f"-- hook {name}\n{{{{ {macro}(ref('{name}')) }}}}\n" for name, macro in macros.items())
    _, *parts = compiled_inline(jinja).split("-- hook ")
    return {name: in_two_parts(sql) for name, _, sql in (part.partition("\n") for part in parts)}


def _empty_build(folder: Path) -> None:
    """A build of a CRM without rows, where dbt looks for it."""
    empty = load_crm({"deals": []}).connection
    with duckdb.connect(folder / f"{DATABASE}.duckdb") as connection:
        connection.execute("set TimeZone = 'UTC'")
        _copy_raw(empty, connection)
        attach_marts(connection, folder / "marts.duckdb")
        build_nodes(connection, compiled_project().nodes.values())


def build_night(connection: duckdb.DuckDBPyConnection) -> None:
    """Bring a build up to its raw tables as a night does: keyed models by their keys, the rest anew."""
    for node, key in night_nodes().values():
        relation = f'"{node.schema}"."{node.name}"'
        if key:
            query = node.statement.partition(" as\n")[2]
            keys = changed_keys(key)
            match = " and ".join(f"changed_keys.{name} = of_all.{name}" for name in key)
            connection.execute(f"create or replace temp table night_rows as {query}")
            if node.name in {parent for parents, _ in night_sums().values() for parent in parents}:
                connection.execute(
                    f"create or replace table {before(relation)} as "
                    f"from {relation} semi join intermediate.{keys} using ({', '.join(key)})"
                )
            connection.execute(
                f"delete from {relation} as of_all "
                f"where exists (select 1 from intermediate.{keys} as changed_keys where {match})"
            )
            connection.execute(f"insert into {relation} by name from night_rows")
            if hook := night_hooks().get(node.name):
                connection.execute(hook)
        elif node.name in night_sums():
            add_what_changed(connection, node, relation)
        elif not node.statement.startswith("create or replace"):  # functions read what is there
            connection.execute(node.statement.replace("create ", "create or replace ", 1))


def add_what_changed(connection: duckdb.DuckDBPyConnection, node: Node, relation: str) -> None:
    """Move the sums of a mart by what its records were and are (macros/materializations/sums.sql)."""
    parents, measures = night_sums()[node.name]
    now = before_it = node.statement.partition(" as\n")[2]
    for parent in parents:
        parent_node, key = night_nodes()[parent]
        name = f'"{parent_node.schema}"."{parent}"'
        rows = f"(from {name} semi join intermediate.{changed_keys(key)} using ({', '.join(key)}))"
        now, before_it = now.replace(name, rows), before_it.replace(name, before(name))
    columns = [row[0] for row in connection.execute(f"describe {relation}").fetchall()]
    keys = ", ".join(column for column in columns if column not in measures)
    taken_away = ", ".join(f"-{measure} as {measure}" for measure in measures)
    sums = ", ".join(f"sum({measure}) as {measure}" for measure in measures)
    connection.execute(
        f"create or replace temp table night_rows as select {keys}, {sums} from ("
        f"from {relation} union all by name ({now}) union all by name "
        f"select * replace ({taken_away}) from ({before_it})) as moved "
        f"group by {keys} having {' or '.join(f'sum({measure}) <> 0' for measure in measures)}"
    )
    connection.execute(f"delete from {relation}")
    connection.execute(f"insert into {relation} by name from night_rows")


def before(relation: str) -> str:
    """Where the rows of changed keys are kept as they were."""
    return f'{relation[:-1]}_before"'


def changed_keys(key: tuple[str, ...]) -> str:
    """The model that lists the changed keys of a kind (macros/incremental.sql)."""
    return {
        ("deal_id",): "int_deals_changed",
        ("contact_id",): "int_contacts_changed",
        ("activity_type", "activity_id"): "int_activities_changed",
    }[key]


def copy_of_raw(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """A database with the same raw tables and nothing built: the same kept history, the same delivery."""
    other = empty_database()
    _copy_raw(connection, other)
    return other


def _copy_raw(source: duckdb.DuckDBPyConnection, target: duckdb.DuckDBPyConnection) -> None:
    target.execute("create schema raw_hubspot")
    tables = source.execute(
        "select table_name from duckdb_tables() where schema_name = 'raw_hubspot'"
    ).fetchall()
    for (name,) in tables:
        rows = source.sql(f"from raw_hubspot.{name}").to_arrow_table()  # noqa: F841
        target.execute(f"create table raw_hubspot.{name} as from rows")


def differences(one: duckdb.DuckDBPyConnection, other: duckdb.DuckDBPyConnection) -> Mapping[str, str]:
    """Tables that do not hold the same rows of the same types, with what is different.

    Views on the way to a keyed model show the changed records only; whoever reads them is compared.
    """
    found = {}
    for node, _ in night_nodes().values():
        if node.statement.startswith("create view") and node.schema not in MARTS_SCHEMAS:
            continue
        relation = f'"{node.schema}"."{node.name}"'
        try:
            types = [build.execute(f"describe {relation}").fetchall() for build in (one, other)]
        except duckdb.CatalogException:
            continue  # a report function
        if types[0] != types[1]:
            found[node.name] = f"{types[0]} is not {types[1]}"
            continue
        rows = [sorted(map(repr, build.execute(f"from {relation}").fetchall())) for build in (one, other)]
        if rows[0] != rows[1]:
            gone, come = set(rows[1]) - set(rows[0]), set(rows[0]) - set(rows[1])
            found[node.name] = f"missing {sorted(gone)[:3]}, too many {sorted(come)[:3]}"
    return found


# --- proofs ---------------------------------------------------------------------------------------


def prove_whole(connection: duckdb.DuckDBPyConnection) -> None:
    """Keep what violates warnings, as the proof of a whole build does for the nights that follow it."""
    kept = [law for law in invariants() if law.name in parts(of_a_night=False).kept]
    set_variables(connection)
    create_relations(connection, needed_relations(kept))
    for law in kept:
        kept_warnings.run_of_all(connection, law, {})


def wrong_verdicts(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """What a night's laws of changed records say against a night that went right, and where its warnings
    count other violations than all records have."""
    results = run_of_changed(connection, parts(of_a_night=True).changed, "the build before")
    wrong = [str(result) for result in results if result.blocks]
    found = {result.invariant.name: (result.violation_count, result.ids) for result in results}
    for whole in run_invariants(connection, parts(of_a_night=False).kept):
        if found[whole.invariant.name] != (whole.violation_count, whole.ids):
            wrong.append(f"{found[whole.invariant.name]} is not {whole}")
    return wrong
