"""What a night does: everything, what changed, or nothing, and why. On a toy build database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from orchestration import data_folder, plan, publish
from orchestration.data_folder import open_build
from orchestration.plan import EVERYTHING_AFTER, MOST_CHANGED, Kind, make_plan
from orchestration.settings import Settings

RUN_TS = datetime(2026, 7, 15, tzinfo=UTC)
DEALS = 100


class Folder:
    """A data folder with one proven and published build, and the load that follows it."""

    def __init__(self, path: Path) -> None:
        self.settings = Settings(data_dir=path)
        self.number = 0
        with self.open() as build:
            build.execute("create schema raw_hubspot")
            build.execute(f"create table raw_hubspot.deals as select range as id from range({DEALS})")
            build.execute("create table raw_hubspot.teams (id varchar)")
            publish.withdraw_verdict(build)
        self.load(follows=False)
        with self.open() as build:
            plan.write_basis(build, self.settings)
        self.settings.published_dir.mkdir()
        published = self.settings.published_dir / "load-1.duckdb"
        duckdb.connect(published).close()
        publish.point_link(self.settings.published_link, published)

    def open(self) -> closing:
        return closing(open_build(self.settings.build_path, with_marts=False))

    def load(
        self,
        *,
        follows: bool = True,
        records: int = 0,
        tables: tuple[str, ...] = (),
        run_ts: datetime = RUN_TS,
        loaded_at: datetime = RUN_TS,
        **columns: str,
    ) -> None:
        """The raw tables of the next load, with so many records and these tables changed."""
        before = f"load-{self.number}" if follows else None
        self.number += 1
        row = {
            "build_id": f"load-{self.number}",
            "load_id": f"load-{self.number}",
            "follows_load_id": before,
            "source": "files",
            "portal_id": "1",
            "time_zone": "UTC",
            "company_currency": "EUR",
            "fiscal_year_start_month": "1",
            "week_starts_on": "monday",
            "include_personal_data": "false",
        } | columns
        listed = ", ".join(f"cast(${name} as varchar) as {name}" for name in row)
        with self.open() as build:
            build.execute(
                f"create or replace table raw_hubspot._run as select {listed}, "
                "$run_ts::timestamptz as run_ts, $loaded_at::timestamptz as loaded_at",
                row | {"run_ts": run_ts, "loaded_at": loaded_at},
            )
            build.execute(
                "create or replace table raw_hubspot._changed_records as "
                f"select 'deal' as object_type, range as record_id from range({records})"
            )
            named = ", ".join(f"('{name}')" for name in tables) or "(null)"
            build.execute(
                "create or replace table raw_hubspot._changed_tables as "
                f"select table_name from (values {named}) as t (table_name) where table_name is not null"
            )

    def plan(self, settings: Settings | None = None) -> plan.Plan:
        with self.open() as build:
            return make_plan(build, settings or self.settings)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Folder]:
    monkeypatch.setattr(plan, "project_hash", lambda settings: "code")
    return Folder(tmp_path)


@pytest.mark.parametrize("tables", [(), ("_stored_snapshots",)])
def test_a_load_without_news_needs_nothing(folder, tables):
    folder.load(tables=tables)
    assert folder.plan().kind is Kind.NOTHING


def test_the_night_after_a_night_without_news_still_knows_its_basis(folder):
    folder.load()
    with folder.open() as build:
        plan.carry_basis(build)
    folder.load()
    assert folder.plan().kind is Kind.NOTHING
    folder.load(records=1, tables=("deals",))
    assert folder.plan().kind is Kind.EVERYTHING  # carried on by nobody
    assert folder.plan().reason == "another load has come between"


@pytest.mark.parametrize(
    "load",
    [
        {"records": 1, "tables": ("deals",)},
        {"tables": ("exchange_rates",)},
        {"run_ts": RUN_TS + timedelta(hours=1)},
        {"records": int(DEALS * MOST_CHANGED), "tables": ("deals",)},
    ],
)
def test_changes_and_time_need_a_night(folder, load):
    folder.load(**load)
    assert folder.plan().kind is Kind.CHANGES


@pytest.mark.parametrize(
    ("load", "reason"),
    [
        ({"follows": False}, "another load has come between"),
        ({"time_zone": "Europe/Berlin"}, "the project or its settings have changed"),
        ({"include_personal_data": "true"}, "the project or its settings have changed"),
        ({"run_ts": RUN_TS - timedelta(seconds=1)}, "run_ts lies before that of the last build"),
        ({"loaded_at": RUN_TS + EVERYTHING_AFTER}, "the last whole build is a week old"),
        (
            {"run_ts": datetime(2026, 8, 1, tzinfo=UTC)},
            "a month has begun, and with it periods in which all deals are",
        ),
        ({"tables": ("deals", "pipeline_stages")}, "stages have changed"),
        ({"tables": ("_available_columns",)}, "the source delivers other columns than before"),
        ({"records": int(DEALS * MOST_CHANGED) + 1}, "21 records have changed, most of the account"),
    ],
)
def test_what_concerns_everything_builds_everything(folder, load, reason):
    folder.load(**load)
    assert folder.plan() == plan.Plan(Kind.EVERYTHING, reason)


def test_code_settings_and_engine_build_everything(folder, monkeypatch):
    folder.load()
    assert folder.plan(replace(folder.settings, full_refresh=True)).kind is Kind.EVERYTHING
    assert folder.plan(replace(folder.settings, engine="postgres")).kind is Kind.EVERYTHING
    monkeypatch.setattr(plan, "project_hash", lambda settings: "other code")
    assert folder.plan().reason == "the project or its settings have changed"


def test_the_first_team_concerns_every_owner(folder):
    folder.load(tables=("teams",))
    assert folder.plan().kind is Kind.CHANGES
    with folder.open() as build:
        build.execute("insert into raw_hubspot.teams values ('1')")
    assert folder.plan().reason == "teams have come or gone altogether"


def test_without_proof_or_tables_everything_is_built(folder):
    folder.load()
    folder.settings.published_link.unlink()
    assert folder.plan().kind is Kind.CHANGES  # readers see another build, or none
    (folder.settings.published_dir / "load-1.duckdb").unlink()
    assert folder.plan().reason == "the tables of the build before are gone"
    with folder.open() as build:
        plan.forget_basis(build)
    assert folder.plan().reason == "there is no proven build to go on from"


def test_whoever_is_forgotten_after_a_build_is_in_none_that_follows(folder, monkeypatch):
    folder.load()
    monkeypatch.setattr(plan, "oldest_allowed", lambda settings: "load-2")
    assert folder.plan().reason == "somebody has been forgotten since"


def test_a_basis_that_an_older_version_wrote_is_none(folder):
    folder.load()
    with folder.open() as build:
        build.execute("alter table audit.basis drop column has_teams")
    assert folder.plan().reason == "there is no proven build to go on from"


def test_empty_marts_are_no_ones_and_give_way_to_a_copy_of_the_published(folder):
    """dbt leaves an empty file wherever it looks for one."""
    settings = folder.settings
    duckdb.connect(settings.marts_path).close()
    published = data_folder.published_path(settings, "load-1")
    with duckdb.connect(published) as connection:
        connection.execute("create schema core")
        connection.execute("create table core.build_info as select 'load-1' as build_id")
    assert data_folder.build_of(settings.marts_path) is None
    assert data_folder.has_marts(settings, "load-1")
    assert not data_folder.has_marts(settings, "load-0")
    data_folder.bring_back_marts(settings, "load-1")
    assert data_folder.build_of(settings.marts_path) == "load-1"
    assert sorted(path.name for path in settings.data_dir.glob("marts*")) == ["marts.duckdb"]
    published.unlink()  # readers' copy may go: the night has its own
    assert data_folder.has_marts(settings, "load-1")


def test_nights_do_not_put_off_the_weekly_whole_build(folder):
    folder.load(records=1, loaded_at=RUN_TS + timedelta(days=6))
    with folder.open() as build:
        plan.forget_basis(build)
        plan.write_basis(build, folder.settings)
    duckdb.connect(folder.settings.published_dir / "load-2.duckdb").close()
    folder.load(records=1, loaded_at=RUN_TS + EVERYTHING_AFTER)
    assert folder.plan().reason == "the last whole build is a week old"


def test_a_night_is_proven_as_one_while_nothing_has_come_between(folder):
    with folder.open() as build:
        assert plan.proven_with(build) is None  # a whole build
        basis = plan.read_basis(build)
        plan.forget_basis(build)
        plan.begin_night(build, basis)
        assert plan.proven_with(build) == basis["whole_build_id"] == "load-1"
        plan.write_basis(build, folder.settings)
        assert plan.read_basis(build)["whole_build_id"] == "load-1"
    folder.load()
    with folder.open() as build:
        assert plan.proven_with(build) is None  # other raw tables than the night's


def test_a_part_by_hand_ends_the_night(folder):
    with folder.open() as build:
        plan.begin_night(build, plan.read_basis(build))
        plan.forget_basis(build)  # before anything is built
        assert plan.proven_with(build) is None
