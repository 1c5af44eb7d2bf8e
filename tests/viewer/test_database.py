"""The published file as the viewer opens it: what is there, what is new, and what is wrong with it."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from orchestration.publish import point_link
from orchestration.settings import Settings
from orchestration.viewer.access import EVERYTHING, Scope
from orchestration.viewer.database import NoBuild, QueryError, published_file
from tests.viewer.pages import assert_no_failure, opened, texts


@pytest.fixture
def folder(demo_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A data folder of its own with a copy of the published demo."""
    settings = replace(demo_settings, data_dir=tmp_path / "data")
    settings.published_dir.mkdir(parents=True)
    path = settings.published_dir / "b1.duckdb"
    shutil.copy(demo_settings.published_link, path)
    point_link(settings.published_link, path)
    monkeypatch.setenv("SALES_REPORTS_DATA_DIR", str(settings.data_dir))
    return settings


def publish_later(settings: Settings, *statements: str) -> Path:
    """A newer build, changed by these statements."""
    path = settings.published_dir / "b2.duckdb"
    shutil.copy(settings.published_link, path)
    with duckdb.connect(path) as connection:
        for statement in statements:
            connection.execute(statement)
    point_link(settings.published_link, path)
    return path


def deals(build) -> int:
    return build.one("select count(*) as n from core.fct_deals")["n"]


def test_values_are_exact(demo_build):
    sql = (
        "select 0.01::decimal(38,2) as cent, 12345678901234567890.12::decimal(38,2) as much, "
        "null::bigint as none"
    )
    assert demo_build.table(sql, 10).to_pylist() == [
        {"cent": Decimal("0.01"), "much": Decimal("12345678901234567890.12"), "none": None}
    ]
    frame = demo_build.rows(sql)
    assert frame["much"].iloc[0] == Decimal("12345678901234567890.12")
    assert str(demo_build.info["run_ts"].tzinfo) == demo_build.time_zone != "UTC"


def test_the_first_rows_are_those_of_the_query_in_its_order(demo_build):
    sql = "select deal_id from core.fct_deals order by deal_id desc"
    everything = demo_build.table(sql).column("deal_id").to_pylist()
    assert demo_build.table(sql, 7).column("deal_id").to_pylist() == everything[:7]
    assert demo_build.table(sql, 0).num_rows == 0
    assert demo_build.table(f"{sql} limit 3", 7).num_rows == 3


def test_what_the_function_says_is_what_the_reader_reads(demo_build):
    with pytest.raises(QueryError) as error:
        demo_build.table("from reports.chats(date '2026-01-01', date '2026-02-01', group_by := 'eon')")
    assert str(error.value) == "group_by must be one of: none, owner, team, channel"


def test_readers_at_once_get_their_own_answers(demo_settings):
    file = published_file(demo_settings)
    scopes = [EVERYTHING, Scope(frozenset({"70001008"})), Scope(frozenset({"70001005"})), Scope()]
    expected = [deals(file.build(scope)) for scope in scopes]
    assert len(set(expected)) == 4
    assert expected[-1] == 0
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda place: deals(file.build(scopes[place % 4])), range(80)))
    assert answers == expected * 20


def test_a_new_build_is_there_at_once_and_the_former_keeps_working(folder):
    before = published_file(folder).build(EVERYTHING)
    count = deals(before)
    publish_later(folder, "delete from core.fct_deals", "update core.build_info set build_id = 'b2'")
    after = published_file(folder).build(EVERYTHING)
    assert (deals(after), after.build_id) == (0, "b2")
    assert deals(before) == count > 0
    before.path.unlink()  # pruned: whoever reads it has it open
    assert before.one("select count(*) as n from core.fct_deal_states")["n"] > 0


def test_a_build_published_again_under_its_name_is_read_anew(folder):
    before = published_file(folder).build(EVERYTHING)
    changed = folder.published_dir / "changed"
    shutil.copy(before.path, changed)
    with duckdb.connect(changed) as connection:
        connection.execute("delete from core.fct_deals")
    os.replace(changed, before.path)
    assert deals(published_file(folder).build(EVERYTHING)) == 0


def test_an_open_page_shows_the_new_data_with_the_next_click(folder):
    app = opened("deals_won_and_lost", "period=last_fiscal_year&group_by=none")
    won = app.dataframe[0].value["won_count"].iloc[0]
    publish_later(folder, "update core.fct_deals set is_won = false, is_lost = true where is_won")
    app.run()
    assert_no_failure(app)
    assert won > 0
    assert app.dataframe[0].value["won_count"].iloc[0] == 0
    assert app.query_params == {"period": "last_fiscal_year", "group_by": "none"}


def test_nothing_published_yet_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("SALES_REPORTS_DATA_DIR", str(tmp_path))
    with pytest.raises(NoBuild, match="make run"):
        published_file(Settings(data_dir=tmp_path))
    for page in ("", "deals_won_and_lost"):
        app = opened(page)
        assert_no_failure(app)
        assert "There are no reports to show" in texts(app)
        assert "make run" in texts(app)


@pytest.mark.parametrize(
    ("damage", "words"),
    [("drop table core.dim_reports", "older version"), (None, "cannot be read")],
)
def test_a_build_that_cannot_be_used_says_what_to_do(folder, damage: str | None, words: str):
    path = publish_later(folder, *([damage] if damage else []))
    if damage is None:
        path.write_bytes(b"no database")
    app = opened("deals_won_and_lost")
    assert_no_failure(app)
    assert words in texts(app)
    assert "make run" in texts(app)


def test_a_link_to_a_build_that_is_gone_says_what_to_do(folder):
    folder.published_link.resolve().unlink()
    app = opened()
    assert_no_failure(app)
    assert "make run" in texts(app)


def test_wrong_settings_are_told(folder, monkeypatch):
    monkeypatch.setenv("SALES_REPORTS_VIEWER_ACCESS_FILE", "who.toml")
    app = opened()
    assert_no_failure(app)
    assert "SALES_REPORTS_VIEWER_USER_HEADER" in texts(app)


def test_a_report_without_its_inputs_says_which_and_what_to_do(folder):
    publish_later(
        folder, "insert into core.fct_missing_inputs values ('rpt_call_outcomes', 'missing_table:calls')"
    )
    app = opened("call_outcomes")
    assert_no_failure(app)
    said = texts(app)
    assert "not available" in said
    assert "the table calls" in said
    assert "make run" in said
    assert not app.dataframe
    assert "Call outcomes (not available)" in [link.proto.label for link in opened().get("page_link")]
    assert_no_failure(opened("deals_won_and_lost"))
