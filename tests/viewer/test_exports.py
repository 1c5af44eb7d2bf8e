"""Exported files hold the values of the view, in types that programs and people can use.

Belongs here: CSV, Excel and pictures of rows made by DuckDB itself, which are read back with readers that
are not ours: the csv module, and the XML inside the workbook. Downloads from the real page are journeys in
`tests/browser`.
"""

from __future__ import annotations

import csv
import io
import struct
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import altair
import duckdb
import pyarrow
import pytest

from orchestration.viewer import exports
from orchestration.viewer.exports import ExportError, View, as_csv, as_excel, as_png
from tests.viewer.workbook import Workbook

FORMULAS = ("=1+1", "+1", "-1+1", "@sum(A1)", "\t=1", "\r=1", "\n=1", " =1+1", "＝1+1", "=cmd|' /C calc'!A0")
VIEW = View(
    report="deals_won_and_lost",
    title="Deals won and lost",
    question="How many deals did each rep win and lose?",
    filters=[("Close date", "1 Jul 2026 to 30 Sep 2026"), ("Group by", "Owner")],
    build=[("Build", "20261126T090626"), ("Data up to", "26 Nov 2026")],
    sql="from reports.deals_won_and_lost(date '2026-07-01', date '2026-10-01')",
    time_zone="America/New_York",
    currency="USD",
)


def rows_of(sql: str) -> pyarrow.Table:
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'America/New_York'")
        return connection.sql(sql).to_arrow_table()


ROWS = """
select * from (values
    ('7', 'Zoë 🚀 "Q"', 12::bigint, 123456789012345678.91::decimal(38,2), 0.1::double,
     date '2026-07-01', timestamptz '2026-07-01 03:30:00+00', true, 5400000::bigint),
    (null, 'two
lines, one comma', -3, null, null, null, null, false, null),
    ('00012345678901234567', '', 0, -0.05, 1e300, date '1890-01-01',
     timestamptz '2026-12-01 12:00:00.123456+00', null, 90000000000)
) as answer(group_id, group_label, won_count, won_amount, win_rate, close_date, changed_at, is_inside,
    total_time_ms)
"""


# --- CSV ------------------------------------------------------------------------------------------


