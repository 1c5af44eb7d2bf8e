"""The load step: types, keys, rejects, deleted records, and a load that works wholly or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from decimal import Decimal

import duckdb
import pytest

from orchestration.checks import core
from orchestration.ingest.contract import DEFAULT_CALL_DISPOSITIONS, KEPT_HISTORIES, TABLES
from orchestration.ingest.delivery import LoadError
from orchestration.ingest.raw_hubspot import RawTables
from orchestration.ingest.values import SQL_TYPES
from orchestration.settings import PROJECT_ROOT
from tests.conftest import first_of
from tests.loading import DAY_1, DataFolder, at, crm, deal, stage, version

DAY_2, DAY_3 = DAY_1 + timedelta(days=1), DAY_1 + timedelta(days=2)


@pytest.fixture
def folder(tmp_path):
    folder = DataFolder(tmp_path)
    yield folder
    folder.close()


# --- the tables -----------------------------------------------------------------------------------


def test_every_table_of_the_contract_is_there_with_its_types(folder):
    folder.load(crm())
    found = folder.rows(
        "select table_name, column_name, data_type from duckdb_columns() "
        "where schema_name = 'raw_hubspot' order by table_name, column_index"
    )
    for name, table in TABLES.items():
        expected = {column: SQL_TYPES[kind] for column, kind in table.columns.items()}
        if name in KEPT_HISTORIES:
            expected |= {"number_value": "decimal(38, 10)", "instant_value": "timestamptz"}
        actual = {
            column: kind.lower().replace("timestamp with time zone", "timestamptz").replace(",", ", ")
            for found_name, column, kind in found
            if found_name == name
        }
        assert actual == expected, name


def test_columns_of_the_account_are_kept_as_text_after_those_of_the_contract(folder):
    own = {"our_score": Decimal("4.5"), "odd name!": True, "rowid": "r", "_row": "s"}
    folder.load(crm(deals=[deal("1", **own), deal("1", **own), deal("2", amount="x")]))
    assert folder.rows('select our_score, "odd name!", "rowid", _row from deals where id = \'1\'') == [
        ("4.5", "true", "r", "s")
    ]
    columns = [row[0] for row in folder.rows("describe deals")]
    assert columns[-4:] == list(own)
    assert folder.value("select row_number from _rejected_rows") == 2
    assert folder.rows("select record_id, raw_text from _rejected_values") == [("2", "x")]


def test_columns_that_no_history_has_are_left_out_and_named(folder):
    summary = folder.load(crm(deal_property_history=[version("1", "amount", "5", DAY_1, mine="x")]))
    assert "deal_property_history: left out, no part of a history: mine" in summary.notes


def test_columns_match_whatever_their_case(folder):
    folder.load(
        crm(deals=[{"ID": "1", " DealName ": "x", "Pipeline": "p", "DEALSTAGE": "s", "CreateDate": None}])
    )
    assert folder.rows("select id, dealname, pipeline, dealstage from deals") == [("1", "x", "p", "s")]


def test_available_columns_are_the_delivered_ones(folder):
    folder.load(crm(tasks=[], notes=[{"id": "1", "hs_timestamp": None, "mine": None}]))
    available = set(folder.rows("select table_name, column_name from _available_columns"))
    assert {column for table, column in available if table == "notes"} == {"id", "hs_timestamp", "mine"}
    # K11: a file without rows lacks nothing; a file that is not there lacks everything.
    assert {column for table, column in available if table == "tasks"} == set(TABLES["tasks"].columns)
    assert not {column for table, column in available if table == "calls"}


def test_call_outcomes_default_to_those_that_every_account_has(folder):
    folder.load(crm())
    assert dict(folder.rows("select id, label from call_dispositions")) == DEFAULT_CALL_DISPOSITIONS
    folder.load(crm(call_dispositions=[{"id": "x", "label": "Own"}]))
    assert folder.rows("select id, label from call_dispositions") == [("x", "Own")]


# --- the run --------------------------------------------------------------------------------------


def test_account_settings_default_without_an_account_table(folder):
    folder.load(crm())
    assert folder.rows(
        "select portal_id, time_zone, company_currency, fiscal_year_start_month, week_starts_on from _run"
    ) == [("default", "UTC", "USD", 1, "monday")]


def test_a_setting_beats_the_account_table(folder):
    account = {"portal_id": "9", "time_zone": "Asia/Kolkata", "company_currency": "INR"}
    account |= {"fiscal_year_start_month": 4, "week_starts_on": "Sunday"}
    columns = "portal_id, time_zone, company_currency, fiscal_year_start_month, week_starts_on"
    folder.load(crm(account=[account]))
    assert folder.rows(f"select {columns} from _run") == [("9", "Asia/Kolkata", "INR", 4, "sunday")]
    settings = {"time_zone": "Europe/Berlin", "currency": "EUR", "fiscal_year_start_month": 7}
    folder.load(crm(account=[account]), **settings, week_starts_on="iso")
    assert folder.rows(f"select {columns} from _run") == [("9", "Europe/Berlin", "EUR", 7, "iso")]


def test_run_ts_is_the_setting_or_how_far_the_source_was_read(folder):
    run_ts = "select run_ts from _run"
    folder.load(crm())
    assert folder.value(run_ts) == DAY_1
    stamped = crm(deals=[deal("1", _loaded_at=at("2026-02-03")), deal("2", _loaded_at=at("2026-02-05"))])
    folder.load(stamped)
    assert folder.value(run_ts) == at("2026-02-05")  # H12: the newest row of the source
    assert folder.rows(
        "select distinct read_until from _sync_log where load_id = (select load_id from _run)"
    ) == [(at("2026-02-05"),)]
    folder.load(stamped, run_ts=at("2026-01-31"))
    assert folder.value(run_ts) == at("2026-01-31")


def test_rows_are_stamped_with_one_instant_unless_the_source_stamps_them(folder):
    folder.load(crm(deals=[deal("1"), deal("2", _loaded_at=at("2026-02-05"))]))
    assert folder.rows("select id, _loaded_at from deals order by id") == [
        ("1", DAY_1),
        ("2", at("2026-02-05")),
    ]
    assert folder.value("select distinct _loaded_at from deal_property_history") == DAY_1


def test_no_secret_stands_in_the_build(folder):
    folder.load(crm(), postgres_url="postgresql://me:hunter2@host/db", on_failure="curl https://token@hook")
    settings = folder.value("select settings from _run")
    assert '"source": "test"' in settings
    assert "hunter2" not in settings and "token" not in settings


# --- values ---------------------------------------------------------------------------------------

VALUES = {
    # column: {text: value; ... means rejected}
    "amount": {
        "12.5": Decimal("12.5"),
        " -3 ": Decimal(-3),
        "1e3": Decimal(1000),
        "0.00000000005": Decimal("0.0000000001"),  # half away from zero
        "-0.00000000005": Decimal("-0.0000000001"),
        "9" * 28: Decimal("9" * 28),
        "9" * 29: ...,
        "1,000": ...,
        "NaN": ...,
        "Infinity": ...,
        "abc": ...,
        "": None,
        " \t ": None,
    },
    "archived": {
        "true": True,
        "FALSE": False,
        "t": True,
        "0": False,
        "yes": ...,
        "2": ...,
        "": None,
    },
    "closedate": {
        "2026-01-02T03:04:05.678Z": at("2026-01-02 03:04:05.678"),
        "2026-01-02T03:04:05+02:00": at("2026-01-02 01:04:05"),
        "2026-01-02 03:04": at("2026-01-02 03:04"),  # none means UTC
        "2026-01-02": at("2026-01-02"),
        "0024-01-02": at("0024-01-02"),
        "2026-02-30": ...,
        "1767322800000": ...,
        "02/01/2026": ...,
        "infinity": ...,
        "20260-01-01": ...,
        "": None,
    },
}


@pytest.mark.parametrize("column", VALUES)
def test_text_becomes_the_type_of_the_contract_or_is_rejected(folder, column):
    cases = VALUES[column]
    folder.load(crm(deals=[deal(str(n), **{column: text}) for n, text in enumerate(cases)]))
    actual = dict(folder.rows(f"select cast(id as integer), {column} from deals"))
    for number, (text, value) in enumerate(cases.items()):
        assert actual[number] == (None if value is ... else value), text
    rejected = folder.rows("select cast(record_id as integer), column_name, raw_text from _rejected_values")
    assert sorted(rejected) == [
        (number, column, text) for number, (text, value) in enumerate(cases.items()) if value is ...
    ]


def test_whole_numbers_only(folder):
    cases = {"5": 5, "5.0": 5, "5.5": None, "1e3": 1000, "99999999999999999999": None, "": None}
    calls = [{"id": str(n), "hs_timestamp": None, "hs_call_duration": t} for n, t in enumerate(cases)]
    folder.load(crm(calls=calls))
    assert [
        v for (v,) in folder.rows("select hs_call_duration from calls order by cast(id as integer)")
    ] == list(cases.values())
    assert folder.value("select string_agg(raw_text, ' ' order by record_id) from _rejected_values") == (
        "5.5 99999999999999999999"
    )


def test_text_is_kept_as_it_is(folder):
    names = ["🚀 rocket", 'Say "hi"', "two\nlines", " blanks ", "O'Neil; DROP", "", "\\N", "null", None]
    folder.load(crm(deals=[deal(str(n), dealname=name) for n, name in enumerate(names)]))
    assert [v for (v,) in folder.rows("select dealname from deals order by id")] == names


def test_versions_have_their_value_in_its_own_type(folder):
    cases = [  # H10
        ("amount", " 100.00 ", Decimal(100), None),
        ("amount", "much", None, None),
        ("amount", "", None, None),
        ("hs_exchange_rate", "1.25", Decimal("1.25"), None),
        ("closedate", "2026-01-02T03:04:05Z", None, at("2026-01-02 03:04:05")),
        ("closedate", "1767322800000", None, at("2026-01-02 03:00")),
        ("closedate", "-1", None, at("1969-12-31 23:59:59.999")),
        ("closedate", "99999999999999999999", None, None),
        ("closedate", "soon", None, None),
        ("closedate", None, None, None),
        ("dealstage", "5", None, None),
    ]
    rows = [
        version("1", name, value, at("2026-01-01") + timedelta(hours=n))
        for n, (name, value, *_) in enumerate(cases)
    ]
    folder.load(crm(deal_property_history=rows))
    actual = folder.rows(
        "select name, value, number_value, instant_value from deal_property_history order by timestamp"
    )
    assert actual == cases
    assert folder.rows("select record_id, column_name, raw_text from _rejected_values order by raw_text") == [
        ("1", "value", "99999999999999999999"),
        ("1", "value", "much"),
        ("1", "value", "soon"),
    ]


# --- rows -----------------------------------------------------------------------------------------


def test_rows_without_key_and_with_a_second_key_are_turned_away(folder):
    rows = [
        deal("1", amount="1"),
        deal(None, amount="2"),
        deal("1", amount="3"),
        deal(" ", amount="4"),
        deal("2", amount="x"),
        deal("1", amount="bad"),
    ]
    summary = folder.load(crm(deals=rows))
    assert folder.rows("select id, amount from deals order by id") == [("1", Decimal(1)), ("2", None)]
    assert folder.rows("select row_number, record_id, reason from _rejected_rows order by row_number") == [
        (2, None, "id is missing"),
        (3, "1", "same key as row 1"),
        (4, None, "id is missing"),
        (6, "1", "same key as row 1"),
    ]
    assert '"amount":"3"' in folder.value("select raw from _rejected_rows where row_number = 3")
    # A value of a row that was turned away is no value of the table.
    assert folder.rows("select record_id, raw_text from _rejected_values") == [("2", "x")]
    (deals,) = (table for table in summary.tables if table.name == "deals")
    assert (deals.offered, deals.loaded, deals.rejected, deals.rejected_values) == (6, 2, 4, 1)


def test_offered_is_loaded_plus_rejected_for_every_table(folder):
    folder.load(crm(deals=[deal("1"), deal("1"), deal(None)], notes=[{"id": None, "hs_timestamp": None}]))
    log = folder.rows("select table_name, offered, loaded, rejected, status from _sync_log")
    assert {row[0] for row in log} == set(TABLES)
    for table, offered, loaded, rejected, status in log:
        assert offered == loaded + rejected
        assert rejected == folder.value(f"select count(*) from _rejected_rows where table_name = '{table}'")
        assert status == ("loaded" if table in crm(notes=[]) else "not delivered")
    assert ("deals", 3, 1, 2, "loaded") in log


def test_a_missing_association_type_is_a_key_and_no_missing_one(folder):
    link = {"from_type": "deal", "from_id": "1", "to_type": "contact", "to_id": "2"}
    folder.load(crm(associations=[link, link | {"type_id": "3"}, link | {"type_id": ""}]))
    assert folder.rows("select type_id from associations order by type_id nulls first") == [(None,), ("3",)]
    assert folder.value("select count(*) from _rejected_values") == 0


def test_versions_of_one_instant_stay_in_file_order(folder):
    noon = at("2026-01-01 12:00")
    stages = [version("1", "dealstage", value, noon) for value in ("b", "a", "c", "a")]
    folder.load(crm(deal_property_history=[*stages, version("1", "amount", "5", noon)]))
    assert folder.rows(
        "select value, sequence from deal_property_history where name = 'dealstage' order by sequence"
    ) == [("b", 0), ("a", 1), ("c", 2), ("a", 3)]
    assert folder.value("select sequence from deal_property_history where name = 'amount'") == 0


def test_given_sequences_are_kept_and_decide_over_file_order(folder):
    noon = at("2026-01-01 12:00")
    numbers = [("late", 9), ("early", 4), ("twin", 4), ("unnumbered", None)]
    folder.load(
        crm(deal_property_history=[version("1", "dealstage", v, noon, sequence=n) for v, n in numbers])
    )
    assert folder.rows("select value, sequence from deal_property_history order by sequence") == [
        ("early", 4),
        ("late", 9),
        ("unnumbered", 10),
    ]
    assert folder.rows("select record_id, reason from _rejected_rows") == [("1", "same key as row 2")]


def test_a_version_without_an_instant_is_turned_away(folder):
    folder.load(crm(deal_property_history=[version("1", "amount", "5", "yesterday")]), accept_drop=True)
    assert folder.rows("select reason from _rejected_rows") == [
        ("timestamp is missing or not an instant (ISO 8601)",)
    ]


# --- deleted records (K4) -------------------------------------------------------------------------


def test_a_record_that_is_gone_stays_as_deleted_until_it_comes_back(folder):
    deleted = "select id, hard_deleted_at, amount from deals order by id"
    folder.load(crm(deals=[deal("1"), deal("2", amount="5", mine="x")]), DAY_1)
    folder.load(crm(deals=[deal("1")]), DAY_2)
    assert folder.rows(deleted) == [("1", None, None), ("2", DAY_2, Decimal(5))]
    folder.load(crm(deals=[deal("1")]), DAY_3)
    assert folder.rows(deleted) == [("1", None, None), ("2", DAY_2, Decimal(5))]  # the first instant stays
    folder.load(crm(deals=[deal("1"), deal("2")]), DAY_3)
    assert folder.rows(deleted) == [("1", None, None), ("2", None, None)]


def test_deleted_records_of_an_older_contract_have_todays_types(folder):
    folder.load(crm(deals=[deal("1"), deal("2", amount="5")]), DAY_1)
    folder.build.execute("alter table raw_hubspot.deals alter amount type varchar")
    folder.build.execute("alter table raw_hubspot.deals drop column hs_priority")
    folder.load(crm(deals=[deal("1")]), DAY_2)
    assert folder.rows("select id, amount, hs_priority from deals order by id") == [
        ("1", None, None),
        ("2", Decimal(5), None),
    ]


def test_records_of_another_portal_are_not_deleted_ones(folder):
    folder.load(crm(deals=[deal("1")]), DAY_1)
    account = [{"portal_id": "9", "time_zone": "UTC", "company_currency": "EUR"}]
    folder.load(crm(deals=[deal("2")], account=account), DAY_2)
    assert folder.rows("select id from deals") == [("2",)]
    assert folder.value("select count(distinct load_id) from _sync_log") == 1


# --- loads that cannot work (K5) ------------------------------------------------------------------


def assert_nothing_changes(folder: DataFolder, tables: dict, *words: str, **settings) -> None:
    """The load stops with a message that holds all words; raw tables, history, rejects stay."""
    before = folder.raw_tables(), folder.kept_rows("property_versions"), folder.kept_rows("owners")
    with pytest.raises(LoadError) as stopped:
        folder.load(tables, DAY_3, **settings)
    for word in words:
        assert word in str(stopped.value)
    after = folder.raw_tables(), folder.kept_rows("property_versions"), folder.kept_rows("owners")
    assert after == before
    assert not folder.rejects.exists()


def test_one_message_names_every_problem(folder):
    folder.load(crm(), DAY_1)
    account = [{"portal_id": "9", "time_zone": "posix/Europe/Berlin", "company_currency": "EUR"}]
    account[0] |= {"fiscal_year_start_month": 13, "week_starts_on": "friday"}
    nameless = {"id": "1", "pipeline": "p", "createdate": None}
    tables = crm(
        account=account, deals=[nameless], owners=None, teams=[{"id": "1"}], unheard_of=[{"id": "1"}]
    )
    with pytest.raises(KeyError):
        folder.load(crm(unheard_of=[]))  # rows of Python values are for tables of the contract
    assert_nothing_changes(
        folder,
        tables,
        "required columns missing: dealname, dealstage (found: id, pipeline, createdate)",
        "owners: this table is required",
        "required column missing: name",
        "unheard_of: no table of the contract",
        "time_zone is 'posix/Europe/Berlin', not a name of the tz database",
        "SALES_REPORTS_TIME_ZONE",
        "fiscal_year_start_month is 13",
        "week_starts_on is 'friday'",
    )


def test_two_accounts_cannot_be_loaded_at_once(folder):
    accounts = [{"portal_id": p, "time_zone": "UTC", "company_currency": "EUR"} for p in ("1", "2")]
    assert_nothing_changes(folder, crm(account=accounts), "account: one row is expected, and there are 2")


def test_too_many_rejected_rows_stop_the_load(folder):
    folder.load(crm(), DAY_1)
    rows = [deal(str(n)) for n in range(98)] + [deal("5"), deal(None)]
    assert_nothing_changes(
        folder,
        crm(deals=rows),
        "deals: 2 of 100 rows rejected",
        "SALES_REPORTS_MAX_REJECT_SHARE=0.01",
        "row 99 same key as row 6; row 100 id is missing",
        max_reject_share=0.01,
    )
    summary = folder.load(crm(deals=rows), DAY_3, max_reject_share=0.02)
    assert summary.rejected == 2


def test_too_many_rejected_values_of_one_column_stop_the_load(folder):
    rows = [deal(str(n), amount="x" if n < 2 else "1" if n < 100 else "") for n in range(1000)]
    assert_nothing_changes(
        folder,
        crm(deals=rows),
        "deals.amount: 2 of 100 values rejected",
        "0 x (not a number); 1 x (not a number)",
        max_reject_share=0.01,
    )
    summary = folder.load(crm(deals=rows), max_reject_share=0.02)
    assert (summary.rejected, summary.rejected_values) == (0, 2)


def test_too_many_broken_versions_stop_the_load(folder):
    rows = [version("1", "closedate", "soon", at("2026-01-01"))]
    assert_nothing_changes(
        folder, crm(deal_property_history=rows), "deal_property_history.value: 1 of 1", max_reject_share=0.01
    )


@pytest.mark.parametrize("name", ["deals", "deal_property_history", "pipelines", "pipeline_stages", "owners"])
def test_a_required_table_must_not_be_empty(folder, name):
    assert_nothing_changes(folder, crm(**{name: []}), f"{name}: has no rows", "SALES_REPORTS_ACCEPT_DROP=1")
    folder.load(crm(**{name: []}), accept_drop=True)
    assert folder.value(f"select count(*) from {name}") == 0


def test_a_required_table_must_not_fall_by_more_than_half(folder):
    folder.load(crm(deals=[deal(str(n)) for n in range(10)]), DAY_1)
    assert_nothing_changes(
        folder, crm(deals=[deal(str(n)) for n in range(4)]), "deals: has 4 rows, and the last load had 10"
    )
    folder.load(crm(deals=[deal(str(n)) for n in range(5)]), DAY_2)
    folder.load(crm(deals=[deal("1")]), DAY_3, accept_drop=True)
    # Deleted ones do not count: the last load had one.
    folder.load(crm(deals=[deal("1")]), DAY_3)


def test_a_custom_property_that_is_named_must_be_there(folder):
    folder.load(crm(deals=[deal("1", Region="EMEA")]), DAY_1, custom_properties=("region",))
    with pytest.raises(LoadError, match="deals: no column tier, which SALES_REPORTS_CUSTOM_PROPERTIES names"):
        folder.load(crm(deals=[deal("1", Region="APAC")]), DAY_2, custom_properties=("region", "tier"))
    assert folder.rows("select region from deals") == [("EMEA",)]


def test_another_portal_may_be_smaller(folder):
    folder.load(crm(deals=[deal(str(n)) for n in range(10)]), DAY_1)
    account = [{"portal_id": "9", "time_zone": "UTC", "company_currency": "EUR"}]
    folder.load(crm(account=account), DAY_2)


# --- all or nothing -------------------------------------------------------------------------------


def test_loading_the_same_twice_gives_the_same_tables(folder):
    tables = crm(
        deals=[deal("1", amount="x"), deal("1"), deal("2")],
        deal_property_history=[version("1", "dealstage", v, at("2026-01-01")) for v in "abcab"],
        owners=[{"id": "7", "archived": True}, {"id": "8"}],
        teams=[{"id": "1", "name": "A"}],
    )
    folder.load(tables)
    folder.load(tables)  # from now on the load before is the same one too
    once = folder.raw_tables()
    kept = folder.kept_rows("property_versions"), folder.kept_rows("owners")
    folder.load(tables)
    assert folder.raw_tables() == once
    assert (folder.kept_rows("property_versions"), folder.kept_rows("owners")) == kept


def test_a_failure_half_way_leaves_the_old_tables(folder, monkeypatch):
    folder.load(crm(), DAY_1)
    before = folder.raw_tables()

    def fail(*_) -> None:
        raise duckdb.IOException("No space left on device")

    monkeypatch.setattr(RawTables, "write_run", fail)
    with pytest.raises(LoadError, match="writing failed: No space left on device"):
        folder.load(crm(deals=[deal("3"), deal("4")]), DAY_2)
    assert folder.raw_tables() == before
    monkeypatch.undo()
    folder.load(crm(deals=[deal("3"), deal("4")]), DAY_3)
    assert folder.rows("select id from deals where hard_deleted_at is null order by id") == [("3",), ("4",)]


KILLED_LOAD = """
import os, sys
from pathlib import Path
from orchestration.ingest import load, history, raw_hubspot
from tests.loading import DataFolder, crm, deal, at, version
where, name = sys.argv[2:]
owner = {"load": load._LoadStep, "history": history.KeptHistory, "raw": raw_hubspot.RawTables}[where]
setattr(owner, name, lambda *_: os._exit(9))
rows = [version("3", "dealstage", "new", at("2026-01-02"))]
DataFolder(Path(sys.argv[1])).load(crm(deals=[deal("3"), deal("4")], deal_property_history=rows))
"""


@pytest.mark.parametrize(
    ("where", "name"),
    first_of(
        [("raw", "replace"), ("history", "add_states"), ("raw", "write_run"), ("load", "write_rejects")]
    ),
)
def test_a_kill_leaves_the_old_tables_and_nothing_to_clean_up(folder, where, name):
    folder.load(crm(), DAY_1)
    before = folder.raw_tables()
    folder.close()
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_LOAD, str(folder.path), where, name],
        env=os.environ | {"PYTHONPATH": str(PROJECT_ROOT)},
    )
    assert killed.returncode == 9
    assert folder.raw_tables() == before
    folder.load(crm(deals=[deal("3"), deal("4")]), DAY_2)
    assert folder.value("select count(*) from deals where hard_deleted_at is null") == 2


def test_a_reject_file_that_cannot_be_written_stops_the_load(folder, tmp_path):
    (tmp_path / "rejects").write_text("a file where the folder should be")
    source = tmp_path / "source"
    source.mkdir()
    for name, rows in crm(deals=[deal("1"), deal("1")]).items():
        columns = list(rows[0])
        lines = [",".join(columns), *(",".join(str(row.get(c) or "") for c in columns) for row in rows)]
        (source / f"{name}.csv").write_text("\n".join(lines) + "\n")
    with pytest.raises(LoadError, match="writing failed"):
        folder.load_files(source, max_reject_share=1.0)
    assert folder.raw_tables() == {}


def test_stage_rows_of_two_pipelines_may_share_an_id(folder):
    folder.load(crm(pipeline_stages=[stage("new"), stage("new", pipeline_id="second"), stage("new")]))
    assert folder.rows("select pipeline_id from pipeline_stages order by 1") == [("default",), ("second",)]
    assert folder.rows("select record_id from _rejected_rows") == [("deal/default/new",)]


def test_rejects_of_an_earlier_load_break_no_law(folder):
    """`_rejected_rows` are those of the last load, and `_sync_log` knows all loads."""
    folder.load(crm(deals=[deal("1"), deal("1"), deal("2")]), DAY_1)
    folder.load(crm(), DAY_2)
    (law,) = [invariant for invariant in core.INVARIANTS if invariant.name == "loads_lose_no_row"]
    assert folder.rows(law.sql) == []
    folder.build.execute("update raw_hubspot._sync_log set offered = offered + 1 where table_name = 'deals'")
    assert [row[1:4] for row in folder.rows(law.sql)] == [(3, 2, 0)]
