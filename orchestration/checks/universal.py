"""Laws that every report obeys, made from its definition (`config.meta.report` of its YAML).

Belongs here: the rules of `marts.md` for marts and functions and U1 to U4 of `reports.md`, each as
one invariant per report. A new report is held to them as soon as its YAML stands beside its SQL.
U5 (same input, same output) and U6 (another time zone) need a second build: `tests/checks`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import yaml

from orchestration.checks import Invariant, unequal_sums
from orchestration.settings import PROJECT_ROOT

WHOLE = "getvariable('first_day'), getvariable('end_day')"
NO_DAY = "getvariable('first_day'), getvariable('first_day')"

# Arguments with which a function takes in all that the mart holds.
WHOLE_MART = {
    "average_deal_size": "status := 'all'",
    "quota_attainment": "goal := getvariable('one_goal')",
}
# Functions that answer for one pipeline only: the one with most rows stands for all.
ONE_PIPELINE = {"rpt_deal_funnel"}
# What does not add up over groups or buckets (P15, P16), and why. Their functions are compared with
# the mart in `forecasts_and_pipelines.py`, over ranges where the two must agree.
NOT_ADDITIVE = {
    "rpt_deal_change_history": "record grain; the summary splits inside and outside",
    "rpt_deal_pipeline_waterfall": "moves cancel out over a longer window",
    "rpt_deal_push_rate": "one deal is eligible in several frames",
    "rpt_historical_snapshots": "a stock: its points are not summed",
    "rpt_lead_response_time": "record grain; the summary counts contacts",
    "rpt_quota_attainment": "cumulative columns, and goals do not add up",
    "rpt_team_activity_timeline": "record grain",
}
# Record marts have the rows as function, and the report beside it.
SUMMARIES = {
    "rpt_deal_change_history": ("deal_change_history_summary", "change_count"),
    "rpt_lead_response_time": ("lead_response_time_summary", "contact_count"),
}
# Its function gives rows and groups nothing.
ROWS_ONLY = {"rpt_team_activity_timeline"}
DISTINCT_MEASURES = {"rpt_prospecting_sequences": {"contact_count"}}
# Tables without a function of their own.
NO_FUNCTION = {"rpt_data_quality", "rpt_deal_pipeline_waterfall_deals"}
# Points that were kept have no records behind them (K7), and all others are a row per deal and date:
# tests/test_window_functions.py follows the drill-down on small CRMs.
NO_RECORDS_BEHIND = {"rpt_historical_snapshots"}
# Rows that say something without counting: a missing input (K11), a goal of 0 (one row per target, 18a).
MAY_HAVE_ZEROS = {"rpt_data_quality", "rpt_quota_attainment"}


@dataclass(frozen=True)
class Definition:
    """What the YAML of a report says about its mart."""

    mart: str
    grain: tuple[str, ...]
    measures: tuple[str, ...]
    columns: tuple[str, ...]
    population: str
    """SQL predicate of the records that the mart counts at all."""
    drill_down: dict[str, dict] = field(default_factory=dict)

    @property
    def function(self) -> str:
        return self.mart.removeprefix("rpt_")

    @property
    def dates(self) -> list[str]:
        return [column for column in self.grain if column.endswith("_date")]

    @property
    def additive(self) -> list[str]:
        distinct = DISTINCT_MEASURES.get(self.mart, set())
        return [measure for measure in self.measures if measure not in distinct]


@cache
def definitions(models: Path = PROJECT_ROOT / "models" / "marts") -> tuple[Definition, ...]:
    """The definitions of all marts, by name."""
    found = []
    for path in sorted(models.glob("*/rpt_*.yml")):
        for model in yaml.load(path.read_text(), Loader=yaml.CSafeLoader)["models"]:
            report = model.get("config", {}).get("meta", {}).get("report")
            if report is not None:
                found.append(
                    Definition(
                        mart=model["name"],
                        grain=tuple(report["grain"]),
                        measures=tuple(report.get("measures", ())),
                        columns=tuple(column["name"] for column in model["columns"]),
                        population=report.get("population", "true"),
                        drill_down=report.get("drill_down", {}),
                    )
                )
    return tuple(sorted(found, key=lambda definition: definition.mart))


def universal_invariants() -> list[Invariant]:
    """The laws of all marts, each under a name that begins with the mart's."""
    return [law for definition in definitions() for law in _laws(definition)]


