"""Values, headings and tables as people read them."""

from __future__ import annotations

import random
import re
from datetime import UTC, date, datetime
from decimal import Decimal

import pandas
import pyarrow
import pytest
import vl_convert
import yaml

from orchestration.settings import PROJECT_ROOT
from orchestration.viewer import formats
from orchestration.viewer.formats import DAY, HOUR, MINUTE, SECOND

DEFINITIONS = sorted(PROJECT_ROOT.glob("models/marts/*/rpt_*.yml"))


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        ("won_count", "count"),
        ("total_amount", "money"),
        ("amount", "money"),
        ("win_rate", "percent"),
        ("win_rate_amount", "percent"),
        ("elapsed_share", "percent"),
        ("median_response_time_ms", "duration"),
        ("average_days_to_close", "days"),
        ("p90_days_to_close", "days"),
        ("delta_days", "days"),
        ("days_to_win_ms", "duration"),
        ("velocity", "money_per_day"),
        ("previous_velocity", "money_per_day"),
        ("calls_per_active_day", "number"),
        ("bucket_start", "date"),
        ("changed_at", "instant"),
        ("is_inside", "flag"),
        ("deal_ids", "id"),
        ("group_label", "text"),
    ],
)
def test_kind_follows_the_names_of_the_models(column, kind):
    assert formats.kind(column) == kind


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (331602.08, "money", "$331,602.08"),
        (Decimal("-5"), "money", "-$5.00"),
        (11214.84, "money_per_day", "$11,215 per day"),
        (0.34285, "percent", "34.3%"),
        (1234567, "count", "1,234,567"),
        (1.5, "number", "1.50"),
        (54.89, "days", "55 d"),
        (4.04, "days", "4 d"),
        (45 * SECOND, "duration", "45 s"),
        (5 * MINUTE, "duration", "5 min"),
        (3.2 * HOUR, "duration", "3.2 h"),
        (4 * DAY, "duration", "4 d"),
        (-3 * HOUR, "duration", "-3 h"),
        (date(2026, 7, 1), "date", "1 Jul 2026"),
        (datetime(2026, 7, 1, 9, 5, tzinfo=UTC), "instant", "1 Jul 2026 09:05"),
        (True, "flag", "Yes"),
        ("Marcus", "text", "Marcus"),
    ],
)
def test_values_in_words(value, kind, text):
    assert formats.text(value, kind, "USD") == text


@pytest.mark.parametrize("kind", [*sorted(formats.NUMERIC), "date", "instant", "flag", "text"])
@pytest.mark.parametrize("nothing", [None, float("nan"), pandas.NA, pandas.NaT])
def test_undefined_is_a_dash_and_never_zero(kind, nothing):
    assert formats.text(nothing, kind, "USD") == "–"


@pytest.mark.parametrize(
    ("currency", "text"),
    [("EUR", "€1,200.00"), ("CHF", "CHF\xa01,200.00"), ("XQZ", "XQZ\xa01,200.00"), (None, "1,200.00")],
)
def test_money_in_the_currency_of_the_company(currency, text):
    assert formats.text(1200, "money", currency) == text


def drawn(values: list[float | None], expression: str) -> list[str]:
    """What Vega makes of an expression, for each value."""
    specification = {
        "data": {"values": [{"value": value, "at": at} for at, value in enumerate(values)]},
        "transform": [{"calculate": expression, "as": "text"}],
        "mark": "text",
        "encoding": {
            "x": {"field": "at", "type": "quantitative", "axis": None},
            "text": {"field": "text", "type": "nominal"},
        },
    }
    svg = vl_convert.vegalite_to_svg(specification)
    return [text.replace("&amp;", "&") for text in re.findall(r"<text[^>]*>([^<]*)</text>", svg)]


