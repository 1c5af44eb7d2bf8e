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

from orchestration.checks import WHOLE, Invariant, equal_sums, screened_sums
from orchestration.settings import PROJECT_ROOT

NO_DAY = "getvariable('first_day'), getvariable('first_day')"

# How the laws ask every additive function: the range, and how its rows are grouped. By owner over the
# whole calendar, so that each record is asked for; how rows are grouped and added up to a running total,
# whose last bucket holds its whole range, does not depend on the range, so a quarter of them is enough.
QUARTER = "getvariable('quarter_start')", "getvariable('quarter_end')"
WAYS = {
    "owner": (*WHOLE.split(", "), "group_by := 'owner', bucket := 'quarter'"),
    "team": (*QUARTER, "group_by := 'team'"),
    "none": (*QUARTER, "group_by := 'none', bucket := 'month', cumulative := true"),
}
# These walk through the past of each record as their mart did, by the same macro: of them a year is.
WALKING = {"deal_funnel", "lead_journey"}
YEAR = "getvariable('year_start')", "getvariable('quarter_end')"
# What laws of the collections read of these answers beside group and measures.
ALSO_READ = {
    "average_deal_size": ("average_amount", "median_amount"),
    "call_outcomes": ("call_share", "average_duration_ms"),
    "deal_funnel": ("stage_position", "next_step_rate", "cumulative_rate"),
    "deal_loss_reasons": ("deal_share",),
    "deal_revenue_by_source": ("amount_share",),
    "deal_velocity": ("average_days_to_close",),
    "deals_created": ("average_amount",),
    "deals_won_and_lost": ("win_rate",),
    "lead_funnel": tuple(f"average_time_to_{what}_ms" for what in ("first_engagement", "deal", "win")),
    "lead_journey": ("stage_id", "stage_position", "next_step_rate", "cumulative_rate"),
    "meeting_outcomes": ("meeting_share", "held_rate", "no_show_rate"),
    "prospecting_calls": ("average_call_duration_ms", "calls_per_active_day", "connect_rate"),
    "prospecting_meetings": ("average_lead_time_ms",),
    "prospecting_sequences": ("sequence_id", "reply_rate", "meeting_rate", "bounce_rate"),
    "prospecting_tasks": ("completion_rate", "average_time_to_complete_ms"),
    "sales_velocity": (
        "velocity",
        "velocity_observed",
        "win_rate",
        "average_won_amount",
        "average_days_to_win",
    ),
    "tasks_completed": ("task_status", "completion_rate"),
    "time_in_deal_stage": ("pipeline_id", "stage_id", "average_time_ms"),
    "weighted_pipeline_forecast": ("weighted_open_amount", "won_amount"),
}

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
# Ids that a drill-down finds several times in a cell by their nature: deals by their visits, say. For
# others that is an error, and rare enough to be looked into only where it happens.
REPEATED_IDS = {
    "rpt_prospecting_calls": {"activity_date || '/' || owner_id"},
    "rpt_prospecting_sequences": {"contact_id"},
    "rpt_time_in_deal_stage": {"deal_id"},
}
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
        screen=f"""
            select count(*) - count(distinct hash({grain})), count(*) filter (where {missing})
            from reports.{definition.mart}
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
    ways: dict[tuple, dict[str, dict]] = {}
    for measure, way in definition.drill_down.items():
        # Measures that find the same kind of record under the same keys are counted in one pass.
        found = (way["relation"], way["id"], tuple(way.get("keys", {}).items()))
        ways.setdefault(found, {})[measure] = way
    found = [_cells_unlike_records(definition, some) for some in ways.values()]
    return Invariant(
        name=f"{definition.mart}_has_the_records_behind_its_cells",
        report=definition.mart,
        words="U4: the records that the drill-down of a cell finds are distinct and as many, or worth "
        "as much, as the cell says.",
        sql=" union all by name ".join(law["sql"] for law in found),
        screen=" union all by name ".join(law["screen"] for law in found),
    )


def _cells_unlike_records(definition: Definition, ways: dict[str, dict]) -> dict[str, str]:
    """SQL and screen of the cells in which measures are not what the records behind them add up to.

    All of `ways` name the same relation, keys and id.
    """
    (way, *_) = ways.values()
    grain, measures = ", ".join(definition.grain), ", ".join(ways)
    keys = ", ".join(f"{way.get('keys', {}).get(column, column)} as {column}" for column in definition.grain)
    found = ", ".join(
        f"case when {way['where']} then {way.get('value', 1)} end as {measure}"
        for measure, way in ways.items()
    )
    # The day of a record that has none is no cell of the mart.
    present = " and ".join(f"{column} is not null" for column in ("record_id", *definition.dates))
    records = f"""(
        select * from (
            select {keys}, {way["id"]} as record_id, {found}
            from {way["relation"]}
            where ({definition.population}) and ({" or ".join(f"({way['where']})" for way in ways.values())})
        ) as found
        where {present} and not exists ({_missing_inputs(definition)})
    )"""
    # A count is of distinct records: what the relation holds several times in a cell counts once.
    once = ", ".join(
        f"{'sum' if 'value' in way else 'max'}({measure}) as {measure}" for measure, way in ways.items()
    )
    cells = f"select {grain}, {measures} from reports.{definition.mart}"
    law = equal_sums(
        cells,
        f"select {grain}, {once} from {records} as records group by {grain}, record_id",
        by=grain,
        measures=measures,
    )
    if way["id"] in REPEATED_IDS.get(definition.mart, ()):
        return law
    as_they_stand = screened_sums(
        cells, f"select {grain}, {measures} from {records} as records", by=grain, measures=measures
    )
    repeated = f"""
        select count(*) - count(distinct hash({grain}, record_id)) as repeated
        from {records} as records
    """
    if all("value" in way for way in ways.values()):
        return law | {"screen": as_they_stand}
    return law | {"screen": f"{as_they_stand} union all by name {repeated}"}


def answers() -> dict[str, str]:
    """Per additive report the relation `proof_answers_<function>`: what its function answers in the
    three WAYS. A call is dear, also to plan, so all laws share these; what they read is all it holds."""
    return {
        f"proof_answers_{definition.function}": _answers(definition)
        for definition in definitions()
        if _is_additive(definition)
    }


def _is_additive(definition: Definition) -> bool:
    return definition.mart not in NO_FUNCTION and definition.mart not in NOT_ADDITIVE


def _answers(definition: Definition) -> str:
    columns = ", ".join(["group_id", *definition.measures, *ALSO_READ.get(definition.function, ())])
    return " union all by name ".join(
        f"""
        select '{way}' as way, {columns} {", bucket_start" if "bucket" in arguments else ""}
        from {_call(definition, begin, end, arguments)}
        {"where bucket_start = getvariable('third_month')" if "cumulative" in arguments else ""}
        """
        for way, (begin, end, arguments) in _ways(definition).items()
    )


def _ways(definition: Definition) -> dict[str, tuple[str, str, str]]:
    """Range and arguments of each way in which the report's function is asked."""
    if definition.function in WALKING:
        return WAYS | {"owner": (*YEAR, WAYS["owner"][-1])}
    return WAYS


