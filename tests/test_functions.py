"""The report functions keep the contract of `marts.md`, on CRMs full of traps.

Belongs here: what every report function owes, asked with random windows, groups, filters and
switches. A function is held to it as soon as its YAML stands beside it. What the right answers of
single functions are stands in `function_oracle.py`; worked examples in `test_function_examples.py`.
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal

import duckdb
import pytest

from orchestration.checks.definitions import DISTINCT_MEASURES
from orchestration.checks.universal_functions import NOT_ADDITIVE
from orchestration.drill_down import function_drill_down
from orchestration.reference.crm import Crm, RunSettings
from orchestration.reference.raw import fetch
from orchestration.report_functions import is_function
from tests.activity_oracles import ACTIVITY_ORACLES
from tests.crm_generator import hard_crm
from tests.function_oracle import CLASSES, ORACLES, Request, TeamTree, sql_value
from tests.harness import Build, compiled_manifest, load_crm, write_marts

ANSWERS = ORACLES | ACTIVITY_ORACLES
REQUESTS = 6
"""Random requests per function and CRM."""
# Switches under which a measure no longer adds up over owners: the parts of a visit do, its deal and
# the visit itself count for each owner.
PARTS = {("time_in_deal_stage", "owner_basis", "as_of"): {"deal_count", "visit_count"}}
RANGE = "date '2026-01-01', date '2026-07-01'"
# Functions that ask for exactly one pipeline.
ONE_PIPELINE = {"deal_funnel"}
DERIVED_ENDS = ("_rate", "_share")
DERIVED_BEGINS = ("average_", "median_", "p90_", "previous_", "velocity")


NODES = {node["name"]: node for node in compiled_manifest()["nodes"].values()}
ALL_FUNCTIONS = {n: node for n, node in NODES.items() if node["schema"] == "reports" and is_function(node)}


@dataclass(frozen=True)
class Function:
    """A report function and its mart, as the manifest describes them."""

    name: str
    meta: dict
    report: dict

    @property
    def mart(self) -> str:
        return f"rpt_{self.name}"

    @property
    def arguments(self) -> dict[str, object]:
        return self.meta["function"]["arguments"]

    @property
    def has_pipelines(self) -> bool:
        return self.meta["function"]["has_pipelines"]

    @property
    def whole(self) -> str:
        """A range in SQL, with the arguments that the function cannot do without."""
        return RANGE + (", pipelines := ['default']" if self.name in ONE_PIPELINE else "")

    @property
    def measures(self) -> list[str]:
        """The measures that add up over groups and dates."""
        return [m for m in self.report["measures"] if m not in DISTINCT_MEASURES.get(self.mart, ())]


def report_functions() -> dict[str, Function]:
    """The functions of additive marts by name; window reports have tests of their own (P15, P16)."""
    found = {}
    for name, node in NODES.items():
        report = NODES.get(f"rpt_{name}", {}).get("config", {}).get("meta", {}).get("report")
        if report and f"rpt_{name}" not in NOT_ADDITIVE:
            found[name] = Function(name, node["config"]["meta"], report)
    return found


FUNCTIONS = report_functions()


def pytest_generate_tests(metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        crms = max(2, metafunc.config.getoption("--crms") // 4)  # a call takes its time
        metafunc.parametrize("seed", range(crms), scope="module")
    if "name" in metafunc.fixturenames:
        metafunc.parametrize("name", sorted(ALL_FUNCTIONS))
    if "function" in metafunc.fixturenames:
        names = sorted(ANSWERS.keys() & FUNCTIONS.keys() if "oracle" in metafunc.fixturenames else FUNCTIONS)
        metafunc.parametrize("function", [FUNCTIONS[name] for name in names], ids=names)


@pytest.fixture(scope="module")
def generated(seed):
    """One CRM: its build, and the same rows for the references."""
    crm = hard_crm(seed)
    build = load_crm(crm.tables, **crm.settings)
    yield build, Crm(crm.tables, RunSettings(**crm.settings))
    build.connection.close()


# --- asking ---------------------------------------------------------------------------------------


class Asker:
    """Random requests to one function about one CRM."""

    def __init__(self, build: Build, crm: Crm, function: Function, seed: int) -> None:
        self.function = function
        self.crm = crm
        dims = ("dim_owners", "dim_teams", "dim_pipelines")
        self.connection = build.ensure(function.name, function.mart, *dims)
        self.rng = random.Random(f"{seed} {function.name}")

    def answer(self, request: Request) -> list[dict]:
        return fetch(self.connection, f"from reports.{self.function.name}({request.sql})")

    def request(self, **given) -> Request:
        """A random request; `given` are fixed."""
        rng, function = self.rng, self.function
        date_from = self.crm.today - timedelta(days=rng.choice([0, 1, 20, 90, 200, 430]))
        date_to = date_from + timedelta(days=rng.choice([0, 1, 7, 31, 92, 366, 550]))
        pipelines = self.subset("core.dim_pipelines", "pipeline_id") if function.has_pipelines else None
        if function.name in ONE_PIPELINE:
            pipelines = (rng.choice(["default", "second"]),)
        values = {
            "date_from": date_from,
            "date_to": date_to,
            "group_by": rng.choice(function.meta["function"]["group_by"]),
            "owners": self.subset("core.dim_owners", "owner_id"),
            "teams": self.subset("core.dim_teams", "team_id"),
            "pipelines": pipelines,
            "include_subteams": rng.random() < 0.5,
            "bucket": rng.choice([None, None, *self.fitting_buckets(date_from, date_to)]),
            "own": {},
        }
        return Request(**(values | given))

    def fitting_buckets(self, date_from: date, date_to: date) -> list[str]:
        days = (date_to - date_from).days
        return [*(["day"] * (days < 40)), *(["week"] * (days < 370)), "month", "quarter", "year"]

    def subset(self, table: str, column: str) -> tuple[str, ...] | None:
        """NULL mostly, else some ids."""
        if self.rng.random() < 0.7:
            return None
        ids = [row[0] for row in self.connection.execute(f"select {column} from {table}").fetchall()]
        return tuple(sorted(self.rng.sample(sorted(ids), self.rng.randint(1, len(ids)))))

    def own_arguments(self) -> dict[str, object]:
        """Values for some of the function's own arguments with a choice of values."""
        found = {}
        for name, choices in self.function.arguments.items():
            if isinstance(choices, list) and self.rng.random() < 0.6:
                found[name] = self.rng.choice(choices)
            elif isinstance(choices, dict) and self.rng.random() < 0.3:
                values = choices["each_of"]
                found[name] = tuple(self.rng.sample(values, self.rng.randint(1, len(values))))
        return found


