"""The models give the same numbers on Postgres as on DuckDB: every row, cent and millisecond.

Belongs here: building the same raw rows on both engines and comparing what stands in the tables. That
the numbers are right is tested on DuckDB. The raw tables' way there has `test_raw_to_postgres.py`.

`pytest tests/test_postgres.py --crms 200` compares many hard CRMs instead of one per time zone.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal

import duckdb
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from orchestration.checks.compare import row_differences
from orchestration.compiled import Project, build_nodes
from orchestration.dbt_runs import Build as DbtBuild
from orchestration.dbt_runs import compiled_manifest
from orchestration.engines import function_proof, postgres_proof
from orchestration.engines.function_proof import call, difference, report_functions
from orchestration.engines.postgres import Postgres
from orchestration.engines.postgres_copy import copy_schema, in_utc
from orchestration.engines.postgres_functions import create_functions
from orchestration.engines.postgres_publication import NEXT, ensure_reader, renew_schemas
from orchestration.settings import (
    POSTGRES_OPTIONS,
    Settings,
    SettingsError,
    libpq_environment,
    set_tool_environment,
)
from tests import postgres_server as postgres_server_module
from tests.conftest import DEFAULT_CRMS
from tests.crm_generator import ZONES, hard_crm
from tests.demo_rows import END, Demo
from tests.harness import Build, load_crm
from tests.postgres_functions import Asker
from tests.postgres_server import database, postgres_server

pytestmark = pytest.mark.thorough

DEALS = 150  # of the demo CRM: enough for every report to have rows

# The same text to one engine and another text to the other, if the models do not say what they mean:
# blanks that are not ASCII, letters whose lower case is not one letter or depends on the next one,
# and texts that a collation sorts otherwise than by code point.
ODD_TEXTS = (
    *("Price", " price", "\u00a0price", "PRICE\u3000", "pri\tce", "pri  ce", "\u2003", "", ";"),
    *("Price;Timing", "timing; ;Timing\u2003", "\u0130stanbul", "istanbul", "Istanbul"),
    *("ΣΑΣ", "σας", "σασ", "GRÖ\u1e9eE", "größe", "Émile", "emile", "e\u0301mile"),
    *("_under", "Zoe", "zoe", "10", "9", "🚀", 'Say "hi"', "two\nlines"),
)
ODD_AMOUNTS = (
    "2.675",
    "-0.005",
    "0.0049999999",
    "1E+3",
    "999999999999.995",
    "9999999999999999",
    "0",
    "",
    None,
)
# Before zones were counted in whole minutes, beyond the last listed change of a clock, and too far.
ODD_CLOSE_DATES = (
    datetime(1890, 5, 1, 3, tzinfo=UTC),
    datetime(2087, 10, 26, 1, 30, tzinfo=UTC),
    datetime(2400, 1, 1, tzinfo=UTC),
    None,
)


# --- the server and what is built on it -----------------------------------------------------------


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres_server() as url:
        yield url


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
def demo_on_postgres(server, demo, tmp_path_factory) -> Iterator[tuple[str, dict]]:
    """The same CRM built and tested by dbt: its database, and the manifest as dbt compiled it.

    dbt creates the tables under their contracts and runs every data test on them.
    """
    with database(server, "sales_reports_demo") as url:
        settings = Settings(data_dir=tmp_path_factory.mktemp("dbt"), engine="postgres", postgres_url=url)
        Postgres(settings).land(demo.connection)
        with psycopg.connect(url, autocommit=True) as connection:
            ensure_reader(connection)
        with environment(libpq_environment(url)):
            for _ in DbtBuild(settings).events():
                pass
            manifest = compiled_manifest(settings)
        yield url, manifest


@contextmanager
def environment(variables: dict[str, str]) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        yield


@contextmanager
def on_postgres(server: str, name: str, build: Build, project: Project) -> Iterator[psycopg.Connection]:
    """What DuckDB has built, built there from the same raw rows in a database of its own."""
    with database(server, name) as url:
        with psycopg.connect(url) as connection, in_utc(connection):
            renew_schemas(connection, ["raw_hubspot", "seeds"])
            copy_schema(build.connection, connection, "raw_hubspot")
            copy_schema(build.connection, connection, "seeds")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("set client_min_messages = warning")
            build_nodes(connection, project.nodes.values())
            yield connection


def spoil(tables: dict[str, list[dict]], chance: random.Random) -> None:
    """Make all texts odd, and a fifth of the other values."""

    def some(table: str) -> list[dict]:
        return [row for row in tables[table] if chance.random() < 0.2]

    for table, *columns in (
        ("owners", "first_name", "last_name"),
        ("teams", "name"),
        ("contacts", "firstname", "lastname"),
        ("companies", "name"),
        ("pipelines", "label"),
        ("goal_targets", "hs_goal_name"),
        ("deals", "dealname", "closed_lost_reason", "closed_won_reason"),
    ):
        for row in tables[table]:
            row.update({column: chance.choice(ODD_TEXTS) for column in columns})
    for row in some("deals"):
        row["closedate"] = chance.choice(ODD_CLOSE_DATES)
    for row in some("deals"):
        row["hs_exchange_rate"] = Decimal(chance.choice(("1.0000000001", "0.0000234567", "0", "-1")))
    for row in some("deal_property_history"):
        if row["name"] == "amount":
            row["value"] = chance.choice(ODD_AMOUNTS)
        elif row["name"] == "closedate":
            value = chance.choice(ODD_CLOSE_DATES)
            row["value"] = value and value.isoformat()
        elif row["name"] == "hs_manual_forecast_category":
            row["value"] = chance.choice(ODD_TEXTS)


# --- comparison -----------------------------------------------------------------------------------


def assert_same_rows(build: Build, connection: psycopg.Connection, project: Project, what: str) -> None:
    """Fail unless every table and view of both engines holds the same rows.

    Names the first that differs, parents before children, and how many more do.
    """
    different = {
        name: differences
        for name, node in project.nodes.items()
        if (differences := table_differences(build, connection, node.schema, name))
    }
    for name, differences in different.items():
        shown = "\n".join(f"  {found['id']}: {found['difference']}" for found in differences[:4])
        pytest.fail(
            f"{what}: {len(different)} tables differ ({', '.join(different)}).\n"
            f"{name}, {len(differences)} rows of Postgres against DuckDB's:\n{shown}"
        )


def table_differences(
    build: Build, connection: psycopg.Connection, schema: str, name: str
) -> list[dict[str, str]]:
    """How Postgres' rows differ from DuckDB's. Values are equal or not; floats may differ in rounding."""
    table = f'"{schema.removesuffix(NEXT)}"."{name}"'
    kinds = {column: kind for column, kind, *_ in build.connection.execute(f"describe {table}").fetchall()}
    expected = build.connection.execute(f"select * from {table}").fetchall()
    connection.execute("set TimeZone = 'UTC'")
    cursor = connection.execute(f'select * from "{schema}"."{name}"')
    actual, columns = cursor.fetchall(), [column.name for column in cursor.description]
    if columns != list(kinds):
        return [{"id": "columns", "difference": f"{columns}, expected {list(kinds)}"}]
    if Counter(actual) == Counter(expected):
        return []
    floats = [column for column, kind in kinds.items() if kind == "DOUBLE"]
    return row_differences(as_dicts(columns, actual), as_dicts(columns, expected), floats)


def as_dicts(columns: list[str], rows: list[tuple]) -> list[dict]:
    return [dict(zip(columns, row, strict=True)) for row in rows]


# --- tests ----------------------------------------------------------------------------------------


def pytest_generate_tests(metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        count = metafunc.config.getoption("--crms")
        metafunc.parametrize("seed", one_per_time_zone() if count == DEFAULT_CRMS else range(count))


def one_per_time_zone() -> list[int]:
    """For each time zone of the generator its first CRM."""
    zones: dict[object, int] = {}
    seed = 0
    while len(zones) < len(ZONES):
        zones.setdefault(hard_crm(seed).settings["time_zone"], seed)
        seed += 1
    return sorted(zones.values())


def test_dbt_builds_the_same_tables(demo, demo_on_postgres):
    url, manifest = demo_on_postgres
    project = Project.from_manifest(manifest)
    assert {"reports_next", "core_next"} <= {node.schema for node in project.nodes.values()}
    with psycopg.connect(url) as connection:
        assert_same_rows(demo, connection, project, "demo")
        schemas = ["raw_hubspot", "intermediate", "core_next", "reports_next"]
        unknown = connection.execute(
            "select relname from pg_class "
            "where relkind = 'r' and reltuples < 0 and relnamespace::regnamespace::text = any(%s)",
            [schemas],
        ).fetchall()
    assert unknown == []  # the planner knows every table


def test_hard_crm_is_the_same(server, demo_on_postgres, seed):
    _, manifest = demo_on_postgres
    project = Project.from_manifest(manifest)
    crm = hard_crm(seed)
    build = load_crm(crm.tables, **crm.settings)
    build.ensure(*project.nodes)
    with on_postgres(server, f"sales_reports_crm_{seed}", build, project) as connection:
        assert_same_rows(build, connection, project, f"CRM {seed}, {crm.settings['time_zone']}")
        create_functions(connection, manifest)
        for node in report_functions(manifest):
            assert_same_answers(build, connection, node, requests=2, seed=seed)
    build.connection.close()


@pytest.fixture(scope="module")
def functions_on_postgres(demo_on_postgres) -> Iterator[psycopg.Connection]:
    """The demo CRM with its report functions."""
    url, manifest = demo_on_postgres
    with psycopg.connect(url, autocommit=True) as connection:
        assert set(create_functions(connection, manifest)) == {n["name"] for n in report_functions(manifest)}
        yield connection


def test_functions_answer_as_duckdbs_do(demo, demo_on_postgres, functions_on_postgres):
    for node in report_functions(demo_on_postgres[1]):
        assert_same_answers(demo, functions_on_postgres, node, requests=5, seed="demo")


def test_the_proof_before_publication_asks_every_function(demo, demo_on_postgres, functions_on_postgres):
    _, manifest = demo_on_postgres
    demo.ensure(*(node["name"] for node in report_functions(manifest)))
    with functions_on_postgres.transaction(force_rollback=True):
        functions_on_postgres.execute("set local TimeZone = 'UTC'")
        assert postgres_proof.unlike_answers(demo.connection, functions_on_postgres, manifest) == []
        # One cent too much in every table that holds amounts of deals is seen by each who reads it.
        functions_on_postgres.execute("update core_next.fct_deals set company_amount = company_amount + 0.01")
        unlike = "; ".join(postgres_proof.unlike_answers(demo.connection, functions_on_postgres, manifest))
    for function in ("deals_created", "average_deal_size"):
        assert f"reports.{function}(" in unlike


def test_the_quota_of_no_days_is_unknown(demo, functions_on_postgres):
    """And no division by zero, whichever engine computes what before it finds that there is nothing."""
    (goal,) = demo.ensure("quota_attainment").execute("select min(goal_id) from core.fct_goals").fetchone()
    arguments = f"date '2026-01-01', date '2026-01-01', group_by := 'none', goal := '{goal}'"
    expected = function_proof.answer(demo.connection, f"from reports.quota_attainment({arguments})")
    assert not expected.problems and all(row["elapsed_share"] is None for row in expected.rows)
    actual = postgres_proof.answer(
        functions_on_postgres, f"select * from reports_next.quota_attainment({arguments})"
    )
    assert not difference(expected, actual)


def test_functions_complain_in_the_same_words(demo, functions_on_postgres):
    for arguments in (
        "date '2026-01-01', date '2026-07-01', group_by := 'moon', bucket := 'hour'",
        "date '2026-07-01', date '2026-01-01', cumulative := null, status := 'x'",
    ):
        with pytest.raises(duckdb.Error) as expected:
            demo.connection.execute(f"from reports.average_deal_size({arguments})")
        with pytest.raises(psycopg.errors.RaiseException) as actual:
            functions_on_postgres.execute(f"select * from reports_next.average_deal_size({arguments})")
        problems = str(expected.value).partition(": ")[2]
        assert "must be one of" in problems and actual.value.diag.message_primary == problems


def test_functions_are_described_and_say_their_arguments(functions_on_postgres):
    found = functions_on_postgres.execute(
        "select pg_get_function_arguments(oid), obj_description(oid, 'pg_proc') from pg_proc "
        "where oid = 'reports_next.quota_attainment'::regproc"
    ).fetchone()
    assert found[0].startswith(
        "date_from date, date_to date, group_by text DEFAULT 'owner'::text, owners text[]"
    )
    assert "goal text DEFAULT NULL::text" in found[0]
    assert found[1].startswith("Report function.")


def assert_same_answers(
    build: Build, connection: psycopg.Connection, node: dict, requests: int, seed: object
) -> None:
    """Fail unless a function answers random requests with the same rows in the same order on both engines."""
    asker = Asker(build.ensure(node["name"]), node, seed)
    connection.execute("set TimeZone = 'UTC'")
    for _ in range(requests):
        arguments = asker.arguments()
        asked = call(f"reports.{node['name']}", arguments, "[{}]")
        expected = function_proof.answer(build.connection, asked)
        actual = postgres_proof.answer(
            connection, call(f"reports_next.{node['name']}", arguments, "array[{}]")
        )
        assert not (found := difference(expected, actual)), f"{asked}: {found}"


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("reports_next.rpt_average_deal_size", "total_amount = total_amount + 0.01"),
        ("core_next.fct_deal_states", "valid_from = valid_from + interval '1 millisecond'"),
        ("core_next.fct_deals", "close_date = close_date + 1"),
        ("core_next.dim_owners", "owner_name = owner_name || ' '"),
        ("core_next.dim_teams", "parent_team_id = ''"),
        ("core_next.fct_deals", "is_won = not is_won"),
    ],
)
def test_one_changed_value_is_seen(demo, demo_on_postgres, table, change):
    url, _ = demo_on_postgres
    with psycopg.connect(url) as connection:
        schema, _, name = table.partition(".")
        assert not table_differences(demo, connection, schema, name)
        connection.execute(f"update {table} set {change} where ctid = (select min(ctid) from {table})")
        assert table_differences(demo, connection, schema, name)
        connection.rollback()


# --- settings and server --------------------------------------------------------------------------


def test_connection_string_becomes_dbts_connection():
    assert libpq_environment("postgresql://me:p%40ss@host:1/db?sslmode=require") == {
        "PGHOST": "host",
        "PGPORT": "1",
        "PGUSER": "me",
        "PGPASSWORD": "p@ss",
        "PGDATABASE": "db",
        "PGSSLMODE": "require",
    }


def test_builds_have_room_unless_the_connection_string_says_otherwise(monkeypatch):
    variables: dict[str, str] = {}
    monkeypatch.setattr("orchestration.settings.os.environ", variables)
    url = "postgresql://host/db?options=-c%20work_mem%3D1GB"
    set_tool_environment(Settings(engine="postgres", postgres_url=url))
    assert variables["PGOPTIONS"] == f"{POSTGRES_OPTIONS} -c work_mem=1GB"


def test_a_database_that_cannot_hold_all_texts_is_refused(server):
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(
            "create database sales_reports_latin "
            "encoding 'LATIN1' locale_provider libc locale 'C' template template0"
        )
        try:
            engine = Postgres(
                Settings(engine="postgres", postgres_url=make_conninfo(server, dbname="sales_reports_latin"))
            )
            with pytest.raises(SettingsError, match="sales_reports_latin is encoded in LATIN1"):
                engine.begin_part()
        finally:
            connection.execute("drop database sales_reports_latin")


def test_wrong_connection_string_is_not_repeated():
    with pytest.raises(SettingsError, match="SALES_REPORTS_POSTGRES_URL is no connection string") as raised:
        libpq_environment("postgresql://me:hunter2@host:x:y/db?no=such")
    assert "hunter2" not in str(raised.value)


def test_machine_without_postgres_skips_but_ci_fails(monkeypatch):
    monkeypatch.setattr(postgres_server_module, "_binaries", lambda: None)
    monkeypatch.delenv("SALES_REPORTS_POSTGRES_URL", raising=False)
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception), postgres_server():
        pass
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no Postgres here"), postgres_server():
        pass