def _laws(definition: Definition) -> Iterator[Invariant]:
    yield _grain(definition)
    if definition.measures and definition.mart not in MAY_HAVE_ZEROS:
        yield _no_empty_rows(definition)
    if "owner_name" in definition.columns:
        yield _owner_labels(definition)
    if "pipeline_label" in definition.columns:
        yield _pipeline_labels(definition)
    if definition.mart != "rpt_data_quality":
        yield _is_empty_without_its_input(definition)
    if definition.drill_down and definition.mart not in NO_RECORDS_BEHIND:
        yield _records_behind_cells(definition)
    if _is_additive(definition):
        yield _groups_sum_to_mart(definition)
        yield _buckets_sum_to_mart(definition)
        yield _no_group_exceeds_the_whole(definition)
    if definition.mart not in NO_FUNCTION:
        yield _nothing_found_is_no_error(definition)


def _grain(definition: Definition) -> Invariant:
    grain = ", ".join(definition.grain)
    missing = " or ".join(f"{column} is null" for column in definition.grain)
    return Invariant(
        name=f"{definition.mart}_has_one_row_per_grain_and_no_missing_key",
        report=definition.mart,
        words=f"marts.md: one row per {grain}; no part of it is NULL.",
        sql=f"""
            select concat_ws('/', {grain}) as id, {grain}, count(*) as row_count
            from reports.{definition.mart}
            group by {grain}
            having count(*) > 1 or {missing}
        """,
    )


def _no_empty_rows(definition: Definition) -> Invariant:
    zero = " and ".join(f"coalesce({measure}, 0) = 0" for measure in definition.measures)
    return Invariant(
        name=f"{definition.mart}_has_no_row_of_zeros",
        report=definition.mart,
        words="P13: a row stands only where some measure is not zero.",
        sql=f"""
            select concat_ws('/', {", ".join(definition.grain)}) as id
            from reports.{definition.mart}
            where {zero}
        """,
    )


def _owner_labels(definition: Definition) -> Invariant:
    # Rows of team goals have a team and no owner (K14).
    of_owners = "assignee_kind = 'owner'" if "assignee_kind" in definition.columns else "true"
    return Invariant(
        name=f"{definition.mart}_shows_each_owner_with_one_name_and_main_team",
        report=definition.mart,
        words="C6, P6, P7: owner and team stand in every row as the raw tables name them.",
        sql=f"""
            with shown as (
                select distinct owner_id, owner_name, team_id, team_name
                from reports.{definition.mart}
                where {of_owners}
            )
            select shown.owner_id as id, shown.owner_name, shown.team_id, shown.team_name,
                expected.owner_name as expected_name, expected.team_id as expected_team_id
            from shown
            left join proof_owners as expected on shown.owner_id = expected.owner_id
            where shown.owner_name is distinct from coalesce(expected.owner_name, case
                    when shown.owner_id like 'user:%' then 'User ' || substr(shown.owner_id, 6)
                    else 'Owner ' || shown.owner_id
                end)
                or shown.team_id is distinct from coalesce(expected.team_id, 'none')
                or shown.team_name is distinct from coalesce(expected.team_name, '(No team)')
        """,
    )