@pytest.fixture
def asker(generated, function, seed) -> Asker:
    build, crm = generated
    return Asker(build, crm, function, seed)


# --- the answer is right --------------------------------------------------------------------------


@pytest.fixture
def oracle(function):
    return ANSWERS[function.name]


def test_function_answers_as_the_slow_computation_does(asker, oracle):
    """Rows, order, labels, measures and derived columns, with every switch."""
    for _ in range(REQUESTS):
        request = asker.request(own=asker.own_arguments(), cumulative=asker.rng.random() < 0.3)
        if request.bucket is None:
            request = replace(request, cumulative=False)
        expected = oracle(asker.crm, **request.own).answer(request)
        assert_same_answer(request.sql, asker.answer(request), expected)


def assert_same_answer(what: str, actual: list[dict], expected: list[dict]) -> None:
    assert len(actual) == len(expected), f"{what}: {len(actual)} rows instead of {len(expected)}"
    for place, (ours, theirs) in enumerate(zip(expected, actual, strict=True)):
        assert list(theirs) == [*ours], f"{what}: columns are {list(theirs)} instead of {list(ours)}"
        for column in ours:
            assert is_equal(theirs[column], ours[column]), (
                f"{what}\nrow {place}, {column}: {theirs[column]!r} instead of {ours[column]!r}"
                f"\nexpected {ours}\nactual   {theirs}"
            )


def is_equal(actual: object, expected: object) -> bool:
    """Exactly, but for floats, which agree to 1e-9 (K13)."""
    if isinstance(actual, float) and isinstance(expected, float):
        return math.isclose(actual, expected, rel_tol=1e-9, abs_tol=1e-12)
    return actual == expected


