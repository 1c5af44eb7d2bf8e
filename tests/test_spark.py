"""The models give the same numbers on Spark as on DuckDB: every row, cent and millisecond.

Belongs here: building the same raw rows on both engines, in one session of Spark, and comparing what stands
in the tables; and each macro of `macros/dialect/` by itself. That the numbers are right is tested on DuckDB.

`pytest tests/test_spark.py --crms 20` compares many hard CRMs instead of one, and their report functions, for
which Spark takes minutes; those of one account are compared wherever it is published (`test_spark_run.py`).
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime

import duckdb
import pytest

from orchestration.checks.compare import row_differences
from orchestration.engines import spark_functions, spark_process
from orchestration.engines.spark_proof import NOT_ASKED, create_proven
from tests.conftest import DEFAULT_CRMS
from tests.crm_generator import hard_crm
from tests.demo_rows import END, Demo
from tests.harness import Build, load_crm
from tests.spark_session import Spark, SparkError, land, spark_session
from tests.test_dialect import Values, cases, rendered, with_from
from tests.test_postgres import DEALS, as_dicts, spoil

pytestmark = pytest.mark.thorough

# A clock that skips midnight, and most traps of the generator.
HARD_CRM = 3
# Unicode got their lower case after DuckDB's list of it was made.
NEWER_LETTERS = set("\u1c89\ua7cb\ua7cc\ua7ce\ua7d2\ua7d4\ua7da\ua7dc")


@pytest.fixture(scope="module")
def spark(tmp_path_factory) -> Iterator[Spark]:
    with spark_session(tmp_path_factory.mktemp("spark")) as session:
        yield session


@pytest.fixture(scope="module")
def demo() -> Iterator[Build]:
    """The demo CRM with odd values, built by DuckDB."""
    tables = Demo(DEALS, END).rows
    spoil(tables, random.Random(1))
    build = load_crm(tables, run_ts=END)
    build.ensure(*build.project.nodes)
    yield build
    build.connection.close()


@pytest.fixture(scope="module")
def demo_on_spark(spark, demo) -> dict[str, tuple[str, int, str]]:
    """The same CRM built and tested by dbt there: what became of each node."""
    return build_on_spark(spark, demo, "demo")


def build_on_spark(spark: Spark, build: Build, name: str, *without: str) -> dict[str, tuple[str, int, str]]:
    """What became of each node; `without` are kinds of nodes to leave out."""
    raw = land(build.connection, spark.folder / f"raw_{name}")
    arguments = ["build", "--full-refresh", "--exclude-resource-type", "unit_test", *without]
    return spark.dbt(*arguments, build=name, raw=raw)


def assert_all_is_well(nodes: dict[str, tuple[str, int, str]], *kinds: str) -> None:
    bad = [f"{node}: {result}" for node, result in nodes.items() if result[0] not in ("success", "pass")]
    assert not bad, "\n".join(bad[:5])
    assert {node.partition(".")[0] for node in nodes} == set(kinds)


def assert_same_rows(spark: Spark, build: Build, name: str) -> None:
    """Fail unless every mart of both engines has the same columns, types and rows."""
    marts = [
        node
        for node in build.project.nodes.values()
        if node.schema in ("core", "reports") and node.statement.startswith(("create table", "create view"))
    ]
    assert {node.name for node in marts} > set(build.project.marts)
    different = {
        node.name: found
        for node in marts
        if (found := differences(spark, build, node.schema, node.name, name))
    }
    for table, found in different.items():
        shown = "\n".join(f"  {one['id']}: {one['difference']}" for one in found[:4])
        pytest.fail(
            f"{name}: {len(different)} tables differ ({', '.join(different)}).\n"
            f"{table}, {len(found)} rows of Spark against DuckDB's:\n{shown}"
        )


def differences(spark: Spark, build: Build, schema: str, table: str, name: str) -> list[dict[str, str]]:
    """How Spark's table differs from DuckDB's. Values are equal or not; floats may differ in rounding."""
    theirs, ours = spark.table(f"{schema}_{name}", table), f'"{schema}"."{table}"'
    actual_kinds, kinds = (columns(build.connection, relation) for relation in (theirs, ours))
    if list(actual_kinds.items()) != list(kinds.items()):
        return [{"id": "columns", "difference": f"{actual_kinds}, expected {kinds}"}]
    actual, expected = (
        build.connection.execute(f"select * from {relation}").fetchall() for relation in (theirs, ours)
    )
    if Counter(actual) == Counter(expected):
        return []
    floats = [column for column, kind in kinds.items() if kind == "DOUBLE"]
    return row_differences(as_dicts(list(kinds), actual), as_dicts(list(kinds), expected), floats)


def columns(connection: duckdb.DuckDBPyConnection, relation: str) -> dict[str, str]:
    described = connection.execute(f"describe select * from {relation}").fetchall()
    return {column: kind for column, kind, *_ in described}


class Asked:
    """The session as a run has one: what a query gives comes back."""

    def __init__(self, spark: Spark, name: str) -> None:
        self._spark = spark
        self._name = name
        self.answers = 0

    def execute(self, sql: str, patience: int = 0) -> spark_process.Rows:
        try:
            if not sql.startswith("select"):
                self._spark.execute(sql)
                return spark_process.Rows([], [])
            self.answers += 1
            found = duckdb.sql(f"from {self._spark.parquet(sql, f'{self._name}_{self.answers}')}")
            return spark_process.Rows(found.columns, found.fetchall())
        except SparkError as error:
            raise spark_process.SparkError(str(error)) from None


def assert_same_answers(spark: Spark, build: Build, name: str, monkeypatch) -> None:
    """Fail unless every function that Spark can answer says what DuckDB's says."""
    manifest = json.loads((spark.folder / "target" / "manifest.json").read_bytes())
    (database,) = build.connection.execute("select current_database()").fetchone()
    monkeypatch.setattr(spark_functions, "MARTS", database)
    definitions = spark_functions.functions(build.connection, manifest, name)
    asked = Asked(spark, name)
    refused = create_proven(build.connection, asked, manifest, definitions, f"reports_{name}")
    assert {function: why for function, why in refused.items() if function not in NOT_ASKED} == {}
    assert asked.answers == len(definitions) - len(NOT_ASKED)


