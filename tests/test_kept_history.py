"""Kept history: what was once seen stays, whatever the source forgets (K1, K2, K3, K7)."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import duckdb
import pytest

from orchestration.ingest import history
from orchestration.ingest.contract import KEPT_SNAPSHOTS
from orchestration.ingest.delivery import LoadError
from orchestration.ingest.history import store_snapshots
from tests.loading import DAY_1, DataFolder, at, crm, deal, stage, version, versions

DAY_2, DAY_3, DAY_4 = (DAY_1 + timedelta(days=n) for n in (1, 2, 3))
START = at("2026-01-01")


@pytest.fixture
def folder(tmp_path):
    folder = DataFolder(tmp_path)
    yield folder
    folder.close()


def amounts(folder: DataFolder) -> list[int]:
    rows = folder.rows(
        "select number_value from deal_property_history where name = 'amount' order by timestamp"
    )
    return [int(number) for (number,) in rows]


def gaps(folder: DataFolder) -> list[tuple]:
    return folder.rows("select * from _history_gaps order by table_name, object_id, name, gap_to")


# --- property versions ----------------------------------------------------------------------------


def test_versions_that_fall_out_of_hubspots_window_stay(folder):
    for now, first in ((DAY_1, 0), (DAY_2, 1), (DAY_3, 15)):
        folder.load(crm(deal_property_history=versions("1", "amount", range(first, first + 20))), now)
    assert amounts(folder) == list(range(35))
    assert folder.rows("select distinct _loaded_at from deal_property_history order by 1") == [
        (DAY_1,),
        (DAY_2,),
        (DAY_3,),
    ]
    # Twenty at first sight; later windows overlap what is known.
    assert gaps(folder) == [("deal_property_history", "1", "amount", None, START)]


def test_history_is_complete_if_it_was_seen_below_the_cap(folder):
    folder.load(crm(deal_property_history=versions("1", "amount", range(19))), DAY_1)
    folder.load(crm(deal_property_history=versions("1", "amount", range(5, 25))), DAY_2)
    assert amounts(folder) == list(range(25))
    assert gaps(folder) == []


def test_a_full_cap_of_unknown_versions_leaves_a_gap_after_the_last_known(folder):
    folder.load(crm(deal_property_history=versions("1", "amount", range(5))), DAY_1)
    folder.load(crm(deal_property_history=versions("1", "amount", range(30, 50))), DAY_2)
    gap = ("deal_property_history", "1", "amount", START + timedelta(hours=4), START + timedelta(hours=30))
    assert gaps(folder) == [gap]
    # What was decided is kept, also when the source brings the same again or loses more.
    folder.load(crm(deal_property_history=versions("1", "amount", range(30, 50))), DAY_3)
    folder.load(crm(deal_property_history=versions("1", "amount", range(40, 60))), DAY_4)
    assert gaps(folder) == [gap]
    assert amounts(folder) == [*range(5), *range(30, 60)]


def test_the_cap_is_per_property_and_kind_of_record(folder):
    tables = crm(
        contacts=[{"id": "5", "createdate": START}],
        deal_property_history=versions("1", "amount", range(20)) + versions("1", "dealstage", range(19)),
        contact_property_history=versions("5", "lifecyclestage", range(44))
        + versions("5", "hubspot_owner_id", range(45)),
    )
    folder.load(tables)
    assert [(table, name) for table, _, name, *_ in gaps(folder)] == [
        ("contact_property_history", "hubspot_owner_id"),
        ("deal_property_history", "amount"),
    ]


def test_a_version_is_known_by_what_it_is_and_not_by_its_number(folder):
    """A loader that numbers HubSpot's newest-first list in reverse starts at 0 each time."""
    life = versions("1", "amount", range(30))
    for now, first in ((DAY_1, 0), (DAY_2, 5), (DAY_3, 10)):
        window = [row | {"sequence": n} for n, row in enumerate(life[first : first + 20])]
        folder.load(crm(deal_property_history=window), now)
    assert amounts(folder) == list(range(30))


