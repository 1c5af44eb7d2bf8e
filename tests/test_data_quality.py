"""What `rpt_data_quality` finds, and whom it tells.

Belongs here: findings against the reference record by record, and the road of what the load step
turned away. That the mart equals its reference is seen in `test_reference_vs_sql.py`.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest

from orchestration.reference.crm import Crm, RunSettings
from orchestration.reference.data_quality import findings, seed_rows
from orchestration.reference.raw import fetch
from tests.crm_generator import hard_crm
from tests.harness import Build, load_crm

RUN_TS = datetime(2026, 6, 1, tzinfo=UTC)


def found_by_sql(build: Build) -> set[tuple]:
    query = """
        select issue, table_name, column_name, record_id, deal_status
        from intermediate.int_data_quality_findings
    """
    rows = build.ensure("int_data_quality_findings").execute(query).fetchall()
    assert len(rows) == len(set(rows)), "a finding stands there twice"
    return set(rows)


def found_by_reference(crm: Crm) -> set[tuple]:
    return {(f.issue, f.table, f.column, f.record_id, f.status) for f in findings(crm)}


@pytest.mark.thorough
def test_findings_equal_the_reference_and_leave_no_issue_out():
    """Over hard CRMs every finding is the reference's and told to a report; each issue is seen."""
    seen = Counter()
    told = {(row["table_name"], row["column_name"]) for row in seed_rows("report_columns")}
    for seed in range(14):
        generated = hard_crm(seed)
        build = load_crm(generated.tables, **generated.settings)
        crm = Crm(generated.tables, RunSettings(**generated.settings))
        sql, reference = found_by_sql(build), found_by_reference(crm)
        assert sql == reference, f"CRM {seed}: {sorted(map(str, sql ^ reference))[:6]}"
        seen.update(issue for issue, *_ in reference)
        untold = {(table, column) for _, table, column, *_ in reference if column} - told
        assert untold == set(), "findings that no report reads"
        known = {row["issue"] for row in fetch(build.ensure("data_quality_issues"), ISSUES)}
        build.connection.close()
    assert known == set(seen), "issues without a finding, or without a meaning"


ISSUES = "select * from seeds.data_quality_issues"


def small_crm(**tables: list[dict]) -> dict[str, list[dict]]:
    stages = (("new", "0.2"), ("won", "1"), ("lost", "0"))
    deals = [
        {"id": "1", "dealname": "a", "pipeline": "p", "dealstage": "won", "hubspot_owner_id": "7"}
        | {"createdate": datetime(2026, 1, 1, tzinfo=UTC), "closedate": datetime(2026, 2, 1, tzinfo=UTC)}
        | {"amount": 100, "closed_lost_reason": None, "hs_analytics_source": "OFFLINE"},
    ]
    return {
        "deals": deals,
        "deal_property_history": [],
        "pipelines": [{"object_type": "deal", "id": "p", "label": "Sales"}],
        "pipeline_stages": [
            {"object_type": "deal", "pipeline_id": "p", "id": stage, "label": stage}
            | {"display_order": 0, "probability": probability}
            for stage, probability in stages
        ],
        "owners": [{"id": "7", "first_name": "Ada"}],
        "calls": [],
    } | tables


def quality(tables: dict[str, list[dict]]) -> dict[tuple[str, str], tuple]:
    """(report, issue) → (severity, row_count, sample_ids)."""
    build = load_crm(tables, run_ts=RUN_TS)
    rows = fetch(build.ensure("rpt_data_quality"), "from reports.rpt_data_quality")
    build.connection.close()
    return {(r["report"], r["issue"]): (r["severity"], r["row_count"], r["sample_ids"]) for r in rows}


NINE = {
    "rpt_call_outcomes",
    "rpt_deals_created",
    "rpt_time_in_deal_stage",
    "rpt_average_deal_size",
    "rpt_deal_loss_reasons",
    "rpt_deal_revenue_by_source",
    "rpt_deal_velocity",
    "rpt_deals_won_and_lost",
    "rpt_sales_velocity",
}


def of_nine(found: dict[tuple[str, str], tuple]) -> dict[tuple[str, str], tuple]:
    return {key: value for key, value in found.items() if key[0] in NINE}


def test_clean_data_gives_no_row():
    assert of_nine(quality(small_crm())) == {}