# --- tests ----------------------------------------------------------------------------------------


def test_dbt_builds_the_same_tables(spark, demo, demo_on_spark):
    assert_all_is_well(demo_on_spark, "seed", "model", "test")
    assert_same_rows(spark, demo, "demo")


def test_a_row_too_many_is_found(spark, demo, demo_on_spark):
    """By dbt's tests, as on Spark nothing else keeps a key unique; and by the comparison."""
    spark.execute("insert into core_demo.dim_owners select * from core_demo.dim_owners limit 1")
    assert len(differences(spark, demo, "core", "dim_owners", "demo")) == 1
    raw = spark.folder / "raw_demo"
    nodes = spark.dbt("test", "--select", "dim_owners_keeps_its_rules", build="demo", raw=raw)
    assert [result[:2] for result in nodes.values()] == [("fail", 1)]


def pytest_generate_tests(metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        count = metafunc.config.getoption("--crms")
        metafunc.parametrize("seed", [HARD_CRM] if count == DEFAULT_CRMS else range(count))


def test_hard_crm_is_the_same(spark, seed, request, monkeypatch):
    crm = hard_crm(seed)
    build = load_crm(crm.tables, **crm.settings)
    build.ensure(*build.project.nodes)
    assert_all_is_well(build_on_spark(spark, build, f"crm_{seed}", "test"), "seed", "model")
    assert_same_rows(spark, build, f"crm_{seed}")
    if request.config.getoption("--crms") != DEFAULT_CRMS:
        assert_same_answers(spark, build, f"crm_{seed}", monkeypatch)
    build.connection.close()


@pytest.fixture(scope="module")
def duck() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        yield connection


@pytest.mark.parametrize(
    ("number", "case", "values"),
    [pytest.param(number, *case, id=case[0]) for number, case in enumerate(cases())],
)
def test_macro_is_the_same(spark, duck, number, case, values: Values):
    if "without_case" in case:
        values = [row for row in values if not NEWER_LETTERS & set(row[0])]
    names = ", ".join(["n", "a", "b"][: len(values[0]) + 1])
    rows = ",\n".join(f"({n}, {', '.join(row)})" for n, row in enumerate(values))
    given = spark.folder / f"given_{number}"
    given.mkdir()
    duck.execute(
        f"copy (select * from (values {rows}) as given ({names})) to '{given}/rows.parquet' (format parquet)"
    )
    on_duckdb, on_spark = (
        f"with given as ({source}), "
        f"answered (n, value) as (select n, {with_from(rendered(case, engine))}) select * from answered"
        for engine, source in (
            ("duckdb", f"from '{given}/rows.parquet'"),
            ("spark", f"select * from parquet.`{given}`"),
        )
    )
    duckdb_has, spark_has = (
        Counter((n, comparable(value)) for n, value in duck.execute(query).fetchall())
        for query in (on_duckdb, f"from {spark.parquet(on_spark, f'case_{number}')}")
    )
    assert duckdb_has
    assert not duckdb_has - spark_has
    assert not spark_has - duckdb_has


def comparable(value: object) -> object:
    """Days as instants: Spark has no local times, and counts days as dates."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    if isinstance(value, datetime):
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    return value
