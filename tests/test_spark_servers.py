"""SALES_REPORTS_SPARK_URL: what a session of this machine does, a server does too, Spark Connect and Thrift.

Belongs here: the way to a server and back, for single statements and for dbt, on one server of each kind
after the other. What publication and the models do in all detail show `test_spark_publication.py` and
`test_spark.py`.
"""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from orchestration import dbt_runs
from orchestration.engines import spark_publication
from orchestration.engines.spark import Spark
from orchestration.engines.spark_process import SparkError, landed_build, spark_session, suffix_of
from orchestration.engines.spark_publication import builds, prune, roll_back, show
from orchestration.ingest.values import literal
from orchestration.publish import PublishError
from orchestration.settings import Settings
from tests.harness import load_crm
from tests.loading import crm
from tests.spark_builds import ODD, Warehouse, need_spark
from tests.spark_client import SELECTION, killed_half_way
from tests.spark_server import spark_server

pytestmark = pytest.mark.thorough

FIRST, SECOND, THIRD, FOURTH, FIFTH, SIXTH = (f"2026010{day}T000000.000000Z" for day in range(1, 7))


@pytest.fixture(scope="module", params=["sc", "thrift"])
def settings(request, tmp_path_factory) -> Iterator[Settings]:
    """The settings of a run on a server."""
    need_spark()
    folder = tmp_path_factory.mktemp(request.param)
    with spark_server(request.param, folder / "server") as url:
        yield Settings(data_dir=folder / "data", engine="spark", spark_url=url, spark_warehouse=folder / ODD)


@pytest.fixture(scope="module")
def warehouse(settings) -> Iterator[Warehouse]:
    with spark_session(settings) as spark:
        spark_publication.check_marts(spark)
        yield Warehouse(settings, spark)


def test_builds_are_shown_rolled_back_and_pruned(warehouse):
    spark = warehouse.spark
    with pytest.raises(PublishError, match="Nothing has been published on Spark yet"):
        roll_back(spark)
    show(spark, warehouse.build(FIRST, 3))
    warehouse.build(SECOND, 5)
    assert warehouse.seen() == (FIRST, 3, 2)  # complete, and not shown yet
    show(spark, SECOND)
    assert warehouse.seen() == (SECOND, 5, 4)
    assert spark.execute("describe reports.rpt_deals").rows == [("deal_id", "bigint", "The deal's.")]
    assert roll_back(spark) == (SECOND, FIRST)
    assert warehouse.seen() == (FIRST, 3, 2)
    show(spark, SECOND)
    prune(spark, keep=1)
    assert builds(spark) == [SECOND]


def test_a_switch_that_was_killed_is_made_good_by_the_next_run(settings, warehouse):
    spark = warehouse.spark
    show(spark, warehouse.build(THIRD, 5))
    killed_half_way(settings, "switch", warehouse.build(FOURTH, 7))
    # The views that were switched show the new build; core.build_info says that not all of them do.
    assert warehouse.seen() == (THIRD, 7, 4)
    show(spark, warehouse.build(FIFTH, 9))
    assert warehouse.seen() == (FIFTH, 9, 8)
    prune(spark, keep=1)
    assert builds(spark) == [FIFTH]


def test_values_come_back_as_they_are(warehouse):
    query = (
        "select cast(1.50 as decimal(38, 2)), date'2026-03-29', timestamp'2026-03-29 01:30:00.123 UTC', "
        "timestamp'2026-03-29 01:30:00', '😀', null, cast(null as date), true, 1.5d"
    )
    (row,) = warehouse.spark.execute(query).rows
    assert [str(value) for value in row] == [
        *("1.50", "2026-03-29", "2026-03-29 01:30:00.123000+00:00", "2026-03-29 01:30:00+00:00"),
        *("😀", "None", "None", "True", "1.5"),
    ]


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("select nothing from core.build_info", "UNRESOLVED_COLUMN"),
        ("select raise_error(concat('no team ', id)) from range(1)", "USER_RAISED_EXCEPTION] no team 0 SQL"),
        ("selekt 1", "PARSE_SYNTAX_ERROR"),
    ],
)
def test_an_error_is_said_without_traces(warehouse, statement, code):
    with pytest.raises(SparkError) as error:
        warehouse.spark.execute(statement)
    assert str(error.value).startswith(f"[{code}")
    assert len(str(error.value).splitlines()) == 1 and "org.apache" not in str(error.value)


def test_a_statement_that_takes_too_long_is_given_up(warehouse):
    pairs = (
        "select count(*) from range(1000000000) as a join range(1000000000) as b on a.id * b.id = a.id + 7"
    )
    with pytest.raises(SparkError, match=r"^cancelled after 1 s$"):
        warehouse.spark.execute(pairs, 1)
    assert warehouse.spark.execute("select 1", 60).rows == [(1,)]


def test_dbt_builds_there_what_duckdb_does(settings, warehouse, monkeypatch):
    """Raw tables land, the server's databases are made anew, and what dbt makes of them comes back, also
    after a run that was killed while it was building, of which readers notice nothing."""
    show(warehouse.spark, warehouse.build(SIXTH, 3))
    # Of what else a build begins with, nothing is on the server.
    monkeypatch.setattr(dbt_runs, "compiled_manifest", lambda _: {})
    build = load_crm(crm())
    engine = Spark(settings)
    engine.land(build.connection)
    left_behind = settings.spark_warehouse_dir / "intermediate.db" / "int_run_settings"
    left_behind.mkdir(parents=True)
    (left_behind / "part-of-a-build-without-server.parquet").touch()
    engine.begin_build()
    killed_half_way(settings, "build")
    assert warehouse.seen() == (SIXTH, 3, 2)
    engine.begin_build()
    done = dbt_runs.Build(settings, SELECTION)
    assert [event["data"]["node_info"]["node_status"] for event in done.events()]
    assert {result.status for result in done.results} == {"success", "pass"}
    assert len([result for result in done.results if result.kind == "test"]) > 3
    build.ensure("build_info")
    suffix = suffix_of(landed_build(settings))
    for table, database in (
        ("intermediate.int_run_settings", "intermediate"),
        ("core.build_info", f"core_{suffix}"),
    ):
        folder = settings.spark_warehouse_dir / f"{database}.db" / table.partition(".")[2]
        assert as_read(build.connection, f"read_parquet({literal(f'{folder}/*.parquet')})") == as_read(
            build.connection, table
        )


def as_read(connection: duckdb.DuckDBPyConnection, relation: str) -> tuple[list, list]:
    """Columns with their types, and rows."""
    found = connection.execute(f"from {relation}")
    return [column[:2] for column in found.description], found.fetchall()


def test_what_dbt_hears_from_the_server_is_said_without_traces(settings):
    said: list[str] = []
    command = ["show", "--inline", "select nothing from range(3)"]
    outcome = dbt_runs._invoke(settings, command, lambda event: said.append(event["info"]["msg"]))
    assert not outcome.success
    words = " ".join([*said, outcome.problem])
    assert "[UNRESOLVED_COLUMN" in words and "\tat " not in words and "hive.service" not in words
