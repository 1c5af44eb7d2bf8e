"""The records behind a number: as many, and as much, as the report says."""

from __future__ import annotations

import pytest

from orchestration.viewer.catalog import catalog
from orchestration.viewer.database import Build
from orchestration.viewer.records import NotListed, measures, records
from orchestration.viewer.state import ReportState
from tests.conftest import first_of
from tests.viewer.test_pages import REPORTS

ROWS, MEASURES = 4, 3  # of each answer, first and last ones


# The timeline lists records itself.
@pytest.mark.parametrize("name", first_of(sorted(set(REPORTS) - {"team_activity_timeline"})))
def test_the_numbers_of_a_report_as_it_opens_lead_to_their_records(name: str, demo_build: Build):
    report = catalog(demo_build).reports[name]
    state = ReportState.default(report)
    answer = demo_build.records(state.sql(report, demo_build.calendar))
    listed = 0
    if name == "quota_attainment":  # deals of whoever has no target are in no goal's list
        answer = [row for row in answer if row["target_amount"]]
    for row in [*answer[:ROWS], *answer[-ROWS:]]:
        for measure in measures(report, row)[:MEASURES]:
            found = records(demo_build, report, state, [row], measure)
            assert found.rows.num_rows > 0 or not row[measure], (measure, row)
            if measure.endswith("_count") and len(found.rows) and name != "prospecting_calls":
                assert found.rows.num_rows >= found.count
            listed += found.count
    assert listed > 0


@pytest.mark.parametrize(
    ("name", "query"),
    [
        ("deal_funnel", "period=last_365_days&group_by=none&pipelines=default&cohort=closed"),
        ("deal_funnel", "period=last_365_days&group_by=none&pipelines=default&stages=qualifiedtobuy"),
        ("time_in_deal_stage", "period=last_365_days&open_visit=exclude"),
        ("deal_pipeline_waterfall", "period=this_fiscal_quarter&group_by=none&amount_field=weighted"),
        ("deal_push_rate", "period=last_fiscal_quarter&direction=any"),
        ("deal_push_rate", "date_from=2026-08-02&date_to=2026-10-03"),
    ],
)
def test_what_is_no_list_of_records_is_refused_in_words(name: str, query: str, demo_build: Build):
    report = catalog(demo_build).reports[name]
    state = ReportState.from_query(report, query)
    row = demo_build.records(state.sql(report, demo_build.calendar))[0]
    with pytest.raises(NotListed, match=r"\w+ \w+ \w+"):
        records(demo_build, report, state, [row], measures(report, row)[0])


def test_a_number_that_the_records_do_not_come_to_is_not_explained_by_them(demo_build: Build):
    report = catalog(demo_build).reports["deals_won_and_lost"]
    state = ReportState.default(report)
    row = demo_build.records(state.sql(report, demo_build.calendar))[0]
    with pytest.raises(NotListed):
        records(demo_build, report, state, [row | {"won_count": row["won_count"] + 1}], "won_count")
