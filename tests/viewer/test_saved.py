"""Saved reports and dashboards: what is kept, by whom, within which limits, across sessions and versions.

Belongs here: the viewer's own database. Its pages have `test_dashboards.py`.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from orchestration.viewer import saved as saved_module
from orchestration.viewer import saved_file
from orchestration.viewer.saved import (
    MAX_DASHBOARDS,
    MAX_NAME,
    MAX_QUERY,
    MAX_REPORTS,
    MAX_TILES,
    WIDTHS,
    Saved,
    SavedError,
)

QUERY = "report=deals_won_and_lost&period=last_quarter&owners=7&owners=8"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "viewer.sqlite"


@pytest.fixture
def anna(path: Path) -> Saved:
    return Saved(path, "anna@example.com")


@pytest.fixture
def ben(path: Path) -> Saved:
    return Saved(path, "ben@example.com")


def test_a_saved_report_comes_back_as_it_was(path: Path):
    kept = Saved(path).save_report("  My\n quarter ", "deals_won_and_lost", f"?{QUERY}")
    (found,) = Saved(path).reports()
    assert found == kept
    assert (found.name, found.report, found.query) == ("My quarter", "deals_won_and_lost", QUERY)
    assert found.is_own and not found.is_shared


def test_names_are_unique_for_a_user_whatever_their_case(anna: Saved, ben: Saved):
    anna.save_report("Größe", "average_deal_size", "a=1")
    with pytest.raises(SavedError, match="already"):
        anna.save_report("GRÖSSE", "average_deal_size", "a=2")
    replaced = anna.save_report("GRÖSSE", "average_deal_size", "a=2", replace=True)
    assert [(report.name, report.query) for report in anna.reports()] == [("GRÖSSE", "a=2")]
    assert replaced == anna.reports()[0]
    ben.save_report("Größe", "average_deal_size", "a=3")
    other = anna.save_report("Other", "average_deal_size", "a=4")
    with pytest.raises(SavedError, match="already"):
        anna.rename_report(other.report_id, "größe")
    anna.rename_report(other.report_id, "OTHER")
    assert [report.name for report in anna.reports()] == ["GRÖSSE", "OTHER"]


@pytest.mark.parametrize(
    ("name", "report", "query", "message"),
    [
        (" \n ", "chats", "", "Give it a name"),
        ("x" * (MAX_NAME + 1), "chats", "", f"at most {MAX_NAME}"),
        ("a\x07b", "chats", "", "cannot be shown"),
        ("a", "chats; drop table report", "", "no name of a report"),
        ("a", "chats", "x" * (MAX_QUERY + 1), "more than the 8,000"),
    ],
)
def test_what_cannot_be_kept_is_refused_in_words(path: Path, name, report, query, message):
    with pytest.raises(SavedError, match=message):
        Saved(path).save_report(name, report, query)
    assert Saved(path).reports() == []


def test_texts_are_kept_as_texts(path: Path):
    name = "'); drop table report; --"
    Saved(path).save_report(name, "chats", "q=';--")
    assert [(report.name, report.query) for report in Saved(path).reports()] == [(name, "q=';--")]


def test_one_sees_own_and_shared_ones_and_changes_own_ones(anna: Saved, ben: Saved):
    private = anna.save_report("Private", "chats", "")
    shared = anna.save_report("Shared", "chats", "")
    anna.share_report(shared.report_id, True)
    board = anna.create_dashboard("Board")
    assert [(report.name, report.is_own) for report in ben.reports()] == [("Shared", False)]
    with pytest.raises(SavedError, match="no longer exists, or is not shared"):
        ben.report(private.report_id)
    for forbidden in (
        lambda: ben.rename_report(private.report_id, "x"),
        lambda: ben.remove_report(private.report_id),
        lambda: ben.tiles(board.dashboard_id),
        lambda: ben.add_tile(board.dashboard_id, shared.report_id),
        lambda: ben.remove_dashboard(board.dashboard_id),
    ):
        with pytest.raises(SavedError, match="not shared"):
            forbidden()
    for forbidden in (
        lambda: ben.rename_report(shared.report_id, "x"),
        lambda: ben.share_report(shared.report_id, False),
        lambda: ben.remove_report(shared.report_id),
    ):
        with pytest.raises(SavedError, match=r"belongs to anna@example\.com"):
            forbidden()
    anna.share_report(shared.report_id, False)
    assert ben.reports() == []
    assert len(anna.reports()) == 2


def test_sharing_a_dashboard_shares_what_its_owner_put_on_it(anna: Saved, ben: Saved):
    own = anna.save_report("Own", "chats", "")
    of_ben = ben.save_report("Of Ben", "chats", "")
    ben.share_report(of_ben.report_id, True)
    board = anna.create_dashboard("Board")
    anna.add_tile(board.dashboard_id, own.report_id)
    anna.add_tile(board.dashboard_id, of_ben.report_id)
    with pytest.raises(SavedError):
        ben.tiles(board.dashboard_id)
    anna.share_dashboard(board.dashboard_id, True)
    assert [tile.saved.name for tile in ben.tiles(board.dashboard_id)] == ["Own", "Of Ben"]
    with pytest.raises(SavedError, match="only the owner"):
        ben.remove_tile(ben.tiles(board.dashboard_id)[0].tile_id)
    ben.share_report(of_ben.report_id, False)
    assert [tile.saved and tile.saved.name for tile in anna.tiles(board.dashboard_id)] == ["Own", None]


def test_what_was_kept_without_a_login_stays_visible_with_one(path: Path, anna: Saved):
    before = Saved(path).save_report("Before", "chats", "")
    board = Saved(path).create_dashboard("Board")
    Saved(path).add_tile(board.dashboard_id, before.report_id)
    assert [report.name for report in anna.reports()] == ["Before"]
    assert [tile.saved.name for tile in anna.tiles(board.dashboard_id)] == ["Before"]
    with pytest.raises(SavedError, match="only the owner"):
        anna.remove_report(before.report_id)
    anna.save_report("Of Anna", "chats", "")
    assert [(report.name, report.is_own) for report in Saved(path).reports()] == [
        ("Before", True),
        ("Of Anna", True),
    ]


def test_tiles_are_added_arranged_resized_and_removed(path: Path):
    saved = Saved(path)
    board = saved.create_dashboard("Board")
    for name in "ABC":
        saved.add_tile(board.dashboard_id, saved.save_report(name, "chats", name).report_id)

    def shown() -> list[tuple[str, int]]:
        return [(tile.saved.name, tile.width) for tile in saved.tiles(board.dashboard_id)]

    a, b, c = (tile.tile_id for tile in saved.tiles(board.dashboard_id))
    saved.arrange(board.dashboard_id, [c, a, b])
    saved.resize_tile(a, WIDTHS["full"])
    assert shown() == [("C", 6), ("A", 12), ("B", 6)]
    saved.remove_tile(a)
    saved.arrange(board.dashboard_id, [b, a, b])  # another session still shows A
    assert shown() == [("B", 6), ("C", 6)]
    with pytest.raises(SavedError, match="not on the dashboard any more"):
        saved.resize_tile(a, WIDTHS["half"])
    with pytest.raises(SavedError, match="width is one of"):
        saved.resize_tile(b, 5)
    # The saved report stays when its tile goes; its tiles go with it.
    assert [report.name for report in saved.reports()] == ["A", "B", "C"]
    of_b = saved.tiles(board.dashboard_id)[0].saved.report_id
    assert [found.name for found in saved.dashboards_with(of_b)] == ["Board"]
    saved.remove_report(of_b)
    assert shown() == [("C", 6)]
    saved.remove_dashboard(board.dashboard_id)
    assert saved.dashboards() == []
    assert [report.name for report in saved.reports()] == ["A", "C"]
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("select count(*) from tile").fetchone() == (0,)


def test_there_are_limits(path: Path, monkeypatch: pytest.MonkeyPatch):
    assert (MAX_REPORTS, MAX_DASHBOARDS, MAX_TILES) == (500, 100, 24)
    for name in ("MAX_REPORTS", "MAX_DASHBOARDS", "MAX_TILES"):
        monkeypatch.setattr(saved_module, name, 2)
    saved = Saved(path)
    for number in range(2):
        report = saved.save_report(f"Report {number}", "chats", "")
        board = saved.create_dashboard(f"Board {number}")
    for _ in range(2):
        saved.add_tile(board.dashboard_id, report.report_id)
    with pytest.raises(SavedError, match="Remove one first"):
        saved.save_report("One more", "chats", "")
    saved.save_report("Report 1", "chats", "a=1", replace=True)
    with pytest.raises(SavedError, match="Remove one first"):
        saved.create_dashboard("One more")
    with pytest.raises(SavedError, match="at most 2 tiles"):
        saved.add_tile(board.dashboard_id, report.report_id)


def test_sessions_write_at_once_and_nothing_is_lost(path: Path):
    """Each thread is a session; the first ones create the database together."""
    start = threading.Barrier(6)
    failures: list[BaseException] = []

    def session(number: int) -> None:
        try:
            start.wait()
            saved = Saved(path, f"user {number % 2}")
            for count in range(5):
                saved.save_report(f"{number}.{count}", "chats", "")
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=session, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(Saved(path).reports()) == 30


def test_a_database_of_an_older_version_is_taken_along(path: Path, monkeypatch: pytest.MonkeyPatch):
    Saved(path).save_report("Kept", "chats", QUERY)
    added = "alter table report add column note text not null default 'none'; create table extra (x integer);"
    monkeypatch.setattr(saved_file, "_MIGRATIONS", (*saved_file._MIGRATIONS, added))
    assert [(report.name, report.query) for report in Saved(path).reports()] == [("Kept", QUERY)]
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("pragma user_version").fetchone() == (2,)
        assert connection.execute("select note from report").fetchone() == ("none",)


def test_a_migration_that_fails_changes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch):
    Saved(path).save_report("Kept", "chats", QUERY)
    broken = (*saved_file._MIGRATIONS, "create table extra (x integer); this is no SQL;")
    with monkeypatch.context() as patch, pytest.raises(SavedError, match="syntax error"):
        patch.setattr(saved_file, "_MIGRATIONS", broken)
        Saved(path).reports()
    assert [report.name for report in Saved(path).reports()] == ["Kept"]
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("select name from sqlite_schema where name = 'extra'").fetchall() == []


def test_a_database_of_a_newer_version_is_left_alone(path: Path):
    Saved(path).save_report("Kept", "chats", QUERY)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("pragma user_version = 99")
    with pytest.raises(SavedError, match="newer version of the viewer"):
        Saved(path).reports()


def test_a_damaged_file_is_an_error_in_words(path: Path):
    path.parent.mkdir()
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(SavedError, match=r"not a database.*move it away"):
        Saved(path).reports()
    assert path.read_bytes().startswith(b"no database")


def test_write_ahead_log_is_on(path: Path):
    """So that a session that reads does not wait for one that writes, and a kill loses nothing."""
    Saved(path).save_report("Kept", "chats", QUERY)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("pragma journal_mode").fetchone() == ("wal",)
