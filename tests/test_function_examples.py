"""Worked examples through the report functions: what a mart's grain cannot show.

Belongs here: the examples of `reports.md` (✔) on averages, medians and switches, and one of our own
for each switch that has none: a few rows, with the answer worked out by hand. dbt's unit tests
cannot call table functions.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from orchestration.reference.crm import MS_PER_DAY
from orchestration.reference.raw import fetch
from tests.harness import load_crm

RUN_TS = datetime(2026, 6, 1, tzinfo=UTC)
SPRING = "date '2026-03-01', date '2026-06-01'"
STAGES = {
    "a": Decimal("0.2"),
    "b": Decimal("0.4"),
    "c": Decimal("0.6"),
    "won": Decimal(1),
    "lost": Decimal(0),
}


def instant(month: int, day: int, hour: int = 0) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=UTC)


class SmallCrm:
    """One pipeline, the reps Ann (1, team North) and Bob (2, team South), and deals added one by one."""

    def __init__(self) -> None:
        self.tables: dict[str, list[dict]] = {
            "deals": [],
            "deal_property_history": [],
            "pipelines": [{"object_type": "deal", "id": "p", "label": "Sales", "display_order": 0}],
            "pipeline_stages": [
                {"object_type": "deal", "pipeline_id": "p", "id": stage, "label": stage.upper()}
                | {"display_order": order, "probability": probability}
                for order, (stage, probability) in enumerate(STAGES.items())
            ],
            "owners": [
                {"id": "1", "first_name": "Ann", "last_name": "North"},
                {"id": "2", "first_name": "Bob", "last_name": "South"},
            ],
            "teams": [{"id": "n", "name": "North"}, {"id": "s", "name": "South"}],
            "owner_teams": [
                {"owner_id": "1", "team_id": "n", "is_primary": True},
                {"owner_id": "2", "team_id": "s", "is_primary": True},
            ],
        }

    def deal(self, id_: str, **columns) -> None:
        row = {"id": id_, "dealname": id_, "pipeline": "p", "dealstage": "a", "hubspot_owner_id": "1"}
        self.tables["deals"].append(row | {"createdate": instant(1, 1)} | columns)

    def version(self, deal_id: str, name: str, value: str, at: datetime) -> None:
        self.tables["deal_property_history"].append(
            {"object_id": deal_id, "name": name, "value": value, "timestamp": at}
        )

    def stays(self, deal_id: str, *stays: tuple[str, float], start: datetime) -> datetime:
        """Writes the versions of consecutive stays (stage, days); returns the end of the last one."""
        for stage, days in stays:
            self.version(deal_id, "dealstage", stage, start)
            start += timedelta(days=days)
        return start

    def ask(self, function: str, arguments: str, *columns: str) -> list[tuple]:
        build = load_crm(self.tables, run_ts=RUN_TS)
        rows = fetch(build.ensure(function), f"from reports.{function}({arguments})")
        build.connection.close()
        return [tuple(row[column] for column in columns) for row in rows]


# --- 11 time in deal stage ------------------------------------------------------------------------


@pytest.fixture
def stage_times() -> SmallCrm:
    """§11 ✔, in days. D1: A 2, B 3, A 1, B 4, won. D2: A 5, C 3, lost. D3: A 1, B 6 so far."""
    crm = SmallCrm()
    start = instant(4, 1)
    end = crm.stays("d1", ("a", 2), ("b", 3), ("a", 1), ("b", 4), start=start)
    crm.version("d1", "dealstage", "won", end)
    end = crm.stays("d2", ("a", 5), ("c", 3), start=start)
    crm.version("d2", "dealstage", "lost", end)
    crm.stays("d3", ("a", 1), ("b", 6), start=RUN_TS - timedelta(days=7))
    for id_, stage in (("d1", "won"), ("d2", "lost"), ("d3", "b")):
        crm.deal(id_, dealstage=stage, closedate=instant(4, 20))
    return crm


def days_by_stage(crm: SmallCrm, arguments: str = "", column: str = "average_time_ms") -> dict:
    rows = crm.ask("time_in_deal_stage", f"{SPRING}, group_by := 'none'{arguments}", "stage_id", column)
    return {stage: value and value / MS_PER_DAY for stage, value in rows}


def test_time_in_stage_sums_visits_and_leaves_out_skipped_stages(stage_times):
    """A (3 + 5 + 1) / 3 deals; B (7 + 6) / 2: the deal that skipped B is no zero."""
    assert days_by_stage(stage_times) == {"a": 3.0, "b": 6.5, "c": 3.0}
    counts = stage_times.ask(
        "time_in_deal_stage", f"{SPRING}, group_by := 'none'", "deal_count", "visit_count"
    )
    assert counts == [(3, 4), (2, 3), (1, 1)]


def test_latest_time_without_the_open_visit(stage_times):
    """A (1 + 5 + 1) / 3 = 2.33; B 4 / 1: the deal that is in B has no finished visit to it."""
    days = days_by_stage(stage_times, ", measure := 'latest', open_visit := 'exclude'")
    assert days == pytest.approx({"a": 7 / 3, "b": 4.0, "c": 3.0})


def test_latest_time_with_the_open_visit(stage_times):
    assert days_by_stage(stage_times, ", measure := 'latest'") == pytest.approx(
        {"a": 7 / 3, "b": (4 + 6) / 2, "c": 3.0}
    )


def test_median_time_and_status_of_stages(stage_times):
    """A: 3, 5 and 1; of won deals only D1's 3, and nobody was in C."""
    assert days_by_stage(stage_times, column="median_time_ms") == {"a": 3.0, "b": 6.5, "c": 3.0}
    won = days_by_stage(stage_times, ", status := 'won'", "median_time_ms")
    assert won == {"a": 3.0, "b": 7.0, "c": None}


