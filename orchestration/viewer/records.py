"""The records behind a number of a report.

Belongs here: from a cell, a row of the report's answer and one of its measures (or several rows that a
chart shows as one mark), to the SQL that lists the records, with the predicates of the report's YAML
(`drill_down.py`). Whose records and which days those are, the published helper functions say, the same
that the report function asks. Nothing is believed: the records are counted and must come to what the
cell says, else they are not shown.

Reports that summarise records of their own (6, 12) list them with the function of their rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import pyarrow

from orchestration.drill_down import DrillDown, function_drill_down
from orchestration.viewer.catalog import Report
from orchestration.viewer.database import Build
from orchestration.viewer.periods import Period
from orchestration.viewer.sql import conditions, literal
from orchestration.viewer.state import ReportState

MAX_RECORDS = 5_000
_OWN_ROWS = {"lead_response_time": "contact_count", "deal_change_history": "change_count"}
"""Reports whose records are their rows function's, and the measure that counts them."""

_DEAL = (
    "deal_id, deal_name, owner_name, team_name, pipeline_label, stage_label, deal_status, company_amount, "
    "created_date, close_date"
)
_ACTIVITY = (
    "activity_type, activity_id, title, owner_name, team_name, activity_at, direction, status, "
    "outcome_label, duration_ms"
)
_CONTACT = "contact_id, first_name, last_name, source, lifecycle_stage, owner_name, team_name, created_date"
_THREAD = "thread_id, channel, status, owner_name, team_name, created_at, closed_at"
_ENROLMENT = "contact_id, sequence_name, status, owner_name, team_name, enrolled_at, email_sent_count"
_VISIT = (
    "deal_id, deal_name, deals.owner_name, deals.team_name, visits.stage_label, visits.entered_at, "
    "visits.exited_at, visits.duration_ms"
)
_GOAL = "goal_name, milestone, owner_name, team_name, period_start, period_end, target_amount"
# What is shown of records: from the relation itself, or from the table that its ids are of.
_OF_RELATION = {
    "core.fct_activities": _ACTIVITY,
    "core.fct_conversations": _THREAD,
    "core.fct_sequence_enrollments": _ENROLMENT,
    "core.fct_goal_slices": _GOAL,
}
# A goal's deals count by their day; its slices count whole where they overlap the range.
_DAYS_OF_GOALS = {
    "core.fct_goal_deals": "close_date >= days.first_day and close_date < days.end_day",
    "core.fct_goal_slices": "period_start < days.end_day and period_end > days.first_day",
}
_OF_ID = {"deal_id": ("core.fct_deals", _DEAL), "contact_id": ("core.dim_contacts", _CONTACT)}


class NotListed(RuntimeError):
    """The records of this number cannot be listed; the message says why, and what would work."""


@dataclass(frozen=True)
class Records:
    """The records behind a number."""

    rows: pyarrow.Table
    """At most MAX_RECORDS of them."""
    count: int
    sql: str


def measures(report: Report, row: Mapping[str, Any]) -> list[str]:
    """The measures of a row whose records can be asked for, in the report's order."""
    if report.name in _OWN_ROWS:
        return [_OWN_ROWS[report.name]]
    described = report.definition.get("drill_down", {})
    return [measure for measure in report.measures if measure in described and measure in row]


def records(
    build: Build, report: Report, state: ReportState, rows: Sequence[Mapping[str, Any]], measure: str
) -> Records:
    """The records behind `measure` of some rows of the answer to `state`, all of them together.

    Raises NotListed if they cannot be listed, or would not come to what the rows say.
    """
    if report.name in _OWN_ROWS:
        sql = " union all ".join(f"({_own_rows_sql(build, report, state, row)})" for row in rows)
        counted = f"select count(*) as value from ({sql})"
    else:
        way = _way(report, state, measure)
        any_row = " or ".join(
            conditions(
                [
                    *_row_conditions(report, state, row, way),
                    *_scope_conditions(build, report, state, row, way),
                ]
            )
            for row in rows
        )
        sql = _details_sql(way, [any_row])
        value = f"coalesce(sum({way.value}), 0)" if way.value else f"count(distinct {way.id})"
        counted = f"select {value} as value from {way.relation} where {conditions([way.where, any_row])}"
    found = build.one(counted)
    if not _same(found["value"], sum(Decimal(str(row[measure] or 0)) for row in rows)):
        raise NotListed(_why_not(report, state))
    shown = build.table(sql, MAX_RECORDS)
    # A deal has several visits to a stage, a goal several periods: what is listed is what is counted.
    count = shown.num_rows
    if count == MAX_RECORDS:
        count = build.one(f"select count(*) as records from ({sql})")["records"]
    return Records(shown, count, sql)


