"""`SALES_REPORTS_ENGINE=spark make run` from outside: a kill, publication, readers, rollback.

Belongs here: what a whole run leaves in the warehouse and in the data folder. That the numbers are DuckDB's
shows `test_spark.py`; how publication treats readers, `test_spark_publication.py`.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb
import pytest

from orchestration.engines import spark_publication
from orchestration.engines.spark_process import spark_session
from orchestration.engines.spark_proof import NOT_ASKED
from orchestration.engines.spark_publication import show, shown_build
from orchestration.settings import PROJECT_ROOT, Settings
from tests.end_to_end import run, start
from tests.spark_builds import Warehouse, need_spark

pytestmark = pytest.mark.thorough

BEFORE = "20200101T000000.000000Z"


@dataclass
class Home:
    """A data folder in which a run has published on Spark, after one that was killed."""

    settings: Settings
    left_running: list[str]
    seen_after_kill: tuple
    done: subprocess.CompletedProcess

    @property
    def environment(self) -> dict[str, str]:
        return {
            "SALES_REPORTS_ENGINE": "spark",
            "SALES_REPORTS_DATA_DIR": str(self.settings.data_dir),
            "SALES_REPORTS_DEMO_DEALS": "30",
        }

    @contextmanager
    def session(self) -> Iterator[Warehouse]:
        with spark_session(self.settings) as spark:
            yield Warehouse(self.settings, spark)

    def programs(self) -> list[str]:
        """Processes of this folder: dbt and Java."""
        found = subprocess.run(["ps", "-ww", "-eo", "args"], capture_output=True, text=True).stdout
        return [line for line in found.splitlines() if str(self.settings.data_dir) in line]

    def kill_in_dbt(self) -> None:
        """Start a run, kill it when dbt is at work, and give what it has started a minute to end."""
        with start(self.settings.data_dir, **self.environment) as process:
            while not any("java" in line for line in self.programs()):
                assert process.poll() is None, process.stderr.read()
                time.sleep(0.2)
            time.sleep(3)
            process.send_signal(signal.SIGKILL)
            process.communicate()
        deadline = time.monotonic() + 60
        while self.programs() and time.monotonic() < deadline:
            time.sleep(0.2)
        self.left_running = self.programs()


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Home:
    """Built over a build of before, after a run that was killed."""
    need_spark()
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("spark_run") / "data folder", engine="spark", memory_limit="2GB"
    )
    found = Home(settings, [], (), None)
    with found.session() as warehouse:
        spark_publication.check_marts(warehouse.spark)
        show(warehouse.spark, warehouse.build(BEFORE, 3))
    found.kill_in_dbt()
    with found.session() as warehouse:
        found.seen_after_kill = warehouse.seen()
    found.done = run(settings.data_dir, **found.environment)
    return found


def test_a_killed_build_leaves_the_published_reports_as_they_were_and_no_program(home):
    assert home.seen_after_kill == (BEFORE, 3, 2)
    assert home.left_running == []


def test_readers_have_what_the_file_has(home):
    """In a session of their own: tables with their comments, the catalog of reports and checks, functions."""
    assert home.done.returncode == 0, home.done.stderr
    assert "\tat " not in home.done.stdout + home.done.stderr  # Java's traces
    with (
        duckdb.connect(home.settings.published_link, read_only=True) as file,
        home.session() as warehouse,
    ):
        spark = warehouse.spark
        (build_id,) = file.execute("select build_id from core.build_info").fetchone()
        assert shown_build(spark) == build_id
        tables = file.execute(
            "select schema_name || '.' || table_name from duckdb_tables() where not internal "
            "union all select schema_name || '.' || view_name from duckdb_views() where not internal"
        ).fetchall()
        assert len(tables) > 70
        counts = " union all ".join(
            f"select '{name}' as name, count(*) as n from {name}" for (name,) in tables
        )
        assert sorted(spark.execute(counts).rows) == sorted(file.execute(counts).fetchall())
        described = spark.execute("describe reports.rpt_deals_won_and_lost").rows
        expected = file.execute(
            "select column_name, comment from duckdb_columns() where table_name = 'rpt_deals_won_and_lost'"
        ).fetchall()
        assert [(name, words) for name, _, words in described] == expected
        functions = {
            name.rpartition(".")[2] for (name,) in spark.execute("show user functions in reports").rows
        }
        of_duckdb = file.execute(
            "select function_name from duckdb_functions() "
            "where schema_name = 'reports' and function_type = 'table_macro' and parameters[1] = 'date_from'"
        ).fetchall()
        too_slow = set(re.findall(r"(\w+) \(no answer within", home.done.stdout))
        assert functions == {name for (name,) in of_duckdb} - NOT_ASKED.keys() - too_slow
        assert {"deals_won_and_lost", "chats"} <= functions
        days = "date'2026-01-01', date'2026-07-01'"
        asked = spark.execute(f"select * from reports.deals_won_and_lost({days}, group_by => 'none')")
        expected = file.execute(
            "from reports.deals_won_and_lost(date '2026-01-01', date '2026-07-01', group_by := 'none')"
        ).fetchall()
        index = [asked.columns.index(column[0]) for column in file.description]
        assert [tuple(row[i] for i in index) for row in asked.rows] == expected


def test_what_nobody_reads_is_gone(home):
    folders = {path.stem for path in home.settings.spark_warehouse_dir.glob("reports_*.db")}
    assert len(folders) == 2  # of the build of before and of the published one


def test_rollback_gives_readers_the_build_of_before(home):
    done = subprocess.run(
        [sys.executable, "-m", "orchestration.publish"],
        cwd=PROJECT_ROOT,
        env=os.environ | home.environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert f"Readers on spark have build {BEFORE} now" in done.stdout
    with home.session() as warehouse:
        assert warehouse.seen() == (BEFORE, 3, 2)
