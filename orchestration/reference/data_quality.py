"""Data quality: what each report should know about the records that it reads."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from orchestration.ingest.contract import TABLES
from orchestration.reference.activities import created_at, meeting_at, task_completed_at, task_status
from orchestration.reference.chats import chat_threads
from orchestration.reference.crm import STATE_PROPERTIES, Crm, Deal, Row, id_order, split_list
from orchestration.reference.forecast_category import has_conflict
from orchestration.reference.lead_response_time import responses
from orchestration.reference.quota_attainment import has_no_rate, is_revenue_goal, period_of
from orchestration.settings import PROJECT_ROOT

MEASURES = ("severity", "row_count", "sample_ids")
ACTIVITIES = ("calls", "meetings", "tasks", "emails", "notes")

# What a report cannot do without (K11), as `marts.md` lists it. Of a tuple any one will do.
NEEDS = {
    "rpt_call_outcomes": ["calls"],
    "rpt_chats": ["conversation_threads", "conversation_channels"],
    "rpt_completed_activities": [ACTIVITIES],
    "rpt_lead_funnel": ["contacts", "associations"],
    "rpt_lead_journey": ["contacts", "contact_property_history"],
    "rpt_lead_response_time": ["contacts", "associations", ACTIVITIES],
    "rpt_meeting_outcomes": ["meetings"],
    "rpt_prospecting_sequences": ["contact_property_history"],
    "rpt_prospecting_meetings": ["meetings"],
    "rpt_prospecting_calls": ["calls"],
    "rpt_prospecting_tasks": ["tasks"],
    "rpt_tasks_completed": ["tasks"],
    "rpt_team_activity_timeline": [ACTIVITIES],
    "rpt_forecast_category": ["deals.hs_manual_forecast_category"],
    "rpt_quota_attainment": ["goal_targets"],
    "rpt_deal_loss_reasons": ["deals.closed_lost_reason"],
    "rpt_deal_revenue_by_source": ["deals.hs_analytics_source"],
}


@dataclass(frozen=True)
class Finding:
    """One thing about one record, under the raw column it is about."""

    issue: str
    table: str
    column: str | None  # None: about the whole row
    record_id: str
    status: str | None = None  # of a deal


def rpt_data_quality(crm: Crm) -> list[Row]:
    """One row per report and issue."""
    severities = {row["issue"]: row["severity"] for row in seed_rows("data_quality_issues")}
    touched: dict[tuple[str, str], set[str]] = defaultdict(set)
    for finding in set(findings(crm)):
        for read in seed_rows("report_columns"):
            if _touches(finding, read):
                touched[read["report"], finding.issue].add(finding.record_id)
    rows = [
        {
            "report": report,
            "issue": issue,
            "severity": severities[issue],
            "row_count": len(ids),
            "sample_ids": ",".join(sorted(ids, key=id_order)[:10]),
        }
        for (report, issue), ids in touched.items()
    ]
    missing = {"severity": "warning", "row_count": 0, "sample_ids": None}
    return rows + [{"report": report, "issue": issue, **missing} for report, issue in missing_inputs(crm)]


def _touches(finding: Finding, read: dict[str, str]) -> bool:
    if finding.table != read["table_name"] or finding.column not in (None, read["column_name"]):
        return False
    if finding.status is None or read["of_deals"] == "all":
        return True
    return finding.status == read["of_deals"] or (read["of_deals"], finding.status) in (
        ("closed", "won"),
        ("closed", "lost"),
    )


def seed_rows(name: str) -> list[dict[str, str]]:
    with (PROJECT_ROOT / "seeds" / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def missing_inputs(crm: Crm) -> Iterator[tuple[str, str]]:
    """(report, issue) of every table or column that a report needs and the source lacks (K11)."""
    for report, needs in NEEDS.items():
        for need in needs:
            names = [need] if isinstance(need, str) else need
            if not any(crm.is_available(*name.split(".")) for name in names):
                kind = "column" if "." in names[0] else "table"
                yield report, f"missing_{kind}:{', '.join(sorted(names))}"


def findings(crm: Crm) -> Iterator[Finding]:
    """All findings about single records."""
    for deal in crm.deals:
        yield from _of_deal(crm, deal)
    for deal in crm.historic_deals:
        yield from _of_deal_history(crm, deal)
    for table in ACTIVITIES:
        for row in crm.population(table):
            yield from _of_activity(crm, table, row)
    for thread in chat_threads(crm):
        if not (thread["assigned_to"] or "").startswith("A-") or thread["assigned_to"] == "A-":
            yield Finding("no_owner", "conversation_threads", "assigned_to", thread["id"])
    answered = responses(crm)
    for row in crm.population("contacts"):
        yield from _of_contact(crm, row)
        if row["hubspot_owner_id"] is not None and row["id"] not in answered:  # 6a
            yield Finding("no_date", "contacts", "hubspot_owner_assigneddate", row["id"])
    for contact_id, response in answered.items():
        if response.differs_from_stored:  # 6b
            yield Finding("stored_value_differs", "contacts", "hs_time_to_first_engagement", contact_id)
    for row in crm.population("goal_targets"):
        yield from _of_goal(crm, row)
    for table, number, record_id in crm.rejected_rows:
        yield Finding("rejected_rows", table, None, f"{record_id or ''} (row {number})".strip())
    for table, column, record_id in crm.rejected_values:
        yield Finding("rejected_values", table, column, record_id)


def _of_deal(crm: Crm, deal: Deal) -> Iterator[Finding]:
    row = deal.row
    pipelines = {row["id"] for row in crm.rows("pipelines") if row["object_type"] == "deal"}
    is_foreign = row["deal_currency_code"] not in (None, crm.settings.company_currency)
    found = {
        ("no_date", "createdate"): deal.created_at is None,
        ("no_date", "closedate"): deal.close_at is None,
        ("no_owner", "hubspot_owner_id"): row["hubspot_owner_id"] is None,
        ("unknown_owner", "hubspot_owner_id"): _is_unknown_owner(crm, row["hubspot_owner_id"]),
        ("no_amount", "amount"): deal.amount is None,
        ("missing_rate", "hs_exchange_rate"): (
            is_foreign and row["hs_exchange_rate"] is None and deal.amount is not None
        ),
        ("unknown_pipeline", "pipeline"): row["pipeline"] not in pipelines,
        ("unknown_stage", "dealstage"): deal.stage.stage_class == "unknown",
        ("forecast_conflict", "hs_manual_forecast_category"): has_conflict(deal),
    }
    for (issue, column), is_found in found.items():
        if is_found:
            yield Finding(issue, "deals", column, deal.id, deal.status)


def _of_deal_history(crm: Crm, deal: Deal) -> Iterator[Finding]:
    def finding(issue: str, name: str) -> Finding:
        return Finding(issue, "deal_property_history", name, deal.id, deal.status)

    for name in TABLES["deal_property_history"].tracked:
        if deal.unknown_stretches(name):  # H4
            yield finding("truncated_history", name)
    for name in STATE_PROPERTIES:
        versions = deal.raw_versions(name)
        if not versions:
            continue
        is_later = versions[0].timestamp > deal.created_at
        if is_later and deal.is_backfilled(name) and not deal.is_truncated(name):  # H3
            yield finding("backfilled", name)
        if versions[-1].value != deal.row[name]:  # H6
            yield finding("last_version_differs", name)
    if any(entry.stage.stage_class == "unknown" for entry in deal.stage_entries):
        yield finding("unknown_stage", "dealstage")
    if any(visit.stage.pipeline_id != deal.pipeline_id for visit in deal.visits):  # 13a
        yield finding("moved_out", "pipeline")
    if len({v.value for v in deal.raw_versions("deal_currency_code") if v.value}) > 1:  # P11
        yield finding("currency_changed", "deal_currency_code")
    if _has_absorbed(crm, "deals", deal.row):
        yield finding("merged", "dealstage")


def _of_activity(crm: Crm, table: str, row: Row) -> Iterator[Finding]:
    outcome = row.get("hs_meeting_outcome")
    begins = meeting_at(row) if table == "meetings" else None
    found = {
        ("no_date", "hs_timestamp"): row["hs_timestamp"] is None and table != "meetings",
        ("no_date", "hs_createdate"): created_at(row) is None,
        ("no_date", "hs_meeting_start_time"): table == "meetings" and begins is None,
        ("no_date", "hs_task_completion_date"): (
            table == "tasks" and task_status(row) == "COMPLETED" and task_completed_at(crm, row) is None
        ),
        ("no_owner", "hubspot_owner_id"): row["hubspot_owner_id"] is None,
        ("unknown_owner", "hubspot_owner_id"): _is_unknown_owner(crm, row["hubspot_owner_id"]),
        ("past_meeting_without_outcome", "hs_meeting_outcome"): (  # 7a
            begins is not None and begins < crm.run_ts and outcome in (None, "SCHEDULED")
        ),
    }
    for (issue, column), is_found in found.items():
        if is_found:
            yield Finding(issue, table, column, row["id"])


def _of_contact(crm: Crm, row: Row) -> Iterator[Finding]:
    created = crm.creation_instant("contacts", row)
    if created is None:
        yield Finding("no_date", "contacts", "createdate", row["id"])
    if row["hubspot_owner_id"] is None:
        yield Finding("no_owner", "contacts", "hubspot_owner_id", row["id"])
    if _is_unknown_owner(crm, row["hubspot_owner_id"]):
        yield Finding("unknown_owner", "contacts", "hubspot_owner_id", row["id"])
    for name in TABLES["contact_property_history"].tracked:
        gaps = crm.gaps("contact_property_history", row["id"], name)
        if created is not None and any(gap_to > created for _, gap_to in gaps):
            yield Finding("truncated_history", "contact_property_history", name, row["id"])
    if _has_absorbed(crm, "contacts", row):
        yield Finding("merged", "contact_property_history", "lifecyclestage", row["id"])


def _of_goal(crm: Crm, row: Row) -> Iterator[Finding]:
    if period_of(row) is None:
        yield Finding("no_date", "goal_targets", "hs_start_datetime", row["id"])
    elif row["hs_assignee_user_id"] is None and row["hs_assignee_team_id"] is None:  # 18c
        yield Finding("no_owner", "goal_targets", "hs_assignee_user_id", row["id"])
    elif not is_revenue_goal(row):  # K14
        yield Finding("not_revenue", "goal_targets", "hs_kpi_metric_type", row["id"])
    elif has_no_rate(crm, row):  # 18d
        yield Finding("missing_rate", "goal_targets", "hs_goal_target_currency_code", row["id"])


def _is_unknown_owner(crm: Crm, owner_id: str | None) -> bool:
    return owner_id is not None and owner_id not in {row["id"] for row in crm.rows("owners")}


def _has_absorbed(crm: Crm, table: str, row: Row) -> bool:
    """Whether other records were merged into this one, by its own list or their pointer (P1)."""
    listed = set(split_list(row["hs_merged_object_ids"])) - {row["id"]}
    return bool(listed) or any(
        other["merged_into_id"] == row["id"] and other["id"] != row["id"] for other in crm.rows(table)
    )
