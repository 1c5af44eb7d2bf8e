"""The reports, as the published database describes them.

Belongs here: reading `core.dim_reports` and `core.fct_checks`: HubSpot's collections and order, what a
report is called, which arguments its function takes and what they may be. All texts are those of the
YAML beside the mart, through the publication; only the titles of HubSpot's collections and how a report
looks at first sight stand here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from orchestration.viewer.database import Build
from orchestration.viewer.sql import conditions, literal, text

COLLECTIONS = {
    "coach_reps_and_teams": "Coach reps and teams",
    "forecasts_and_pipelines": "Forecasts and pipelines",
    "sales_outcomes": "Sales outcomes",
}
"""HubSpot's three collections, in its order."""
_DATA_QUALITY = "rpt_data_quality"
_FUNNEL_STEPS = "core.dim_deal_funnel_steps"
_BUCKETS = (None, "day", "week", "month", "quarter", "year")
# Charts that show one thing at a time; grouped by rep they would be dozens.
_UNGROUPED_CHARTS = {"waterfall", "funnel", "area", "table"}
_PERIODS = {
    "deal_pipeline_waterfall": "this_fiscal_quarter",
    "deal_push_rate": "last_fiscal_quarter",
    "historical_snapshots": "last_365_days",
    "quota_attainment": "this_fiscal_quarter",
    "forecast_category": "this_fiscal_quarter",
    "weighted_pipeline_forecast": "this_fiscal_quarter",
    "team_activity_timeline": "last_7_days",
    "deal_change_history": "last_30_days",
    "deal_funnel": "last_365_days",
    "lead_journey": "last_365_days",
}
_USUAL_PERIODS = {"sales_outcomes": "last_365_days"}
_USUAL_PERIOD = "last_90_days"


@dataclass(frozen=True)
class Choices:
    """Where in the database the values of an argument stand."""

    relation: str
    id: str
    label: str
    order: str | None = None
    where: str | None = None


@dataclass(frozen=True)
class Argument:
    """An argument of a report function."""

    name: str
    kind: str
    """one_of (a fixed value), each_of (some fixed values), names (ids out of the database), name (one of
    them), date, flag."""
    default: Any = None
    """What the viewer asks for unless something else is chosen; NULL is None."""
    function_default: Any = None
    """What the function takes where nothing is said."""
    description: str = ""
    values: tuple[str | None, ...] = ()
    """The fixed values; None among them means all."""
    choices: Choices | None = None
    among: str | None = None
    """The argument that this one is a part of, such as optional stages of the stages."""
    date_properties: Mapping[str, str] = field(default_factory=dict)
    """Which property the date range works on where a value of this argument changes it."""

    @property
    def is_list(self) -> bool:
        return self.kind in ("each_of", "names")


@dataclass(frozen=True)
class Report:
    """One report."""

    name: str
    """Its name in addresses, such as deals_won_and_lost: the mart's without rpt_."""
    mart: str
    function: str | None
    rows_function: str | None
    """The function of its single records, where the report itself is a summary of them."""
    number: int | None
    title: str
    collection: str
    question: str
    description: str
    arguments: Mapping[str, Argument]
    """Common ones and its own, in the order of the function."""
    definition: Mapping[str, Any]
    """config.meta.report of its YAML."""
    function_meta: Mapping[str, Any]
    """config.meta of its function, as `drill_down.py` reads it; and its description."""
    columns: Mapping[str, Mapping[str, str]]
    """Type and description of the columns of mart and function."""
    missing: tuple[str, ...]
    """What the source lacks of what it needs; it has no rows then."""
    default_period: str

    @property
    def chart(self) -> Mapping[str, Any]:
        return self.definition["chart"]

    @property
    def measures(self) -> Sequence[str]:
        return self.definition["measures"]

    @property
    def has_close_period(self) -> bool:
        """Whether it has a range of close dates besides that of the report."""
        return "close_from" in self.arguments

    def date_property(self, values: Mapping[str, Any]) -> str:
        """The property that the date range works on, with these values of arguments."""
        for argument in self.arguments.values():
            if argument.date_properties and values.get(argument.name) in argument.date_properties:
                return argument.date_properties[values[argument.name]]
        return self.definition["date_property"]


