"""Every report's chart, from the rows of a published demo and from rows made for the purpose."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pandas
import pytest
import vl_convert

from orchestration.viewer import charts
from orchestration.viewer.catalog import catalog
from orchestration.viewer.charts import palette
from orchestration.viewer.charts.view import MAX_GROUPS, duration_ticks, lines, period
from orchestration.viewer.formats import DAY, HOUR, MINUTE
from orchestration.viewer.pictures import CHOICES, WIDTHS, picture, pictures
from orchestration.viewer.state import ReportState
from tests.conftest import first_of

STREAMLIT_DARK = "#0e1117"
REPORTS = [
    *("average_deal_size", "call_outcomes", "chats", "completed_activities", "deal_change_history"),
    *("deal_funnel", "deal_loss_reasons", "deal_pipeline_waterfall", "deal_push_rate"),
    *("deal_revenue_by_source", "deal_velocity", "deals_created", "deals_won_and_lost", "forecast_category"),
    *("historical_snapshots", "lead_funnel", "lead_journey", "lead_response_time", "meeting_outcomes"),
    *("prospecting_calls", "prospecting_meetings", "prospecting_sequences", "prospecting_tasks"),
    *("quota_attainment", "sales_velocity", "tasks_completed", "team_activity_timeline"),
    *("time_in_deal_stage", "weighted_pipeline_forecast"),
]


def parts(specification: Any) -> Iterator[dict[str, Any]]:
    """All objects in a specification, data left out."""
    if isinstance(specification, list):
        for element in specification:
            yield from parts(element)
    elif isinstance(specification, dict):
        yield specification
        for name, part in specification.items():
            if name != "data":
                yield from parts(part)


def drawn(
    entry: dict[str, Any], rows: list[dict[str, Any]], dark: bool = False, **arguments: Any
) -> dict[str, Any]:
    """The specification of a chart of these rows."""
    report = SimpleNamespace(title="Report", chart=entry)
    state = SimpleNamespace(values=lambda report: arguments)
    return charts.chart(report, pandas.DataFrame(rows), state, currency="USD", dark=dark).to_dict()


def values(specification: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of a chart, those of several layers once."""
    drawn_from = [specification, *specification["layer"]]
    found = [row for part in drawn_from if "data" in part for row in part["data"]["values"]]
    return [row for place, row in enumerate(found) if row not in found[:place]]