def read_csv(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def test_csv_holds_the_exact_values():
    content = as_csv(rows_of(ROWS))
    assert content.startswith(b"\xef\xbb\xbf"), "without it Excel takes UTF-8 for another encoding"
    assert read_csv(content) == [
        rows_of(ROWS).column_names,
        [
            *("7", 'Zoë 🚀 "Q"', "12", "123456789012345678.91", "0.1", "2026-07-01"),
            *("2026-07-01 03:30:00+00:00", "true", "5400000"),
        ],
        ["", "two\nlines, one comma", "-3", "", "", "", "", "false", ""],
        [
            *("00012345678901234567", "", "0", "-0.05", "1e+300", "1890-01-01"),
            *("2026-12-01 12:00:00.123456+00:00", "", "90000000000"),
        ],
    ]


def test_csv_is_read_back_by_duckdb(tmp_path):
    file = tmp_path / "export.csv"
    sql = "select 'a' || n as name, n::double / 7 as ratio, n::decimal(38,2) as amount from range(1000) t(n)"
    file.write_bytes(as_csv(rows_of(sql)))
    with duckdb.connect() as connection:
        types = "{'name': 'varchar', 'ratio': 'double', 'amount': 'decimal(38,2)'}"
        back = connection.execute(f"from read_csv('{file}', columns = {types}, header = true)").fetchall()
        assert back == connection.execute(sql).fetchall()


@pytest.mark.parametrize("text", FORMULAS)
def test_no_text_in_a_csv_is_a_formula(text):
    rows = pyarrow.table({"=heading()": [text], "amount": [Decimal("-1.00")]})
    heading, (cell, amount) = read_csv(as_csv(rows))
    assert heading == ["'=heading()", "amount"]
    assert cell == f"'{text}"
    assert amount == "-1.00", "a negative number is a number"


# --- Excel ----------------------------------------------------------------------------------------


def excel_day(text: str) -> float:
    """The number of a day or a time of day in Excel, which counts days and knows no time zones."""
    return (datetime.fromisoformat(text) - datetime.fromisoformat("1899-12-30")) / timedelta(days=1)


def test_excel_has_typed_cells():
    workbook = Workbook(as_excel(rows_of(ROWS), VIEW))
    assert workbook.names() == ["Report", "About"]
    heading, first, second, third = workbook.rows(1)
    assert all(isinstance(text, str) and "_" not in text for text in heading), "headings are words"
    assert first[:6] == ["7", 'Zoë 🚀 "Q"', 12, "123456789012345678.91", 0.1, excel_day("2026-07-01")]
    assert first[6] == pytest.approx(excel_day("2026-06-30 23:30"), abs=1e-8), "in New York"
    assert first[7:] == [True, pytest.approx(1.5 / 24)]
    assert second == [None, "two\nlines, one comma", -3, None, None, None, None, False, None]
    assert third[0] == "00012345678901234567", "an id keeps its zeros and all of its digits"
    assert third[3] == -0.05
    assert third[5] == "1890-01-01", "Excel has no such day"
    assert third[8] == pytest.approx(90_000_000 / 86_400)


def test_excel_shows_units_and_keeps_the_heading_in_sight():
    workbook = Workbook(as_excel(rows_of(ROWS), VIEW))
    assert workbook.frozen_rows() == "1"
    assert workbook.column_formats() == [
        *("0", "0"),
        "#,##0",
        "#,##0.00 [$USD]",
        "0.0%",
        "yyyy-mm-dd",
        "yyyy-mm-dd hh:mm:ss",
        "0",
        "[h]:mm:ss",
    ]
    assert workbook.cell_format("E2") == "0.0%"
    assert workbook.cell_format("F2") == "yyyy-mm-dd"


def test_excel_has_the_words_of_the_page():
    rows = pyarrow.table({"group_label": ["Zoë"], "category": ["auto_close_date"], "deal_name": ["a_b"]})
    heading, row = Workbook(as_excel(rows, replace(VIEW, group_by="team"))).rows(1)
    assert heading[:3] == ["Team", "Category", "Deal"]
    assert row[:3] == ["Zoë", "Close date set on closing", "a_b"]


def test_excel_tells_what_it_shows():
    about = {row[0]: row[1] for row in Workbook(as_excel(rows_of(ROWS), VIEW)).rows(2)}
    assert about["Question"] == VIEW.question
    assert about["Close date"] == "1 Jul 2026 to 30 Sep 2026"
    assert about["Build"] == "20261126T090626"
    assert about["SQL"] == VIEW.sql
    assert "America/New_York" in about["Times"]


@pytest.mark.parametrize("text", FORMULAS)
def test_no_text_in_a_workbook_is_a_formula(text):
    workbook = Workbook(as_excel(pyarrow.table({"deal_name": [text]}), VIEW))
    assert workbook.rows(1)[1][0] == text


def test_more_rows_than_a_sheet_holds_are_an_error_in_words(monkeypatch: pytest.MonkeyPatch):
    assert exports.MAX_SHEET_ROWS == 2**20 - 1
    monkeypatch.setattr(exports, "MAX_SHEET_ROWS", 2)
    with pytest.raises(ExportError, match="take CSV"):
        as_excel(rows_of(ROWS), VIEW)


def test_an_empty_view_is_a_file_with_headings():
    empty = rows_of(f"from ({ROWS}) where false")
    assert len(read_csv(as_csv(empty))) == 1
    assert len(Workbook(as_excel(empty, VIEW)).rows(1)) == 1


# --- pictures -------------------------------------------------------------------------------------


def test_a_picture_is_a_png_wide_enough_to_read():
    data = altair.Data(values=[{"x": "A", "width": "container"}, {"x": "B", "width": "b"}])
    chart = altair.Chart(data).mark_bar().encode(x="x:N", y="count()", color="width:N")
    picture = as_png(chart.properties(width="container"), VIEW)
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", picture[16:24])
    assert width >= 2 * 960 and height > 400
    assert picture != as_png(chart, VIEW), "a chart of a width of its own keeps it"


def test_a_picture_tells_what_it_shows(monkeypatch: pytest.MonkeyPatch):
    drawn = []
    monkeypatch.setattr(
        exports.vl_convert,
        "vegalite_to_png",
        lambda specification, **options: drawn.append((specification, options)),
    )
    as_png(altair.Chart(altair.Data(values=[])).mark_bar(), VIEW)
    ((specification, options),) = drawn
    assert specification["title"]["text"] == "Deals won and lost"
    assert specification["title"]["subtitle"] == [
        "Close date: 1 Jul 2026 to 30 Sep 2026 · Group by: Owner",
        "Build 20261126T090626 · Data up to 26 Nov 2026",
    ]
    assert options["allowed_base_urls"] == [], "no chart loads anything"


def test_a_file_is_named_after_its_report():
    assert VIEW.file_name("csv") == "deals_won_and_lost.csv"


def test_instants_are_compared_in_utc():
    """The session's time zone does not show in a CSV."""
    assert read_csv(as_csv(pyarrow.table({"at": [datetime(2026, 1, 1, tzinfo=UTC)]})))[1] == [
        "2026-01-01 00:00:00+00:00"
    ]
