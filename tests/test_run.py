"""`make run` from outside: exit codes, messages, the lock, kills, a full disk, and the summary.

The one full run of the demo that other tests look at as well is the fixture `demo_run` of conftest.py.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from orchestration.dbt_runs import DbtError
from orchestration.lock import RunUnderWay, only_run
from orchestration.publish import builds, current_build
from orchestration.run import example_queries, explain, is_disk_full
from orchestration.run_log import tell_failure
from orchestration.settings import Settings
from tests.end_to_end import DemoRun, kill_after, run

# --- what ends at once ----------------------------------------------------------------------------


def test_a_wrong_setting_ends_the_run_with_its_reason(tmp_path):
    told = tmp_path / "told"
    done = run(tmp_path, SALES_REPORTS_SORUCE="demo", SALES_REPORTS_ON_FAILURE=f"printf '%s' >{told}")
    assert done.returncode == 1
    assert "SALES_REPORTS_SORUCE is not a setting" in done.stderr
    assert "Traceback" not in done.stderr
    assert "SALES_REPORTS_SORUCE is not a setting" in told.read_text()
    assert len(told.read_text().splitlines()) == 1


def test_a_data_folder_of_a_newer_version_is_left_alone(tmp_path):
    (tmp_path / "FORMAT").write_text("99\n")
    done = run(tmp_path)
    assert done.returncode == 1
    assert "was written by a newer version" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["FORMAT"]


HOLDER = """
import sys, time
from datetime import datetime, timezone
from pathlib import Path
from orchestration.lock import only_run
with only_run(Path(sys.argv[1]), datetime(2026, 7, 1, 5, tzinfo=timezone.utc)):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen]:
    """A process that holds the lock of the data folder `tmp_path`."""
    lock = Settings(data_dir=tmp_path).lock_path
    process = subprocess.Popen([sys.executable, "-c", HOLDER, lock], stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_run_ends_at_once_and_names_the_start_of_the_first(tmp_path, holder):
    begin = time.monotonic()
    done = run(tmp_path)
    assert done.returncode == 1
    assert f"since 2026-07-01T05:00:00+00:00 (process {holder.pid})" in done.stderr
    assert "the load" not in done.stdout.lower()
    assert time.monotonic() - begin < 10  # no Dagster, no dbt


def test_the_lock_ends_with_its_process_however_that_ends(tmp_path, holder):
    lock, now = Settings(data_dir=tmp_path).lock_path, datetime(2026, 7, 2, tzinfo=UTC)
    with pytest.raises(RunUnderWay), only_run(lock, now):
        pytest.fail("two runs at once")
    holder.kill()
    holder.wait()
    with only_run(lock, now), only_run(lock, now):  # its own steps may ask again
        assert "2026-07-02" in lock.read_text()


# --- failures on the way --------------------------------------------------------------------------


def test_a_load_that_cannot_work_says_why_and_leaves_the_published_build(demo_run: DemoRun, tmp_path):
    told, folder = tmp_path / "told", tmp_path / "files"
    folder.mkdir()
    (folder / "deals.csv").write_text("id,dealname\n1,First\n")
    before = demo_run.fingerprint()
    done = run(
        demo_run.settings.data_dir,
        SALES_REPORTS_SOURCE="files",
        SALES_REPORTS_FILES_DIR=str(folder),
        SALES_REPORTS_ON_FAILURE=f"printf '%s' >{told}",
    )
    assert done.returncode == 1
    assert done.stderr.count("The run failed.") == 1
    assert "Traceback" not in done.stderr
    for problem in ("createdate", "deal_property_history", "pipelines", "pipeline_stages", "owners"):
        assert problem in done.stderr
    assert "deal_property_history" in told.read_text()
    assert demo_run.fingerprint() == before


@pytest.mark.thorough
@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="needs root to mount a small tmpfs")
@pytest.mark.parametrize("size", ["200k", "14m"])  # in Dagster's history, in the build
def test_a_full_disk_is_one_message_and_leaves_the_published_build(demo_run: DemoRun, tmp_path, size):
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", tmp_path], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount a tmpfs here: {mounted.stderr.strip()}")
    try:
        (tmp_path / "published").mkdir()
        (tmp_path / "published" / "old.duckdb").write_bytes(b"a build of before")
        (tmp_path / "sales_reports.duckdb").symlink_to("published/old.duckdb")
        done = run(tmp_path)
        assert done.returncode == 1
        assert "is full" in done.stderr
        assert "Traceback" not in done.stderr
        assert (tmp_path / "sales_reports.duckdb").read_bytes() == b"a build of before"
    finally:
        subprocess.run(["umount", "--lazy", tmp_path], check=True)


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left on device"),
        duckdb.IOException('IO Error: Could not write file "build.duckdb": No space left on device'),
        RuntimeError("database or disk is full"),
    ],
)
def test_a_full_disk_is_known_whoever_meets_it(error, tmp_path):
    assert is_disk_full(error)
    outer = RuntimeError("step failed")
    outer.__cause__ = error
    assert is_disk_full(outer)
    assert "is full" in explain(outer, Settings(data_dir=tmp_path))
    assert not is_disk_full(RuntimeError("the glass is full"))


