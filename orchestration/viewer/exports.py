"""A view as a file: CSV, Excel or a picture, each saying what it shows.

Belongs here: how values, headings and explanations are written in each format. Rows come from the
viewer's queries, with the access of whoever looks, and are written as they are; charts come from
`charts`.

CSV is for programs and keeps names and values of the database. It begins with a byte order mark,
without which Excel reads UTF-8 as the machine's old code page; Python (`utf-8-sig`), DuckDB, pandas and
R read over it. Excel is for people: headings, units, dates, and a second sheet that tells the question,
the filters, the build and the SQL. A text that a spreadsheet would run as a formula is a text in both.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import altair
import pyarrow
import vl_convert
import xlsxwriter
from xlsxwriter.worksheet import Worksheet

from orchestration.viewer import formats

MIME = {
    "csv": "text/csv",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "png": "image/png",
}
MAX_SHEET_ROWS = 1_048_575
"""Rows of an Excel sheet below its heading."""
_MAX_CELL = 32_767  # letters of an Excel cell
_MAX_EXACT = 10**15  # Excel keeps 15 digits of a number
_FIRST_YEAR = 1901  # Excel has no days before 1900, and one too many in it
# What makes Excel, LibreOffice and Google Sheets read a text as a formula (OWASP, "CSV injection").
_FORMULA = re.compile(r"\s*[=+\-@＝＋－＠]|[\t\r\n]")
_PICTURE_WIDTH = 960  # pixels, of a chart that otherwise fills its page


class ExportError(ValueError):
    """The view does not fit into a file of this kind; the message says what to do."""


@dataclass(frozen=True)
class View:
    """What a file says of itself."""

    report: str
    """The report function's name; the file is named after it."""
    title: str
    question: str
    filters: Sequence[tuple[str, str]]
    """What was chosen, in the words of the page: name and value."""
    build: Sequence[tuple[str, str]]
    """Which build the numbers are from: name and value."""
    sql: str
    time_zone: str
    currency: str | None
    group_by: str | None = None

    def file_name(self, ending: str) -> str:
        """Such as `deals_won_and_lost.csv`; never with letters that a file system minds."""
        return f"{re.sub(r'[^A-Za-z0-9_-]+', '_', self.report)}.{ending}"


def as_csv(rows: pyarrow.Table) -> bytes:
    """The rows as the database has them: no value is rounded, an empty cell is NULL, instants are UTC."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow([_harmless(name) for name in rows.column_names])
    for row in zip(*(column.to_pylist() for column in rows.columns), strict=True):
        writer.writerow([_csv_value(value) for value in row])
    return buffer.getvalue().encode("utf-8-sig")


def as_excel(rows: pyarrow.Table, view: View) -> bytes:
    """A workbook: the rows with headings, units and a frozen first line; and what they are.

    Instants are in the account's time zone, because Excel knows none. Raises ExportError if there are
    more rows than a sheet holds.
    """
    if rows.num_rows > MAX_SHEET_ROWS:
        raise ExportError(
            f"These are {rows.num_rows:,} rows and an Excel sheet holds {MAX_SHEET_ROWS:,}. "
            "Choose a shorter date range, or take CSV."
        )
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"in_memory": True}) as workbook:
        workbook.set_properties({"title": view.title, "subject": view.question})
        _write_rows(workbook, rows, view)
        _write_about(workbook, view)
    return buffer.getvalue()


def as_png(chart: altair.TopLevelMixin, view: View) -> bytes:
    """The chart as a picture, with title and filters above and the build below it. Loads nothing."""
    specification = _fixed_size(chart.to_dict())
    lines = [f"{name}: {value}" for name, value in view.filters]
    build = " · ".join(f"{name} {value}" for name, value in view.build)
    specification["title"] = {
        "text": view.title,
        "subtitle": [*_wrapped(lines), build],
        "anchor": "start",
        "frame": "bounds",
        "fontSize": 18,
        "subtitleFontSize": 12,
        "subtitlePadding": 6,
        "offset": 16,
    }
    specification["background"] = "white"
    specification["padding"] = 20
    return vl_convert.vegalite_to_png(specification, scale=2, allowed_base_urls=[])


# --- texts ----------------------------------------------------------------------------------------


def _harmless(text: str) -> str:
    """A text that no spreadsheet runs: an apostrophe before what would begin a formula."""
    return f"'{text}" if _FORMULA.match(text) else text


def _csv_value(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str():
            return _harmless(value)
        case Decimal():
            return f"{value:f}"  # never 1E+3
        case datetime():
            return value.astimezone(UTC).isoformat(sep=" ")
        case date():
            return value.isoformat()
        case _:
            return repr(value)  # of a float: the shortest text that reads back as the same number


def _wrapped(parts: Sequence[str], width: int = 130) -> list[str]:
    """Parts in lines of at most about `width` letters; one that is longer is cut."""
    lines: list[str] = []
    for part in parts:
        part = part if len(part) <= width else part[: width - 1] + "…"
        if lines and len(lines[-1]) + len(part) + 3 <= width:
            lines[-1] += f" · {part}"
        else:
            lines.append(part)
    return lines


# --- Excel ----------------------------------------------------------------------------------------


def _write_rows(workbook: xlsxwriter.Workbook, rows: pyarrow.Table, view: View) -> None:
    sheet = workbook.add_worksheet("Report")
    heading = workbook.add_format({"bold": True, "text_wrap": True, "valign": "top", "bottom": 1})
    for index, column in enumerate(rows.schema):
        text = formats.heading(column.name, view.group_by) + (" (h:mm:ss)" if _is_duration(column) else "")
        sheet.write_string(0, index, text, heading)
        cell_format = _cell_format(column, view.currency)
        style = workbook.add_format({"num_format": cell_format}) if cell_format else None
        sheet.set_column(index, index, _column_width(text, rows.column(index)), style)
    zone = ZoneInfo(view.time_zone)
    for index, column in enumerate(rows.schema):
        is_duration = _is_duration(column)
        for number, value in enumerate(rows.column(index).to_pylist(), start=1):
            shown = formats.words(value, column.name) if isinstance(value, str) else value
            _write_cell(sheet, number, index, shown, zone, is_duration)
    sheet.freeze_panes(1, 0)
    if rows.num_rows:
        sheet.autofilter(0, 0, rows.num_rows, rows.num_columns - 1)


def _write_cell(sheet: Worksheet, row: int, column: int, value: Any, zone: ZoneInfo, duration: bool) -> None:
    match value:
        case None:
            return
        case bool():
            sheet.write_boolean(row, column, value)
        case int() | float() | Decimal() if duration:
            # Excel counts time in days; a difference is a day's fraction with any number of hours.
            sheet.write_number(row, column, float(value) / timedelta(days=1).total_seconds() / 1000)
        case int() | float() | Decimal() if abs(value) < _MAX_EXACT:
            sheet.write_number(row, column, value)
        case datetime() if value.year >= _FIRST_YEAR:
            sheet.write_datetime(row, column, value.astimezone(zone).replace(tzinfo=None))
        case date() if value.year >= _FIRST_YEAR:
            sheet.write_datetime(row, column, value)
        case _:
            # Texts, which write_string never takes for formulas, and what Excel would not keep exactly.
            sheet.write_string(row, column, _sheet_text(str(value)))


def _cell_format(column: pyarrow.Field, currency: str | None) -> str | None:
    """Excel's number format of a column, by its type and what its name says (models/overview.md)."""
    if pyarrow.types.is_timestamp(column.type):
        return "yyyy-mm-dd hh:mm:ss"
    if pyarrow.types.is_date(column.type):
        return "yyyy-mm-dd"
    if not _is_number(column):
        return None
    money = f"#,##0.00 [${currency}]" if currency else "#,##0.00"
    return {
        "duration": "[h]:mm:ss",
        "money": money,
        "money_per_day": money,
        "percent": "0.0%",
        "days": "#,##0.0",
        "count": "#,##0",
    }.get(formats.kind(column.name), "#,##0.00")


