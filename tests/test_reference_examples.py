"""The worked examples (✔) of reports.md, through the reference computations."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from orchestration.reference.crm import Crm, RunSettings
from orchestration.reference.deal_change_history import rpt_deal_change_history
from orchestration.reference.deal_funnel import rpt_deal_funnel
from orchestration.reference.deal_pipeline_waterfall import (
    rpt_deal_pipeline_waterfall,
    waterfall,
)
from orchestration.reference.deal_push_rate import push_rate
from orchestration.reference.historical_snapshots import snapshot
from orchestration.reference.lead_journey import journey
from orchestration.reference.lead_response_time import business_ms, rpt_lead_response_time
from orchestration.reference.quota_attainment import rpt_quota_attainment
from orchestration.reference.sales_velocity import rpt_sales_velocity
from orchestration.reference.time_in_deal_stage import rpt_time_in_deal_stage

STAGES = {
    "s1": Decimal("0.2"),
    "s2": Decimal("0.4"),
    "s3": Decimal("0.6"),
    "s4": Decimal("0.8"),
    "won": Decimal(1),
    "lost": Decimal(0),
}


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


def text(value: object) -> str | None:
    return value.isoformat() if isinstance(value, datetime) else value and str(value)


class Examples:
    """Builds a small CRM deal by deal: a deal is a list of (instant, {property: value})."""

    def __init__(self, run_ts: datetime) -> None:
        self.run_ts = run_ts
        self.deals: list[dict] = []
        self.history: list[dict] = []

    def deal(self, name: str, *writes: tuple[datetime, dict]) -> None:
        present = {"pipeline": "default", "dealstage": None, "amount": None, "closedate": None}
        for at, values in [(writes[0][0], {"pipeline": "default"}), *writes]:
            for prop, value in values.items():
                present[prop] = Decimal(value) if prop == "amount" and value is not None else value
                self.history.append({"object_id": name, "name": prop, "value": text(value), "timestamp": at})
        self.deals.append({"id": name, "dealname": name, "createdate": writes[0][0], **present})

    def crm(self, **more: list[dict]) -> Crm:
        """The CRM of the deals, with the rows of `more` tables."""
        stages = [
            {
                "object_type": "deal",
                "pipeline_id": "default",
                "id": stage,
                "label": stage.upper(),
                "display_order": order,
                "probability": probability,
            }
            for order, (stage, probability) in enumerate(STAGES.items())
        ]
        tables = {
            "deals": self.deals,
            "deal_property_history": self.history,
            "pipelines": [{"object_type": "deal", "id": "default", "label": "Sales"}],
            "pipeline_stages": stages,
            "owners": [],
        } | more
        return Crm(tables, RunSettings(run_ts=self.run_ts))


def totals(rows: list[dict], key: str, *measures: str) -> dict:
    found = defaultdict(lambda: [0] * len(measures))
    for row in rows:
        for index, measure in enumerate(measures):
            found[row[key]][index] += row.get(measure) or 0
    return {name: tuple(values) for name, values in found.items()}


# --- 14, 12, 17: the twelve deals of section 14 ---------------------------------------------------

APRIL, JUNE_15, JULY = utc(2026, 4, 1), utc(2026, 6, 15), utc(2026, 7, 1)
Q2 = date(2026, 4, 1), date(2026, 7, 1)


def noon(month: int, day: int) -> datetime:
    return utc(2026, month, day, 12)


@pytest.fixture
def pipeline() -> Crm:
    crm = Examples(run_ts=utc(2026, 7, 15))
    early = noon(1, 10)

    def opened(amount, month, day):
        return {"dealstage": "s1", "amount": amount, "closedate": noon(month, day)}

    def closed(stage, at, **values):
        return at, {"dealstage": stage, "closedate": at, **values}

    crm.deal("d1", (early, opened(100, 6, 30)))
    crm.deal("d2", (early, opened(100, 6, 20)), (noon(5, 2), {"amount": 130}))
    crm.deal("d3", (early, opened(200, 5, 31)), closed("won", noon(5, 10), amount=180))
    crm.deal("d4", (early, opened(50, 4, 30)), closed("lost", noon(4, 20)))
    crm.deal(
        "d5",
        (early, opened(80, 5, 15)),
        (noon(5, 14), {"closedate": noon(8, 1)}),
        (noon(6, 5), {"amount": 90}),
    )
    crm.deal("d6", (early, opened(40, 6, 1)))
    crm.deal("d7", (early, opened(60, 9, 1)), (noon(5, 5), {"closedate": noon(6, 25), "amount": 70}))
    crm.deal("d8", (noon(4, 10), opened(30, 6, 28)))
    crm.deal(
        "d9",
        (noon(4, 12), opened(25, 6, 30)),
        closed("won", noon(5, 20), amount=35),
    )
    crm.deal("d10", (noon(4, 15), opened(500, 10, 1)))
    crm.deal(
        "d11",
        (early, opened(45, 2, 20)),
        closed("lost", noon(2, 15)),
        (noon(5, 1), {"dealstage": "s1", "closedate": noon(6, 30)}),
    )
    crm.deal("d12", (early, opened(None, 6, 30)), (noon(6, 1), {"amount": 20}))
    return crm.crm()


def test_waterfall(pipeline):
    rows = waterfall(pipeline, APRIL, JUNE_15, *Q2)
    assert totals(rows, "category", "deal_count", "amount") == {
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


def test_waterfall_sub_types(pipeline):
    rows = waterfall(pipeline, APRIL, JUNE_15, *Q2)
    named = {(row["deal_id"], row["category"]): row["sub_type"] for row in rows}
    assert named["d5", "pushed"] == "later"
    assert named["d6", "pushed"] == "lapsed"
    assert named["d7", "pulled"] == "from_later"
    assert not [row for row in rows if row["deal_id"] == "d10"]  # memo only


def test_waterfall_of_the_finished_quarter_ends_at_zero(pipeline):
    rows = [
        row
        for row in rpt_deal_pipeline_waterfall(pipeline)
        if row["period_grain"] == "quarter" and row["period_start"] == Q2[0]
    ]
    found = totals(rows, "category", "deal_count", "amount")
    assert found["pushed"][1] == -515
    assert found["won"] == (2, -215)
    assert "end" not in found


def test_change_history(pipeline):
    rows = [row for row in rpt_deal_change_history(pipeline) if APRIL <= row["changed_at"] < JUNE_15]
    inside = [row for row in rows if row["frame_date"] and Q2[0] <= row["frame_date"] < Q2[1]]
    outside = [row for row in rows if row not in inside]
    assert totals(inside, "category", "deal_amount")["created"] == (55,)
    counts = {
        where: {
            category: sum(row["category"] == category for row in part)
            for category in {row["category"] for row in part}
        }
        for where, part in (("in", inside), ("out", outside))
    }
    assert counts == {
        "in": {
            "created": 2,
            "won": 2,
            "lost": 1,
            "reopened": 1,
            "amount_increased": 4,
            "amount_decreased": 1,
            "close_date_pushed": 1,
            "lapsed": 1,
            "close_date_pulled": 1,
            "auto_close_date": 3,
        },
        "out": {"created": 1, "amount_increased": 1, "close_date_pushed": 1},
    }
    assert totals(inside, "category", "deal_amount")["won"] == (215,)
    assert totals(inside, "category", "delta_amount")["amount_increased"] == (70,)
    assert totals(outside, "category", "delta_amount")["amount_increased"] == (10,)


def test_snapshots(pipeline):
    def at(instant):
        rows = snapshot(pipeline, instant.date(), instant)
        return totals(rows, "deal_status", "deal_count", "total_amount")

    assert at(APRIL) == {"open": (8, 630), "lost": (1, 45)}
    assert at(utc(2026, 5, 1))["open"] == (10, 1135)
    june = at(utc(2026, 6, 1))
    assert june["open"] == (9, 995)
    assert (june["won"][0], june["lost"][0]) == (2, 1)
    assert at(JUNE_15)["open"] == (9, 1025)


# --- 15 -------------------------------------------------------------------------------------------


def test_push_rate():
    crm = Examples(run_ts=utc(2026, 7, 20))

    def deal(name, *close_days, closed_at=None):
        written = [noon(1, 1 + 7 * n) for n in range(len(close_days))]
        writes = [(at, {"closedate": noon(*day)}) for at, day in zip(written, close_days, strict=True)]
        writes[0][1]["dealstage"] = "s1"
        if closed_at:
            writes.append((closed_at, {"dealstage": "won", "closedate": closed_at}))
        crm.deal(name, *writes)

    deal("p1", (6, 30), (7, 31))
    deal("p2", (5, 15), (6, 10), closed_at=noon(6, 10))
    deal("p3", (6, 20), (9, 1), (6, 30))
    deal("p4", (9, 1), (6, 15), (8, 15))
    deal("p5", (6, 30))
    deal("p6", (6, 30), closed_at=noon(7, 3))
    deal("p7", (6, 15), (5, 1))
    deal("p8", (6, 30), (3, 25))
    deal("p9", (9, 1), (10, 1))
    rows = push_rate(crm.crm(), *Q2)
    found = {
        name: sum(row[f"{name}_count"] for row in rows)
        for name in ("eligible", "pushed", "returned", "via_close", "pulled_out")
    }
    assert found == {"eligible": 8, "pushed": 4, "returned": 1, "via_close": 1, "pulled_out": 1}


# --- 13 -------------------------------------------------------------------------------------------


def test_funnel():
    crm = Examples(run_ts=utc(2026, 3, 1))

    def deal(name, *stages):
        crm.deal(name, *((utc(2026, 1, 1 + n), {"dealstage": s}) for n, s in enumerate(stages)))

    deal("d1", "s1", "s2", "s3", "s4", "won")
    deal("d2", "s1", "s3", "won")
    deal("d3", "s2", "s3", "lost")
    deal("d4", "s1", "s2")
    deal("d5", "s1", "s2", "s1")
    deal("d6", "s1", "lost")
    rows = rpt_deal_funnel(crm.crm())

    def across(measure):
        found = totals(rows, "stage_id", measure)
        return [found.get(stage, (0,))[0] for stage in ("s1", "s2", "s3", "s4", "won")]

    assert across("entered_count") == [5, 4, 3, 1, 2]
    assert across("skipped_count") == [1, 1, 0, 1, 0]
    assert across("skipped_at_creation_count") == [1, 0, 0, 0, 0]
    assert across("reached_count") == [6, 5, 3, 2, 2]
    assert across("next_reached_count") == [5, 3, 2, 2, 0]
    assert across("lost_here_count") == [1, 0, 1, 0, 0]
    assert across("open_here_count") == [0, 2, 0, 0, 0]
    assert across("current_here_count") == [1, 1, 0, 0, 2]
    assert across("strict_count") == [5, 3, 1, 1, 1]


# --- 5b, 6 ----------------------------------------------------------------------------------------


def version(object_id: str, name: str, value: str, timestamp: datetime) -> dict:
    return {"object_id": object_id, "name": name, "value": value, "timestamp": timestamp}


def test_lead_journey():
    entries = {
        "c1": {"lead": 2, "mql": 5, "sql": 9, "customer": 20},
        "c2": {"lead": 3, "sql": 10},
        "c3": {"lead": 4, "mql": 8},
        "c4": {"lead": 5, "customer": 25},
        "c5": {"mql": 6, "sql": 12},
        "c6": {"lead": 7, "sql": 8, "mql": 9},
    }
    created_at = utc(2026, 1, 1)
    crm = Examples(run_ts=utc(2026, 2, 1)).crm(
        contacts=[
            {"id": id_, "createdate": created_at, "lifecyclestage": list(days)[-1]}
            for id_, days in entries.items()
        ],
        contact_property_history=[
            version(id_, "lifecyclestage", stage, utc(2026, 1, day))
            for id_, days in entries.items()
            for stage, day in days.items()
        ],
    )

    def across(measure, optional):
        stages = [(name, name, name in optional) for name in ("lead", "mql", "sql", "customer")]
        found = totals(journey(crm, tuple(stages)), "stage_position", measure)
        return [found.get(position, (0,))[0] for position in (1, 2, 3, 4)]

    assert across("contact_count", {"mql"}) == [5, 3, 3, 1]
    assert across("advanced_count", {"mql"}) == [4, 2, 1, 0]
    assert across("skipped_count", {"mql"}) == [0, 1, 0, 0]
    assert across("contact_count", {}) == [5, 3, 1, 1]
    # c6 goes back from MQL to SQL: advanced, but in no average (5b-3).
    assert across("time_to_next_count", {"mql"}) == [4, 1, 1, 0]
    # c1 and c4 are customers; only c1 came there through the journey, c6 is still an MQL.
    assert across("still_here_count", {"mql"}) == [0, 2, 1, 1]
    # The first stage is required, whatever it says.
    assert across("contact_count", {"lead", "mql", "sql", "customer"})[0] == 5
    assert across("contact_count", {"mql", "sql", "customer"}) == [5, 3, 3, 2]


def test_lead_response_time():
    """The four contacts of rep Y in section 6."""

    def march(day, hour, minute=0):
        return utc(2026, 3, day, hour, minute)

    handed_over = {"k2": march(2, 8), "k3": march(3, 9), "k4": march(3, 17), "k5": march(4, 9)}
    calls = [("a1", "X", "k2", march(1, 10, 5)), ("a2", "Y", "k2", march(2, 12))]
    emails = [
        ("e1", "X", "k3", march(3, 9, 10)),
        ("e2", "Y", "k3", march(3, 11)),
        ("e3", "Y", "k4", march(3, 16)),
    ]
    crm = Examples(run_ts=utc(2026, 4, 1)).crm(
        contacts=[{"id": id_, "createdate": march(1, 9), "hubspot_owner_id": "Y"} for id_ in handed_over],
        contact_property_history=[
            version("k2", "hubspot_owner_id", "X", march(1, 10)),
            *(version(id_, "hubspot_owner_id", "Y", at) for id_, at in handed_over.items()),
        ],
        calls=[{"id": id_, "hubspot_owner_id": owner, "hs_timestamp": at} for id_, owner, _, at in calls],
        emails=[
            {
                "id": id_,
                "hubspot_owner_id": owner,
                "hs_timestamp": at,
                "hs_email_direction": "EMAIL",
            }
            for id_, owner, _, at in emails
        ],
        meetings=[
            {
                "id": "m1",
                "hubspot_owner_id": "Y",
                "hs_createdate": march(4, 9, 5),
                "hs_meeting_start_time": march(6, 15),
            }
        ],
        associations=[
            {"from_type": kind, "from_id": id_, "to_type": "contact", "to_id": contact}
            for kind, pairs in (("call", calls), ("email", emails), ("meeting", [("m1", 0, "k5")]))
            for id_, _, contact, *_ in pairs
        ],
    )
    rows = {row["contact_id"]: row for row in rpt_lead_response_time(crm)}
    hours = {
        id_: row["response_time_ms"] and row["response_time_ms"] / 3_600_000 for id_, row in rows.items()
    }
    assert hours == {"k2": 4, "k3": 2, "k4": None, "k5": 54}
    assert {row["owner_id"] for row in rows.values()} == {"Y"}
    # In business hours (K16), 9 to 17: Monday 9-12, Tuesday 9-11, Wednesday 9 to Friday 15.
    assert [rows[k]["response_business_ms"] / 3_600_000 for k in ("k2", "k3", "k5")] == [3, 2, 22]


def test_business_hours_skip_nights_and_weekends():
    crm = Examples(run_ts=utc(2026, 4, 1)).crm()
    friday, monday = utc(2026, 3, 6, 16, 30), utc(2026, 3, 9, 9, 15)
    assert business_ms(crm, friday, monday) == 45 * 60_000
    assert business_ms(crm, utc(2026, 3, 7, 10), utc(2026, 3, 8, 10)) == 0


# --- 18 -------------------------------------------------------------------------------------------


def test_quota_attainment():
    targets = {4: 50, 5: 50, 6: 60}
    crm = Examples(run_ts=utc(2026, 6, 16))
    for number, (month, amount) in enumerate([(4, 40), (4, 15), (5, 30)]):
        closed_at = noon(month, 20)
        write = {"dealstage": "won", "amount": amount, "closedate": closed_at}
        crm.deal(f"d{number}", (noon(3, 1), {"dealstage": "s1"}), (closed_at, write))
        crm.deals[-1]["hubspot_owner_id"] = "7"
    rows = rpt_quota_attainment(
        crm.crm(
            owners=[{"id": "7", "user_id": "u7", "first_name": "Ann"}],
            goal_targets=[
                {
                    "id": str(month),
                    "hs_group_correlation_uuid": "goal",
                    "hs_assignee_user_id": "u7",
                    "hs_target_amount": Decimal(amount),
                    "hs_start_datetime": utc(2026, month, 1),
                    # The last millisecond of the month, but for May the start of the next.
                    "hs_end_datetime": utc(2026, month + 1, 1) - timedelta(milliseconds=month != 5),
                }
                for month, amount in targets.items()
            ],
        )
    )
    assert {(row["owner_id"], row["assignee_kind"]) for row in rows} == {("7", "owner")}
    found = {row["period_start"].month: row for row in rows}
    assert {month: row["actual_amount"] for month, row in found.items()} == {4: 55, 5: 30, 6: 0}
    assert {month: row["target_amount"] for month, row in found.items()} == targets
    shares = {
        month: round(float(row["cumulative_actual_amount"] / row["cumulative_target_amount"]), 3)
        for month, row in found.items()
    }
    assert shares == {4: 1.1, 5: 0.85, 6: 0.531}
    assert [row["period_end"] for row in rows] == [date(2026, n, 1) for n in (5, 6, 7)]
    assert found[4]["elapsed_share"] == 1
    assert found[6]["elapsed_share"] == 0.5


# --- 11, 25 ---------------------------------------------------------------------------------------


def test_time_in_stage():
    start, day = utc(2026, 1, 1), timedelta(days=1)
    crm = Examples(run_ts=start + 7 * day)

    def deal(name, created_at, *visits):
        writes, at = [], created_at
        for stage, days in visits:
            writes.append((at, {"dealstage": stage}))
            at += days * day
        writes[0][1]["closedate"] = utc(2026, 2, 1)
        crm.deal(name, *writes)

    deal("D1", start - 10 * day, ("s1", 2), ("s2", 3), ("s1", 1), ("s2", 4), ("won", 0))
    deal("D2", start - 10 * day, ("s1", 5), ("s3", 2), ("lost", 0))
    deal("D3", start, ("s1", 1), ("s2", 6))  # open: six days in s2 so far
    found = totals(
        rpt_time_in_deal_stage(crm.crm()),
        "stage_id",
        "deal_count",
        "total_time_ms",
        "latest_time_ms",
        "still_in_stage_count",
    )
    ms = 86_400_000
    assert found["s1"] == (3, 9 * ms, 7 * ms, 0)
    assert found["s2"] == (2, 13 * ms, 10 * ms, 1)
    assert set(found) == {"s1", "s2", "s3"}


def test_sales_velocity():
    closed_at = utc(2026, 5, 1)
    crm = Examples(run_ts=utc(2026, 6, 1))
    won = [(12_000, 20.5), (8_000, 40), (None, 30), (10_000, 10)]
    for number, (amount, days) in enumerate(won):
        created_at = closed_at - timedelta(days=days)
        crm.deal(
            f"w{number}",
            (created_at, {"dealstage": "s1", "amount": amount}),
            (closed_at, {"dealstage": "won", "closedate": closed_at}),
        )
    for number in range(6):
        crm.deal(
            f"l{number}",
            (closed_at - timedelta(days=9), {"dealstage": "s1"}),
            (closed_at, {"dealstage": "lost", "closedate": closed_at}),
        )
    (row,) = rpt_sales_velocity(crm.crm())
    n, won_count, with_amount = row["closed_count"], row["won_count"], row["won_with_amount_count"]
    average = float(row["won_amount"]) / with_amount
    days = row["days_to_win_ms"] / row["valid_won_count"] / 86_400_000
    assert (n, won_count, with_amount, average, days) == (10, 4, 3, 10_000, 25.125)
    assert round(n * (won_count / n) * average / days, 2) == 1592.04
    assert round(float(row["won_amount"]) / days, 2) == 1194.03