def test_a_lack_of_memory_says_what_to_set(tmp_path):
    settings = Settings(data_dir=tmp_path, memory_limit="32MB")
    little = {"memory_limit": "32MB", "temp_directory": ""}
    with duckdb.connect(config=little) as connection, pytest.raises(duckdb.OutOfMemoryException) as raised:
        connection.execute("select list(i) from range(100000000) as numbers(i)")
    error = DbtError(f"1 of 2 dbt nodes failed: model fct_deals: Runtime Error {raised.value}")
    said = explain(error, settings)
    assert said.startswith("1 of 2 dbt nodes failed: model fct_deals: ")
    assert "32MB" in said and "SALES_REPORTS_MEMORY_LIMIT" in said and "SET threads" not in said


def test_the_command_on_failure_hears_one_line_and_cannot_break_the_run(tmp_path, capfd):
    told = tmp_path / "told"
    tell_failure(f"printf '%s' >{told}", 'two\nlines, "quoted" $HOME')
    assert told.read_text() == 'two lines, "quoted" $HOME'
    tell_failure(f'printf "%s" "$FAILURE_REASON" >{told} #', "by name")
    assert told.read_text() == "by name"
    tell_failure("exit 3 #", "reason")
    assert "SALES_REPORTS_ON_FAILURE could not be run" in capfd.readouterr().err
    tell_failure(None, "nobody asked")


# --- kills, and the run after them ----------------------------------------------------------------


@pytest.mark.parametrize(("after", "seconds"), [("Start", 0.3), ("Load", 4.0)])
def test_a_kill_leaves_the_published_build_and_nothing_to_clean_up(demo_run: DemoRun, after, seconds):
    """Killed in the load and in dbt. The publication's own points are in test_publish.py.

    The run after the kills is that of `demo_run`, which was killed twice before it.
    """
    killed = demo_run.kills[after]
    assert killed.returncode == -signal.SIGKILL
    assert killed.link_target == "published/old.duckdb"
    assert demo_run.done.returncode == 0
    assert current_build(demo_run.settings).stem != "old"


# --- a good run -----------------------------------------------------------------------------------


def test_the_summary_says_what_was_done(demo_run: DemoRun):
    out = demo_run.done.stdout
    for phase in ("Start", "Load", "Models", "Checks", "Publish"):
        assert re.search(rf"^  {phase} +\d+\.\d s  \S", out, re.MULTILINE), phase
    assert re.search(r"^Rows in +[\d,]+ in \d+ tables$", out, re.MULTILINE)
    assert re.search(r"^Rejected +\d", out, re.MULTILINE)
    assert re.search(r"^Checks +\d+ passed \(\d+ dbt tests, \d+ invariants\)$", out, re.MULTILINE)
    assert re.search(r"^Seconds +[\d.]+: start [\d.]+, load [\d.]+, models", out, re.MULTILINE)
    assert str(demo_run.settings.published_link) in out


def test_the_summary_counts_the_rows_of_every_report(demo_run: DemoRun):
    with duckdb.connect(demo_run.settings.published_link, read_only=True) as connection:
        marts = connection.execute(
            "select table_name from duckdb_tables() where schema_name = 'reports'"
        ).fetchall()
        assert len(marts) > 20
        for (mart,) in marts:
            (count,) = connection.execute(f"select count(*) from reports.{mart}").fetchone()
            assert re.search(rf"^  {mart} +{count:,}$", demo_run.done.stdout, re.MULTILINE), mart


def test_the_three_queries_work_and_show_something(demo_run: DemoRun):
    path = demo_run.settings.published_link
    queries = example_queries(path)
    assert len(queries) == 3
    with duckdb.connect(path, read_only=True) as connection:
        for query in queries:
            assert query in demo_run.done.stdout
            assert connection.execute(query).fetchall(), query


def test_there_is_no_noise(demo_run: DemoRun):
    assert demo_run.done.stderr == ""
    progress = demo_run.done.stdout.partition("\nRows in")[0].splitlines()
    assert [line.split()[0] for line in progress if line] == ["Start", "Load", "Models", "Checks", "Publish"]


def test_nothing_is_written_outside_the_data_folder(demo_run: DemoRun):
    assert demo_run.strays == []


def test_the_next_run_publishes_another_build_and_keeps_this_one(demo_run: DemoRun):
    """A published build is a file of its own, under its build id."""
    assert current_build(demo_run.settings) in builds(replace(demo_run.settings, keep_builds=1))
    with duckdb.connect(demo_run.settings.published_link, read_only=True) as connection:
        (build_id,) = connection.execute("select build_id from core.build_info").fetchone()
    assert current_build(demo_run.settings).stem == build_id


@pytest.mark.thorough
def test_an_interrupt_ends_the_run_without_noise(demo_run: DemoRun):
    before = demo_run.fingerprint()
    stopped = kill_after(demo_run.settings.data_dir, "Load", 3.0, by=signal.SIGINT)
    assert stopped.returncode == 130
    assert stopped.stderr == "\nStopped. The published database is as it was.\n"
    assert demo_run.fingerprint() == before
