"""Core tells the same past as the reference: states, visits and days of hard CRMs.

Belongs here: comparisons of core tables with the notions of `orchestration/reference/crm.py` that no
single mart shows in full. The marts have `test_reference_vs_sql.py`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from orchestration.reference.crm import Crm, Deal, Row, RunSettings, money, probability_of
from orchestration.reference.raw import fetch
from tests.crm_generator import hard_crm
from tests.harness import assert_rows_equal, load_crm

MOMENT = timedelta(microseconds=1)  # as-of is strict: just after an instant is as of the next one
UNKNOWN = {  # property → its flag in fct_deal_states
    "dealstage": "is_stage_unknown",
    "pipeline": "is_pipeline_unknown",
    "amount": "is_amount_unknown",
    "hs_manual_forecast_category": "is_forecast_category_unknown",
}


def pytest_generate_tests(metafunc) -> None:
    seeds = range(metafunc.config.getoption("--crms"))
    metafunc.parametrize("generated", seeds, indirect=True, scope="module")


@pytest.fixture(scope="module")
def generated(request):
    crm = hard_crm(request.param)
    build = load_crm(crm.tables, **crm.settings)
    connection = build.ensure("fct_deal_states", "fct_deal_stage_visits", "dim_dates")
    yield connection, Crm(crm.tables, RunSettings(**crm.settings))
    build.connection.close()


def test_states_equal_reference(generated):
    connection, crm = generated
    expected = [row for deal in crm.historic_deals for row in _states(deal)]
    columns = ", ".join(expected[0]) if expected else "*"
    assert_rows_equal(
        "fct_deal_states", fetch(connection, f"select {columns} from core.fct_deal_states"), expected, ()
    )


def _states(deal: Deal) -> list[Row]:
    """Stretches of a deal's life in which nothing about its state changes (27.7)."""
    edges = {edge for name in UNKNOWN for stretch in deal.unknown_stretches(name) for edge in stretch}
    instants = {t for t in edges - {None} if deal.created_at < t < deal.crm.run_ts}
    states: list[tuple[datetime, Row]] = []
    for instant in sorted({*deal.change_instants, *instants}):
        state = _state(deal, instant)
        if not states or states[-1][1] != state:
            states.append((instant, state))
    ends = [instant for instant, _ in states[1:]] + [None]
    return [
        {"deal_id": deal.id, "valid_from": start, "valid_to": end, **state}
        for (start, state), end in zip(states, ends, strict=True)
    ]


def _state(deal: Deal, instant: datetime) -> Row:
    state = deal.state_after(instant)
    own_probability: Decimal | None = None
    if deal.raw_versions("hs_deal_stage_probability"):  # 17d
        own_probability = state.probability
    probability = probability_of(state.stage, own_probability)
    return {
        "pipeline_id": state.pipeline_id,
        "stage_id": state.stage.stage_id,
        "stage_pipeline_id": state.stage.pipeline_id,
        "stage_class": state.stage.stage_class,
        "deal_status": state.status,
        "amount": state.amount,
        "company_amount": state.company_amount,
        "weighted_amount": money(state.company_amount, probability),
        "close_at": state.close_at,
        "close_date": state.close_date,
        "owner_id": state.owner_id or "none",
        "forecast_category": state.forecast_category or "(No category)",
        "own_probability": own_probability,
        "probability": probability,
        **{flag: deal.is_unknown_at(name, instant + MOMENT) for name, flag in UNKNOWN.items()},
    }


def test_visits_equal_reference(generated):
    connection, crm = generated
    expected = [row for deal in crm.historic_deals for row in _visits(deal)]
    columns = ", ".join(expected[0]) if expected else "*"
    assert_rows_equal(
        "fct_deal_stage_visits",
        fetch(connection, f"select {columns} from core.fct_deal_stage_visits"),
        expected,
        (),
    )


def _visits(deal: Deal) -> list[Row]:
    keys = [visit.stage.key for visit in deal.visits]
    return [
        {
            "deal_id": deal.id,
            "visit_number": number,
            "pipeline_id": visit.stage.pipeline_id,
            **visit.stage.columns,
            "stage_class": visit.stage.stage_class,
            "stage_position": visit.stage.position,
            "entered_at": visit.entered_at,
            "exited_at": visit.exited_at,
            "duration_ms": visit.duration_ms,
            "is_last_visit": number == len(keys),
            "is_latest_to_stage": visit.stage.key not in keys[number:],
            "is_in_present_pipeline": visit.stage.pipeline_id == deal.pipeline_id,
        }
        for number, visit in enumerate(deal.visits, 1)
    ]


def test_days_equal_reference(generated):
    """Days begin at their first instant (H13); weeks, fiscal quarters and years are the account's (K12)."""
    connection, crm = generated
    days = fetch(connection, "select * from core.dim_dates order by date_day")
    assert [row["date_day"] for row in days] == [
        days[0]["date_day"] + timedelta(days=number) for number in range(len(days))
    ]
    for row in days:
        day = row["date_day"]
        assert row["starts_at"] == crm.midnight(day), day
        assert row["ends_at"] == crm.midnight(day + timedelta(days=1)), day
        for grain, column in (
            ("week", "week_start"),
            ("month", "month_start"),
            ("quarter", "fiscal_quarter_start"),
            ("year", "fiscal_year_start"),
        ):
            assert row[column] == crm.period_start(grain, day), (column, day)
    named = {day for deal in crm.deals for day in (deal.created_date, deal.close_date)} - {None}
    assert named <= {row["date_day"] for row in days}