def test_an_uncastable_value_is_told_to_the_reports_that_read_it():
    tables = small_crm()
    tables["deals"].append(dict(tables["deals"][0]) | {"id": "2", "closedate": "soon"})
    tables["deal_property_history"] = [
        {"object_id": "1", "name": "amount", "value": "much", "timestamp": datetime(2026, 1, 2, tzinfo=UTC)}
    ]
    found = of_nine(quality(tables))
    readers = {report for report, issue in found if issue == "rejected_values"}
    assert readers == NINE - {"rpt_call_outcomes", "rpt_deals_created"}
    assert found["rpt_average_deal_size", "rejected_values"] == ("warning", 1, "2")
    assert found["rpt_average_deal_size", "no_date"] == ("warning", 1, "2")


def test_a_row_that_was_not_loaded_is_told_to_the_readers_of_its_table():
    tables = small_crm()
    tables["deals"] += [dict(tables["deals"][0]), dict(tables["deals"][0]) | {"id": None}]
    found = of_nine(quality(tables))
    assert {issue for _, issue in found} == {"rejected_rows"}
    assert {report for report, _ in found} == NINE - {"rpt_call_outcomes"}
    assert found["rpt_sales_velocity", "rejected_rows"] == ("warning", 2, "(row 3),1 (row 2)")


@pytest.mark.parametrize(
    ("table", "column", "report", "issue"),
    [
        ("calls", None, "rpt_call_outcomes", "missing_table:calls"),
        ("deals", "closed_lost_reason", "rpt_deal_loss_reasons", "missing_column:deals.closed_lost_reason"),
        (
            "deals",
            "hs_analytics_source",
            "rpt_deal_revenue_by_source",
            "missing_column:deals.hs_analytics_source",
        ),
    ],
)
def test_a_missing_input_is_one_row(table, column, report, issue):
    """K11, P17."""
    tables = small_crm()
    if column is None:
        del tables[table]
    for row in tables.get(table, []):
        row.pop(column)
    assert of_nine(quality(tables)) == {(report, issue): ("warning", 0, None)}


def test_empty_columns_and_tables_are_available():
    """K11: present without a value is not missing."""
    tables = small_crm()
    tables["deals"][0] |= {"hs_analytics_source": None}
    assert of_nine(quality(tables)) == {}


def test_samples_are_the_ten_lowest_ids():
    tables = small_crm()
    (won,) = tables["deals"]
    tables["deals"] = [dict(won) | {"id": str(n), "hubspot_owner_id": None} for n in range(120, 95, -1)]
    severity, count, sample = quality(tables)["rpt_deals_won_and_lost", "no_owner"]
    assert (severity, count) == ("note", 25)
    assert sample == ",".join(str(n) for n in range(96, 106))


def test_a_deal_of_several_currencies_is_told_to_the_reports_on_the_past():
    """P11."""
    versions = [
        {"object_id": "1", "name": "deal_currency_code", "value": currency}
        | {"timestamp": datetime(2026, 1, day, tzinfo=UTC)}
        for day, currency in ((1, "USD"), (9, "EUR"))
    ]
    found = quality(small_crm(deal_property_history=versions))
    told = {report: row for (report, issue), row in found.items() if issue == "currency_changed"}
    on_the_past = ("change_history", "pipeline_waterfall", "pipeline_waterfall_deals")
    reports = (*(f"rpt_deal_{name}" for name in on_the_past), "rpt_historical_snapshots")
    assert told == dict.fromkeys(reports, ("note", 1, "1"))


def test_goals_that_are_left_out_are_told():
    """18c, 18d, K14."""
    days = {
        "hs_start_datetime": datetime(2026, 1, 1, tzinfo=UTC),
        "hs_end_datetime": datetime(2026, 2, 1, tzinfo=UTC),
    }
    goals = [
        days | {"id": "1", "hs_assignee_user_id": None, "hs_goal_target_currency_code": None},
        days | {"id": "2", "hs_assignee_user_id": "9", "hs_kpi_metric_type": "COUNT"},
        days | {"id": "3", "hs_assignee_user_id": "9", "hs_goal_target_currency_code": "XXX"},
        days | {"id": "4", "hs_assignee_user_id": "9", "hs_end_datetime": None},
        days | {"id": "5", "hs_assignee_user_id": "9"},
    ]
    found = quality(small_crm(goal_targets=goals))
    of_goals = {
        issue: counted for (report, issue), counted in found.items() if report == "rpt_quota_attainment"
    }
    assert of_goals == {
        "no_owner": ("note", 1, "1"),
        "not_revenue": ("note", 1, "2"),
        "missing_rate": ("warning", 1, "3"),
        "no_date": ("warning", 1, "4"),
    }