class Catalog:
    """All reports of a build, and what its checks found."""

    def __init__(self, build: Build) -> None:
        self._build = build
        rows = build.records("from core.dim_reports")
        missing: dict[str, list[str]] = {}
        for row in build.records("select report, issue from core.fct_missing_inputs order by all"):
            missing.setdefault(row["report"], []).append(row["issue"])
        found = [_report(build, row, missing.get(row["report"], [])) for row in rows]
        order = list(COLLECTIONS)
        self.reports: Mapping[str, Report] = {
            report.name: report
            for report in sorted(
                (r for r in found if r.function and r.collection in COLLECTIONS),
                key=lambda r: (order.index(r.collection), r.number or 0, r.title),
            )
        }
        """Those that have a page, by name, in HubSpot's order."""
        self.by_mart: Mapping[str, Report] = {report.mart: report for report in found}
        """All that are described, by the mart's name."""

    @property
    def data_quality(self) -> Report | None:
        return self.by_mart.get(_DATA_QUALITY)

    def collection(self, collection: str) -> list[Report]:
        """The reports of one of HubSpot's collections."""
        return [report for report in self.reports.values() if report.collection == collection]

    def checks(self, report: Report) -> list[dict[str, Any]]:
        """The checks of the last build that are about the report: those that failed first. `proof` says of
        which rows each was run, or with which build before."""
        return self._build.records(
            # All columns: builds of older versions say less.
            f"from core.fct_checks where report = {text(report.mart)} "
            "order by is_passed, words is null, check_name"
        )

    @cached_property
    def check_counts(self) -> dict[str, int]:
        """How many checks this build has, and how many hold."""
        return self._build.one(
            "select count(*) as checks, count(*) filter (where is_passed) as passed from core.fct_checks"
        )


def catalog(build: Build) -> Catalog:
    """The catalog of a build, read once and kept with it."""
    if build.catalog is None:
        build.catalog = Catalog(build)
    return build.catalog


def choices(build: Build, argument: Argument, given: Mapping[str, Any] | None = None) -> dict[str, str]:
    """Labels of the values that an argument may have, by id, in their order.

    `given` are the values of the other arguments: a funnel's stages are those of its pipeline.
    """
    source = argument.choices
    if source is None:
        return {}
    order = f"min({source.order}) nulls last, " if source.order else ""
    where = conditions(_choice_wheres(source, given or {}))
    rows = build.records(
        f"select {source.id} as id, min({source.label}) as label from {source.relation} "
        f"where {where} group by {source.id} order by {order}label, id"
    )
    return {row["id"]: row["label"] for row in rows}


@dataclass(frozen=True)
class Step:
    """A stage that a journey or a funnel has by itself."""

    id: str
    is_optional: bool


def steps(build: Build, argument: Argument, given: Mapping[str, Any]) -> list[Step]:
    """The stages that hold where none are chosen, in their order; of a funnel, those of its pipeline."""
    source = argument.choices
    rows = build.records(
        f"select {source.id} as id, is_optional from {source.relation} "
        f"where {conditions(_choice_wheres(source, given))} and {source.order} is not null "
        f"order by {source.order}"
    )
    return [Step(row["id"], row["is_optional"]) for row in rows]


def _choice_wheres(source: Choices, given: Mapping[str, Any]) -> list[str]:
    wheres = [f"{source.id} is not null", source.where or "true"]
    if source.relation == _FUNNEL_STEPS and given.get("pipelines"):
        wheres.append(f"pipeline_id in (select unnest({literal(given['pipelines'])}))")
    return wheres