def _call(definition: Definition, *arguments: str, function: str = "") -> str:
    """A call of the report's function, with what it needs to take in all of the mart."""
    own = WHOLE_MART.get(definition.function, "")
    if definition.mart in ONE_PIPELINE:
        own = "pipelines := [getvariable('one_pipeline')]"
    return f"reports.{function or definition.function}({', '.join(filter(None, [*arguments, own]))})"


def _mart_in_range(definition: Definition, begin: str, end: str) -> str:
    (day, *_) = definition.dates
    rows = f"reports.{definition.mart} where {day} >= {begin} and {day} < {end}"
    if definition.mart in ONE_PIPELINE:
        rows += " and pipeline_id = getvariable('one_pipeline')"
    return rows


def _groups_sum_to_mart(definition: Definition) -> Invariant:
    totals = ", ".join(f"sum({measure}) as {measure}" for measure in definition.additive)
    return Invariant(
        name=f"{definition.mart}_is_what_its_function_adds_up_to_by_any_group",
        report=definition.mart,
        words="U1, F0 and marts.md: by owner, by team and at the end of the running total, the "
        "function's rows add up to the mart.",
        **equal_sums(
            f"select * from proof_answers_{definition.function}",
            " union all ".join(
                f"select '{way}' as way, {totals} from {_mart_in_range(definition, begin, end)}"
                for way, (begin, end, _) in _ways(definition).items()
            ),
            by="way",
            measures=", ".join(definition.additive),
        ),
    )


def _buckets_sum_to_mart(definition: Definition) -> Invariant:
    begin, end, _ = _ways(definition)["owner"]
    return Invariant(
        name=f"{definition.mart}_is_what_its_function_adds_up_to_over_buckets",
        report=definition.mart,
        words="U2: an owner's quarters add up to the owner's rows in the mart.",
        **equal_sums(
            f"select *, group_id as owner_id from proof_answers_{definition.function} where way = 'owner'",
            f"select * from {_mart_in_range(definition, begin, end)}",
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
                where way = 'team' or (way = 'owner' and bucket_start = getvariable('quarter_start'))
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