def test_versions_of_one_instant_stay_in_order_when_the_oldest_are_lost(folder):
    rows = [version("1", "dealstage", value, START) for value in ("a", "b", "c", "a")]
    for now, delivered in (
        (DAY_1, rows),
        (DAY_2, rows[1:]),
        (DAY_3, [*rows[2:], version("1", "dealstage", "d", START)]),
    ):
        folder.load(crm(deal_property_history=delivered), now, accept_drop=True)
    assert folder.rows("select value, sequence from deal_property_history order by sequence") == [
        ("a", 0),
        ("b", 1),
        ("c", 2),
        ("a", 3),
        ("d", 4),
    ]


def test_a_cleared_value_is_the_same_as_null_or_empty_text(folder):
    folder.load(crm(deal_property_history=[version("1", "amount", "", START)]), DAY_1)
    folder.load(crm(deal_property_history=[version("1", "amount", None, START)]), DAY_2)
    assert folder.value("select count(*) from deal_property_history") == 1


def test_history_files_add(folder):
    """K4: a history file may hold the new versions only; of deleted records everything stays."""
    folder.load(crm(deal_property_history=versions("1", "amount", range(3))), DAY_1)
    folder.load(crm(deals=[deal("2")], deal_property_history=versions("2", "amount", range(3, 5))), DAY_2)
    assert amounts(folder) == list(range(5))


def test_history_outlives_the_build_database(folder):
    folder.load(crm(deal_property_history=versions("1", "amount", range(3))), DAY_1)
    folder.close()
    (folder.path / "build.duckdb").unlink()
    folder.load(crm(deal_property_history=versions("1", "amount", range(2, 4))), DAY_2)
    assert amounts(folder) == list(range(4))


def test_each_source_and_portal_has_its_own_history(folder):
    other = [{"portal_id": "9", "time_zone": "UTC", "company_currency": "EUR"}]
    folder.load(
        crm(deal_property_history=versions("1", "amount", range(20)), teams=[{"id": "1", "name": "A"}])
    )
    for settings, tables in (({}, crm(account=other)), ({"source": "other"}, crm())):
        folder.load(tables, **settings)
        assert amounts(folder) == []
        assert gaps(folder) == []
        assert folder.rows("from teams") == []
    folder.load(crm())
    assert amounts(folder) == list(range(20))


# --- owners, teams, pipelines, stages, goals ------------------------------------------------------


def test_what_is_gone_stays_as_archived_and_comes_back_as_it_is(folder):
    more = crm(
        owners=[{"id": "7", "first_name": "Ada"}, {"id": "8", "first_name": "Bob", "created_at": START}],
        teams=[{"id": "1", "name": "A"}, {"id": "2", "name": "B", "parent_team_id": "1"}],
        pipelines=[
            {"object_type": "deal", "id": p, "label": p, "archived": False} for p in ("default", "old")
        ],
        pipeline_stages=[stage("new"), stage("won", probability="1"), stage("old", label="Was")],
    )
    less = crm(teams=[{"id": "1", "name": "A"}])
    folder.load(more, DAY_1)
    folder.load(less, DAY_2)
    folder.load(less, DAY_3)
    assert folder.rows("select id, first_name, archived, archived_at from owners order by id") == [
        ("7", "Ada", None, None),
        ("8", "Bob", True, DAY_2),
    ]
    assert folder.rows("select id, name, parent_team_id, archived from teams order by id") == [
        ("1", "A", None, None),
        ("2", "B", "1", True),
    ]
    assert folder.rows("select id, archived from pipelines order by id") == [("default", None), ("old", True)]
    assert folder.rows("select id, label, probability, archived from pipeline_stages order by id") == [
        ("new", "New", Decimal("0.5"), None),
        ("old", "Was", Decimal("0.5"), True),
        ("won", "Won", Decimal(1), None),
    ]
    folder.load(more, DAY_4)
    assert folder.rows("select archived, archived_at from owners where id = '8'") == [(None, None)]
    assert folder.value("select count(*) from teams where archived") == 0


