"""The laws that every build is held to before anyone may read it.

Belongs here: what an invariant is, where they are collected, how they are run, and what becomes of
those that fail. The laws themselves stand in one module or package per collection, under the name of
their report; `universal.py` derives those that every mart obeys, `universal_functions.py` those of
every function; `second_road.py` holds the relations that lead from raw rows to a report's numbers
without staging or core; `reference_sample.py` compares the marts with the slow computations. Which of
them a night runs, and over which rows, is said in `proof.py` and `changed.py`. How Dagster shows them
does not belong here.

An invariant is SQL over the build database that returns the rows that break the law: a column `id`
and whatever else helps to find out why. Blocking or warning by K8 of `decisions.md`: blocking is
what holds by construction on any input, a warning what compares two things the CRM itself says.
"""

from __future__ import annotations

import importlib
import re
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache

import duckdb

COLLECTIONS = (
    "core",
    "coach_reps_and_teams",
    "forecasts_and_pipelines",
    "sales_outcomes",
    "across_reports",
    "data_quality",
)
SAMPLE_SIZE = 10
# What laws may read with getvariable(): "now" and the account's time zone; the half-open range of the
# calendar; the kept days of report 17; the fiscal quarter that lasts or has just ended, the ends of its
# weeks (and the day of the run), and the year that ends with it; the pipeline with most deals, with its
# open stages in order; the stages of the lead journey in order; a goal.
VARIABLES = {
    "run_ts": "select run_ts from raw_hubspot._run",
    "time_zone": "select time_zone from raw_hubspot._run",
    "first_day": "select min(date_day) from core.dim_dates",
    "end_day": "select max(date_day) + 1 from core.dim_dates",
    "run_date": "select run_date from core.build_info",
    "stored_days": "select list(snapshot_date) from core.dim_snapshot_dates where is_stored",
    "quarter_start": """
        select cast(
            fiscal_quarter_start
            - case when date_day - fiscal_quarter_start < 30 then interval 3 months else interval 0 months end
        as date)
        from core.dim_dates where date_day = getvariable('run_date')
    """,
    "third_month": "select cast(getvariable('quarter_start') + interval 2 months as date)",
    "quarter_end": "select cast(getvariable('quarter_start') + interval 3 months as date)",
    "week_ends": """
        select list(date_day) from core.dim_dates
        where date_day >= getvariable('quarter_start') and date_day < getvariable('quarter_end')
            and (
                date_day = getvariable('run_date')
                or date_day in (select max(date_day) from core.dim_dates group by week_start)
            )
    """,
    "year_start": "select cast(getvariable('quarter_end') - interval 1 year as date)",
    "one_goal": "select min(goal_id) from reports.rpt_quota_attainment",
    "one_pipeline": """
        select pipeline_id
        from core.dim_pipelines
        left join core.fct_deals using (pipeline_id)
        group by pipeline_id
        order by count(deal_id) desc, pipeline_id
        limit 1
    """,
    "funnel_stages": """
        select list(stage_id order by position)
        from core.dim_deal_funnel_steps
        where pipeline_id = getvariable('one_pipeline') and not is_won_step
    """,
    "journey_stages": """
        select list(stage_id order by journey_position)
        from core.dim_lifecycle_stages where journey_position is not null
    """,
}


@dataclass(frozen=True, kw_only=True)
class Invariant:
    """A law of one mart or core table."""

    name: str
    """A sentence with underscores; unique, and the name of the asset check."""
    report: str
    """The dbt model that it is about."""
    words: str
    """The law in words, with the place in the specification that states it."""
    sql: str = ""
    """Returns the violating rows; empty where Python compares (`reference_sample.py`)."""
    screen: str = ""
    """Returns numbers that are all 0 or NULL where no row violates the law; `sql` runs only otherwise."""
    blocking: bool = True
    by: str = ""
    """What it holds of one by one: a `deal`, a `contact`, an `activity`, or a `day` of the report; so a
    night can prove it of those that changed (`changed.py`). Empty where it speaks of sums over all."""


@dataclass(frozen=True)
class Result:
    """What came of one invariant."""

    invariant: Invariant
    violation_count: int
    sample: list[dict]
    """The first violations by id, at most SAMPLE_SIZE."""
    seconds: float
    of: str = ""
    """Of which rows it was proven now; empty if of all."""
    carried_from: str = ""
    """The build with which all the rest of it was proven; empty if there is no rest."""

    @property
    def is_carried(self) -> bool:
        """Whether it was not run now."""
        return bool(self.carried_from) and not self.of

    @property
    def proof(self) -> str:
        """In words: of what it was proven now, and with which build before."""
        if self.is_carried:
            return f"with build {self.carried_from}"
        return f"now of {self.of or 'all'}" + (
            f", of all with build {self.carried_from}" if self.carried_from else ""
        )

    @property
    def passed(self) -> bool:
        return self.violation_count == 0

    @property
    def blocks(self) -> bool:
        """Whether the build may not be published because of it."""
        return self.invariant.blocking and not self.passed

    @property
    def ids(self) -> list[str]:
        return [str(row["id"]) for row in self.sample]

    def __str__(self) -> str:
        if self.passed:
            return f"{self.invariant.name}: {'holds, ' if not self.is_carried else ''}proven {self.proof}"
        rows = "; ".join(
            ", ".join(f"{column}={value}" for column, value in row.items()) for row in self.sample[:3]
        )
        kind = "broken" if self.invariant.blocking else "warning"
        return (
            f"{self.invariant.report}, {self.invariant.name}: {kind} by {self.violation_count} "
            f"({self.invariant.words}) First: {rows}"
        )