def _report(build: Build, row: Mapping[str, Any], missing: Sequence[str]) -> Report:
    stored = json.loads(row["definition"])
    report, function = stored["report"], stored["function"] or {}
    short = row["report"].removeprefix("rpt_")
    arguments = _arguments(build, short, report, function) if function else {}
    return Report(
        name=short,
        mart=row["report"],
        function=row["function_name"],
        rows_function=row["rows_function_name"],
        number=row["report_number"],
        title=row["title"],
        collection=row["collection"],
        question=row["question"],
        description=row["description"],
        arguments=arguments,
        definition=report,
        function_meta={
            "description": function.get("description", ""),
            "function": {"arguments": function.get("arguments", {})},
            "arguments": function.get("argument_texts", {}),
        },
        columns=stored["columns"],
        missing=tuple(missing),
        default_period=_PERIODS.get(short) or _USUAL_PERIODS.get(row["collection"], _USUAL_PERIOD),
    )


def _arguments(
    build: Build, report: str, definition: Mapping[str, Any], function: Mapping[str, Any]
) -> dict[str, Argument]:
    groups = tuple(function["group_by"])
    ungrouped = definition["chart"]["type"] in _UNGROUPED_CHARTS
    owners = Choices("core.dim_owners", "owner_id", "owner_name")
    # By the whole path, which puts each team below the one that it belongs to.
    teams = Choices("core.dim_teams", "team_id", "path_names", "path_names")
    found = [
        Argument("group_by", "one_of", "none" if ungrouped else "owner", "owner", values=groups),
        Argument("owners", "names", choices=owners),
        Argument("teams", "names", choices=teams),
        Argument("include_subteams", "flag", False, False),
        Argument("bucket", "one_of", values=_BUCKETS),
        Argument("cumulative", "flag", False, False),
    ]
    if function["has_pipelines"]:
        pipelines = Choices("core.dim_pipelines", "pipeline_id", "pipeline_label", "display_order")
        found.insert(4, Argument("pipelines", "names", choices=pipelines))
    texts = function["argument_texts"]
    not_offered = function.get("not_offered", [])
    found += [_own(key, default, texts.get(key, {})) for key, default in function["arguments"].items()]
    return {a.name: _filled(build, report, a) for a in found if a.name not in not_offered}


def _own(key: str, declared: Any, described: Mapping[str, Any]) -> Argument:
    """One of the report's own arguments; how it is declared: macros/report_functions.sql."""
    common = {
        "description": described.get("description", ""),
        "date_properties": described.get("date_property", {}),
    }
    if isinstance(declared, dict):
        return Argument(key, "each_of", values=tuple(declared["each_of"]), **common)
    if isinstance(declared, list):
        return Argument(key, "one_of", declared[0], declared[0], values=tuple(declared), **common)
    if described.get("type") == "boolean":
        return Argument(key, "flag", declared, declared, **common)
    if described.get("type") == "date":
        return Argument(key, "date", **common)
    if "among" in described:
        return Argument(key, "names", among=described["among"], **common)
    is_list = key.endswith("s")
    return Argument(key, "names" if is_list else "name", choices=Choices(**described["choices"]), **common)


def _filled(build: Build, report: str, argument: Argument) -> Argument:
    """With what has to be chosen where there is more than one: a funnel's pipeline, the goal of a quota."""
    if (report, argument.name) == ("deal_funnel", "pipelines"):
        known = [key for key in choices(build, argument) if key != "none"]
        return replace(argument, default=known[:1]) if len(known) > 1 else argument
    if (report, argument.name) == ("historical_snapshots", "include_closed"):
        # All that was ever closed would hide the pipeline at first sight; the panel offers it.
        return replace(argument, default=False)
    if (report, argument.name) == ("quota_attainment", "goal"):
        # The one that is running; of several, and where none is, the first by name.
        running = build.records(
            "select goal_id from core.fct_goal_slices cross join core.build_info group by goal_id order by "
            "bool_or(run_date >= period_start and run_date < period_end) desc, min(goal_name), goal_id"
        )
        return replace(argument, default=running[0]["goal_id"]) if len(running) > 1 else argument
    return argument
