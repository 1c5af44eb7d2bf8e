"""The benchmark: its accounts are consistent, its nights change what they say, its numbers are right."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from orchestration.bench import core_steps, engines, results
from orchestration.bench.generator import generate, generated_account
from orchestration.bench.measure import measured
from orchestration.bench.nights import changes
from orchestration.bench.numbers import ACTIVITIES_PER_DEAL, Account
from orchestration.bench.phases import floor
from orchestration.bench.process import run_phase
from orchestration.bench.results import Phase, SizeResult, growth, markdown
from orchestration.compiled import build_nodes
from orchestration.ingest.contract import TABLES
from orchestration.ingest.load import LoadSummary, load
from orchestration.ingest.sources import read_source
from orchestration.settings import PROJECT_ROOT, Settings
from tests.harness import DATABASE, compiled_project

DEALS = 600
SHARE = 0.1


@pytest.fixture(scope="module")
def first(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("account")
    generate(folder, Account(DEALS))
    return folder


@pytest.fixture(scope="module")
def second(first, tmp_path_factory) -> Path:
    """The same account a night later."""
    folder = tmp_path_factory.mktemp("night") / "files"
    shutil.copytree(first, folder)
    changes(folder, SHARE, 1)
    return folder


@contextmanager
def files(*folders: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Schemas `a`, `b` … with the files of each folder as views."""
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        for schema, folder in zip("ab", folders, strict=False):
            connection.execute(f"create schema {schema}")
            for path in folder.glob("*.parquet"):
                connection.execute(f"create view {schema}.{path.stem} as from '{path}'")
        yield connection


def one(connection: duckdb.DuckDBPyConnection, sql: str):
    return connection.execute(sql).fetchone()[0]


def loaded(connection: duckdb.DuckDBPyConnection, folder: Path) -> LoadSummary:
    connection.execute(f"attach ':memory:' as {DATABASE}")
    connection.execute(f"use {DATABASE}")
    now = datetime(2027, 1, 1, tzinfo=UTC)
    settings = Settings(source="files", files_dir=folder)
    return load(connection, read_source(settings, now), settings, now=now, history_path=":memory:")


# --- the account ----------------------------------------------------------------------------------


def test_a_load_takes_every_row(first, second):
    for folder in (first, second):
        with duckdb.connect() as connection:
            summary = loaded(connection, folder)
        assert summary.rejected == summary.rejected_values == 0
        assert not summary.notes
        assert summary.run_ts == generated_account(folder).as_of


def test_sizes_are_those_of_a_real_account(first):
    with files(first) as connection:
        versions = [
            n
            for (n,) in connection.execute(
                "select count(*) from a.deal_property_history group by object_id"
            ).fetchall()
        ]
        activities = sum(one(connection, f"select count(*) from a.{kind}") for kind in ACTIVITIES_PER_DEAL)
        contacts = one(connection, "select count(*) from a.contacts")
        busiest = one(
            connection,
            "select max(n) from "
            "(select count(*) as n from a.associations where to_type = 'contact' group by to_id)",
        )
    assert len(versions) == DEALS
    assert 9 < sum(versions) / DEALS < 12
    assert max(versions) > 3 * sum(versions) / DEALS
    assert activities == 10 * DEALS
    assert contacts == 2.5 * DEALS
    assert busiest > 10 * activities / contacts


def test_one_seed_gives_one_account(first, tmp_path):
    generate(tmp_path / "same", Account(DEALS))
    generate(tmp_path / "other", Account(DEALS, seed=2))
    for folder, is_same in (("same", True), ("other", False)):
        with files(first, tmp_path / folder) as connection:
            differences = {
                table: one(connection, f"select count(*) from (from a.{table} except all from b.{table})")
                for table in ("deals", "deal_property_history", "contacts", "emails", "associations")
            }
        assert all((n == 0) == is_same for n in differences.values()), differences