def test_every_switch_makes_a_difference():
    """Each value of each switch is seen to answer otherwise than the default, on some CRM."""
    unproven = {
        (name, argument, value)
        for name in ANSWERS.keys() & FUNCTIONS.keys()
        for argument, choices in FUNCTIONS[name].arguments.items()
        if isinstance(choices, list)
        for value in choices[1:]
    }
    for seed in range(40):
        if not unproven:
            break
        generated_crm = hard_crm(seed)
        crm = Crm(generated_crm.tables, RunSettings(**generated_crm.settings))
        build = load_crm(generated_crm.tables, **generated_crm.settings)
        request = Request(crm.today - timedelta(days=400), crm.today + timedelta(days=100))
        for name, argument, value in sorted(unproven, key=str):
            asker = Asker(build, crm, FUNCTIONS[name], seed)
            if asker.answer(request) != asker.answer(replace(request, own={argument: value})):
                unproven.discard((name, argument, value))
        build.connection.close()
    assert not unproven


# --- mart = function ------------------------------------------------------------------------------


def test_mart_adds_up_to_the_function(asker, function):
    """Aggregating the mart over a range gives the function's additive measures, whatever is asked."""
    mart = fetch(asker.connection, f"select * from reports.{function.mart}")
    for _ in range(REQUESTS):
        request = asker.request(own=shared_arguments(asker))
        actual = asker.answer(request)
        keys = group_keys(function, actual)
        assert_sums_equal(
            request.sql,
            sums(actual, keys, function.measures),
            sums(expected_rows(asker, mart, request, keys), keys, function.measures),
        )


def shared_arguments(asker: Asker) -> dict[str, object]:
    """Switches that choose rows of the mart: only `status` does, where the mart has the column."""
    choices = asker.function.arguments.get("status")
    if choices and "deal_status" in asker.function.report["grain"]:
        return {"status": asker.rng.choice(choices)}
    return {}


def group_keys(function: Function, answer: list[dict]) -> list[str]:
    """The group and those parts of the mart's grain that the function shows as well."""
    shown = set(answer[0]) if answer else set()
    return [
        "group_id",
        *(["bucket_start"] if "bucket_start" in shown else []),
        *[column for column in function.report["grain"] if column in shown],
    ]


def expected_rows(asker: Asker, mart: list[dict], request: Request, keys: list[str]) -> list[dict]:
    """The mart's rows that the request asks for, once per group that they count in."""
    function, teams = asker.function, TeamTree(asker.crm)
    day = next(column for column in function.report["grain"] if column.endswith("_date"))
    statuses = CLASSES[request.own["status"]] if "status" in request.own else None
    found = []
    for row in mart:
        above = teams.path(row["team_id"]) if request.include_subteams else [row["team_id"]]
        if not (
            request.date_from <= row[day] < request.date_to
            and (request.owners is None or row["owner_id"] in request.owners)
            and (request.teams is None or set(above) & set(request.teams))
            and (request.pipelines is None or row["pipeline_id"] in request.pipelines)
            and (statuses is None or row["deal_status"] in statuses)
        ):
            continue
        bucket = asker.crm.period_start(request.bucket, row[day]) if request.bucket else None
        for group in groups_of(row, above, request, teams):
            found.append(row | {"group_id": group, "bucket_start": bucket})
    return found


def groups_of(row: dict, above: list[str], request: Request, teams: TeamTree) -> list[str]:
    match request.group_by:
        case "none":
            return ["all"]
        case "team":
            asked = above if request.include_subteams else above[:1]
            return [
                team
                for team in asked
                if request.teams is None
                or team in request.teams
                or (request.include_subteams and set(teams.path(team)) & set(request.teams))
            ]
        case other:
            return [row[other if other in row else f"{other}_id"]]


def sums(rows: list[dict], keys: list[str], measures: list[str]) -> dict[tuple, dict[str, object]]:
    """Measures by key; keys whose measures are all zero are left out."""
    found: dict[tuple, dict[str, object]] = defaultdict(lambda: dict.fromkeys(measures, Decimal(0)))
    for row in rows:
        total = found[tuple(row[key] for key in keys)]
        for measure in measures:
            total[measure] += row[measure]
    return {key: total for key, total in found.items() if any(total.values())}


