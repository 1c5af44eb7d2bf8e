"""Nights of a small generated account by the whole job, with dbt and Dagster, from files to readers."""

from __future__ import annotations

import os
import re
import shutil
from contextlib import closing
from pathlib import Path
from unittest.mock import patch

import duckdb
import pytest

from orchestration.bench.generator import generate
from orchestration.bench.nights import changes
from orchestration.bench.numbers import Account
from orchestration.data_folder import open_build
from orchestration.dbt_runs import Build, DbtError
from orchestration.publish import current_build
from orchestration.settings import Settings, set_tool_environment
from tests.end_to_end import run

pytestmark = pytest.mark.thorough

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
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("nights")


@pytest.fixture(scope="module")
def nights(folder: Path) -> dict[str, tuple[str, dict]]:
    """What the runs said and published: a first one, one after a night, the same anew, and one more."""
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


@pytest.mark.parametrize("is_listed", [True, False])
def test_rules_of_a_night_see_what_is_wrong_with_a_changed_record(nights, folder, is_listed):
    """Rows of a record that has not changed are those of the build before, which whole builds hold."""
    settings = Settings(data_dir=folder / "data", source="files", files_dir=folder / "files")
    shutil.copyfile(current_build(settings), settings.marts_path)
    with closing(open_build(settings.build_path)) as build:
        (deal,) = build.execute("select min(deal_id) from core.fct_deal_states").fetchone()
        build.execute("delete from intermediate.int_deals_changed")
        if is_listed:
            build.execute("insert into intermediate.int_deals_changed (deal_id) values (?)", [deal])
        build.execute("insert into core.fct_deal_states from core.fct_deal_states where deal_id = ?", [deal])
    rules = ["fct_deal_states_keeps_its_rules", "fct_deal_states_are_disjoint_and_without_gaps"]
    names = [rules[1], "one_row_per_deal_and_stretch"]
    assert are_broken(settings, rules, names, only_changes=True) == is_listed
    assert are_broken(settings, rules, names, only_changes=False)


@pytest.mark.parametrize("is_listed", [True, False])
def test_rules_of_a_night_see_a_raw_row_that_is_there_twice(nights, folder, is_listed):
    """Where the load lists a record that it is about."""
    settings = Settings(data_dir=folder / "data", source="files", files_dir=folder / "files")
    shutil.copyfile(current_build(settings), settings.marts_path)
    with closing(open_build(settings.build_path)) as build:
        listed = []
        for table, kind, record, where in (
            ("deal_property_history", "'deal'", "object_id", "true"),
            ("associations", "to_type", "to_id", "'contact' in (from_type, to_type)"),
        ):
            first = f"from raw_hubspot.{table} where {where} order by all limit 1"
            build.execute(f"create or replace temp table first as {first}")
            listed += build.execute(f"select {kind}, {record} from first").fetchall()
            build.execute(f"insert into raw_hubspot.{table} from first")
        build.execute("delete from raw_hubspot._changed_records")
        if is_listed:
            build.executemany("insert into raw_hubspot._changed_records values (?, ?, false, false)", listed)
    tables = ["stg_hubspot__deal_property_history", "stg_hubspot__associations"]
    rules, names = ([f"{table}_{end}" for table in tables] for end in ("keeps_its_rules", "grain_is_unique"))
    assert are_broken(settings, rules, names, only_changes=True) == is_listed
    assert are_broken(settings, rules, names, only_changes=False)


@pytest.mark.parametrize("is_listed", [True, False])
def test_rules_of_a_night_see_what_is_wrong_in_a_view_of_a_changed_record(nights, folder, is_listed):
    """Views that spell out a table have no rows of their own: those of the changed keys are looked at."""
    settings = Settings(data_dir=folder / "data", source="files", files_dir=folder / "files")
    shutil.copyfile(current_build(settings), settings.marts_path)
    with closing(open_build(settings.build_path)) as build:
        for table, key, changed in (
            ("core.fct_deal_changes", "deal_id", "intermediate.int_deals_changed"),
            ("core.fct_first_engagements", "contact_id", "intermediate.int_contacts_changed"),
        ):
            (record,) = build.execute(f"select min({key}) from {table}").fetchone()
            build.execute(f"insert into {table} from {table} where {key} = ?", [record])
            build.execute(f"delete from {changed}")
            if is_listed:
                build.execute(f"insert into {changed} ({key}) values (?)", [record])
    views = ["rpt_deal_change_history", "rpt_lead_response_time"]
    rules = [f"{view}_keeps_its_rules" for view in views]
    names = [f"{views[0]}_one_row_per_change", f"{views[1]}_one_row_per_contact"]
    assert are_broken(settings, rules, names, only_changes=True) == is_listed
    assert are_broken(settings, rules, names, only_changes=False)


@pytest.mark.parametrize("is_today", [True, False])
def test_rules_of_a_night_see_what_is_wrong_with_the_snapshot_of_today(nights, folder, is_today):
    """Those of other days are what they were in the build before."""
    settings = Settings(data_dir=folder / "data", source="files", files_dir=folder / "files")
    shutil.copyfile(current_build(settings), settings.marts_path)
    with closing(open_build(settings.build_path)) as build:
        chosen = "max(snapshot_date)" if is_today else "min(snapshot_date)"
        days = f"select {chosen} from core.dim_snapshot_dates where not is_stored"
        (day,) = build.execute(days).fetchone()
        planted = "'parked' as deal_status, $day as first_date, cast($day as date) + 1 as next_date"
        build.execute(
            f"insert into core.fct_snapshot_levels select * replace ({planted}) "
            "from core.fct_snapshot_levels limit 1",
            {"day": day},
        )
    name = "rpt_historical_snapshots_status_is_open_won_lost_or_unknown"
    rules = ["rpt_historical_snapshots_keeps_its_rules"]
    assert are_broken(settings, rules, [name], only_changes=True) == is_today
    assert are_broken(settings, rules, [name], only_changes=False)


def are_broken(settings: Settings, rules: list[str], names: list[str], *, only_changes: bool) -> bool:
    """Whether a night's tests, or a whole build's, fail and name all of these."""
    build = Build(settings, ["--select", *rules], only_changes=only_changes)
    try:
        with patch.dict(os.environ):
            set_tool_environment(settings)
            list(build.events())
    except DbtError as error:
        return all(name in str(error) for name in names)
    return False
