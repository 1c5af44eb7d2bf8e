"""Every page of the viewer, and what each control does to the numbers, through AppTest."""

from __future__ import annotations

from datetime import UTC, date, datetime
from urllib.parse import parse_qs

import pandas
import pytest
from streamlit.testing.v1 import AppTest

from orchestration.data_folder import note_check
from orchestration.publish import published_nodes
from orchestration.settings import Settings
from orchestration.viewer.catalog import catalog
from orchestration.viewer.database import Build
from orchestration.viewer.state import ReportState
from tests.harness import compiled_manifest
from tests.viewer.pages import assert_no_failure, control, opened, texts

REPORTS = [
    node["name"].removeprefix("rpt_")
    for node in published_nodes(compiled_manifest())
    if node["config"]["meta"].get("report", {}).get("number") and not node["name"].endswith("_deals")
]


@pytest.fixture(autouse=True)
def viewer(demo_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALES_REPORTS_DATA_DIR", str(demo_settings.data_dir))


def answer(app: AppTest) -> pandas.DataFrame:
    """The table of a report's answer."""
    return app.dataframe[0].value


def assert_answers(app: AppTest, build: Build, sql: str) -> None:
    """The first table on the page shows what the published database says to this SQL."""
    assert_no_failure(app)
    assert not app.error
    expected = build.rows(sql)
    shown = answer(app)
    assert len(expected) > 0
    assert len(shown) == len(expected)
    compared = 0
    for column in shown.columns:
        if column in expected and pandas.api.types.is_numeric_dtype(shown[column].dtype):
            compared += 1
            numbers = pandas.to_numeric(expected[column].astype("object"), errors="coerce").astype("float64")
            pandas.testing.assert_series_equal(
                shown[column].astype("float64"), numbers, check_names=False, check_index=False
            )
    assert compared


def test_all_reports_are_there():
    assert len(REPORTS) == 29  # 25, of which one has two tabs and one four


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_shows_what_its_function_answers(name: str, demo_build: Build):
    app = opened(name)
    report = catalog(demo_build).reports[name]
    state = ReportState.default(report)
    assert_answers(app, demo_build, state.sql(report, demo_build.calendar))
    said = texts(app)
    assert report.question in said
    assert (
        report.definition["date_property"] in "\n".join(widget.label for widget in app.selectbox)
        or report.date_property(state.values(report)) in said
    )
    for case in report.definition.get("edge_cases", []):
        assert case in said
    assert "checks" in said.lower() and " hold in the last build" in said
    assert parse_qs(state.query_string(report), keep_blank_values=True) == {
        key: value if isinstance(value, list) else [value] for key, value in app.query_params.items()
    }


def test_the_start_page_says_what_the_data_is_and_what_is_wrong_with_it(demo_build: Build):
    app = opened()
    assert_no_failure(app)
    said = texts(app)
    assert f"Build {demo_build.build_id}" in said
    assert "Source demo" in said
    assert "open warnings about the data" in "".join(box.label for box in app.expander)
    assert len(app.get("vega_lite_chart")) >= 6  # the tiles of the dashboard
    links = {link.proto.label for link in app.get("page_link")}
    assert {report.title for report in catalog(demo_build).reports.values()} <= links


def test_the_sidebar_says_when_the_source_last_had_nothing_new(demo_settings: Settings):
    def sidebar() -> str:
        return " ".join(caption.value for caption in opened().sidebar.caption)

    assert "Data up to" in sidebar()
    assert "nothing new on" not in sidebar()
    note_check(demo_settings, datetime(2027, 1, 31, 22, 30, tzinfo=UTC))
    try:
        assert "nothing new on 2027-01-31 17:30" in sidebar().replace("\\", "")  # the demo is in New York
    finally:
        demo_settings.last_check_path.unlink()


def test_the_pages_of_data_quality_and_dashboards(demo_build: Build):
    app = opened("data_quality")
    assert_no_failure(app)
    (count,) = demo_build.one("select count(*) from reports.rpt_data_quality").values()
    assert len(answer(app)) == count > 0
    app = opened("dashboards")
    assert_no_failure(app)
    assert "Dashboards" in texts(app)


WON = "deals_won_and_lost"


def test_each_filter_changes_the_numbers(demo_build: Build):
    """To what SQL written by hand says."""
    app = opened(WON, "period=last_fiscal_quarter")
    quarter = "date '2026-08-01', date '2026-11-01'"
    assert_answers(app, demo_build, f"from reports.{WON}({quarter})")
    control(app, f"{WON}:group_by").set_value("team").run()
    assert_answers(app, demo_build, f"from reports.{WON}({quarter}, group_by := 'team')")
    control(app, f"{WON}:include_subteams").set_value(True).run()
    call = f"from reports.{WON}({quarter}, group_by := 'team', include_subteams := true"
    assert_answers(app, demo_build, f"{call})")
    control(app, f"{WON}:teams").set_value(["120"]).run()
    assert_answers(app, demo_build, f"{call}, teams := ['120'])")
    control(app, f"{WON}:pipelines").set_value(["default", "renewals"]).run()
    assert_answers(app, demo_build, f"{call}, teams := ['120'], pipelines := ['default', 'renewals'])")
    control(app, f"{WON}:owner_basis").set_value("as_of").run()
    control(app, f"{WON}:bucket").set_value("month").run()
    control(app, f"{WON}:cumulative").set_value(True).run()
    call = (
        f"from reports.{WON}({quarter}, group_by := 'team', include_subteams := true, teams := ['120'], "
        "pipelines := ['default', 'renewals'], owner_basis := 'as_of', bucket := 'month', cumulative := true)"
    )
    assert_answers(app, demo_build, call)
    again = opened(WON, dict(app.query_params))
    assert_answers(again, demo_build, call)
    control(app, f"{WON}:reset").click().run()
    assert app.query_params == {"period": "last_365_days"}


def test_boxes_say_what_no_choice_means(demo_build: Build):
    app = opened("prospecting_calls", "period=last_fiscal_quarter")
    assert control(app, "prospecting_calls:bucket").value == ""  # "In all", and not an empty box
    assert control(app, "prospecting_calls:direction").value == "OUTBOUND"
    control(app, "prospecting_calls:direction").set_value("").run()
    assert app.query_params["direction"] == ""
    assert_answers(
        app,
        demo_build,
        "from reports.prospecting_calls(date '2026-08-01', date '2026-11-01', direction := NULL)",
    )


def test_an_address_from_before_the_last_choice_does_not_undo_it():
    """Two controls used in a moment: the browser sends the second with the address it still has."""
    app = opened(WON, "period=last_fiscal_quarter")
    app.query_params.clear()
    app.query_params["period"] = "last_month"  # behind the times
    control(app, f"{WON}:group_by").set_value("team").run()
    assert app.query_params == {"period": "last_fiscal_quarter", "group_by": "team"}
    app.query_params.clear()
    app.query_params["period"] = "last_month"  # an address that is opened, and no control used
    app.run()
    assert app.query_params == {"period": "last_month"}
    assert control(app, f"{WON}:group_by").value == "owner"


def test_a_chart_that_cannot_be_drawn_leaves_the_numbers(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr("orchestration.viewer.charts.chart", lambda *args, **more: 1 / 0)
    app = opened(WON, "period=last_fiscal_quarter")
    assert_no_failure(app)
    assert "The chart cannot be drawn" in texts(app)
    assert "ZeroDivisionError" in caplog.text
    assert len(answer(app)) > 1


@pytest.mark.parametrize("name", [WON, "deal_loss_reasons", "historical_snapshots", "deal_change_history"])
def test_a_period_without_records_says_so(name: str):
    app = opened(name, "date_from=2000-01-01&date_to=2000-02-01")
    assert_no_failure(app)
    assert "No records with these filters" in texts(app)
    assert not app.get("vega_lite_chart")
    assert "hold in the last build" in texts(app)


def test_a_free_range_of_dates(demo_build: Build):
    app = opened(WON)
    control(app, f"{WON}:period").set_value("custom").run()
    control(app, f"{WON}:period_days").set_value((date(2026, 3, 5), date(2026, 6, 9))).run()
    assert app.query_params["date_from"] == "2026-03-05"
    assert app.query_params["date_to"] == "2026-06-10"  # half-open, as in SQL
    assert_answers(app, demo_build, f"from reports.{WON}(date '2026-03-05', date '2026-06-10')")
    control(app, f"{WON}:period_days").set_value((date(2026, 4, 1),)).run()  # still being chosen
    assert app.query_params["date_from"] == "2026-03-05"


def test_the_property_that_the_range_works_on_follows_the_arguments():
    app = opened("deals_created")
    assert "Date range by createdate" in [widget.label for widget in app.selectbox]
    control(app, "deals_created:created_basis").set_value("hs_createdate").run()
    app.run()
    assert "Date range by hs_createdate" in [widget.label for widget in app.selectbox]


@pytest.mark.parametrize("name", ["deal_pipeline_waterfall", "deal_change_history"])
def test_change_period_and_close_dates_are_chosen_apart(name: str, demo_build: Build):
    app = opened(name, "period=last_fiscal_quarter&group_by=none")
    control(app, f"{name}:close_period").set_value("this_fiscal_quarter").run()
    report = catalog(demo_build).reports[name]
    assert app.query_params["close_period"] == "this_fiscal_quarter"
    assert_answers(
        app,
        demo_build,
        f"from reports.{report.function}(date '2026-08-01', date '2026-11-01', group_by := 'none', "
        "close_from := date '2026-11-01', close_to := date '2027-02-01')",
    )
    assert any(widget.label.startswith("Change period") for widget in app.selectbox)


def test_a_journey_of_chosen_stages(demo_build: Build):
    """Left out, put into another order, marked optional."""
    name = "lead_journey"
    app = opened(name)
    own = [
        row["stage_id"]
        for row in demo_build.records(
            "select stage_id from core.dim_lifecycle_stages where journey_position is not null "
            "order by journey_position"
        )
    ]
    control(app, f"{name}:remove:{own[1]}").click().run()
    control(app, f"{name}:up:{own[3]}").click().run()
    order = [own[0], own[3], own[2], *own[4:]]
    assert app.query_params["stages"] == order
    optional = set(app.query_params.get("optional_stages") or [])
    control(app, f"{name}:optional:{order[1]}").click().run()
    after = app.query_params.get("optional_stages") or []
    assert set([after] if isinstance(after, str) else after) != optional
    stages = ", ".join(f"'{stage}'" for stage in order)
    marked = ", ".join(f"'{stage}'" for stage in ([after] if isinstance(after, str) else after))
    assert_answers(
        app,
        demo_build,
        f"from reports.lead_journey(date '2025-11-26', date '2026-11-27', group_by := 'none', "
        f"stages := [{stages}], optional_stages := [{marked}]::varchar[])",
    )
    assert list(answer(app)["stage_label"]) == [
        demo_build.one(f"select stage_label from core.dim_lifecycle_stages where stage_id = '{stage}'")[
            "stage_label"
        ]
        for stage in order
    ]


def test_a_funnel_of_chosen_stages(demo_build: Build):
    name = "deal_funnel"
    app = opened(name, "period=last_365_days&group_by=none&pipelines=default")
    own = [
        row["stage_id"]
        for row in demo_build.records(
            "select stage_id from core.dim_deal_funnel_steps "
            "where pipeline_id = 'default' and not is_won_step order by position"
        )
    ]
    control(app, f"{name}:remove:{own[1]}").click().run()
    stages = ", ".join(f"'{stage}'" for stage in [own[0], *own[2:]])
    assert_answers(
        app,
        demo_build,
        "from reports.deal_funnel(date '2025-11-26', date '2026-11-27', group_by := 'none', "
        f"pipelines := ['default'], stages := [{stages}])",
    )


def choose_row(app: AppTest, name: str, place: int) -> AppTest:
    """Choose a row of the report's table, as a click does."""
    app.session_state[f"{name}:table"] = {"selection": {"rows": [place], "columns": [], "cells": []}}
    return app.run()


@pytest.mark.parametrize(
    "address",
    [
        "period=last_fiscal_quarter",
        "period=last_fiscal_quarter&group_by=team&include_subteams=true",
        "period=last_fiscal_year&bucket=quarter&group_by=pipeline&owner_basis=as_of",
    ],
)
def test_a_row_leads_to_its_records(address: str, demo_build: Build):
    app = opened(WON, address)
    place = int(answer(app)["won_count"].to_numpy().argmax())
    won = int(answer(app)["won_count"].iloc[place])
    choose_row(app, WON, place)
    assert_no_failure(app)
    assert won > 0
    shown = app.dataframe[1].value
    assert len(shown) == won
    assert shown["deal_id"].nunique() == won
    assert f"{won:,} record" in texts(app)


def test_a_mark_of_the_chart_leads_to_the_records_of_all_its_rows(demo_build: Build):
    """A bar's piece is an outcome's calls in both directions: two rows of the answer."""
    app = opened("call_outcomes", "period=last_fiscal_quarter")
    calls = answer(app)
    row = demo_build.one(
        "select group_id, call_outcome_id, sum(call_count) as calls from reports.call_outcomes("
        "date '2026-08-01', date '2026-11-01') group by all having count(*) > 1 order by all limit 1"
    )
    mark = {"group_id": row["group_id"], "call_outcome_id": row["call_outcome_id"]}
    app.session_state["call_outcomes:chart"] = {"selection": {"point": [mark]}}
    app.run()
    assert_no_failure(app)
    assert len(calls) > 1
    assert len(app.dataframe[1].value) == row["calls"]
    assert f"{row['calls']} record" in texts(app)


def test_the_records_of_parts_are_refused_in_words():
    app = opened("deal_pipeline_waterfall", "date_from=2026-08-03&date_to=2026-10-09&group_by=none")
    choose_row(app, "deal_pipeline_waterfall", 0)
    assert_no_failure(app)
    assert "whole months, fiscal quarters and fiscal years" in texts(app)


# --- addresses that are wrong ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("period=yesteryear", "is no period"),
        ("date_from=2026-13-01&date_to=2026-12-01", "is no day"),
        ("date_from=2026-12-01", "needs its first day and the day after"),
        ("date_from=2026-12-01&date_to=2026-01-01", "ends before it begins"),
        ("date_from=0001-01-01&date_to=9999-12-31&bucket=day", "dates must lie between"),
        ("period=this_year&date_from=2026-01-01&date_to=2026-02-01", "given twice"),
        ("group_by=star_sign", "group_by cannot be"),
        ("group_by=owner&group_by=team", "only once"),
        ("colour=red", "has nothing called"),
        ("owner_basis=", "owner_basis cannot be"),
        ("cumulative=perhaps", "true or false"),
        ("close_from=2026-01-01&close_to=2026-02-01", "has nothing called"),
        ("owners=" + "9" * 300, "too long"),
        ("owners=%00", "cannot be read"),
    ],
)
def test_a_wrong_address_is_told_in_words(query: str, words: str):
    app = opened(WON, query)
    assert_no_failure(app)
    assert words in texts(app)
    assert not app.dataframe
    assert [link.proto.label for link in app.get("page_link")] == [
        "Show “Deals won and lost” as it is by default"
    ]


@pytest.mark.parametrize(
    "query",
    ["owners=4711", "teams=Nobody%27s", "pipelines=x%27%29%3B%20drop%20table%20core.fct_deals%3B--"],
)
def test_an_unknown_id_is_told_by_the_report_function(query: str):
    app = opened(WON, query)
    assert_no_failure(app)
    assert "which is unknown; choose from" in texts(app)
    assert not app.dataframe