def assert_sums_equal(what: str, actual: dict, expected: dict) -> None:
    differing = sorted(k for k in actual.keys() | expected.keys() if actual.get(k) != expected.get(k))
    shown = "\n".join(f"{k}: {actual.get(k)} instead of {expected.get(k)}" for k in differing[:4])
    assert not differing, f"{what}\n{len(differing)} differ\n{shown}"


# --- the universal invariants ---------------------------------------------------------------------


def additive(function: Function, own: dict[str, object]) -> list[str]:
    parts = set().union(*(PARTS.get((function.name, *pair), set()) for pair in own.items()))
    return [measure for measure in function.measures if measure not in parts]


def test_groups_add_up_to_the_whole(asker, function):
    """U1, for owners and main teams."""
    own = asker.own_arguments()
    request = asker.request(own=own, include_subteams=False, group_by="none")
    measures = additive(function, own)
    whole = sums(asker.answer(request), [], measures)
    for group_by in ("owner", "team"):
        rows = asker.answer(replace(request, group_by=group_by))
        assert_sums_equal(f"{group_by}: {request.sql}", sums(rows, [], measures), whole)


def test_subteams_add_up_at_their_roots(asker, function):
    """27.2: with subteams a row is a team with all below it; the roots are everybody."""
    own = asker.own_arguments()
    request = asker.request(own=own, include_subteams=True, group_by="team", teams=None)
    rows = asker.answer(request)
    roots = [row for row in rows if row["parent_team_id"] is None]
    measures = additive(function, own)
    whole = asker.answer(replace(request, group_by="none", include_subteams=False))
    assert all((row["depth"] == 0) == (row["parent_team_id"] is None) for row in rows)
    assert_sums_equal(request.sql, sums(roots, [], measures), sums(whole, [], measures))


def test_buckets_add_up_to_the_range(asker, function):
    """U2."""
    request = asker.request(own=asker.own_arguments(), bucket=asker.rng.choice(["month", "quarter"]))
    keys = group_keys(function, asker.answer(replace(request, bucket=None)))
    whole = sums(asker.answer(replace(request, bucket=None)), keys, function.measures)
    assert_sums_equal(request.sql, sums(asker.answer(request), keys, function.measures), whole)


def test_last_cumulative_point_is_the_aggregate(asker, function):
    """F0: in every column, medians and rates included."""
    request = asker.request(own=asker.own_arguments(), bucket="month", cumulative=True)
    rows = asker.answer(request)
    last = max((row["bucket_start"] for row in rows), default=None)
    points = [
        {column: value for column, value in row.items() if column != "bucket_start"}
        for row in rows
        if row["bucket_start"] == last
    ]
    whole = asker.answer(replace(request, bucket=None, cumulative=False))
    if request.date_from == request.date_to:  # no bucket, no point
        assert not rows
        return
    assert_same_answer(request.sql, points, whole)


def test_wider_filter_never_lowers_a_count(asker, function):
    """U3."""
    request = asker.request(own=asker.own_arguments())
    narrow = asker.answer(request)
    keys = group_keys(function, narrow)
    wide = replace(request, owners=None, teams=None)
    if function.name not in ONE_PIPELINE:
        wide = replace(wide, pipelines=None)
    counts = [measure for measure in function.measures if measure.endswith("_count")]
    after = sums(asker.answer(wide), keys, counts)
    for key, before in sums(narrow, keys, counts).items():
        assert all(after[key][count] >= before[count] for count in counts), (request.sql, key)