def _is_number(column: pyarrow.Field) -> bool:
    kinds = (pyarrow.types.is_integer, pyarrow.types.is_floating, pyarrow.types.is_decimal)
    return any(is_kind(column.type) for is_kind in kinds)


def _is_duration(column: pyarrow.Field) -> bool:
    return _is_number(column) and formats.kind(column.name) == "duration"


def _column_width(heading: str, values: pyarrow.ChunkedArray) -> float:
    longest = max(map(len, heading.split()), default=0)
    for value in values[:200].to_pylist():
        longest = max(longest, len(value) if isinstance(value, str) else 12)
    return min(longest + 2, 48)


def _write_about(workbook: xlsxwriter.Workbook, view: View) -> None:
    sheet = workbook.add_worksheet("About")
    name_format = workbook.add_format({"bold": True, "valign": "top"})
    text_format = workbook.add_format({"text_wrap": True, "valign": "top"})
    code_format = workbook.add_format({"font_name": "Consolas", "text_wrap": True, "valign": "top"})
    sheet.set_column(0, 0, 24)
    sheet.set_column(1, 1, 110)
    lines = [("Report", view.title), ("Question", view.question), *view.filters, *view.build]
    lines.append(("Times", f"Instants are in {view.time_zone}."))
    for row, (name, value) in enumerate(lines):
        sheet.write_string(row, 0, _sheet_text(name), name_format)
        sheet.write_string(row, 1, _sheet_text(value), text_format)
    sheet.write_string(len(lines), 0, "SQL", name_format)
    sheet.write_string(len(lines), 1, _sheet_text(view.sql), code_format)


def _sheet_text(text: str) -> str:
    return text if len(text) <= _MAX_CELL else text[: _MAX_CELL - 1] + "…"


# --- pictures -------------------------------------------------------------------------------------


def _fixed_size(specification: dict[str, Any]) -> dict[str, Any]:
    """The same chart with a width of its own: there is no page for it to fill."""

    def fixed(part: Any) -> Any:
        if isinstance(part, list):
            return [fixed(element) for element in part]
        if not isinstance(part, Mapping):
            return part
        return {
            name: _PICTURE_WIDTH if name == "width" and value == "container" else fixed(value)
            for name, value in part.items()
            if not (name == "height" and value == "container")
        }

    # Rows of data are none of the chart's parts, whatever their columns are called.
    data = {name: specification.pop(name) for name in ("data", "datasets") if name in specification}
    fixed_specification = fixed(specification)
    fixed_specification.pop("autosize", None)  # fits a page; a picture grows with what it shows
    return fixed_specification | data
