"""Laws that every report function obeys, made from the report's definition.

Belongs here: U1 to U3 of `reports.md` and R10, each as one invariant per report, and the answers of
the functions, which these laws share with those of the collections. Laws of the marts themselves
stand in `universal.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from orchestration.checks import WHOLE, Invariant, equal_sums
from orchestration.checks.definitions import Definition, definitions

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
# The one in which a night asks, too: cheap, and of the days that change most.
IN_ALL = "none"
# These answer from their mart unless stages are named; then they walk through the past of each record as
# the mart did, by the same macro. So by owner they are asked of a year, and told to walk through all stages.
WALKING = {
    "deal_funnel": "stages := getvariable('funnel_stages')",
    "lead_journey": "stages := getvariable('journey_stages')",
}
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
# Tables without a function of their own.
NO_FUNCTION = {"rpt_data_quality", "rpt_deal_pipeline_waterfall_deals"}


def function_laws(definition: Definition) -> Iterator[Invariant]:
    """The laws of one report's function."""
    if is_additive(definition):
        yield _total_is_that_of_the_mart(definition)
        yield _groups_sum_to_mart(definition)
        yield _buckets_sum_to_mart(definition)
        yield _no_group_exceeds_the_whole(definition)
    if definition.mart not in NO_FUNCTION:
        yield _nothing_found_is_no_error(definition)


def answers() -> dict[str, str]:
    """Per additive report the relation `proof_answers_<function>`: what its function answers in the
    three WAYS, and `proof_total_<function>`, what it answers IN_ALL. A call is dear, also to plan, so all
    laws share these; what they read is all it holds."""
    relations = {}
    for definition in filter(is_additive, definitions()):
        others = [way for way in _ways(definition) if way != IN_ALL]
        total = f"proof_total_{definition.function}"
        relations[total] = _answers(definition, [IN_ALL])
        relations[f"proof_answers_{definition.function}"] = (
            f"{_answers(definition, others)} union all by name from {total}"
        )
    return relations


def calls_functions(law: Invariant) -> bool:
    """Whether the law asks a report function."""
    return bool(re.search(r"\breports\.\w+\(|\bproof_(answers|total)_", law.sql))


def asks_in_all(law: Invariant) -> bool:
    """Whether the law asks report functions IN_ALL, and in no other way."""
    return "proof_total_" in law.sql and not re.search(r"\breports\.\w+\(|\bproof_answers_", law.sql)


def is_additive(definition: Definition) -> bool:
    return definition.mart not in NO_FUNCTION and definition.mart not in NOT_ADDITIVE


def _answers(definition: Definition, ways: Iterable[str]) -> str:
    columns = ", ".join(["group_id", *definition.measures, *ALSO_READ.get(definition.function, ())])
    return " union all by name ".join(
        f"""
        select '{way}' as way, {columns} {", bucket_start" if "bucket" in arguments else ""}
        from {_call(definition, begin, end, arguments)}
        {"where bucket_start = getvariable('third_month')" if "cumulative" in arguments else ""}
        """
        for way, (begin, end, arguments) in _ways(definition).items()
        if way in ways
    )


def _ways(definition: Definition) -> dict[str, tuple[str, str, str]]:
    """Range and arguments of each way in which the report's function is asked."""
    if definition.function in WALKING:
        return WAYS | {"owner": (*YEAR, f"{WAYS['owner'][-1]}, {WALKING[definition.function]}")}
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


def _total_is_that_of_the_mart(definition: Definition) -> Invariant:
    return Invariant(
        name=f"{definition.mart}_is_what_its_function_adds_up_to_in_all",
        report=definition.mart,
        words="U1, F0 and marts.md: at the end of the running total of the quarter that lasts or has just "
        "ended, the function's rows add up to the mart.",
        **_mart_equals(definition, f"from proof_total_{definition.function}", [IN_ALL]),
    )


def _groups_sum_to_mart(definition: Definition) -> Invariant:
    return Invariant(
        name=f"{definition.mart}_is_what_its_function_adds_up_to_by_any_group",
        report=definition.mart,
        words="U1, F0 and marts.md: by owner and by team, the function's rows add up to the mart.",
        **_mart_equals(
            definition,
            f"from proof_answers_{definition.function} where way <> '{IN_ALL}'",
            [way for way in _ways(definition) if way != IN_ALL],
        ),
    )


def _mart_equals(definition: Definition, answers: str, ways: Iterable[str]) -> dict[str, str]:
    """That the answers in these ways add up to the mart."""
    totals = ", ".join(f"sum({measure}) as {measure}" for measure in definition.additive)
    return equal_sums(
        answers,
        " union all ".join(
            f"select '{way}' as way, {totals} from {_mart_in_range(definition, begin, end)}"
            for way, (begin, end, _) in _ways(definition).items()
            if way in ways
        ),
        by="way",
        measures=", ".join(definition.additive),
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
