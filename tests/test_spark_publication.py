"""What readers on Spark see: views of one build, switched at the end, kept, rolled back and pruned.

Belongs here: publication of tiny builds made by hand, without dbt. That a whole run leads there shows
`test_spark_run.py`; that the numbers are DuckDB's, `test_spark.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext

import duckdb
import pytest

from orchestration import dbt_runs, publish
from orchestration.engines import spark_process, spark_publication
from orchestration.engines.spark import Spark
from orchestration.engines.spark_process import SparkError, raw_dir, spark_session, suffix_of
from orchestration.engines.spark_publication import builds, prune, roll_back, show
from orchestration.forget import forget
from orchestration.ingest.load import load_id
from orchestration.ingest.values import literal
from orchestration.publish import PublishError
from orchestration.settings import Settings
from tests.loading import DAY_1, DataFolder
from tests.spark_builds import ODD, Warehouse, need_spark
from tests.test_forget import DAY_2, DAY_3, NAME, full_crm

pytestmark = pytest.mark.thorough

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


def test_who_was_forgotten_is_in_nothing_that_is_kept(warehouse, tmp_path, monkeypatch):
    """Neither in the raw tables that have landed nor in a build that can be shown."""
    spark, folder, before = warehouse.spark, DataFolder(tmp_path), load_id(DAY_1)
    settings = Settings(
        data_dir=tmp_path,
        source="files",
        engine="spark",
        spark_warehouse=warehouse.settings.spark_warehouse_dir,
    )
    engine = Spark(settings)
    folder.load(full_crm(), DAY_1, source="files")
    engine.land(folder.build)
    folder.close()
    assert {"contacts", "calls", "emails"} <= tables_with_traces(settings)
    show(spark, warehouse.build(before, 3))

    forget(settings, "70070", DAY_2)
    folder.load(full_crm(), DAY_3, source="files")
    engine.land(folder.build)
    folder.close()
    assert tables_with_traces(settings) == set()

    build_id = warehouse.build(load_id(DAY_3), 5)
    # Proven, and complete on Spark; this session has the metastore open.
    monkeypatch.setattr(publish, "audited_build_id", lambda _: build_id)
    monkeypatch.setattr(dbt_runs, "compiled_manifest", lambda _: {})
    monkeypatch.setattr("orchestration.engines.spark.spark_session", lambda _: nullcontext(spark))
    engine.publish()
    assert builds(spark) == [build_id]
    assert warehouse.seen() == (build_id, 5, 4)
    folders = {path.stem for path in settings.spark_warehouse_dir.glob("*_20*.db")}
    assert folders == {f"{schema}_{suffix_of(build_id)}" for schema in ("core", "reports")}

    assert engine.left_from_before(load_id(DAY_2)) == []
    left = warehouse.folder(f"core_{suffix_of(before)}")
    left.mkdir()
    (words,) = engine.left_from_before(load_id(DAY_2))
    assert str(left) in words


def tables_with_traces(settings: Settings) -> set[str]:
    """Landed tables in which the person's name stands."""
    found = set()
    for folder in raw_dir(settings).iterdir():
        rows = literal(f"{folder}/*.parquet")
        query = f"select count(*) from read_parquet({rows}) as t where contains(cast(t as varchar), '{NAME}')"
        if duckdb.execute(query).fetchone() != (0,):
            found.add(folder.name)
    return found


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