def test_records_behind_a_cell_are_as_many_as_it_says(asker, function):
    """U4, through the drill-down of the report's YAML."""
    own = asker.own_arguments()
    request = asker.request(own=own, bucket=None, include_subteams=False)
    day = next(column for column in function.report["grain"] if column.endswith("_date"))
    for row in asker.answer(request)[:8]:
        for measure in function.report["measures"]:
            way = function_drill_down(function.report, function.meta, measure, own)
            if way is None:
                continue
            conditions = [
                f"{way.column(day)} >= date '{request.date_from}'",
                f"{way.column(day)} < date '{request.date_to}'",
                f"{way.column('owner_id')} in ({scope_sql(request, row, 'owner')})",
            ]
            if function.has_pipelines:
                conditions.append(f"{way.column('pipeline_id')} in ({scope_sql(request, row, 'pipeline')})")
            conditions += [
                f"{way.column(column)} = {sql_value(row[column])}"
                for column in function.report["grain"]
                if column in row and column not in ("owner_id", "pipeline_id")
            ]
            if request.group_by not in ("none", "owner", "team", "pipeline"):
                column = request.group_by
                column = column if column in function.report["grain"] else f"{column}_id"
                conditions.append(f"{way.column(column)} = {sql_value(row['group_id'])}")
            counted = f"count(distinct {way.id})" if way.value is None else f"coalesce(sum({way.value}), 0)"
            (found,) = asker.connection.execute(
                f"select {counted} from {way.relation} where {way.where} and {' and '.join(conditions)}"
            ).fetchone()
            assert found == row[measure], f"{request.sql}\n{measure} of {row}: {found} records"


def scope_sql(request: Request, row: dict, kind: str) -> str:
    """SQL of the owners or pipelines that count in a row."""
    if kind == "pipeline":
        chosen = [row["pipeline_id"]] if "pipeline_id" in row else None
        chosen = [row["group_id"]] if request.group_by == "pipeline" else chosen
        wheres = [in_list("pipeline_id", request.pipelines), in_list("pipeline_id", chosen)]
        return f"select pipeline_id from core.dim_pipelines where {' and '.join(wheres)}"
    wheres = [in_list("owner_id", request.owners), in_list("team_id", request.teams)]
    if request.group_by in ("owner", "team"):
        wheres.append(in_list(f"{request.group_by}_id", [row["group_id"]]))
    return f"select owner_id from core.dim_owners where {' and '.join(wheres)}"


def in_list(column: str, ids: object) -> str:
    return "true" if ids is None else f"{column} in (select unnest({sql_value(tuple(ids))}))"


# --- columns and types ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def build():
    """A CRM with everything in it."""
    crm = hard_crm(1)
    build = load_crm(crm.tables, **crm.settings)
    yield build
    build.connection.close()


def test_columns_are_those_of_the_contract(build, function):
    """group_id, group_label, bucket_start where asked, categories, measures, then what is derived."""
    connection = build.ensure(function.name)
    call = f"reports.{function.name}(date '2026-01-01', date '2026-02-01'"
    plain = describe(connection, f"from {call})")
    names = list(plain)
    assert names[:2] == ["group_id", "group_label"]
    measures = [name for name in names if name in function.report["measures"]]
    assert measures == function.report["measures"]
    derived = names[names.index(measures[-1]) + 1 :]
    for name in derived:
        if name.endswith(DERIVED_ENDS) or name.startswith(DERIVED_BEGINS):
            assert plain[name] == "DOUBLE", f"{name} is {plain[name]}"
    assert not [n for n in names if n not in derived and n.startswith(DERIVED_BEGINS)]
    assert plain["group_id"] == plain["group_label"] == "VARCHAR"
    assert "bucket_start" not in names and "depth" not in names
    bucketed = describe(connection, f"from {call}, bucket := 'month')")
    assert list(bucketed) == ["group_id", "group_label", "bucket_start", *names[2:]]
    assert bucketed["bucket_start"] == "DATE"
    nested = describe(connection, f"from {call}, group_by := 'team', include_subteams := true)")
    assert list(nested) == ["group_id", "group_label", "parent_team_id", "depth", *names[2:]]


def test_every_column_is_described_where_it_is_made(build, name):
    """In the YAML of the mart, of the function, or for all functions in models/overview.md."""
    node = ALL_FUNCTIONS[name]
    mart = NODES["rpt_" + name.removesuffix("_summary")]
    shown = describe(build.ensure(name), f"from reports.{name}({RANGE}, bucket := 'month')")
    common = {"group_id", "group_label", "bucket_start"}
    missing = shown.keys() - common - mart["columns"].keys() - node["columns"].keys()
    assert not missing, f"not described: {sorted(missing)}"
    for column in node["columns"].values():
        assert column["name"] in shown, f"{column['name']} is described and not there"
        assert shown[column["name"]] == column["data_type"].upper(), column["name"]