def _pipeline_labels(definition: Definition) -> Invariant:
    return Invariant(
        name=f"{definition.mart}_shows_each_pipeline_with_one_label",
        report=definition.mart,
        words="P12, 17c: a pipeline stands in every row under its raw label, (No pipeline), "
        "(Deleted pipeline <id>), or (Unknown) where history has lost it.",
        sql=f"""
            with shown as (
                select distinct pipeline_id, pipeline_label from reports.{definition.mart}
            )
            select shown.pipeline_id as id, shown.pipeline_label,
                expected.pipeline_label as expected_label
            from shown
            left join proof_pipelines as expected on shown.pipeline_id = expected.pipeline_id
            where shown.pipeline_label is distinct from coalesce(
                expected.pipeline_label,
                case shown.pipeline_id
                    when 'unknown' then '(Unknown)'
                    else '(Deleted pipeline ' || shown.pipeline_id || ')'
                end
            )
        """,
    )


def _is_empty_without_its_input(definition: Definition) -> Invariant:
    return Invariant(
        name=f"{definition.mart}_is_empty_where_an_input_is_missing",
        report=definition.mart,
        words="K11, P17: not available instead of wrong zeros: where data quality names a missing "
        "table or column, the mart has no rows.",
        sql=f"""
            select issue as id, (select count(*) from reports.{definition.mart}) as row_count
            from ({_missing_inputs(definition)}) as missing_inputs
            where exists (select 1 from reports.{definition.mart})
        """,
    )


def _missing_inputs(definition: Definition) -> str:
    return f"""
        select issue from reports.rpt_data_quality
        where report = '{definition.mart}' and regexp_matches(issue, '^missing_(table|column):')
    """


def _records_behind_cells(definition: Definition) -> Invariant:
    """U4, from the drill-down that the YAML gives for each measure."""
    parts = []
    for measure, way in definition.drill_down.items():
        # The day of a record that has none is no cell of the mart.
        dated = " and ".join(f"{column} is not null" for column in definition.dates) or "true"
        grain = ", ".join(definition.grain)
        keys = ", ".join(
            f"{way.get('keys', {}).get(column, column)} as {column}" for column in definition.grain
        )
        counted = "sum(measured)" if "value" in way else "count(distinct measured)"
        differences = unequal_sums(
            f"select * from reports.{definition.mart}",
            f"""
            select {grain}, {counted} as {measure}
            from (
                select {keys}, {way.get("value", way["id"])} as measured
                from {way["relation"]}
                where ({definition.population}) and ({way["where"]})
            ) as records
            where {dated} and not exists ({_missing_inputs(definition)})
            group by {grain}
            """,
            by=", ".join(definition.grain),
            measures=measure,
        )
        parts.append(
            f"select '{measure}/' || id as id, {measure}_difference as difference "
            f"from ({differences}) as differences"
        )
    return Invariant(
        name=f"{definition.mart}_has_the_records_behind_its_cells",
        report=definition.mart,
        words="U4: the records that the drill-down of a cell finds are distinct and as many, or worth "
        "as much, as the cell says.",
        sql=" union all ".join(parts),
    )


def answers() -> dict[str, str]:
    """Per additive report the relation `proof_answers_<function>`: what its function answers over the
    whole calendar, in three ways. Planning a call takes 20 to 100 ms, so all laws share them."""
    return {
        f"proof_answers_{definition.function}": _answers(definition)
        for definition in definitions()
        if _is_additive(definition)
    }


def _is_additive(definition: Definition) -> bool:
    return definition.mart not in NO_FUNCTION and definition.mart not in NOT_ADDITIVE


def _answers(definition: Definition) -> str:
    ways = {
        "none": "group_by := 'none', bucket := 'year', cumulative := true",
        "owner": "group_by := 'owner', bucket := 'quarter'",
        "team": "group_by := 'team'",
    }
    # The last cumulative bucket holds the whole range.
    last_year = "where bucket_start = (select max(fiscal_year_start) from core.dim_dates)"
    return " union all ".join(
        f"""
        select '{way}' as way, group_id, {", ".join(definition.measures)}
        from {_call(definition, WHOLE, arguments)}
        {last_year if "cumulative" in arguments else ""}
        """
        for way, arguments in ways.items()
    )


