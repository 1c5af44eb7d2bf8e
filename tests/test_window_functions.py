"""The functions of the window reports (12, 14, 15, 17) answer for any window as the references do.

Belongs here: random windows that are no calendar periods, random filters and groups, on CRMs full of
traps; the waterfall's balance and tiling for every group; mart = function where a window is a standard
one. Worked examples stand in `test_function_examples_windows.py`.
"""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date, timedelta

import pytest

from orchestration.checks.definitions import definitions
from orchestration.drill_down import mart_drill_down
from orchestration.reference.crm import Crm, RunSettings
from orchestration.reference.deal_change_history import rpt_deal_change_history
from orchestration.reference.deal_pipeline_waterfall import waterfall
from orchestration.reference.deal_push_rate import push_rate
from orchestration.reference.historical_snapshots import as_of_instant, snapshot
from orchestration.reference.raw import fetch
from tests.crm_generator import hard_crm
from tests.function_oracle import Request, TeamTree
from tests.harness import load_crm
from tests.test_functions import assert_sums_equal, groups_of, sums

REQUESTS = 8
FUNCTIONS = (
    "deal_pipeline_waterfall",
    "deal_push_rate",
    "historical_snapshots",
    "deal_change_history",
    "deal_change_history_summary",
)
MARTS = ("rpt_deal_pipeline_waterfall", "rpt_deal_push_rate", "rpt_historical_snapshots")
CATEGORIES = (
    "begin created pulled reopened moved_in increased decreased pushed lost won moved_out removed end"
).split()
PUSH_MEASURES = (
    "eligible_count pushed_count returned_count pulled_out_count via_close_count push_count "
    "timed_push_count pushed_days pushed_amount"
).split()
SNAPSHOT_MEASURES = "deal_count total_amount weighted_amount unknown_count".split()