def describe(connection: duckdb.DuckDBPyConnection, query: str) -> dict[str, str]:
    return {row[0]: row[1] for row in connection.execute(f"describe {query}").fetchall()}


# --- arguments ------------------------------------------------------------------------------------


def complaint(build: Build, function: Function, arguments: str) -> str:
    """The error that a call raises."""
    connection = build.ensure(function.name)
    with pytest.raises(duckdb.InvalidInputException) as raised:
        connection.execute(f"from reports.{function.name}({arguments})").fetchall()
    return str(raised.value)


def test_unknown_values_name_the_allowed_ones(build, function):
    text = complaint(build, function, f"{RANGE}, group_by := 'planet'")
    assert f"group_by must be one of: {', '.join(function.meta['function']['group_by'])}" in text
    text = complaint(build, function, f"{RANGE}, bucket := 'decade'")
    assert "bucket must be one of: day, week, month, quarter, year" in text
    for name, choices in function.arguments.items():
        if isinstance(choices, list):
            allowed = ", ".join(choice for choice in choices if choice is not None)
            wrong = complaint(build, function, f"{RANGE}, {name} := 'nonsense'")
            assert f"{name} must be one of: {allowed}" in wrong
            if None not in choices:
                assert f"{name} must be one of" in complaint(build, function, f"{RANGE}, {name} := NULL")
        if isinstance(choices, dict):
            text = complaint(build, function, f"{RANGE}, {name} := ['nonsense']")
            assert f"{name} has nonsense; choose from: {', '.join(choices['each_of'])}" in text


def test_unknown_names_list_the_choices(build, function):
    text = complaint(build, function, f"{RANGE}, owners := ['Nobody'], teams := ['Nowhere', 'EMEA']")
    assert "owners has Nobody, which is unknown; choose from: (Unassigned) (none), Ann Lee (101)" in text
    assert "teams has Nowhere, which is unknown; choose from:" in text and "has EMEA" not in text
    assert "must be a list" in complaint(build, function, f"{RANGE}, owners := 'Ann Lee'")
    assert "owners has NULL" in complaint(build, function, f"{RANGE}, owners := [NULL]")
    text = complaint(build, function, f"{RANGE}, pipelines := ['Nothing']")
    expected = "pipelines has Nothing, which is unknown" if function.has_pipelines else "have no pipeline"
    assert expected in text


def test_all_problems_are_named_at_once(build, function):
    text = complaint(build, function, "'soon', NULL, bucket := 'decade', owners := ['Nobody']")
    for part in ("date_from and date_to must be local dates", "bucket must be", "owners has Nobody"):
        assert part in text
    assert "date_to must not lie before date_from" in complaint(
        build, function, "date '2026-02-01', date '2026-01-31'"
    )
    assert "cumulative must be true or false" in complaint(build, function, f"{RANGE}, cumulative := NULL")


def test_unknown_argument_shows_the_signature(build, function):
    connection = build.ensure(function.name)
    with pytest.raises(duckdb.BinderException) as raised:
        connection.execute(f"from reports.{function.name}({RANGE}, colour := 'red')")
    assert f"{function.name}(date_from, date_to, group_by := 'owner'" in str(raised.value)


def test_dates_may_be_text_and_lists_may_name(build, function):
    connection = build.ensure(function.name, "dim_owners")

    def ask(arguments: str) -> list[dict]:
        return fetch(connection, f"from reports.{function.name}({arguments})")

    rows = ask(function.whole)
    assert rows == ask(function.whole.replace("date '", "'"))
    by_name = ask(f"{function.whole}, owners := ['Ann Lee']")
    assert by_name == [row for row in rows if row["group_id"] == "101"]
    assert by_name == ask(f"{function.whole}, owners := [101]")
    assert not ask(f"{function.whole}, owners := []")