def test_time_in_stage_is_split_between_owners_at_the_time():
    """A deal lay 10 days in A: Bob had it for 4, Ann, who has it today, for 6."""
    crm = SmallCrm()
    crm.deal("d", closedate=instant(5, 1), createdate=instant(4, 1), dealstage="b", hubspot_owner_id="1")
    crm.stays("d", ("a", 10), ("b", 0), start=instant(4, 1))
    crm.version("d", "hubspot_owner_id", "2", instant(4, 1))
    crm.version("d", "hubspot_owner_id", "1", instant(4, 5))
    columns = ("group_label", "total_time_ms", "deal_count")

    def in_a(arguments: str) -> list[tuple]:
        rows = crm.ask("time_in_deal_stage", f"{SPRING}{arguments}", "stage_id", *columns)
        return sorted((label, ms / MS_PER_DAY, n) for stage, label, ms, n in rows if stage == "a")

    assert in_a("") == [("Ann North", 10, 1)]
    assert in_a(", owner_basis := 'as_of'") == [("Ann North", 6, 1), ("Bob South", 4, 1)]
    (whole,) = in_a(", owner_basis := 'as_of', group_by := 'none'")
    assert whole == ("all", 10, 1)  # 11 (e)


# --- 25 sales velocity ----------------------------------------------------------------------------


@pytest.fixture
def velocity() -> SmallCrm:
    """§25 ✔. Won 4: 12,000 (20.5 d), 8,000 (40 d), no amount (30 d), 10,000 (10 d); lost 6."""
    crm = SmallCrm()
    won = [(12000, 20.5), (8000, 40), (None, 30), (10000, 10)]
    for number, (amount, days) in enumerate(won):
        created = instant(4, 20) - timedelta(days=days)
        crm.deal(f"w{number}", dealstage="won", amount=amount, createdate=created, closedate=instant(4, 20))
    for number in range(6):
        crm.deal(f"l{number}", dealstage="lost", amount=700, closedate=instant(4, 20))
    return crm


def test_sales_velocity_of_a_range(velocity):
    """N 10, W 40 %, A 10,000, D 25.125 d: 1,592.04 a day, observed 30,000 / 25.125 = 1,194.03."""
    columns = ("opportunity_count", "win_rate", "average_won_amount", "average_days_to_win")
    (row,) = velocity.ask("sales_velocity", SPRING, *columns, "velocity", "velocity_observed")
    assert row[:4] == (10, 0.4, 10000.0, 25.125)
    assert [round(value, 2) for value in row[4:]] == [1592.04, 1194.03]


def test_sales_velocity_beside_the_range_before(velocity):
    """Ten days from 24 April, in which one deal is won, and the ten days before it."""
    velocity.deal("w", dealstage="won", amount=500, createdate=instant(4, 20), closedate=instant(4, 25))
    columns = ("closed_count", "velocity", "previous_velocity", "previous_win_rate")
    (row,) = velocity.ask("sales_velocity", "date '2026-04-24', date '2026-05-04'", *columns)
    assert row[:2] == (1, 100.0)
    assert (round(row[2], 2), row[3]) == (1592.04, 0.4)


def test_sales_velocity_without_a_won_deal_is_nothing():
    crm = SmallCrm()
    crm.deal("l", dealstage="lost", closedate=instant(4, 20))
    columns = ("closed_count", "win_rate", "average_won_amount", "velocity", "velocity_observed")
    assert crm.ask("sales_velocity", SPRING, *columns) == [(1, 0.0, None, None, None)]