def test_the_last_known_state_is_the_one_that_stays(folder):
    for now, label in ((DAY_1, "First"), (DAY_2, "Second")):
        folder.load(crm(pipeline_stages=[stage("new"), stage("x", label=label)]), now)
    folder.load(crm(), DAY_3)
    assert folder.rows("select label, archived from pipeline_stages where id = 'x'") == [("Second", True)]
    with duckdb.connect(folder.history) as connection:
        states = connection.execute(
            "select label, valid_from, valid_to from pipeline_stages where id = 'x' order by valid_from"
        ).fetchall()
    assert states == [("First", DAY_1, DAY_2), ("Second", DAY_2, DAY_3)]


def test_an_owner_is_archived_since_the_first_load_that_saw_it(folder):
    """K14, unless the source says when."""
    archived_at = "select archived_at from owners where id = '7'"
    folder.load(crm(owners=[{"id": "7", "archived": False}]), DAY_1)
    assert folder.value(archived_at) is None
    for now in (DAY_2, DAY_3):
        folder.load(crm(owners=[{"id": "7", "archived": True}]), now)
        assert folder.value(archived_at) == DAY_2
    folder.load(crm(owners=[{"id": "7", "archived": False}]), DAY_3)
    folder.load(crm(owners=[{"id": "7", "archived": True}]), DAY_4)
    assert folder.value(archived_at) == DAY_4
    folder.load(crm(owners=[{"id": "7", "archived": True, "archived_at": START}]), DAY_4)
    assert folder.value(archived_at) == START


def test_a_goal_slice_that_is_gone_is_a_deleted_one(folder):
    goal = {
        "hs_goal_name": "Q1",
        "hs_target_amount": "5",
        "hs_start_datetime": START,
        "hs_end_datetime": START,
    }
    goals = [goal | {"id": "1"}, goal | {"id": "2"}]
    folder.load(crm(goal_targets=goals), DAY_1)
    folder.load(crm(goal_targets=goals[:1]), DAY_2)
    folder.load(crm(goal_targets=goals[:1]), DAY_3)
    assert folder.rows("select id, hard_deleted_at from goal_targets order by id") == [
        ("1", None),
        ("2", DAY_2),
    ]


def test_a_membership_that_is_gone_is_none(folder):
    team = [{"id": "1", "name": "A"}]
    members = [{"owner_id": o, "team_id": "1", "is_primary": True} for o in ("7", "8")]
    folder.load(crm(teams=team, owner_teams=members), DAY_1)
    folder.load(crm(teams=team, owner_teams=members[:1]), DAY_2)
    assert folder.rows("select owner_id from owner_teams") == [("7",)]


def test_a_table_that_is_not_delivered_is_as_it_last_was(folder):
    """Only a complete list says that something is gone."""
    folder.load(crm(teams=[{"id": "1", "name": "A"}, {"id": "2", "name": "B"}]), DAY_1)
    folder.load(crm(teams=[{"id": "1", "name": "A"}]), DAY_2)
    folder.load(crm(), DAY_3)
    assert folder.rows("select id, archived from teams order by id") == [("1", None), ("2", True)]
    assert folder.rows("select * from _available_columns where table_name = 'teams'") == []


# --- the file -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KEPT_SNAPSHOTS)
def test_the_format_has_every_column_of_the_contract(folder, name):
    """A column that is new in the contract needs a migration of the files that are out there."""
    folder.load(crm())
    with duckdb.connect(folder.history) as connection:
        kept = {row[0]: row[1] for row in connection.execute(f"describe {name}").fetchall()}
    expected = {row[0]: row[1] for row in folder.rows(f"describe {name}") if row[0] != "_loaded_at"}
    owned = ("source", "portal_id", "valid_from", "valid_to")
    assert {column: kind for column, kind in kept.items() if column not in owned} == expected


def test_an_older_format_is_brought_up_to_date_with_its_rows(folder, monkeypatch):
    folder.load(crm(deal_property_history=versions("1", "amount", range(3))), DAY_1)
    added = ["alter table history.property_versions add column remark varchar"]
    monkeypatch.setattr(history, "MIGRATIONS", [*history.MIGRATIONS, added])
    folder.load(crm(deal_property_history=versions("1", "amount", range(4))), DAY_2)
    assert amounts(folder) == list(range(4))
    assert len(folder.kept_rows("format")) == len(history.MIGRATIONS)
    assert folder.kept_rows("property_versions")[0][-1] is None


