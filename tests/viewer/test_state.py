"""Addresses: everything that is chosen gets into one and out of it again, and into SQL only as values."""

from __future__ import annotations

from datetime import date, timedelta
from urllib.parse import parse_qs

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestration.viewer.catalog import Catalog, Report, catalog
from orchestration.viewer.database import Build, QueryError
from orchestration.viewer.periods import PRESETS, Period
from orchestration.viewer.sql import literal
from orchestration.viewer.state import AddressError, ReportState

QUIET = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=30)
PERIODS = st.one_of(
    st.sampled_from(sorted(PRESETS)).map(Period),
    st.tuples(st.dates(date(1990, 1, 1), date(2090, 1, 1)), st.integers(0, 400)).map(
        lambda pair: Period(None, pair[0], pair[0] + timedelta(days=pair[1]))
    ),
)


@pytest.fixture(scope="module")
def known(demo_build: Build) -> Catalog:
    return catalog(demo_build)


@st.composite
def states(draw: st.DrawFn, known: Catalog) -> tuple[Report, ReportState]:
    """Any report with anything chosen that its panel or an address can choose."""
    report = known.reports[draw(st.sampled_from(sorted(known.reports)))]
    values = {}
    for argument in report.arguments.values():
        match argument.kind:
            case "date":
                continue
            case "flag":
                value = st.sampled_from([True, False] + ([None] if argument.default is None else []))
            case "one_of":
                value = st.sampled_from(argument.values)
            case "each_of":
                value = st.lists(st.sampled_from(argument.values), unique=True)
            case "names":
                value = st.lists(TEXTS, unique=True, max_size=4)
            case "name":
                value = st.none() | TEXTS
        if draw(st.booleans()):
            values[argument.name] = draw(value)
    close = draw(st.none() | PERIODS) if report.has_close_period else None
    state = ReportState(report.name, draw(PERIODS), close).choose(report, **values)
    return report, state


@given(data=st.data())
@QUIET
def test_an_address_holds_all_that_is_chosen(known: Catalog, data: st.DataObject):
    report, state = data.draw(states(known))
    text = state.query_string(report)
    assert ReportState.from_query(report, text) == state
    assert ReportState.from_query(report, f"?{text}") == state
    assert ReportState.from_query(report, state.to_query(report)) == state
    assert ReportState.from_query(report, parse_qs(text, keep_blank_values=True)) == state


@given(data=st.data())
@QUIET
def test_whatever_an_address_says_is_a_value_in_sql(known: Catalog, demo_build: Build, data: st.DataObject):
    """The database reads the call as one function with these arguments, whatever stands in them."""
    report, state = data.draw(states(known))
    sql = state.sql(report, demo_build.calendar)
    rest = sql
    for text in sorted(_strings(state.values(report)), key=len, reverse=True):
        rest = rest.replace(literal(text), "''")
    assert "--" not in rest and ";" not in rest and "/*" not in rest
    assert rest.count("(") == rest.count(")")


def _strings(values: dict) -> list[str]:
    found = []
    for value in values.values():
        found += [value] if isinstance(value, str) else value if isinstance(value, list) else []
    return found


@pytest.mark.parametrize(
    "text",
    [
        "x'; drop table core.fct_deals; --",
        "'",
        "''",
        "\\'",
        "x'] ) union all select 1 --",
        "$$",
        "E'\\n'",
        "',owners:=NULL,teams:=['",
    ],
)
def test_attempts_at_sql_are_unknown_names(known: Catalog, demo_build: Build, text: str):
    report = known.reports["deals_won_and_lost"]
    state = ReportState.from_query(report, {"owners": [text]})
    with pytest.raises(QueryError, match="which is unknown") as error:
        demo_build.table(state.sql(report, demo_build.calendar))
    assert text.split("\\")[0] in str(error.value)
    assert demo_build.one("select count(*) as n from core.fct_deals")["n"] > 0


@pytest.mark.parametrize(
    "key", ["sql", "date_from)--", "owner_basis := 'x', teams", "", "report", "function"]
)
def test_an_unknown_argument_is_refused(known: Catalog, key: str):
    with pytest.raises(AddressError, match="has nothing called"):
        ReportState.from_query(known.reports["deals_won_and_lost"], {key: "x"})


@pytest.mark.parametrize("value", ["\n", "a\x00b", "a\u202eb", "x" * 201, ["1"] * 1001])
def test_values_that_no_id_has_are_refused(known: Catalog, value):
    with pytest.raises(AddressError, match=r"letters|too long"):
        ReportState.from_query(known.reports["deals_won_and_lost"], {"owners": value})


def test_a_blank_value_is_null_where_that_means_all(known: Catalog):
    report = known.reports["prospecting_calls"]
    assert ReportState.default(report).value(report, "direction") == "OUTBOUND"
    state = ReportState.from_query(report, "direction=")
    assert state.value(report, "direction") is None
    assert "direction=" in state.query_string(report)
    assert ReportState.from_query(report, state.query_string(report)) == state


def test_what_depends_on_the_data_stands_in_the_address(known: Catalog):
    """Another build may have another first pipeline or goal; the address must mean the same there."""
    for name, argument in (("deal_funnel", "pipelines"), ("quota_attainment", "goal")):
        report = known.reports[name]
        state = ReportState.default(report)
        assert state.value(report, argument)
        assert argument in state.to_query(report)


def test_the_sql_says_what_differs_from_the_function_alone(known: Catalog, demo_build: Build):
    report = known.reports["deals_won_and_lost"]
    state = ReportState.from_query(
        report, "date_from=2026-01-01&date_to=2026-04-01&group_by=team&owners=7&owners=8&bucket=month"
    )
    assert state.sql(report, demo_build.calendar) == (
        "from reports.deals_won_and_lost(date '2026-01-01', date '2026-04-01', group_by := 'team', "
        "owners := ['7', '8'], bucket := 'month')"
    )


def test_rows_functions_take_what_the_summary_is_asked(known: Catalog, demo_build: Build):
    for name in ("lead_response_time", "deal_change_history"):
        report = known.reports[name]
        state = ReportState.default(report).choose(
            report, group_by="team", bucket="month", owners=["70001008"]
        )
        sql = state.rows_sql(report, demo_build.calendar)
        assert f"from reports.{name}(" in sql
        assert "group_by := 'none'" in sql and "bucket" not in sql
        assert demo_build.table(sql).num_rows > 0