def test_sales_velocity_of_deals_created_in_the_range():
    """Two created in April, one of them won in July so far; the March deal is not of the cohort."""
    crm = SmallCrm()
    crm.deal("a", dealstage="won", amount=300, createdate=instant(4, 2), closedate=instant(4, 12))
    crm.deal("b", createdate=instant(4, 3), closedate=instant(9, 1))
    crm.deal("c", dealstage="lost", createdate=instant(3, 3), closedate=instant(4, 5))
    april = "date '2026-04-01', date '2026-05-01'"
    columns = ("opportunity_count", "closed_count", "win_rate", "velocity")
    assert crm.ask("sales_velocity", april, *columns) == [(2, 2, 0.5, 30.0)]
    assert crm.ask("sales_velocity", f"{april}, cohort := 'created'", *columns) == [(2, 1, 0.5, 30.0)]


# --- 23 deal velocity -----------------------------------------------------------------------------


def test_deal_velocity_in_exact_and_in_whole_days():
    """Won after 0.3 and 4.5 days, lost after 10; one closed before it was created."""
    crm = SmallCrm()
    close = instant(4, 20)
    for id_, stage, days in (("a", "won", 0.3), ("b", "won", 4.5), ("c", "lost", 10), ("d", "lost", -1)):
        crm.deal(id_, dealstage=stage, createdate=close - timedelta(days=days), closedate=close)
    columns = ("deal_count", "excluded_count", "average_days_to_close", "median_days_to_close")
    (row,) = crm.ask("deal_velocity", SPRING, *columns, "p90_days_to_close")
    # The 90th percentile lies 0.8 of the way from 4.5 to 10.
    assert row == pytest.approx((3, 1, 14.8 / 3, 4.5, 8.9))
    (row,) = crm.ask("deal_velocity", f"{SPRING}, avg_basis := 'days_to_close'", *columns)
    assert row == pytest.approx((3, 1, (0 + 4 + 10) / 3, 4.0))
    (row,) = crm.ask("deal_velocity", f"{SPRING}, status := 'won'", *columns)
    assert row == pytest.approx((2, 0, 2.4, 2.4))


# --- 4, 20, 24: bases and statuses ----------------------------------------------------------------


def test_deals_created_by_either_creation_time_and_owner():
    """Back-dated to April by an import in May; Bob had it first, Ann has it today."""
    crm = SmallCrm()
    crm.deal("d", createdate=instant(4, 2), hs_createdate=instant(5, 3), hubspot_owner_id="1", amount=10)
    crm.version("d", "hubspot_owner_id", "2", instant(4, 2))
    crm.version("d", "hubspot_owner_id", "1", instant(4, 9))
    april = "date '2026-04-01', date '2026-05-01'"
    columns = ("group_label", "deal_count")
    assert crm.ask("deals_created", april, *columns) == [("Ann North", 1)]
    assert crm.ask("deals_created", f"{april}, owner_basis := 'as_of'", *columns) == [("Bob South", 1)]
    assert crm.ask("deals_created", f"{april}, created_basis := 'hs_createdate'", *columns) == []
    may = "date '2026-05-01', date '2026-06-01', created_basis := 'hs_createdate'"
    assert crm.ask("deals_created", may, *columns) == [("Ann North", 1)]


def test_deals_won_and_lost_by_the_owner_at_the_time():
    """Bob won it, then handed it over to Ann; the win stays his as of then."""
    crm = SmallCrm()
    crm.deal("d", dealstage="won", closedate=instant(4, 20), createdate=instant(4, 1), hubspot_owner_id="1")
    crm.stays("d", ("a", 19), ("won", 0), start=instant(4, 1))
    crm.version("d", "hubspot_owner_id", "2", instant(4, 1))
    crm.version("d", "hubspot_owner_id", "1", instant(5, 1))
    columns = ("group_label", "won_count", "win_rate")
    assert crm.ask("deals_won_and_lost", SPRING, *columns) == [("Ann North", 1, 1.0)]
    as_of = f"{SPRING}, owner_basis := 'as_of'"
    assert crm.ask("deals_won_and_lost", as_of, *columns) == [("Bob South", 1, 1.0)]
    assert crm.ask("deals_won_and_lost", f"{as_of}, group_by := 'team'", *columns) == [("South", 1, 1.0)]


