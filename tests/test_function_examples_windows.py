"""Worked examples of the window reports through their functions: ranges that no mart has.

Belongs here: the examples of `reports.md` (✔) for sections 12, 14, 15 and 17 with a change range that
is not the close-date range, and examples of our own for switches and for kept snapshots, worked out by
hand. Sub-types of the waterfall are unit tests of its YAML: the function does not show them.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import duckdb
import pytest

from orchestration.reference.raw import fetch
from tests.harness import Build, load_crm
from tests.test_function_examples import SmallCrm

RUN_TS = datetime(2026, 7, 15, tzinfo=UTC)
TO_15_JUNE = "date '2026-04-01', date '2026-06-15'"
QUARTER = "date '2026-04-01', date '2026-07-01'"
OF_QUARTER = "close_from := date '2026-04-01', close_to := date '2026-07-01', group_by := 'none'"


def noon(month: int, day: int) -> datetime:
    return datetime(2026, month, day, 12, tzinfo=UTC)


def write(crm: SmallCrm, id_: str, *steps: tuple[datetime, dict]) -> None:
    """A deal as its steps left it, with the versions that they wrote."""
    present = {}
    for at, values in [(steps[0][0], {"pipeline": "p"}), *steps]:
        present |= values
        for name, value in values.items():
            text = value.isoformat() if isinstance(value, datetime) else value and str(value)
            crm.version(id_, name, text, at)
    if present.get("amount") is not None:
        present["amount"] = Decimal(present["amount"])
    crm.deal(id_, createdate=steps[0][0], **present)


def opened(amount: int | None, month: int, day: int) -> dict:
    return {"dealstage": "a", "amount": amount, "closedate": noon(month, day)}


def closed(stage: str, at: datetime, **values) -> tuple[datetime, dict]:
    """HubSpot writes the close date with the closing stage."""
    return at, {"dealstage": stage, "closedate": at, **values}


def build_of(crm: SmallCrm, *functions: str) -> Build:
    build = load_crm(crm.tables, run_ts=RUN_TS)
    build.ensure(*functions)
    return build


def ask(build: Build, call: str) -> list[dict]:
    return fetch(build.connection, f"from reports.{call}")


# --- the twelve deals of section 14 ---------------------------------------------------------------


@pytest.fixture(scope="module")
def twelve_deals():
    crm, early = SmallCrm(), noon(1, 10)
    write(crm, "d1", (early, opened(100, 6, 30)))
    write(crm, "d2", (early, opened(100, 6, 20)), (noon(5, 2), {"amount": 130}))
    write(crm, "d3", (early, opened(200, 5, 31)), closed("won", noon(5, 10), amount=180))
    write(crm, "d4", (early, opened(50, 4, 30)), closed("lost", noon(4, 20)))
    pushed = (noon(5, 14), {"closedate": noon(8, 1)})
    write(crm, "d5", (early, opened(80, 5, 15)), pushed, (noon(6, 5), {"amount": 90}))
    write(crm, "d6", (early, opened(40, 6, 1)))
    write(crm, "d7", (early, opened(60, 9, 1)), (noon(5, 5), {"closedate": noon(6, 25), "amount": 70}))
    write(crm, "d8", (noon(4, 10), opened(30, 6, 28)))
    write(crm, "d9", (noon(4, 12), opened(25, 6, 30)), closed("won", noon(5, 20), amount=35))
    write(crm, "d10", (noon(4, 15), opened(500, 10, 1)))
    reopened = (noon(5, 1), {"dealstage": "a", "closedate": noon(6, 30)})
    write(crm, "d11", (early, opened(45, 2, 20)), closed("lost", noon(2, 15)), reopened)
    write(crm, "d12", (early, opened(None, 6, 30)), (noon(6, 1), {"amount": 20}))
    build = build_of(
        crm,
        "deal_pipeline_waterfall",
        "deal_change_history",
        "deal_change_history_summary",
        "historical_snapshots",
    )
    yield build
    build.connection.close()


def balance(rows: list[dict]) -> dict[str, tuple]:
    return {row["category"]: (row["deal_count"], row["amount"]) for row in rows if row["deal_count"]}


def test_waterfall_of_section_14(twelve_deals):
    rows = ask(twelve_deals, f"deal_pipeline_waterfall({TO_15_JUNE}, {OF_QUARTER})")
    assert len(rows) == 13  # zeros too
    assert balance(rows) == {
        "begin": (7, 570),
        "created": (2, 65),
        "pulled": (1, 70),
        "reopened": (1, 45),
        "increased": (2, 50),
        "decreased": (1, -20),
        "pushed": (2, -120),
        "lost": (1, -50),
        "won": (2, -215),
        "end": (6, 395),
    }


def test_waterfall_of_section_14_run_again_when_the_quarter_is_over(twelve_deals):
    """Pushed becomes 515 and nothing is left; the change range ends where it is asked to."""
    rows = balance(ask(twelve_deals, f"deal_pipeline_waterfall({QUARTER}, group_by := 'none')"))
    assert rows["pushed"] == (8, -515)
    assert "end" not in rows
    assert rows["won"] == (2, -215)


def test_waterfall_of_a_range_that_has_not_begun_has_nothing_to_show(twelve_deals):
    call = "deal_pipeline_waterfall(date '2026-08-01', date '2026-09-01', group_by := 'none')"
    assert balance(ask(twelve_deals, call)) == {}
    running = "deal_pipeline_waterfall(date '2026-07-01', date '2026-10-01', group_by := 'none')"
    # d5, due on 1 August, and nothing that happens after run_ts.
    assert balance(ask(twelve_deals, running)) == {"begin": (1, 90), "end": (1, 90)}


def test_waterfall_of_weighted_amounts_balances_too(twelve_deals):
    """Open deals at 20 %, won ones at their amount, lost ones at nothing (19a)."""
    rows = balance(
        ask(twelve_deals, f"deal_pipeline_waterfall({TO_15_JUNE}, {OF_QUARTER}, amount_field := 'weighted')")
    )
    assert rows["begin"] == (7, 114)
    assert rows["won"] == (2, -215)
    assert rows["lost"] == (1, 0)
    # d2 by 6, d3 from 40 to 180, d12 by 4; d4 from 10 to 0.
    assert rows["increased"] == (3, 150)
    assert rows["decreased"] == (1, -10)
    assert sum(amount for name, (_, amount) in rows.items() if name != "end") == rows["end"][1] == 79


def test_waterfall_by_month_of_one_close_period_tiles(twelve_deals):
    rows = ask(twelve_deals, f"deal_pipeline_waterfall({QUARTER}, {OF_QUARTER}, bucket := 'month')")
    months = {
        month: balance([row for row in rows if row["bucket_start"] == month])
        for month in sorted({row["bucket_start"] for row in rows})
    }
    april, may, june = months.values()
    assert list(months) == [date(2026, 4, 1), date(2026, 5, 1), date(2026, 6, 1)]
    assert april["begin"] == (7, 570)
    assert april["end"] == may["begin"]
    assert may["end"] == june["begin"]
    assert "end" not in june


def test_changes_of_section_12(twelve_deals):
    rows = ask(twelve_deals, f"deal_change_history_summary({TO_15_JUNE}, {OF_QUARTER})")
    assert len(rows) == 30  # 15 categories, inside and outside
    found = {
        (row["category"], "in" if row["is_inside"] else "out"): (row["change_count"], row["amount"])
        for row in rows
        if row["change_count"]
    }
    assert found == {
        ("created", "in"): (2, 55),
        ("created", "out"): (1, 500),
        ("won", "in"): (2, 215),
        ("lost", "in"): (1, 50),
        ("reopened", "in"): (1, 45),
        ("amount_increased", "in"): (4, 70),
        ("amount_increased", "out"): (1, 10),
        ("amount_decreased", "in"): (1, -20),
        ("close_date_pushed", "in"): (1, 80),
        ("close_date_pushed", "out"): (1, 45),
        ("lapsed", "in"): (1, 40),
        ("close_date_pulled", "in"): (1, 70),
        ("auto_close_date", "in"): (3, 265),
    }


def test_change_rows_of_one_deal(twelve_deals):
    """d3, newest first: what was saved with the winning stage has one change_set_id."""
    rows = [row for row in ask(twelve_deals, f"deal_change_history({TO_15_JUNE})") if row["deal_id"] == "d3"]
    told = {(row["category"], row["old_value"], row["new_value"], row["delta_amount"]) for row in rows}
    assert told == {
        ("won", "a", "won", None),
        ("amount_decreased", "200", "180", Decimal("-20.00")),
        ("auto_close_date", "2026-05-31", "2026-05-10", None),
    }
    assert len({row["change_set_id"] for row in rows}) == 1


def test_snapshots_of_section_17(twelve_deals):
    """Its points are beginnings of days: the ends of the days before."""
    calls = {
        day: ask(
            twelve_deals,
            f"historical_snapshots(date '{day}', date '{day}' + 1, every := 'day', group_by := 'none', "
            "include_closed := false)",
        )
        for day in ("2026-03-31", "2026-04-30", "2026-05-31", "2026-06-14")
    }
    found = {
        day: (sum(row["deal_count"] for row in rows), sum(row["total_amount"] for row in rows))
        for day, rows in calls.items()
    }
    assert found == {
        "2026-03-31": (8, 630),
        "2026-04-30": (10, 1135),
        "2026-05-31": (9, 995),
        "2026-06-14": (9, 1025),
    }
    # Every open stage of the pipeline, in its order; closed ones where they are asked for.
    assert [row["stage_id"] for row in calls["2026-03-31"]] == ["a", "b", "c"]
    (point,) = {
        (row["stage_id"], row["deal_count"])
        for row in ask(
            twelve_deals,
            "historical_snapshots(date '2026-05-31', date '2026-06-01', every := 'day', group_by := 'none')",
        )
        if row["stage_id"] == "won"
    }
    assert point == ("won", 2)


def test_snapshot_bands_stand_in_their_order(twelve_deals):
    rows = ask(
        twelve_deals,
        "historical_snapshots(date '2026-05-31', date '2026-06-01', group_by := 'none', every := 'month', "
        "break_down_by := 'amount_band', include_closed := false)",
    )
    assert [(row["amount_band"], row["deal_count"]) for row in rows] == [
        ("none", 1),
        ("negative", 0),
        ("0-1k", 8),
        ("1k-5k", 0),
        ("5k-10k", 0),
        ("10k-50k", 0),
        ("50k+", 0),
    ]


def test_todays_snapshot_is_always_among_them(twelve_deals):
    """Run at the first moment of 15 July: ends of months in the range, and today."""
    rows = ask(
        twelve_deals,
        "historical_snapshots(date '2026-05-01', date '2026-08-01', every := 'month', group_by := 'none')",
    )
    days = sorted({row["snapshot_date"] for row in rows})
    assert days == [date(2026, 5, 31), date(2026, 6, 30), date(2026, 7, 15)]


# --- 12: net beside gross -------------------------------------------------------------------------


def test_an_amount_that_goes_up_and_down_has_changed_twice_and_not_at_all():
    crm = SmallCrm()
    steps = [(noon(5, 1), {"amount": 150}), (noon(5, 2), {"amount": 100})]
    write(crm, "there_and_back", (noon(1, 10), opened(100, 6, 1)), *steps)
    write(crm, "up", (noon(1, 10), opened(100, 6, 1)), (noon(5, 3), {"amount": 130}))
    build = build_of(crm, "deal_change_history_summary")
    rows = ask(build, f"deal_change_history_summary({QUARTER}, group_by := 'none')")
    build.connection.close()
    found = {
        row["category"]: (row["deal_count"], row["change_count"], row["amount"], row["net_amount"])
        for row in rows
        if row["is_inside"] and row["category"].startswith("amount_")
    }
    assert found == {"amount_increased": (2, 2, 80, 30), "amount_decreased": (1, 1, -50, 0)}


def test_changes_by_who_made_them():
    crm = SmallCrm()
    crm.tables["owners"][0]["user_id"] = "u1"
    write(crm, "d", (noon(1, 10), opened(100, 6, 1)), (noon(5, 1), {"amount": 150}))
    write(crm, "e", (noon(1, 10), opened(100, 6, 1)), (noon(5, 1), {"amount": 90}))
    for version in crm.tables["deal_property_history"]:
        version["updated_by_user_id"] = {"d": "u1", "e": "u9"}[version["object_id"]]
    build = build_of(crm, "deal_change_history_summary")
    rows = ask(build, f"deal_change_history_summary({QUARTER}, group_by := 'changed_by')")
    build.connection.close()
    assert {
        (row["group_id"], row["group_label"], row["category"]) for row in rows if row["change_count"]
    } == {
        ("1", "Ann North", "amount_increased"),
        ("user:u9", "User u9", "amount_decreased"),
        ("none", "(No user)", "lapsed"),
    }


# --- 15 -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def nine_deals():
    """Section 15, F = Q2."""
    crm = SmallCrm()

    def deal(name: str, *close_days: tuple[int, int], won_at: datetime | None = None) -> None:
        steps = [(noon(1, 1 + 7 * n), {"closedate": noon(*day)}) for n, day in enumerate(close_days)]
        steps[0][1].update({"dealstage": "a", "amount": 10})
        write(crm, name, *steps, *([closed("won", won_at)] if won_at else []))

    deal("p1", (6, 30), (7, 31))
    deal("p2", (5, 15), (6, 10), won_at=noon(6, 10))
    deal("p3", (6, 20), (9, 1), (6, 30))
    deal("p4", (9, 1), (6, 15), (8, 15))
    deal("p5", (6, 30))
    deal("p6", (6, 30), won_at=noon(7, 3))
    deal("p7", (6, 15), (5, 1))
    deal("p8", (6, 30), (3, 25))
    deal("p9", (9, 1), (10, 1))
    build = build_of(crm, "deal_push_rate")
    yield build
    build.connection.close()


def test_push_rate_of_section_15(nine_deals):
    (row,) = ask(nine_deals, f"deal_push_rate({QUARTER}, group_by := 'none')")
    assert (row["eligible_count"], row["pushed_count"], row["returned_count"]) == (8, 4, 1)
    assert (row["pulled_out_count"], row["via_close_count"], row["pushed_amount"]) == (1, 1, 40)
    assert (row["push_rate"], row["net_push_rate"], row["average_pushes"]) == (0.5, 0.375, 1.0)
    assert row["average_days_pushed"] == (31 + 73 + 61 + 3) / 4


def test_push_rate_without_pushes_by_closing(nine_deals):
    (row,) = ask(nine_deals, f"deal_push_rate({QUARTER}, group_by := 'none', include_via_close := false)")
    assert (row["eligible_count"], row["pushed_count"], row["push_rate"]) == (8, 3, 0.375)
    with pytest.raises(duckdb.Error, match="include_via_close must be true or false"):
        ask(nine_deals, f"deal_push_rate({QUARTER}, include_via_close := NULL)")


def test_push_rate_in_any_direction(nine_deals):
    """p8, moved to March, is pushed as well, by -97 days."""
    (row,) = ask(nine_deals, f"deal_push_rate({QUARTER}, group_by := 'none', direction := 'any')")
    assert (row["pushed_count"], row["pulled_out_count"], row["push_rate"]) == (5, 1, 0.625)
    assert row["pushed_days"] == 31 + 73 + 61 + 3 - 97


# --- 17: kept snapshots ---------------------------------------------------------------------------


@pytest.fixture
def kept() -> Build:
    """One open deal of Ann's since January, and a snapshot of 31 May that was kept: two of Bob's."""
    crm = SmallCrm()
    write(crm, "d", (noon(1, 10), opened(100, 8, 1)))
    build = load_crm(crm.tables, run_ts=RUN_TS)
    build.connection.execute(
        "insert into raw_hubspot._stored_snapshots by name select date '2026-05-31' as snapshot_date, "
        "'2' as owner_id, 'p' as pipeline_id, 'b' as stage_id, 'COMMIT' as forecast_category, "
        "'0-500' as amount_band, 'open' as deal_status, 2 as deal_count, 70 as total_amount, "
        "35 as weighted_amount, 0 as unknown_count"
    )
    build.ensure("historical_snapshots", "rpt_historical_snapshots")
    yield build
    build.connection.close()


MONTHS = "date '2026-04-01', date '2026-07-01', every := 'month'"


def points(rows: list[dict]) -> set[tuple]:
    return {
        (row["snapshot_date"].month, row["group_label"], row["stage_id"], row["deal_count"], row["is_stored"])
        for row in rows
        if row["deal_count"]
    }


def test_kept_snapshot_wins_over_reconstruction(kept):
    assert points(ask(kept, f"historical_snapshots({MONTHS})")) == {
        (4, "Ann North", "a", 1, False),
        (5, "Bob South", "b", 2, True),
        (6, "Ann North", "a", 1, True),  # the day that has just ended is stored by this run
    }
    (stored,) = ask(kept, "rpt_historical_snapshots where is_stored and snapshot_date < date '2026-06-01'")
    assert (stored["snapshot_date"], stored["owner_name"], stored["team_name"]) == (
        date(2026, 5, 31),
        "Bob South",
        "South",
    )


def test_bands_of_a_kept_snapshot_are_as_they_were(kept):
    rows = ask(kept, f"historical_snapshots({MONTHS}, break_down_by := 'amount_band')")
    may = [row for row in rows if row["snapshot_date"] == date(2026, 5, 31) and row["deal_count"]]
    assert {(row["amount_band"], row["is_stored"]) for row in may} == {("0-500", True)}


def test_a_close_date_range_is_always_reconstructed(kept):
    found = points(ask(kept, f"historical_snapshots({MONTHS}, close_from := date '2026-07-01')"))
    assert found == {(month, "Ann North", "a", 1, False) for month in (4, 5, 6)}
    assert not points(ask(kept, f"historical_snapshots({MONTHS}, close_to := date '2026-08-01')"))
