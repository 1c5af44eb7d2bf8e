"""Nights of a small generated account by the whole job, with dbt and Dagster, from files to readers."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pytest

from orchestration.bench.generator import generate
from orchestration.bench.nights import changes
from orchestration.bench.numbers import Account
from orchestration.settings import Settings
from tests.end_to_end import run

DEALS = 120
OF_THE_BUILD = {
    *("core.build_info", "core.fct_checks"),
    # Days that the builds before have stored are no longer reconstructed (K7): the report shows both alike.
    *("core.fct_stored_snapshots", "core.fct_snapshot_levels", "core.dim_snapshot_dates"),
}
"""What a build says of itself and of those before it."""


def published(data_dir: Path) -> dict[str, list[str]]:
    """The rows of every published table and view."""
    with duckdb.connect(Settings(data_dir=data_dir).published_link, read_only=True) as connection:
        names = connection.execute(
            "select table_schema || '.' || table_name from information_schema.tables order by 1"
        ).fetchall()
        return {
            name: sorted(map(repr, connection.execute(f"from {name}").fetchall()))
            for (name,) in names
            if name not in OF_THE_BUILD
        }


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, dict]]:
    """What the runs said and published: a first one, one after a night, the same anew, and one more."""
    folder = tmp_path_factory.mktemp("nights")
    files, data = folder / "files", folder / "data"
    seen = {}

    def run_job(name: str, **environment: str) -> None:
        done = run(data, SALES_REPORTS_SOURCE="files", SALES_REPORTS_FILES_DIR=str(files), **environment)
        assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
        seen[name] = done.stdout, published(data)

    generate(files, Account(DEALS))
    run_job("first")
    changes(files, share=0.05, night=1)
    run_job("night")
    run_job("anew", SALES_REPORTS_FULL_REFRESH="1")
    run_job("no news")
    return seen


def test_a_night_publishes_what_a_whole_build_does(nights):
    (first, before), (night, after), (anew, whole) = nights["first"], nights["night"], nights["anew"]
    assert "everything, because there is no proven build to go on from" in first
    assert "records have changed since build" in night
    assert re.search(r"\d+ of them run over what changed, \d+ not run: proven with build \d", night)
    assert "not run" not in first + anew
    assert "everything, because SALES_REPORTS_FULL_REFRESH is set" in anew
    assert before != after
    assert after.keys() == whole.keys()
    assert [name for name in whole if after[name] != whole[name]] == []


def test_without_news_reports_stay_and_the_summary_says_so(nights):
    said, rows = nights["no news"]
    assert "Reports     stay as they are: nothing has changed since build" in said
    assert "Checks " not in said
    assert rows == nights["anew"][1]