def test_a_newer_format_is_refused(folder):
    folder.load(crm(), DAY_1)
    before = folder.raw_tables()
    with duckdb.connect(folder.history) as connection:
        connection.execute("insert into format values (99)")
    with pytest.raises(LoadError, match="format 99, written by a newer version"):
        folder.load(crm(), DAY_2)
    assert folder.raw_tables() == before


def test_a_damaged_file_is_refused_and_left_alone(folder):
    folder.history.write_bytes(b"not a database at all" * 1000)
    with pytest.raises(LoadError, match="history"):
        folder.load(crm())
    assert folder.history.read_bytes().startswith(b"not a database")


# --- stored snapshots (K7) ------------------------------------------------------------------------


def snapshot(day: str, amount: int) -> str:
    return (
        f"select date '{day}' as snapshot_date, '7' as owner_id, 'default' as pipeline_id, "
        "'new' as stage_id, 'none' as forecast_category, 'small' as amount_band, 'open' as deal_status, "
        f"1 as deal_count, {amount} as total_amount, {amount} as weighted_amount, 0 as unknown_count"
    )


def store(folder: DataFolder, snapshots: str, days: str | None = None) -> int:
    return store_snapshots(folder.build, folder.history, days=days or snapshots, snapshots=snapshots)


def stored(folder: DataFolder) -> list[tuple]:
    return folder.rows("select snapshot_date, total_amount from _stored_snapshots order by snapshot_date")


def test_days_that_are_over_are_stored_once(folder):
    folder.load(crm(), DAY_1)
    both = f"{snapshot('2026-02-28', 5)} union all {snapshot('2026-03-01', 6)}"
    assert store(folder, both) == 1  # 1 March is not over
    assert store(folder, snapshot("2026-02-28", 99)) == 0
    folder.load(crm(), DAY_2)
    assert stored(folder) == [(date(2026, 2, 28), Decimal(5))]
    assert store(folder, both) == 1
    folder.load(crm(), DAY_3)
    assert stored(folder) == [(date(2026, 2, 28), Decimal(5)), (date(2026, 3, 1), Decimal(6))]


def test_a_first_run_stores_the_day_that_has_just_ended_and_later_ones_all_since(folder):
    folder.load(crm(), DAY_1)
    past = f"{snapshot('2026-02-27', 4)} union all {snapshot('2026-02-28', 5)}"
    assert store(folder, past) == 1
    folder.load(crm(), DAY_4)  # two nights were missed
    assert stored(folder) == [(date(2026, 2, 28), Decimal(5))]
    missed = " union all ".join(snapshot(f"2026-03-0{day}", day) for day in (1, 2, 3))
    assert store(folder, f"{past} union all {missed}") == 3


def test_a_day_without_deals_is_stored_too(folder):
    folder.load(crm(), DAY_1)
    none = f"{snapshot('2026-02-28', 5)} where false"
    assert store(folder, none, days="select date '2026-02-28' as snapshot_date") == 1
    assert store(folder, snapshot("2026-02-28", 5)) == 0


def test_a_day_ends_at_local_midnight(folder):
    folder.load(crm(), at("2026-03-01 02:00"), time_zone="America/New_York")
    assert store(folder, snapshot("2026-02-28", 5)) == 0
    folder.load(crm(), at("2026-03-01 05:00"), time_zone="America/New_York")
    assert store(folder, snapshot("2026-02-28", 5)) == 1


def test_each_portal_stores_its_own_snapshots(folder):
    folder.load(crm(), DAY_1)
    store(folder, snapshot("2026-02-28", 5))
    folder.load(crm(), DAY_1, source="other")
    assert stored(folder) == []
    assert store(folder, snapshot("2026-02-28", 7)) == 1
    folder.load(crm(), DAY_1, source="other")
    assert stored(folder) == [(date(2026, 2, 28), Decimal(7))]