@pytest.mark.parametrize(
    ("table", "history", "columns"),
    [
        ("deals", "deal_property_history", "pipeline dealstage hubspot_owner_id hs_manual_forecast_category"),
        ("contacts", "contact_property_history", "lifecyclestage hubspot_owner_id hs_lead_status"),
        ("tasks", "task_property_history", "hs_task_status"),
    ],
)
def test_histories_agree_with_present_values(first, second, table, history, columns):
    for folder in (first, second):
        with files(folder) as connection:
            for column in columns.split():
                last = f"""
                    select object_id, max_by(value, (timestamp, sequence)) as value, max(timestamp) as last_at
                    from a.{history} where name = '{column}' group by object_id
                """
                assert one(connection, f"select count(*) from ({last})") > 0
                unlike = (
                    f"from ({last}) join a.{table} on id = object_id where value is distinct from {column}"
                )
                assert one(connection, f"select count(*) {unlike}") == 0, column


def test_amounts_and_close_dates_agree_with_their_histories(first, second):
    for folder in (first, second):
        with files(folder) as connection:
            unlike = one(
                connection,
                """
                select count(*) from (
                    select object_id, name, nullif(max_by(value, (timestamp, sequence)), '') as value
                    from a.deal_property_history
                    where name in ('amount', 'closedate')
                    group by object_id, name
                ) join a.deals on id = object_id
                where case name
                    when 'amount' then cast(value as decimal(18, 2)) is distinct from amount
                    else cast(value as timestamptz) is distinct from closedate
                end
                """,
            )
        assert unlike == 0


def test_nothing_is_later_than_the_account(first, second):
    for folder in (first, second):
        as_of = generated_account(folder).as_of
        with files(folder) as connection:
            for table in TABLES:
                if (folder / f"{table}.parquet").exists():
                    for column in ("timestamp", "created_at", "createdate", "updated_at", "archived_at"):
                        found = connection.execute(f"describe a.{table}").fetchall()
                        if column in {row[0] for row in found}:
                            latest = one(connection, f"select max({column}) from a.{table}")
                            assert latest is None or latest < as_of, (table, column)


def test_traps_are_there(first):
    with files(first) as connection:
        for trap in (
            "archived",
            "merged_into_id is not null",
            "hubspot_owner_id is null",
            "amount is null",
            "createdate < hs_createdate",
            "not hs_is_closed and id in "
            "(select object_id from a.deal_property_history where value = 'closedwon')",
        ):
            assert one(connection, f"select count(*) from a.deals where {trap}") > 0, trap


# --- nights ---------------------------------------------------------------------------------------


def test_a_night_changes_its_share(first, second):
    with files(first, second) as connection:
        for table, picked in (("deals", DEALS), ("contacts", 2.5 * DEALS), ("calls", 3 * DEALS)):
            changed = one(connection, f"select count(*) from (from a.{table} except all from b.{table})")
            assert 0.6 * SHARE * picked < changed < 1.4 * SHARE * picked, table
            ids = f"select id from a.{table}", f"select id from b.{table}"
            assert one(connection, f"select count(*) from ({ids[1]} except {ids[0]})") > 0, "new ones"
            assert one(connection, f"select count(*) from ({ids[0]} except {ids[1]})") > 0, "deleted ones"
        for table in ("owners", "companies", "pipeline_stages", "goal_targets", "exchange_rates"):
            assert one(connection, f"select count(*) from (from a.{table} except all from b.{table})") == 0


def test_a_night_edits_the_past_too(first, second):
    with files(first, second) as connection:
        as_of = generated_account(first).as_of
        late = one(
            connection,
            "select count(*) from (from b.deal_property_history except all from a.deal_property_history) "
            f"where timestamp < timestamptz '{as_of.isoformat()}'",
        )
    assert late > 0