def test_average_deal_size_by_status_and_running_on():
    """Won 100 and no amount in March, 300 in April; an open deal of 50. The median runs on too."""
    crm = SmallCrm()
    crm.deal("a", dealstage="won", amount=100, closedate=instant(3, 5))
    crm.deal("b", dealstage="won", amount=None, closedate=instant(3, 6))
    crm.deal("c", dealstage="won", amount=300, closedate=instant(4, 5))
    crm.deal("d", dealstage="a", amount=50, closedate=instant(4, 6))
    columns = ("deal_count", "average_amount", "median_amount")
    assert crm.ask("average_deal_size", SPRING, *columns) == [(3, 200.0, 200.0)]
    assert crm.ask("average_deal_size", f"{SPRING}, status := 'all'", *columns) == [(4, 150.0, 100.0)]
    monthly = f"{SPRING}, bucket := 'month'"
    assert crm.ask("average_deal_size", monthly, *columns) == [
        (2, 100.0, 100.0),
        (1, 300.0, 300.0),
        (0, None, None),
    ]
    running = f"{monthly}, cumulative := true"
    assert crm.ask("average_deal_size", running, *columns) == [(2, 100.0, 100.0)] + [(3, 200.0, 200.0)] * 2


# --- 21, 22: shares -------------------------------------------------------------------------------


def test_shares_of_reasons_may_add_up_to_more_than_one():
    """Two lost deals, one of which names both reasons: 2 of 2, and 1 of 2."""
    crm = SmallCrm()
    crm.deal("a", dealstage="lost", closed_lost_reason="Price", closedate=instant(4, 5))
    crm.deal("b", dealstage="lost", closed_lost_reason="price;Timing", closedate=instant(4, 6))
    columns = ("group_label", "loss_reason", "deal_count", "deal_share")
    expected = [("Price", 2, 1.0), ("Timing", 1, 0.5)]
    by_owner = crm.ask("deal_loss_reasons", SPRING, *columns)
    assert by_owner == [("Ann North", *row) for row in expected]
    by_reason = crm.ask("deal_loss_reasons", f"{SPRING}, group_by := 'loss_reason'", *columns)
    assert by_reason == [(row[0], *row) for row in expected]


def test_shares_of_sources_are_of_the_group_or_of_all():
    crm = SmallCrm()
    for id_, owner, source, amount in (
        ("a", "1", "OFFLINE", 60),
        ("b", "1", "REFERRALS", 20),
        ("c", "2", "OFFLINE", 20),
    ):
        crm.deal(
            id_,
            dealstage="won",
            hubspot_owner_id=owner,
            hs_analytics_source=source,
            amount=amount,
            closedate=instant(4, 5),
        )
    columns = ("group_label", "source", "amount_share")
    assert crm.ask("deal_revenue_by_source", SPRING, *columns) == [
        ("Ann North", "OFFLINE", 0.75),
        ("Ann North", "REFERRALS", 0.25),
        ("Bob South", "OFFLINE", 1.0),
    ]
    by_source = crm.ask("deal_revenue_by_source", f"{SPRING}, group_by := 'source'", *columns)
    assert by_source == [("OFFLINE", "OFFLINE", 0.8), ("REFERRALS", "REFERRALS", 0.2)]


# --- 1 call outcomes ------------------------------------------------------------------------------


def test_call_outcomes_show_every_outcome_of_the_account():
    """Two calls of one rep; the grouping `none` shows the outcomes that nobody had as well."""
    crm = SmallCrm()
    crm.tables["call_dispositions"] = [{"id": "y", "label": "Yes"}, {"id": "n", "label": "No"}]
    for id_, outcome, duration in (("1", "y", 60_000), ("2", "y", None)):
        crm.tables.setdefault("calls", []).append(
            {"id": id_, "hs_timestamp": instant(4, 5), "hs_call_direction": "OUTBOUND"}
            | {"hs_call_disposition": outcome, "hs_call_duration": duration, "hubspot_owner_id": "1"}
        )
    columns = ("group_label", "call_outcome", "call_count", "call_share", "average_duration_ms")
    outbound = f"{SPRING}, direction := 'OUTBOUND'"
    assert crm.ask("call_outcomes", outbound, *columns) == [("Ann North", "Yes", 2, 1.0, 60_000.0)]
    assert crm.ask("call_outcomes", f"{outbound}, group_by := 'none'", *columns) == [
        ("all", "Yes", 2, 1.0, 60_000.0),
        ("all", "(No outcome)", 0, 0.0, None),
        ("all", "No", 0, 0.0, None),
    ]
    nothing = f"{outbound}, group_by := 'none', outcomes := ['No']"
    assert crm.ask("call_outcomes", nothing, *columns) == [("all", "No", 0, None, None)]