def _call(definition: Definition, *arguments: str, function: str = "") -> str:
    """A call of the report's function, with what it needs to take in all of the mart."""
    own = WHOLE_MART.get(definition.function, "")
    if definition.mart in ONE_PIPELINE:
        own = "pipelines := [getvariable('one_pipeline')]"
    return f"reports.{function or definition.function}({', '.join(filter(None, [*arguments, own]))})"


def _mart_in_range(definition: Definition) -> str:
    (day, *_) = definition.dates
    rows = (
        f"reports.{definition.mart} "
        f"where {day} >= getvariable('first_day') and {day} < getvariable('end_day')"
    )
    if definition.mart in ONE_PIPELINE:
        rows += " and pipeline_id = getvariable('one_pipeline')"
    return rows


def _groups_sum_to_mart(definition: Definition) -> Invariant:
    answered = f"proof_answers_{definition.function}"
    totals = ", ".join(f"sum({measure}) as {measure}" for measure in definition.additive)
    return Invariant(
        name=f"{definition.mart}_is_what_its_function_adds_up_to_by_any_group",
        report=definition.mart,
        words="U1, F0 and marts.md: by owner, by team and at the end of the running total, the "
        "function's rows add up to the mart.",
        sql=unequal_sums(
            f"select * from {answered}",
            f"""
            select way, mart.*
            from (select {totals} from {_mart_in_range(definition)}) as mart
            cross join (select distinct way from {answered}) as ways
            """,
            by="way",
            measures=", ".join(definition.additive),
        ),
    )


def _buckets_sum_to_mart(definition: Definition) -> Invariant:
    answered = f"proof_answers_{definition.function}"
    return Invariant(
        name=f"{definition.mart}_is_what_its_function_adds_up_to_over_buckets",
        report=definition.mart,
        words="U2: an owner's quarters add up to the owner's rows in the mart.",
        sql=unequal_sums(
            f"select *, group_id as owner_id from {answered} where way = 'owner'",
            f"select * from {_mart_in_range(definition)}",
            by="owner_id",
            measures=", ".join(definition.additive),
        ),
    )


def _no_group_exceeds_the_whole(definition: Definition) -> Invariant:
    counts = [measure for measure in definition.additive if measure.endswith("_count")]
    totals = ", ".join(f"sum({count}) as {count}" for count in counts)
    broken = " or ".join(f"part.{count} > whole.{count}" for count in counts)
    return Invariant(
        name=f"{definition.mart}_counts_no_more_for_one_group_than_for_all",
        report=definition.mart,
        words="U3: dropping the filter on an owner or team never lowers a count.",
        sql=f"""
            with parts as (
                select way, group_id, {totals}
                from proof_answers_{definition.function}
                where way <> 'none'
                group by way, group_id
            ),
            whole as (
                select {totals} from proof_answers_{definition.function} where way = 'none'
            )
            select way || '/' || group_id as id, part.*
            from parts as part
            cross join whole
            where {broken}
        """,
    )


def _nothing_found_is_no_error(definition: Definition) -> Invariant:
    function, count = report_and_count(definition)
    is_found = "true" if definition.mart in ROWS_ONLY else f"coalesce({count}, 0) <> 0"
    grouping = "" if definition.mart in ROWS_ONLY else "group_by := 'none'"
    return Invariant(
        name=f"{definition.mart}_answers_an_empty_range_without_error",
        report=definition.mart,
        words="R10: over a range without a single day the function gives zeros, NULLs or no rows.",
        sql=f"""
            select 'row ' || row_number() over () as id, *
            from {_call(definition, NO_DAY, grouping, function=function)}
            where {is_found}
        """,
    )


def report_and_count(definition: Definition) -> tuple[str, str]:
    """The function that answers as the report, and the column that counts its records."""
    if definition.mart in SUMMARIES:
        return SUMMARIES[definition.mart]
    counts = [measure for measure in definition.measures if measure.endswith("_count")]
    return definition.function, counts[0] if counts else "activity_id"