def test_a_night_without_changes_lets_the_day_pass(first, tmp_path):
    folder = tmp_path / "files"
    shutil.copytree(first, folder)
    changes(folder, 0, 1)
    assert generated_account(folder).as_of == generated_account(first).as_of + timedelta(days=1)
    same = [
        path.name
        for path in first.glob("*.parquet")
        if path.read_bytes() == (folder / path.name).read_bytes()
    ]
    assert len(same) == len(list(first.glob("*.parquet"))) - 1


def test_nights_follow_each_other(second):
    with pytest.raises(ValueError, match="the next one is 2"):
        changes(second, 0.01, 3)
    with pytest.raises(ValueError, match="share"):
        changes(second, 0.9, 2)


# --- measuring ------------------------------------------------------------------------------------


def test_memory_and_cpu_of_a_step_are_its_own():
    with measured("test", "large") as large:
        block = bytearray(200 * 2**20)
        sum(range(2_000_000))
    del block
    with measured("test", "small") as small:
        pass
    assert large.peak_mib - small.peak_mib > 150
    assert large.cpu_seconds > small.cpu_seconds >= 0
    assert large.seconds >= large.cpu_seconds / 2


def test_a_program_that_works_for_a_step_counts():
    """It may have ended, as most do, or wait for more, as dbt's does."""
    spend = "kept = b'x' * (300 * 2**20); sum(range(20_000_000)); print('done', flush=True); input()"
    with measured("test", "beside") as beside:
        process = subprocess.Popen(
            [sys.executable, "-c", spend], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        process.stdout.readline()
    with measured("test", "after") as after, process:
        process.stdin.write(b"\n")
        process.stdin.close()
    assert beside.peak_mib > after.peak_mib + 250
    assert beside.cpu_seconds > 0.2 > after.cpu_seconds


def test_the_floor_reads_every_file_that_reports_need(first):
    steps = {step.step: step.rows for step in floor(Settings(source="files", files_dir=first))}
    assert steps["deals"] == DEALS
    assert steps["associations"] > 10 * DEALS
    assert {"deal_property_history", "contacts", "emails", "tasks"} <= set(steps)


def test_hand_written_steps_compute_what_the_models_do(first):
    """Rare cases apart: a yardstick that did less would flatter nobody."""
    with duckdb.connect() as connection:
        loaded(connection, first)
        project = compiled_project()
        names = ["fct_deal_states", "fct_deal_stage_visits", "fct_first_engagements"]
        build_nodes(connection, project.with_ancestors(names))
        connection.execute("attach ':memory:' as by_hand; use by_hand")
        for _, statements, _ in core_steps.steps(first, generated_account(first)):
            for statement in statements:
                connection.execute(statement)
        pairs = [
            (
                f"select deal_id, valid_from, stage_id, owner_id, company_amount, close_at "
                f"from {DATABASE}.core.fct_deal_states",
                "select deal_id, valid_from, stage_id, owner_id, company_amount, close_at from deal_states",
            ),
            (
                f"select deal_id, stage_id, entered_at, duration_ms "
                f"from {DATABASE}.core.fct_deal_stage_visits",
                "select deal_id, stage_id, entered_at, duration_ms from stage_visits",
            ),
            (
                f"select contact_id, first_engagement_at, first_engagement_id "
                f"from {DATABASE}.core.fct_first_engagements "
                f"where not is_stored_value and first_engagement_at is not null",
                "select contact_id, engaged_at, engagement_id from first_engagements",
            ),
        ]
        for model, by_hand in pairs:
            count = one(connection, f"select count(*) from ({model})")
            common = one(connection, f"select count(*) from ({model} intersect all {by_hand})")
            assert common > 0.9 * count > 0, model
        assert one(connection, "select count(*) from open_pipeline") > 0


@pytest.mark.thorough
def test_the_command_measures_each_phase_and_writes_both_files(tmp_path):
    done = subprocess.run(
        [
            *(sys.executable, "-m", "orchestration.bench", "60", "120"),
            *("--folder", str(tmp_path), "--only", "floor", "core steps"),
        ],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    sizes = results.read(tmp_path)
    assert [size.deals for size in sizes] == [60, 120]
    for size in sizes:
        assert [phase.name for phase in size.phases] == ["generate", "floor", "core steps"]
        assert all(phase.succeeded and phase.cpu_seconds > 0 and phase.peak_mib > 20 for phase in size.phases)
        assert size.phase("core steps").steps[0]["step"] == "typed load"
    assert "| core steps | 120 |" in done.stdout
    assert not (tmp_path / "60").exists(), "files are removed unless they are to be kept"


def test_a_phase_that_fails_ends_the_benchmark_and_says_why(tmp_path):
    failed = run_phase("core steps", "core", tmp_path, [])  # no files have been generated
    assert not failed.succeeded
    assert ".generated.json" in failed.words


# --- results --------------------------------------------------------------------------------------


def test_growth_is_the_exponent():
    assert growth(1.0, 10.0, 20_000, 200_000) == pytest.approx(1)
    assert growth(1.0, 100.0, 20_000, 200_000) == pytest.approx(2)
    assert growth(0.0, 1.0, 20_000, 200_000) is None


def step(phase: str, name: str, cpu_seconds: float) -> dict:
    return {
        "phase": phase,
        "step": name,
        "seconds": cpu_seconds,
        "cpu_seconds": cpu_seconds,
        "peak_mib": 100,
        "rows": 7,
    }


def test_tables_show_ratios_and_growth(tmp_path):
    sizes = [
        SizeResult(
            deals,
            [
                Phase("floor", 1, 1, 50, True, "", [step("floor", "deals", 0.5 * factor)]),
                Phase("core steps", 2, 2, 60, True, "", [step("core", "typed load", 2.0 * factor)]),
                Phase("run", 9, 8.0 * factor, 70, True, "", [step("run", "Models", 6.0 * factor)]),
            ],
        )
        for deals, factor in ((1_000, 1), (10_000, 10))
    ]
    results.write(tmp_path, sizes)
    assert results.read(tmp_path) == sizes
    table = markdown(sizes)
    assert "| run | 10,000 | 9.0 | 80.0 | 70 | 16.0 | 4.0 | 1.00 |" in table
    assert "| Models | 6.00, 6.00, 100, 7 | 60.00, 60.00, 100, 7 | 1.00 |" in table
    assert (tmp_path / results.MARKDOWN_FILE).read_text() == table


@pytest.mark.thorough
def test_engines_are_compared_by_what_each_does_in_its_own_way(tmp_path):
    done = subprocess.run(
        [
            *(sys.executable, "-m", "orchestration.bench.engines", "60"),
            *("--folder", str(tmp_path), "--engines", "duckdb"),
        ],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    phase = Phase(**json.loads((tmp_path / engines.JSON_FILE).read_text())["60"]["duckdb"])
    assert [step["step"] for step in phase.steps] == ["load and judge, in DuckDB", *engines.STEPS]
    (models,) = [step for step in phase.steps if step["step"] == "models and dbt tests"]
    assert models["rows"] > 300
    assert models["seconds"] > 1
    assert (tmp_path / engines.MARKDOWN_FILE).read_text() in done.stdout


def test_engines_are_told_apart_by_seconds_and_a_failure_is_told():
    def built(seconds: float) -> Phase:
        steps = [step("engine", name, seconds) for name in engines.STEPS]
        return Phase("", 9, 9, 9, True, "", steps)

    found = {20: {"duckdb": built(1), "spark": built(3), "postgres": Phase("", 9, 9, 9, False, "no", [])}}
    table = "\n".join(engines.markdown(found))
    assert "| 20 | spark | 3.0 | 3.0 | 3.0 | 3.0 | 3.0 |" in table
    assert "| 20 | postgres | failed | | | | |" in table