def test_name_of_two_is_an_error_that_lists_both():
    crm = hard_crm(1)
    people = crm.tables["owners"]
    people += [dict(people[0]) | {"id": id_, "email": None} for id_ in ("901", "902")]
    build = load_crm(crm.tables, **crm.settings)
    text = complaint(build, FUNCTIONS["average_deal_size"], f"{RANGE}, owners := ['Ann Lee']")
    assert "owners has Ann Lee, which is ambiguous; choose from:" in text
    assert "Ann Lee (101), Ann Lee (901), Ann Lee (902)" in text
    build.connection.execute(f"from reports.average_deal_size({RANGE}, owners := ['902'])")
    build.connection.close()


def test_buckets_are_those_of_the_calendar(generated):
    """K12: weeks, fiscal quarters and years as in dim_dates; and there are some where it ends."""
    build, _ = generated
    connection = build.ensure("report_buckets", "dim_dates")
    starts = {
        "day": "date_day",
        "week": "week_start",
        "month": "month_start",
        "quarter": "fiscal_quarter_start",
        "year": "fiscal_year_start",
    }
    first, last = connection.execute("select min(date_day), max(date_day) from core.dim_dates").fetchone()
    for bucket, column in starts.items():
        asked = f"core.report_buckets(date '{first}', date '{last}', '{bucket}', false)"
        given = connection.execute(
            f"select bucket_start, first_day, end_day from {asked} order by bucket_start"
        ).fetchall()
        expected = connection.execute(
            f"select {column}, min(date_day), max(date_day) + 1 from core.dim_dates "
            f"where date_day < date '{last}' group by {column} order by {column}"
        ).fetchall()
        assert given == expected, bucket
        far = "core.report_buckets(date '1970-01-01', date '1970-01-02', ?, false)"
        assert len(connection.execute(f"from {far}", [bucket]).fetchall()) == 1


def test_range_without_records_is_no_error(build, function):
    connection = build.ensure(function.name)
    far = function.whole.replace("'2026-01-01'", "'1990-01-01'").replace("'2026-07-01'", "'1990-03-01'")
    for arguments in (far, f"{far}, group_by := 'none'", f"{far}, group_by := 'team', bucket := 'month'"):
        rows = fetch(connection, f"from reports.{function.name}({arguments})")
        assert not any(row[measure] for row in rows for measure in function.report["measures"])
        assert all(row["group_id"] == "all" for row in rows)


def test_report_without_its_input_has_no_rows():
    """K11: not available instead of wrong zeros, though `none` always has a row."""
    crm = hard_crm(1)
    crm.tables.pop("calls", None)
    for row in crm.tables["deals"]:
        row.pop("hs_analytics_source", None)
        row.pop("closed_lost_reason", None)
    build = load_crm(crm.tables, **crm.settings)
    for name in ("call_outcomes", "deal_revenue_by_source", "deal_loss_reasons"):
        connection = build.ensure(name)
        query = f"from reports.{name}({RANGE}, group_by := 'none')"
        assert not connection.execute(query).fetchall()
        assert "group_by must be" in complaint(build, FUNCTIONS[name], f"{RANGE}, group_by := 'planet'")
    build.connection.close()


# --- where people meet them -----------------------------------------------------------------------


def test_functions_work_in_a_published_file_under_any_name(tmp_path):
    """Two-part names: opened by itself, read-only, whatever the file is called; or attached and used."""
    crm = hard_crm(1)
    build = load_crm(crm.tables, **crm.settings)
    connection = build.ensure(*build.project.nodes)
    target = tmp_path / "quarter 2.duckdb"
    write_marts(connection, target, compiled_manifest())
    queries = [f"from reports.{f.name}({f.whole}, group_by := 'none')" for f in FUNCTIONS.values()]
    answers = [fetch(connection, query) for query in queries]
    with duckdb.connect(target, read_only=True) as reader:
        assert [fetch(reader, query) for query in queries] == answers
    with duckdb.connect() as reader:
        reader.execute(f"attach '{target}' as somewhere (read_only)")
        reader.execute("use somewhere")
        assert [fetch(reader, query) for query in queries] == answers
    connection.close()