def _way(report: Report, state: ReportState, measure: str) -> DrillDown:
    given = {key: value for key, value in state.values(report).items() if not isinstance(value, list)}
    for argument in report.arguments.values():
        described = report.function_meta["arguments"].get(argument.name, {})
        chosen = state.value(report, argument.name)
        if chosen and argument.name in ("stages", "optional_stages") and "column" not in described:
            raise NotListed(
                "The records of stages of your own choice cannot be listed. Choose the report's own stages."
            )
    way = function_drill_down(report.definition, report.function_meta, measure, given)
    if way is None:
        raise NotListed("With these filters the number is made of parts of records, which cannot be listed.")
    return way


def _row_conditions(report: Report, state: ReportState, row: Mapping[str, Any], way: DrillDown) -> list[str]:
    """That a record counts in the row: its categories, its group, and filters that are in no column."""
    keys = [
        column
        for column in report.definition["grain"]
        if column in row and column not in ("owner_id", "pipeline_id", "team_id")
    ]
    wheres = [f"{way.column(key)} is not distinct from {literal(row[key])}" for key in keys]
    group_by = state.value(report, "group_by")
    if group_by not in ("none", "owner", "team", "pipeline"):
        column = group_by if group_by in report.definition["grain"] else f"{group_by}_id"
        wheres.append(f"{way.column(column)} = {literal(row['group_id'])}")
    for name, described in report.function_meta["arguments"].items():
        if (column := described.get("column")) and (chosen := state.value(report, name)):
            wheres.append(f"{column} in (select unnest({literal(chosen)}))")
    return wheres


def _scope_conditions(
    build: Build, report: Report, state: ReportState, row: Mapping[str, Any], way: DrillDown
) -> list[str]:
    """That its owner, its pipeline and its day are among those that the row is about."""
    wheres = []
    scope = _scope_sql(report, state, row)
    owner = way.column("owner_id")
    if row.get("assignee_kind") == "team":
        wheres.append(f"team_id = {literal(row['group_id'])}" if row["group_id"] != "all" else "true")
    elif "pipelines" in report.arguments and "pipeline_id" in report.definition["grain"]:
        wheres.append(
            f"({owner}, {way.column('pipeline_id')}) in (select (owner_id, pipeline_id) from ({scope}))"
        )
        if "pipeline_id" in row:
            wheres.append(f"{way.column('pipeline_id')} = {literal(row['pipeline_id'])}")
    else:
        wheres.append(f"{owner} in (select owner_id from ({scope}))")
    days = _days_sql(build, report, state, row)
    if "period_grain" in report.definition["grain"]:
        wheres.append(
            "(period_grain, period_start) in (select (period_grain, period_start) from core.dim_periods "
            f"inner join ({days}) as days on period_start = days.first_day and period_end = days.end_day)"
        )
    elif day := next((column for column in report.definition["grain"] if column.endswith("_date")), None):
        if day not in row:  # a snapshot's day is a category
            wheres.append(
                f"exists (select 1 from ({days}) as days where {way.column(day)} >= days.first_day "
                f"and {way.column(day)} < days.end_day)"
            )
    elif way.relation in _DAYS_OF_GOALS:
        within = _DAYS_OF_GOALS[way.relation]
        wheres.append(f"exists (select 1 from ({days}) as days where {within})")
    return wheres