def marks(specification: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    """What a chart draws of one kind of mark, with positions, as Vega lays it out 900 pixels wide."""
    scene = vl_convert.vegalite_to_scenegraph({**specification, "width": 900})
    found = []

    def walk(node: Any, is_view: bool) -> None:
        if isinstance(node, list):
            for element in node:
                walk(element, is_view)
        elif isinstance(node, dict):
            is_view = is_view and not str(node.get("role", "")).startswith(("axis", "legend", "title"))
            if is_view and node.get("marktype") == kind and node.get("role") == "mark":
                found.extend(node["items"])
            for part in node.values():
                walk(part, is_view)

    walk(scene["scenegraph"], True)
    return found


def test_every_report_with_a_page_is_among_those_that_are_drawn(demo_build):
    assert set(catalog(demo_build).reports) == set(REPORTS)


@pytest.mark.parametrize("choice", first_of(CHOICES))
@pytest.mark.parametrize("name", REPORTS)
def test_every_report_in_every_grouping(demo_build, name, choice):
    report = catalog(demo_build).reports[name]
    known = {key: value for key, value in CHOICES[choice].items() if key in report.arguments}
    state = ReportState.default(report).choose(report, **known)
    rows = demo_build.rows(state.sql(report, demo_build.calendar))
    assert len(rows), "the demo should have rows for it"
    chart = charts.chart(report, rows, state, currency=demo_build.currency)
    specification = chart.to_dict()  # valid by the schema

    assert specification["width"] == "container"
    selections = [part for part in specification["params"] if "select" in part]
    assert [selection["name"] for selection in selections] == [charts.SELECTION]
    fields = set(selections[0]["select"]["fields"])
    assert fields and fields <= {*rows.columns, "measure"}
    for row in values(specification):
        assert row.keys() >= fields or not row.keys() & fields
    json.dumps(specification, allow_nan=False)
    # Compiles: every signal and scale that is named exists.
    vl_convert.vegalite_to_vega(specification)


@pytest.mark.parametrize("name", ["deal_pipeline_waterfall", "lead_response_time", "deal_change_history"])
def test_pictures_are_drawn_in_both_looks(demo_build, name):
    found = dict(next_of(pictures(demo_build, catalog(demo_build).reports[name]), 4))
    assert all(content.startswith(b"\x89PNG") and len(content) > 5_000 for content in found.values())
    width = int.from_bytes(found[f"{name}_phone.png"][16:20])
    assert abs(width - WIDTHS["phone"]) <= 4, "wider than a phone"


def next_of(iterator: Iterator, count: int) -> list:
    return [found for _, found in zip(range(count), iterator, strict=False)]


# --- families -------------------------------------------------------------------------------------

STEPS = {
    "begin": 100.0,
    "created": 50.0,
    "moved_in": 0.0,
    "pushed": -30.0,
    "lost": -20.0,
    "won": -0.1,
    "end": 99.9,
}
WATERFALL = {"type": "waterfall", "x": "category", "y": "amount"}


def waterfall_rows(**changed: float) -> list[dict[str, Any]]:
    return [
        {
            "group_id": "all",
            "group_label": "all",
            "category": name,
            "deal_count": int(amount != 0),
            "amount": amount,
        }
        for name, amount in (STEPS | changed).items()
    ]


def test_waterfall_goes_on_where_the_last_step_ended():
    bars = sorted(marks(drawn(WATERFALL, waterfall_rows()), "rect"), key=lambda bar: bar["y"])
    assert len(bars) == 6, "a step of nothing is not drawn"
    spans = [(bar["x"], bar["x"] + bar["width"]) for bar in bars]
    begin, created, pushed, lost, won, end = spans
    assert begin[0] == end[0], "both stand on the ground"
    assert created[0] == pytest.approx(begin[1])
    assert pushed[1] == pytest.approx(created[1])
    assert lost[1] == pytest.approx(pushed[0])
    assert end[1] == pytest.approx(won[0], abs=0.01)
    fills = [bar["fill"] for bar in bars]
    assert fills == [palette.BLUE, palette.TEAL, palette.ORANGE, palette.RED, palette.GREEN, palette.BLUE]


def test_waterfall_that_does_not_balance_shows_it():
    bars = sorted(marks(drawn(WATERFALL, waterfall_rows(end=80.0)), "rect"), key=lambda bar: bar["y"])
    won, end = bars[-2:]
    assert end["x"] + end["width"] < won["x"] - 20


def test_funnel_tells_conversion_and_skips():
    entry = {
        "type": "funnel",
        "x": "stage_label",
        "y": ["entered_count", "skipped_count"],
        "rate": "next_step_rate",
        "share": "cumulative_rate",
    }
    base = {"group_id": "all", "group_label": "all"}
    rows = [
        {**base, "stage_position": 2, "stage_id": "b", "stage_label": "Won", "entered_count": 30}
        | {"skipped_count": 0, "next_step_rate": None, "cumulative_rate": 0.3},
        {**base, "stage_position": 1, "stage_id": "a", "stage_label": "Demo", "entered_count": 80}
        | {"skipped_count": 20, "next_step_rate": 0.3, "cumulative_rate": 1.0},
    ]
    texts = [text["text"] for text in marks(drawn(entry, rows), "text")]
    assert sorted(texts) == ["30 · 30% of all", "80 + 20 skipped · 100% of all", "↓ 30% go on"]


def owner_rows(count: int) -> list[dict[str, Any]]:
    return [
        {"group_id": str(number), "group_label": f"Owner {number}", "won_count": number, "lost_count": 1}
        for number in range(count)
    ]


WON_AND_LOST = {"type": "grouped_bar", "x": "group_label", "y": ["won_count", "lost_count"]}


def test_many_reps_are_cut_and_it_is_said():
    specification = drawn(WON_AND_LOST, owner_rows(214))
    shown = {row["row"] for row in values(specification)}
    assert shown == {f"Owner {number}" for number in range(213, 213 - MAX_GROUPS, -1)}
    assert f"The first {MAX_GROUPS} of 214" in " ".join(specification["title"]["subtitle"])


def test_won_is_green_and_lost_is_red():
    bars = marks(drawn(WON_AND_LOST, owner_rows(2)[1:]), "rect")
    assert [bar["fill"] for bar in bars] == [palette.GREEN, palette.RED]


def test_a_click_leads_to_the_rows_columns():
    entry = {"type": "stacked_bar", "x": "group_label", "y": "call_count", "color": "call_outcome"}
    rows = [
        {"group_id": "7", "group_label": "A", "call_direction": direction, "call_outcome_id": "x"}
        | {"call_outcome": "Busy", "call_count": count}
        for direction, count in (("IN", 2), ("OUT", 3))
    ]
    specification = drawn(entry, rows)
    (selection,) = [part for part in specification["params"] if part["name"] == charts.SELECTION]
    assert selection["select"] == {"type": "point", "fields": ["group_id", "call_outcome", "call_outcome_id"]}
    (bar,) = marks(specification, "rect")
    assert bar["description"].endswith("Calls: 5"), "rows that are finer than the marks stand on each other"


def test_two_people_of_one_name_are_two_rows():
    rows = [{"group_id": key, "group_label": "Kim", "won_count": 1, "lost_count": 1} for key in ("1", "2")]
    assert {row["row"] for row in values(drawn(WON_AND_LOST, rows))} == {"Kim (1)", "Kim (2)"}


def test_teams_stand_as_a_tree_and_never_on_top_of_their_parents():
    teams = [("3", "EMEA", "1", 1, 5), ("1", "Sales", None, 0, 9), ("2", "Americas", "1", 1, 4)]
    rows = [
        {
            "group_id": key,
            "group_label": name,
            "parent_team_id": parent,
            "depth": depth,
            "won_count": won,
            "lost_count": 0,
        }
        for key, name, parent, depth, won in teams
    ]
    names = next(layer["encoding"]["y"]["sort"] for layer in drawn(WON_AND_LOST, rows)["layer"])
    assert names == ["Sales", "· Americas", "· EMEA"]

    over_time = [row | {"snapshot_date": "2026-07-05", "total_amount": row["won_count"]} for row in rows]
    area = {"type": "area", "x": "snapshot_date", "y": "total_amount", "color": ["stage_label"]}
    assert [row["value"] for row in values(drawn(area, over_time, group_by="team"))] == [9]
    below = [row for row in over_time if row["depth"] == 1]
    assert [row["value"] for row in values(drawn(area, below, group_by="team"))] == [5, 4], (
        "chosen by themselves"
    )


def test_days_stay_the_same_days_west_of_greenwich():
    area = {"type": "area", "x": "snapshot_date", "y": "deal_count", "color": ["amount_band"]}
    rows = [
        {"group_id": "all", "group_label": "all", "amount_band": "0-1k", "deal_count": 3}
        | {"snapshot_date": pandas.Timestamp(day)}
        for day in ("2026-07-05", "2026-07-12")
    ]
    specification = drawn(area, rows)
    assert {row["snapshot_date"] for row in values(specification)} == {"2026-07-05", "2026-07-12"}
    bars = marks(specification, "rect")
    assert [bar["description"].split("Day: ")[1].split(";")[0] for bar in bars] == [
        "5 Jul 2026",
        "12 Jul 2026",
    ]


def test_instants_are_drawn_at_the_local_time_of_the_account():
    entry = {"type": "timeline", "x": "occurred_at", "y": "group_label", "color": "activity_type"}
    at = pandas.Timestamp("2026-07-01 23:30", tz="America/New_York")
    rows = [
        {"group_id": "1", "group_label": "A", "activity_type": "call", "activity_id": "9", "occurred_at": at}
    ]
    (row,) = values(drawn(entry, rows))
    assert row["occurred_at"] == "2026-07-01T23:30:00"
    assert row["tip_occurred_at"] == "1 Jul 2026 23:30"


def attainment_rows() -> list[dict[str, Any]]:
    months = [
        ("2026-02-01", 100.0, 120.0, 1.0),
        ("2026-03-01", 100.0, 50.0, 0.5),
        ("2026-04-01", 100.0, 0.0, 0.0),
    ]
    rows, so_far, target_so_far = [], 0.0, 0.0
    for start, target, actual, elapsed in months:
        so_far, target_so_far = so_far + actual, target_so_far + target
        rows.append(
            {"group_id": "all", "group_label": "all", "bucket_start": start, "target_amount": target}
            | {"actual_amount": actual, "cumulative_target_amount": target_so_far, "elapsed_share": elapsed}
            | {"cumulative_actual_amount": so_far, "attainment_rate": actual / target, "won_count": 1}
        )
    return rows


ATTAINMENT = {
    "type": "attainment",
    "x": "group_label",
    "y": "actual_amount",
    "target": "target_amount",
    "rate": "attainment_rate",
}


def test_attainment_period_by_period_and_as_running_totals():
    single = drawn(ATTAINMENT, attainment_rows(), bucket="month")
    assert [text["text"] for text in marks(single, "text")] == ["120%", "50%", ""]
    assert [bar["fill"] for bar in marks(single, "rect")][:2] == [palette.GREEN, palette.BLUE]
    running = drawn(ATTAINMENT, attainment_rows(), bucket="month", compare_against="cumulative")
    assert len(marks(running, "symbol")) == 2, "nothing is won yet in a period to come"


def test_undefined_value_is_a_dash_and_no_bar():
    entry = {"type": "bar", "x": "group_label", "y": "average_amount"}
    rows = [
        {"group_id": "1", "group_label": "A", "average_amount": None},
        {"group_id": "2", "group_label": "B", "average_amount": 10.0},
    ]
    specification = drawn(entry, rows)
    assert len(marks(specification, "rect")) == 1
    assert sorted(text["text"] for text in marks(specification, "text")) == ["$10", "–"]


def test_more_events_than_a_browser_draws_are_counted_by_day(monkeypatch):
    monkeypatch.setattr(import_module("orchestration.viewer.charts.timeline"), "MAX_EVENTS", 2)
    entry = {"type": "timeline", "x": "occurred_at", "y": "group_label", "color": "activity_type"}
    at = pandas.Timestamp("2026-07-01 10:00", tz="UTC")
    rows = [
        {
            "group_id": "1",
            "group_label": "A",
            "activity_type": "call",
            "activity_id": str(n),
            "occurred_at": at,
        }
        for n in range(3)
    ]
    (bar,) = marks(drawn(entry, rows), "rect")
    assert bar["description"].endswith("Number: 3")


@pytest.mark.parametrize("entry", [WATERFALL, WON_AND_LOST, ATTAINMENT])
def test_no_rows_is_a_message_and_not_an_empty_frame(entry):
    specification = drawn(entry, [])
    assert "No data for this choice" in values(specification)[0]["text"]


def test_table_report_has_no_chart():
    report = SimpleNamespace(title="Data quality", chart={"type": "table"})
    assert charts.chart(report, pandas.DataFrame(), SimpleNamespace(values=dict)) is None


# --- colours and texts ----------------------------------------------------------------------------


def luminance(colour: str) -> float:
    """Relative luminance by WCAG 2."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("background", ["#ffffff", STREAMLIT_DARK])
@pytest.mark.parametrize("colour", [*palette.CATEGORIES, palette.GREEN, palette.RED, palette.GREY])
def test_colours_stand_out_in_light_and_dark(colour, background):
    assert contrast(colour, background) >= 3, "WCAG 2.2, 1.4.11: graphics"


@pytest.mark.parametrize("dark", [False, True])
def test_texts_are_readable_in_light_and_dark(dark):
    assert contrast(palette.TEXT[dark], palette.BACKGROUND[dark]) >= 4.5
    assert contrast(palette.MUTED[dark], palette.BACKGROUND[dark]) >= 4.5


def test_colours_have_meanings_and_differ():
    names = ["won", "lost", "open", "(No reason)", *map(str, range(6))]
    colours = palette.colours(names)
    assert (colours["won"], colours["lost"], colours["open"]) == (palette.GREEN, palette.RED, palette.BLUE)
    assert colours["(No reason)"] == palette.GREY
    assert len(set(colours.values())) == len(names)


@pytest.mark.parametrize(
    ("start", "grain", "text"),
    [
        ("2026-07-01", "month", "Jul 2026"),
        ("2026-11-01", "quarter", "Nov–Jan 2027"),
        ("2026-01-01", "year", "2026"),
        ("2026-02-01", "year", "Feb 2026–Jan 2027"),
        ("2026-07-06", "week", "6 Jul 2026"),
    ],
)
def test_periods_in_words(start, grain, text):
    assert period(pandas.Timestamp(start).date(), grain) == text


def test_long_names_fit_beside_a_phones_chart():
    assert lines("Marcus Bell") == "Marcus Bell"
    assert lines("Discovery · New Business") == "Discovery\nNew Business"
    for name in ("Regional Enterprise Accounts North and South America", "x" * 90):
        assert len(lines(name).split("\n")) == 2
        assert all(len(line) <= 26 for line in lines(name).split("\n"))


@pytest.mark.parametrize("largest", [3_000, 40 * MINUTE, 20 * HOUR, 4 * DAY, 900 * DAY])
def test_ticks_of_durations_are_round_and_few(largest):
    ticks = duration_ticks(largest)
    assert 3 <= len(ticks) <= 7 and ticks[0] == 0 and ticks[-1] <= largest
    assert len({later - tick for tick, later in itertools.pairwise(ticks)}) == 1


def test_picture_needs_no_page_and_no_network():
    specification = drawn(WON_AND_LOST, owner_rows(3))
    assert "url" not in {key for part in parts(specification) for key in part}
    assert picture(
        charts.chart(
            SimpleNamespace(title="R", chart=WON_AND_LOST),
            pandas.DataFrame(owner_rows(3)),
            SimpleNamespace(values=lambda report: {}),
        ),
        390,
    ).startswith(b"\x89PNG")