@cache
def invariants() -> tuple[Invariant, ...]:
    """All invariants, those of core first. Raises ValueError if a name stands twice."""
    from orchestration.checks.universal import universal_invariants  # needs this module

    modules = [importlib.import_module(f"{__name__}.{name}") for name in COLLECTIONS]
    found = [invariant for module in modules for invariant in module.INVARIANTS]
    found += universal_invariants()
    names = [invariant.name for invariant in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"invariants with one name: {twice}")
    return tuple(found)


def run_invariants(
    connection: duckdb.DuckDBPyConnection, names: Collection[str] | None = None
) -> list[Result]:
    """Run all invariants, or those of these names, over the connection's default database.

    An invariant whose SQL fails counts as broken once, with the error as the sample: a check that
    cannot run has proven nothing. Leaves temporary tables behind, and nothing else.
    Raises KeyError for names that are no invariants.
    """
    known = {invariant.name: invariant for invariant in invariants()}
    if names is not None and (unknown := sorted(set(names) - known.keys())):
        raise KeyError(f"no such invariants: {unknown}")
    chosen = [known[name] for name in known if names is None or name in names]
    set_variables(connection)
    errors = create_relations(connection, needed_relations(chosen))
    return [run_law(connection, invariant, errors) for invariant in chosen]


def set_variables(connection: duckdb.DuckDBPyConnection) -> None:
    """Set the VARIABLES that laws read."""
    for name, query in VARIABLES.items():
        connection.execute(f"set variable {name} = ({query})")


def needed_relations(laws: Iterable[Invariant]) -> dict[str, str]:
    """The relations `proof_…` that the laws read, and those that these read, which come first."""
    from orchestration.checks.forecasts_and_pipelines import historical_snapshots  # need this module
    from orchestration.checks.second_road import RELATIONS
    from orchestration.checks.universal import names
    from orchestration.checks.universal_functions import answers

    relations = RELATIONS | answers() | names() | historical_snapshots.RELATIONS
    needed, todo = set(), [law.sql for law in laws]
    while todo:
        new = (_proof_names(todo.pop()) & relations.keys()) - needed
        needed |= new
        todo += [relations[name] for name in new]
    return {name: query for name, query in relations.items() if name in needed}


def create_relations(connection: duckdb.DuckDBPyConnection, relations: Mapping[str, str]) -> dict[str, str]:
    """Create relations as temporary tables; returns the errors of those that could not be created."""
    errors: dict[str, str] = {}
    for name, query in relations.items():
        try:
            connection.execute(f"create or replace temp table {name} as {query}")
        except duckdb.Error as error:
            errors[name] = str(error)
    return errors


def _proof_names(query: str) -> set[str]:
    return set(re.findall(r"\bproof_\w+", query))


def run_law(
    connection: duckdb.DuckDBPyConnection,
    invariant: Invariant,
    errors: Mapping[str, str] | None = None,
) -> Result:
    """Run one invariant. `errors` are those of relations that could not be created."""
    start = time.perf_counter()
    count, rows = 0, []
    try:
        for name in sorted(_proof_names(invariant.sql) & (errors or {}).keys()):
            raise duckdb.Error(errors[name])
        if not _is_clear(connection, invariant):
            cursor = connection.execute(
                f"select count(*) over () as violation_count, * from ({invariant.sql}) as violations "
                f"order by cast(id as varchar) limit {SAMPLE_SIZE}"
            )
            columns = [column[0] for column in cursor.description]
            rows = [dict(zip(columns, values, strict=True)) for values in cursor.fetchall()]
            count = rows[0]["violation_count"] if rows else 0
    except duckdb.Error as error:
        count, rows = 1, [{"id": "error", "error": str(error)}]
    for row in rows:
        row.pop("violation_count", None)
    return Result(invariant, count, rows, time.perf_counter() - start)


def _is_clear(connection: duckdb.DuckDBPyConnection, invariant: Invariant) -> bool:
    """Whether the law's screen tells that nothing violates it."""
    if not invariant.screen:
        return False
    try:
        return not any(number for row in connection.execute(invariant.screen).fetchall() for number in row)
    except duckdb.OutOfRangeException:  # sums too large to be screened
        return False


