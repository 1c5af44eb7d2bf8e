"""What readers on Spark see: views of one build, switched at the end, kept, rolled back and pruned.

Belongs here: publication of tiny builds made by hand, without dbt. That a whole run leads there shows
`test_spark_run.py`; that the numbers are DuckDB's, `test_spark.py`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from orchestration.engines import spark_process, spark_publication
from orchestration.engines.spark import Spark
from orchestration.engines.spark_process import SparkError, spark_session, suffix_of
from orchestration.engines.spark_publication import builds, prune, roll_back, show
from orchestration.publish import PublishError
from orchestration.settings import Settings
from tests.spark_builds import ODD, Warehouse, need_spark

FIRST, SECOND, THIRD = (f"2026010{day}T000000.000000Z" for day in (1, 2, 3))


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory) -> Iterator[Warehouse]:
    need_spark()
    folder = tmp_path_factory.mktemp("spark") / ODD
    settings = Settings(data_dir=folder, engine="spark", memory_limit="1GB", spark_cores=1)
    with spark_session(settings) as spark:
        spark_publication.check_marts(spark)
        yield Warehouse(settings, spark)


def test_builds_are_shown_one_after_another_rolled_back_and_pruned(warehouse):
    spark = warehouse.spark
    with pytest.raises(PublishError, match="Nothing has been published on Spark yet"):
        roll_back(spark)
    show(spark, warehouse.build(FIRST, 3))
    assert warehouse.seen() == (FIRST, 3, 2)
    with pytest.raises(PublishError, match=f"no build before {FIRST}"):
        roll_back(spark)
    warehouse.build(SECOND, 5)
    assert warehouse.seen() == (FIRST, 3, 2)  # complete, and not shown yet
    show(spark, SECOND)
    assert warehouse.seen() == (SECOND, 5, 4)
    described = spark.execute("describe reports.rpt_deals").rows
    assert described == [("deal_id", "bigint", "The deal's.")]

    # A switch that ends half-way leaves some views on one build and some on the other,
    warehouse.build(THIRD, 7, breaks=True)
    with pytest.raises(SparkError, match="TABLE_OR_VIEW_NOT_FOUND"):
        show(spark, THIRD)
    assert warehouse.seen() == (SECOND, 7, 4)
    # and whichever is shown next mends it: here the one before.
    assert roll_back(spark) == (THIRD, SECOND)
    assert warehouse.seen() == (SECOND, 5, 4)

    # What the shown build has not goes, also where another build had it.
    spark.execute("create view reports.rpt_former as select 1 as one")
    spark.execute("create function reports.former() returns table return select 1 as one")
    assert roll_back(spark) == (SECOND, FIRST)
    assert warehouse.seen() == (FIRST, 3, 2)
    for gone in ("reports.rpt_former", "reports.former()"):
        with pytest.raises(SparkError):
            spark.execute(f"select * from {gone}")

    # The shown build stays, whatever its age.
    spark.execute("create database core_20250101t000000_000000z comment 'sales_reports: a build'")
    spark.execute("create database core_of_somebody_else")
    assert builds(spark) == [THIRD, SECOND, FIRST]
    kept = prune(spark, keep=1)
    assert builds(spark) == [THIRD, FIRST]
    assert kept == {
        f"{schema}_{suffix_of(build)}" for schema in ("core", "reports") for build in (FIRST, THIRD)
    }
    there = {name for (name,) in spark.execute("show databases").rows}
    assert there == kept | {"core", "reports", "default", "core_of_somebody_else"}


def test_an_error_is_said_without_traces(warehouse):
    with pytest.raises(SparkError) as error:
        warehouse.spark.execute("select nothing from core.build_info")
    assert "UNRESOLVED_COLUMN" in str(error.value)
    assert len(str(error.value).splitlines()) == 1 and "org.apache" not in str(error.value)


def test_values_come_back_as_they_are(warehouse):
    query = (
        "select cast(1.50 as decimal(38, 2)), date'2026-03-29', timestamp'2026-03-29 01:30:00.123 UTC', "
        "'😀', null, true, 1.5d, array('a')"
    )
    (row,) = warehouse.spark.execute(query).rows
    assert [str(value) for value in row] == [
        *("1.50", "2026-03-29", "2026-03-29 01:30:00.123000+00:00"),
        *("😀", "None", "True", "1.5", "['a']"),
    ]


def test_a_metastore_that_another_program_keeps_open_is_said_to_be(warehouse, monkeypatch):
    """Before anything is built, too, which could not be published."""
    monkeypatch.setattr(spark_process, "_ENDING", 0.3)
    settings = warehouse.settings
    words = (
        f"Another program has {settings.data_dir}/spark/metastore open, such as a reader's session; "
        "close it and run again."
    )
    left_behind = settings.spark_warehouse_dir / "staging.db"
    left_behind.mkdir()
    with pytest.raises(SparkError) as error, spark_session(settings):
        pass
    assert str(error.value) == words
    with pytest.raises(SparkError) as error:
        Spark(settings).begin_build()
    assert str(error.value) == words and left_behind.exists()
    left_behind.rmdir()
    with pytest.raises(PublishError, match="Another program has"):
        Spark(settings).roll_back()
    assert warehouse.spark.execute("select 1").rows == [(1,)]


def test_a_database_that_is_somebody_elses_is_left_alone(warehouse):
    spark = warehouse.spark
    spark.execute("create database staging comment 'of somebody else'")
    with pytest.raises(PublishError, match="staging that is not this project's"):
        spark_publication.renew_database(spark, "staging", warehouse.folder("staging"), FIRST)
    spark.execute("drop view core.build_info")
    spark.execute("drop database core")
    spark.execute("create database core comment 'of somebody else'")
    with pytest.raises(PublishError, match="core that is not this project's"):
        spark_publication.check_marts(spark)