def _scope_sql(report: Report, state: ReportState, row: Mapping[str, Any]) -> str:
    """Owners (and pipelines) that count in a row, by the function that all report functions ask."""
    values = state.values(report)
    helper, names = "report_scope", ["group_by", "owners", "teams", "include_subteams"]
    if "pipelines" in report.arguments:
        helper, names = "report_deal_scope", [*names, "pipelines"]
    arguments = ", ".join(literal(values.get(name)) for name in names)
    where = ""
    if values["group_by"] in ("owner", "team", "pipeline"):
        where = f" where group_id = {literal(row['group_id'])}"
    return f"select * from core.{helper}({arguments}){where}"


def _days_sql(build: Build, report: Report, state: ReportState, row: Mapping[str, Any]) -> str:
    """First day and end of the row's bucket, or of the whole range."""
    first, end = map(literal, state.period.days(build.calendar))
    bucket, cumulative = state.value(report, "bucket"), state.value(report, "cumulative") or False
    where = f" where bucket_start = {literal(row['bucket_start'])}" if bucket else ""
    return (
        f"select * from core.report_buckets({first}, {end}, {literal(bucket)}, {literal(cumulative)}){where}"
    )


def _details_sql(way: DrillDown, wheres: list[str]) -> str:
    if way.relation.startswith("core.fct_deals as deals inner join core.fct_deal_stage_visits"):
        columns = _VISIT
    elif way.relation in _OF_RELATION:
        columns = _OF_RELATION[way.relation]
    else:
        relation, columns = _OF_ID[way.id]
        order = "company_amount desc nulls last" if way.id == "deal_id" else "created_date desc"
        return (
            f"select {columns} from {relation} where {way.id} in ({way.records_sql(wheres)}) "
            f"order by {order}, {way.id}"
        )
    return f"select {columns} from {way.relation} where {conditions([way.where, *wheres])} order by all"


def _own_rows_sql(build: Build, report: Report, state: ReportState, row: Mapping[str, Any]) -> str:
    """The call of the rows function, narrowed to a row of the summary."""
    group_by = state.value(report, "group_by")
    arguments, wheres = {}, []
    match group_by:
        case "engagement_type":
            wheres.append(f"first_engagement_type is not distinct from {literal(_known(row['group_id']))}")
        case "source":
            arguments = {"sources": [row["group_id"]]}
        case "category":
            wheres.append(f"category = {literal(row['group_id'])}")
        case "stage":
            wheres.append(f"stage_id = {literal(row['group_id'])}")
        case "changed_by":
            wheres.append(f"changed_by_owner_id = {literal(row['group_id'])}")
        case "owner" | "team":
            scope = _scope_sql(report, state, row)
            wheres.append(f"owner_id in (select owner_id from ({scope}))")
    wheres += [
        f"{column} is not distinct from {literal(row[column])}"
        for column in ("category", "is_inside")
        if column in row
    ]
    if state.value(report, "bucket"):
        days = build.one(_days_sql(build, report, state, row))
        state = replace(state, period=Period(None, days["first_day"], days["end_day"]))
    call = state.choose(report, **arguments).rows_sql(report, build.calendar)
    return f"select * exclude (group_id, group_label) from ({call}) where {conditions(wheres)}"


def _known(group_id: str) -> str | None:
    return None if group_id in ("none", "(None)") else group_id


def _same(found: Any, said: Any) -> bool:
    return Decimal(str(found or 0)) == Decimal(str(said or 0))


def _why_not(report: Report, state: ReportState) -> str:
    if "period_grain" in report.definition["grain"]:
        return (
            "Records can be listed for whole months, fiscal quarters and fiscal years, with the range of "
            "close dates that belongs to them. Choose one of these as the date range."
        )
    if report.name == "historical_snapshots":
        return (
            "Records can be listed of days that are reconstructed and still in the calendar of snapshots; "
            "of days that were stored at the time only the numbers were kept."
        )
    if report.name == "quota_attainment":
        return "Deals can be listed for whoever has a target in the range, and whole targets only."
    return "With these filters the records behind this number cannot be listed one by one."