def carried(results: Iterable[Result]) -> str:
    """In words, to go on with: how many results stand on a build before; empty if none does."""
    results = list(results)
    not_run = sum(result.is_carried for result in results)
    of_some = sum(bool(result.carried_from) for result in results) - not_run
    if not of_some + not_run:
        return ""
    (build,) = {result.carried_from for result in results if result.carried_from}
    return f"; {of_some} of them run over what changed, {not_run} not run: proven with build {build}"


def record_warnings(connection: duckdb.DuckDBPyConnection, results: Iterable[Result]) -> int:
    """Write the warnings that fail into reports.rpt_data_quality, and return their number.

    May be repeated: rows of the same warnings, failing or not, are replaced.
    """
    warnings = [result for result in results if not result.invariant.blocking]
    failing = [result for result in warnings if not result.passed]
    for result in warnings:
        connection.execute(
            "delete from reports.rpt_data_quality where report = ? and issue = ?",
            [result.invariant.report, result.invariant.name],
        )
    for result in failing:
        connection.execute(
            "insert into reports.rpt_data_quality by name "
            "select ? as report, ? as issue, 'warning' as severity, ? as row_count, ? as sample_ids",
            [
                result.invariant.report,
                result.invariant.name,
                result.violation_count,
                ",".join(result.ids),
            ],
        )
    return len(failing)


# --- SQL that many invariants share ---------------------------------------------------------------

# Arguments of a report function that make it answer for the whole calendar.
WHOLE = "getvariable('first_day'), getvariable('end_day')"
# Which of the rows of a relation `proof_answers_…` (`universal_functions.py`) it is; not all have a bucket.
ANSWER = "concat_ws('/', way, group_id, bucket_start)"


def equal_sums(left: str, right: str, *, by: str, measures: str) -> dict[str, str]:
    """The arguments `sql` and `screen` of a law: the measures add up to the same per key on both sides.

    See `unequal_sums` for the parameters.
    """
    return {
        "sql": unequal_sums(left, right, by=by, measures=measures),
        "screen": screened_sums(left, right, by=by, measures=measures),
    }


def unequal_sums(left: str, right: str, *, by: str, measures: str) -> str:
    """SQL of the keys whose measures do not add up to the same on both sides.

    `left` and `right` are selects that have the columns `by` and `measures` (comma-separated); a key
    that is missing counts as zeros (P13). Money and counts are exact, so any difference is one.
    """
    sums = _names(measures)
    differences = ", ".join(f"sum({measure}) as {measure}_difference" for measure in sums)
    broken = " or ".join(f"sum({measure}) <> 0" for measure in sums)
    key = ", ".join(_names(by))
    return f"""
        select concat_ws('/', {key}) as id, {key}, {differences}
        from ({_both_sides(left, right, by, measures)}) as both_sides
        group by {key}
        having {broken}
    """


def screened_sums(left: str, right: str, *, by: str, measures: str) -> str:
    """SQL of one number per measure: 0 where its sums are the same for every key.

    Each measure is added up times a number of 48 bits that its key hashes to, over all keys at once:
    one pass without a table of keys. Sums that differ cancel each other out once in 2^48 times.
    """
    return difference(
        *(f"select {weighed(by=by, measures=measures)} from ({side}) as side" for side in (left, right)),
        measures=_names(measures),
    )


def weight(by: str) -> str:
    """SQL of the number that a key hashes to."""
    return f"cast(hash({by}) >> 16 as bigint)"


def weighed(*, by: str, measures: str) -> str:
    """The sums of measures, each times the weight of its key, for a select."""
    # As a decimal: its products are exact, or an error.
    return ", ".join(
        f"sum({measure} * cast({weight(by)} as decimal(18, 0))) as {measure}" for measure in _names(measures)
    )


def difference(left: str, right: str, *, measures: Iterable[str]) -> str:
    """SQL of the differences between two selects of one row each; a sum of nothing is 0."""
    differences = ", ".join(
        f"coalesce(left_side.{measure}, 0) - coalesce(right_side.{measure}, 0) as {measure}"
        for measure in measures
    )
    return f"select {differences} from ({left}) as left_side left join ({right}) as right_side on true"


def _both_sides(left: str, right: str, by: str, measures: str) -> str:
    key, sums = ", ".join(_names(by)), _names(measures)
    plain = ", ".join(f"coalesce({measure}, 0) as {measure}" for measure in sums)
    negated = ", ".join(f"-coalesce({measure}, 0) as {measure}" for measure in sums)
    return f"""
        select {key}, {plain} from ({left}) as left_side
        union all
        select {key}, {negated} from ({right}) as right_side
    """


def _names(columns: str) -> list[str]:
    return [column.strip() for column in columns.split(",")]