@pytest.mark.parametrize("kind", sorted(formats.NUMERIC))
def test_vega_writes_a_value_as_the_table_does(kind):
    chance = random.Random(kind)
    sizes = [1, 10, 1_000, 1e6, 1e9] if kind != "percent" else [1]
    values = [chance.uniform(-1, 1) * size for size in sizes for _ in range(12)]
    if kind in ("count", "duration"):
        values = [round(value) for value in values]
    values += [0, 1, 10, 1000, None, 59_500, 3_599_999, 2 * DAY - 1, 2 * DAY]
    expected = [formats.text(value, kind, "USD") for value in values]
    assert drawn(values, formats.expression("value", kind, "USD", compact=False)) == expected


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (1_234_567, "money", "$1.23M"),
        (-12_300, "money", "-$12.3k"),
        (2.5e9, "money", "$2.5B"),
        (999, "money", "$999"),
        (0, "money", "$0"),
        (0.4, "money", "$0.4"),
        (9_999, "count", "9,999"),
        (1_250_000, "count", "1.25M"),
        (0.345, "percent", "35%"),
        (None, "money", "–"),
    ],
)
def test_vega_writes_axes_in_short(value, kind, text):
    assert drawn([value], formats.expression("value", kind, "USD")) == [text]


@pytest.mark.parametrize("path", DEFINITIONS, ids=lambda path: path.stem)
def test_every_column_has_a_heading_of_its_own(path):
    models = yaml.safe_load(path.read_text())["models"]
    columns = [column["name"] for model in models for column in model.get("columns", ())]
    shown = [column for column in dict.fromkeys(columns) if formats.kind(column) != "id"]
    headings = [formats.heading(column) for column in shown]
    assert all(re.fullmatch(r"[A-Z0-9][^_]*", heading) for heading in headings), headings
    assert len(set(headings)) == len(headings), sorted(h for h in headings if headings.count(h) > 1)


@pytest.mark.parametrize(
    ("column", "value", "text"),
    [
        ("source", "ORGANIC_SEARCH", "Organic search"),
        ("source", "AI_REFERRALS", "AI referrals"),
        ("forecast_category", "BEST_CASE", "Best case"),
        ("meeting_outcome", "Scheduled (past)", "Scheduled (past)"),
        ("category", "pulled", "Pulled in"),
        ("is_inside", False, "Outside the period"),
        ("loss_reason", "SMB_LOST", "SMB_LOST"),  # somebody's own words
        ("group_label", "none", "none"),
        ("channel", None, "–"),
    ],
)
def test_code_words_become_words_and_names_stay(column, value, text):
    assert formats.words(value, column) == text


def rows() -> pandas.DataFrame:
    table = pyarrow.table(
        {
            "group_id": ["7", "8"],
            "group_label": ["Marcus", "Priya"],
            "source": ["ORGANIC_SEARCH", "(No source)"],
            "stage_position": [1, 2],
            "total_amount": pyarrow.array([Decimal("1200.50"), Decimal("-3.00")], pyarrow.decimal128(38, 2)),
            "win_rate": [0.25, None],
            "response_time_ms": [300_000, 7_200_000],
            "is_stored": [False, False],
            "note": pyarrow.array([None, None], pyarrow.string()),
        }
    )
    return table.to_pandas(types_mapper=pandas.ArrowDtype)


def test_table_has_words_for_people_and_numbers_to_sort_by():
    table = formats.table(
        rows(), currency="USD", group_by="owner", descriptions={"win_rate": "Won of closed."}
    )
    assert table.order == ["group_label", "source", "total_amount", "win_rate", "response_time_ms"]
    labels = {column: table.config[column]["label"] for column in table.order}
    assert labels["group_label"] == "Owner" and labels["win_rate"] == "Win rate"
    assert table.config["win_rate"]["help"] == "Won of closed."
    written = table.data.to_html()
    for text in ("$1,200.50", "-$3.00", "25.0%", "–", "5 min", "2 h", "Organic search"):
        assert text in written
    assert list(table.data.data["total_amount"]) == [1200.5, -3.0]
    assert table.data.data["total_amount"].dtype.kind == "f"


def test_table_without_rows_and_of_one_group():
    empty = formats.table(rows().iloc[:0], currency="USD")
    assert "win_rate" in empty.order
    everyone = rows().assign(group_id="all", group_label="all")
    assert "group_label" not in formats.table(everyone, currency=None).order


def test_very_large_table_is_shown_without_texts(monkeypatch):
    monkeypatch.setattr(formats, "MAX_STYLED_CELLS", 3)
    assert isinstance(formats.table(rows(), currency="USD").data, pandas.DataFrame)