def pytest_generate_tests(metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", range(metafunc.config.getoption("--crms")), scope="module")


class Asker:
    """Random questions about one CRM: to the functions of its build, and to the references."""

    def __init__(self, seed: int) -> None:
        generated = hard_crm(seed)
        self.rng = random.Random(seed)
        self.crm = Crm(generated.tables, RunSettings(**generated.settings))
        self.build = load_crm(generated.tables, **generated.settings)
        self.connection = self.build.ensure(*FUNCTIONS, *MARTS)
        self.teams = TeamTree(self.crm)

    def ask(self, function: str, request: Request) -> list[dict]:
        return fetch(self.connection, f"from reports.{function}({request.sql})")

    def day(self) -> date:
        return self.crm.today - timedelta(days=self.rng.randint(-120, 400))

    def days(self) -> tuple[date, date]:
        """A half-open range of days, mostly no calendar period; now and then an empty one."""
        start = self.day()
        return start, start + timedelta(days=self.rng.choice([0, 1, 9, 40, 91, 200, 400]))

    def request(self, groups: tuple[str, ...] = (), **own) -> Request:
        start, end = self.days()
        return Request(
            start,
            end,
            group_by=self.rng.choice(["none", "owner", "team", *groups]),
            owners=self.some("core.dim_owners", "owner_id"),
            teams=self.some("core.dim_teams", "team_id"),
            pipelines=self.some("core.dim_pipelines", "pipeline_id"),
            include_subteams=self.rng.random() < 0.5,
            own=own,
        )

    def some(self, table: str, column: str) -> tuple[str, ...] | None:
        if self.rng.random() < 0.7:
            return None
        ids = sorted(row[0] for row in self.connection.execute(f"select {column} from {table}").fetchall())
        return tuple(sorted(self.rng.sample(ids, self.rng.randint(1, len(ids)))))

    def close_range(self) -> tuple[date, date] | None:
        """A close-date range other than the change range, or none."""
        return self.days() if self.rng.random() < 0.6 else None

    def grouped(self, rows: list[dict], request: Request) -> list[dict]:
        """The rows that the request asks for, once per group in which they count."""
        found = []
        for row in rows:
            above = self.teams.path(row["team_id"]) if request.include_subteams else [row["team_id"]]
            if (
                (request.owners is None or row["owner_id"] in request.owners)
                and (request.teams is None or set(above) & set(request.teams))
                and (request.pipelines is None or row["pipeline_id"] in request.pipelines)
            ):
                found += [row | {"group_id": group} for group in groups_of(row, above, request, self.teams)]
        return found


@pytest.fixture(scope="module")
def any_asker():
    asker = Asker(1)
    yield asker
    asker.build.connection.close()


@pytest.fixture(scope="module")
def asker(seed):
    asker = Asker(seed)
    yield asker
    asker.build.connection.close()


def arguments(close_range: tuple[date, date] | None) -> dict[str, object]:
    return {} if close_range is None else dict(zip(("close_from", "close_to"), close_range, strict=True))


# --- 14 -------------------------------------------------------------------------------------------


def expected_waterfall(asker: Asker, request: Request) -> list[dict]:
    """The reference's lines; the change period ends at run_ts (K12), later ones have none (14b)."""
    crm = asker.crm
    begin, end = (crm.midnight(day) for day in (request.date_from, request.date_to))
    if begin > crm.run_ts:
        return []
    frame = [request.own.get("close_from", request.date_from), request.own.get("close_to", request.date_to)]
    return waterfall(crm, begin, min(end, crm.run_ts), *frame)


def test_waterfall_answers_as_the_reference_does(asker):
    for _ in range(REQUESTS):
        request = asker.request(("pipeline",), **arguments(asker.close_range()))
        keys, measures = ["group_id", "category"], ["deal_count", "amount"]
        expected = asker.grouped(expected_waterfall(asker, request), request)
        actual = asker.ask("deal_pipeline_waterfall", request)
        assert_sums_equal(request.sql, sums(actual, keys, measures), sums(expected, keys, measures))
        groups = {row["group_id"] for row in expected} | ({"all"} if request.group_by == "none" else set())
        assert [row["category"] for row in actual] == CATEGORIES * len(groups)


def test_waterfall_balances_to_the_cent_for_every_group(asker):
    for group_by in ("none", "owner", "team", "pipeline"):
        for amount_field in ("total", "weighted"):
            own = arguments(asker.close_range()) | {"amount_field": amount_field}
            request = replace(asker.request(), group_by=group_by, own=own)
            balances = {}
            for row in asker.ask("deal_pipeline_waterfall", request):
                amounts, counts = balances.setdefault(row["group_id"], ({}, {}))
                amounts[row["category"]] = row["amount"]
                counts[row["category"]] = row["deal_count"]
            for group, (amounts, counts) in balances.items():
                moves = [a for name, a in amounts.items() if name not in ("begin", "end")]
                assert amounts["begin"] + sum(moves) == amounts["end"], (request.sql, group, amounts)
                entered = sum(counts[name] for name in ("begin", "created", "pulled", "reopened", "moved_in"))
                left = sum(counts[name] for name in ("pushed", "lost", "won", "moved_out", "removed"))
                assert entered - left == counts["end"], (request.sql, group, counts)


def test_waterfall_tiles(asker):
    """End of one window = beginning of the next, for the same close-date period."""
    for _ in range(REQUESTS):
        low, middle, high = sorted(asker.day() for _ in range(3))
        own = dict(zip(("close_from", "close_to"), asker.days(), strict=True))
        request = replace(asker.request(("pipeline",)), date_from=low, date_to=middle, own=own)
        if asker.crm.midnight(middle) > asker.crm.run_ts:
            continue
        first = asker.ask("deal_pipeline_waterfall", request)
        second = asker.ask("deal_pipeline_waterfall", replace(request, date_from=middle, date_to=high))
        measures = ["deal_count", "amount"]
        ends = sums([row for row in first if row["category"] == "end"], ["group_id"], measures)
        begins = sums([row for row in second if row["category"] == "begin"], ["group_id"], measures)
        assert_sums_equal(request.sql, begins, ends)


def test_waterfall_of_a_bucket_is_that_of_its_days(asker):
    start = asker.day().replace(day=1)
    request = Request(start, start + timedelta(days=100), group_by="owner", bucket="month")
    rows = asker.ask("deal_pipeline_waterfall", request)
    for bucket in {row["bucket_start"] for row in rows}:
        end = min(asker.crm.period_end("month", bucket), request.date_to)
        alone = Request(max(bucket, start), end, group_by="owner")
        assert_sums_equal(
            alone.sql,
            sums(
                [r for r in rows if r["bucket_start"] == bucket],
                ["group_id", "category"],
                ["deal_count", "amount"],
            ),
            sums(
                asker.ask("deal_pipeline_waterfall", alone),
                ["group_id", "category"],
                ["deal_count", "amount"],
            ),
        )


def test_waterfall_mart_is_the_function_of_its_periods(asker):
    keys, measures = ["category", "owner_id"], ["deal_count", "amount"]
    mart = fetch(asker.connection, "select * from reports.rpt_deal_pipeline_waterfall")
    periods = sorted({(row["period_grain"], row["period_start"]) for row in mart})
    for grain, start in asker.rng.sample(periods, min(4, len(periods))):
        request = Request(start, asker.crm.period_end(grain, start))
        actual = asker.ask("deal_pipeline_waterfall", request)
        assert_sums_equal(
            request.sql,
            sums([row | {"owner_id": row["group_id"]} for row in actual], keys, measures),
            sums(
                [r for r in mart if (r["period_grain"], r["period_start"]) == (grain, start)], keys, measures
            ),
        )


# --- 15 -------------------------------------------------------------------------------------------


def test_push_rate_answers_as_the_reference_does(asker):
    for _ in range(REQUESTS):
        request = asker.request(("pipeline", "stage"))
        expected = asker.grouped(push_rate(asker.crm, request.date_from, request.date_to), request)
        actual = asker.ask("deal_push_rate", request)
        assert_sums_equal(
            request.sql,
            sums(actual, ["group_id"], PUSH_MEASURES),
            sums(expected, ["group_id"], PUSH_MEASURES),
        )
        for row in actual:
            assert (row["push_rate"] is None) == (row["eligible_count"] == 0)
            if row["eligible_count"]:
                net = row["pushed_count"] - row["returned_count"]
                assert row["net_push_rate"] == pytest.approx(net / row["eligible_count"])


def test_push_rate_switches(asker):
    """Without pushes by closing, exactly the deals of via_close_count are none any more (15c)."""
    for _ in range(REQUESTS):
        request = replace(asker.request(), group_by="none")
        (default,) = asker.ask("deal_push_rate", request)
        (without,) = asker.ask("deal_push_rate", replace(request, own={"include_via_close": False}))
        (both,) = asker.ask("deal_push_rate", replace(request, own={"direction": "any"}))
        assert without["pushed_count"] == default["pushed_count"] - default["via_close_count"]
        assert without["via_close_count"] == 0
        assert default["eligible_count"] == without["eligible_count"] == both["eligible_count"]
        assert max(default["pushed_count"], default["pulled_out_count"]) <= both["pushed_count"]
        assert both["pushed_count"] <= default["pushed_count"] + default["pulled_out_count"]


def test_push_rate_mart_is_the_function_of_its_periods(asker):
    mart = fetch(asker.connection, "select * from reports.rpt_deal_push_rate")
    periods = sorted({(row["period_grain"], row["period_start"]) for row in mart})
    for grain, start in asker.rng.sample(periods, min(4, len(periods))):
        request = Request(start, asker.crm.period_end(grain, start))
        actual = asker.ask("deal_push_rate", request)
        assert_sums_equal(
            request.sql,
            sums([row | {"owner_id": row["group_id"]} for row in actual], ["owner_id"], PUSH_MEASURES),
            sums(
                [r for r in mart if (r["period_grain"], r["period_start"]) == (grain, start)],
                ["owner_id"],
                PUSH_MEASURES,
            ),
        )


# --- 17 -------------------------------------------------------------------------------------------


def asked_dates(crm: Crm, request: Request, every: str) -> list[date]:
    """The last days of the periods in the range, and today."""
    days = [request.date_from + timedelta(n) for n in range((request.date_to - request.date_from).days)]
    following = timedelta(days=1)
    return [
        day
        for day in days
        if day == crm.today
        or (day < crm.today and crm.period_start(every, day + following) == day + following)
    ]


def test_snapshots_answer_as_the_reference_does(asker):
    crm, rng = asker.crm, asker.rng
    for _ in range(REQUESTS):
        own = {
            "every": rng.choice(["day", "week", "month", "quarter"]),
            "break_down_by": rng.choice(["stage", "amount_band", "forecast_category"]),
            **({"include_closed": rng.random() < 0.5} if rng.random() < 0.5 else {}),
        }
        request = asker.request(("pipeline",), **own)
        if own["every"] == "day":
            request = replace(request, date_to=min(request.date_to, request.date_from + timedelta(days=40)))
        shows_closed = own.get("include_closed", request.pipelines is None)
        category = {"stage": "stage_id"}.get(own["break_down_by"], own["break_down_by"])
        keys = ["group_id", "snapshot_date", category]
        expected = [
            row | {measure: row[measure] or 0 for measure in SNAPSHOT_MEASURES}
            for day in asked_dates(crm, request, own["every"])
            for row in snapshot(crm, day, as_of_instant(crm, day))
            if shows_closed or row["deal_status"] not in ("won", "lost")
        ]
        actual = asker.ask("historical_snapshots", request)
        assert_sums_equal(
            request.sql,
            sums(actual, keys, SNAPSHOT_MEASURES),
            sums(asker.grouped(expected, request), keys, SNAPSHOT_MEASURES),
        )
        # On a first run only the day that has just ended, which this run is about to store (K7).
        assert {row["snapshot_date"] for row in actual if row["is_stored"]} <= {crm.today - timedelta(days=1)}


def test_snapshots_of_a_close_range_are_where_the_waterfall_begins(asker):
    """R4, 17(d): for a period that lies ahead nothing in it has lapsed. Deals whose past is known."""
    crm = asker.crm
    for _ in range(REQUESTS):
        day = crm.today - timedelta(days=asker.rng.randint(2, 200))
        begin = day + timedelta(days=1)
        frame = (begin, begin + timedelta(days=asker.rng.choice([1, 30, 92])))
        close_range = f"close_from := date '{frame[0]}', close_to := date '{frame[1]}'"
        points = fetch(
            asker.connection,
            f"from reports.historical_snapshots(date '{day}', date '{begin}', group_by := 'owner', "
            f"every := 'day', include_closed := false, {close_range})",
        )
        begins = fetch(
            asker.connection,
            f"from reports.deal_pipeline_waterfall(date '{begin}', date '{begin}', {close_range})",
        )
        unknown = {row["group_id"] for row in points if row["unknown_count"]}
        points = [row | {"amount": row["total_amount"]} for row in points if row["group_id"] not in unknown]
        begins = [r for r in begins if r["category"] == "begin" and r["group_id"] not in unknown]
        measures = ["deal_count", "amount"]
        assert_sums_equal(
            close_range, sums(points, ["group_id"], measures), sums(begins, ["group_id"], measures)
        )


def test_snapshot_cells_have_their_records(asker):
    """U4, through the drill-down of the report's YAML; the other marts are followed in every build."""
    (report,) = [d for d in definitions() if d.mart == "rpt_historical_snapshots"]
    mart = fetch(asker.connection, f"select * from reports.{report.mart}")
    for measure in report.measures:
        way = mart_drill_down({"drill_down": report.drill_down}, measure)
        keys = ", ".join(f"{way.column(name)} as {name}" for name in report.grain)
        counted = f"count(distinct {way.id})" if way.value is None else f"coalesce(sum({way.value}), 0)"
        records = fetch(
            asker.connection,
            f"select {keys}, {counted} as {measure} from {way.relation} where {way.where} group by all",
        )
        grain = list(report.grain)
        assert_sums_equal(measure, sums(records, grain, [measure]), sums(mart, grain, [measure]))


# --- 12 -------------------------------------------------------------------------------------------


def is_inside(row: dict, request: Request) -> bool:
    start = request.own.get("close_from", request.date_from)
    end = request.own.get("close_to", request.date_to)
    return row["frame_date"] is not None and start <= row["frame_date"] < end


def test_change_summary_counts_the_changes_of_the_reference(asker):
    changes = rpt_deal_change_history(asker.crm)
    for _ in range(REQUESTS):
        request = asker.request(("category",), **arguments(asker.close_range()))
        rows = asker.grouped(
            [
                row
                | {"is_inside": is_inside(row, request), "change_count": 1}
                | {"amount": row["deal_amount"] or 0 if row["delta_amount"] is None else row["delta_amount"]}
                for row in changes
                if request.date_from <= row["changed_date"] < request.date_to
            ],
            request,
        )
        keys = ["group_id", "category", "is_inside"]
        actual = asker.ask("deal_change_history_summary", request)
        measures = ["change_count", "amount"]
        assert_sums_equal(request.sql, sums(actual, keys, measures), sums(rows, keys, measures))
        deals = {(*(row[key] for key in keys), row["deal_id"]): None for row in rows}
        counted = [dict(zip(keys, key, strict=False)) | {"deal_count": 1} for key in deals]
        assert_sums_equal(
            request.sql, sums(actual, keys, ["deal_count"]), sums(counted, keys, ["deal_count"])
        )


def test_net_amounts_of_changes_are_what_is_left_of_the_gross(asker):
    """Each deal's amount changes within a cell's side add up to its net, whichever way they went."""
    for _ in range(REQUESTS):
        request = replace(asker.request(), include_subteams=False)
        rows = [
            row
            for row in asker.ask("deal_change_history_summary", request)
            if row["category"] in ("amount_increased", "amount_decreased")
        ]
        keys = ["group_id", "is_inside"]
        gross = sums([{**row, "left": row["amount"]} for row in rows], keys, ["left"])
        net = sums([{**row, "left": row["net_amount"]} for row in rows], keys, ["left"])
        assert_sums_equal(request.sql, net, gross)
        for row in rows:
            assert abs(row["net_amount"]) <= abs(row["amount"])


def test_change_rows_are_those_that_the_summary_counts(asker):
    for _ in range(REQUESTS):
        request = asker.request(**arguments(asker.close_range()))
        rows = asker.ask("deal_change_history", request)
        summary = asker.ask("deal_change_history_summary", request)
        keys = ["group_id", "category", "is_inside"]
        counted = [row | {"change_count": 1} for row in rows]
        assert_sums_equal(
            request.sql, sums(counted, keys, ["change_count"]), sums(summary, keys, ["change_count"])
        )
        assert [row["changed_at"] for row in rows] == sorted(
            (row["changed_at"] for row in rows), reverse=True
        )


# --- wrong arguments ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (
            "deal_pipeline_waterfall({d}, amount_field := 'net')",
            "amount_field must be one of: total, weighted",
        ),
        ("deal_pipeline_waterfall({d}, close_from := date '2031-01-01')", "close_to must not lie before"),
        ("deal_push_rate({d}, direction := 'earlier')", "direction must be one of: later, any"),
        (
            "deal_push_rate({d}, group_by := 'category')",
            "group_by must be one of: none, owner, team, stage, pipeline",
        ),
        ("historical_snapshots({d}, every := 'year')", "every must be one of: week, day, month, quarter"),
        ("historical_snapshots({d}, break_down_by := 'owner')", "break_down_by must be one of"),
        ("historical_snapshots({d}, bucket := 'month', cumulative := true)", "cumulative: a snapshot counts"),
        (
            "deal_change_history_summary({d}, categories := ['renamed'])",
            "categories has renamed; choose from",
        ),
        ("deal_change_history({d}, bucket := 'month', cumulative := true)", "cumulative: rows have no"),
    ],
)
def test_wrong_argument_is_an_error_that_names_the_choices(any_asker, call, says):
    with pytest.raises(Exception, match=says.replace("(", r"\(")):
        fetch(any_asker.connection, "from reports." + call.format(d="date '2026-01-01', date '2026-04-01'"))
