"""The public-domain data set "CRM Sales Opportunities": totals that nobody here made up.

Belongs here: the whole road, from its files to the published database, and the totals of its README
read back from core, from the marts and from the report functions. The folder lies outside the
repository (`../shared/data`); where it is missing the tests are skipped, except in CI.
"""

from __future__ import annotations

import os
import subprocess
import sys
from decimal import Decimal

import duckdb
import pytest

from orchestration.settings import PROJECT_ROOT

FOLDER = PROJECT_ROOT.parent / "shared" / "data" / "crm_sales_opportunities"
YEAR = "date '2016-01-01', date '2018-01-01'"
REGIONS = {
    "Central": (1629, Decimal("3346293")),
    "East": (1171, Decimal("3090594")),
    "West": (1438, Decimal("3568647")),
}

pytestmark = pytest.mark.skipif(
    not FOLDER.exists() and not os.environ.get("CI"), reason=f"{FOLDER} is not here"
)


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """The published database of a run on the public files, opened as a user would."""
    data_dir = tmp_path_factory.mktemp("public_data")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SALES_REPORTS_")}
    environment |= {
        "SALES_REPORTS_SOURCE": "files",
        "SALES_REPORTS_FILES_DIR": str(FOLDER),
        "SALES_REPORTS_DATA_DIR": str(data_dir),
        "SALES_REPORTS_RUN_TS": "2018-01-01T00:00:00-05:00",
    }
    done = subprocess.run(
        [sys.executable, "-m", "orchestration.run"],
        env=environment,
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    with duckdb.connect(str(data_dir / "sales_reports.duckdb"), read_only=True) as connection:
        yield connection


def rows(connection, query: str) -> list[tuple]:
    return connection.execute(query).fetchall()


def test_deals_by_stage(published):
    found = rows(
        published,
        "select deal_status, stage_label, count(*) from core.fct_deals group by all order by all",
    )
    assert found == [
        ("lost", "Lost", 2473),
        ("open", "Engaging", 1589),
        ("open", "Prospecting", 500),
        ("won", "Won", 4238),
    ]


def test_won_and_lost_from_mart_and_function(published):
    total = (4238, 2473, Decimal("10005534"))
    columns = "sum(won_count), sum(lost_count), sum(won_amount)"
    assert rows(published, f"select {columns} from reports.rpt_deals_won_and_lost") == [total]
    assert rows(published, f"select {columns} from reports.deals_won_and_lost({YEAR})") == [total]


def test_won_amount_by_quarter(published):
    by_quarter = rows(
        published,
        "select won_amount from reports.deals_won_and_lost("
        "date '2017-01-01', date '2018-01-01', group_by := 'none', bucket := 'quarter')",
    )
    assert [amount for (amount,) in by_quarter] == [1134672, 3086111, 2982255, 2802496]


def test_regions_are_parent_teams(published):
    by_region = rows(
        published,
        "select group_label, won_count, won_amount from reports.deals_won_and_lost("
        f"{YEAR}, group_by := 'team', include_subteams := true) where depth = 0",
    )
    assert {label: tuple(values) for label, *values in by_region} == REGIONS


@pytest.mark.parametrize("region", REGIONS)
def test_a_team_filter_takes_in_subteams_only_when_asked(published, region):
    call = f"from reports.deals_won_and_lost({YEAR}, group_by := 'none', teams := ['{region}']"
    columns = "select won_count, won_amount"
    assert rows(published, f"{columns} {call}, include_subteams := true)") == [REGIONS[region]]
    assert rows(published, f"{columns} {call})") == [(0, 0)]


def test_days_to_close_of_won_deals(published):
    call = f"from reports.deal_velocity({YEAR}, group_by := 'none', status := 'won'"
    ((exact,),) = rows(published, f"select average_days_to_close {call})")
    ((floored,),) = rows(published, f"select average_days_to_close {call}, avg_basis := 'days_to_close')")
    assert (round(exact, 2), round(floored, 2)) == (52.12, 51.78)


def test_the_dateless_stand_in_data_quality_only(published):
    """500 deals in Prospecting have no date: they are in no dated report, and are listed."""
    ((listed,),) = rows(
        published,
        "select row_count from reports.rpt_data_quality "
        "where report = 'rpt_deals_created' and issue = 'no_date'",
    )
    assert listed == 500
    created = "select sum(deal_count) from reports.rpt_deals_created"
    assert rows(published, created) == [(8300,)]


def test_activity_reports_are_empty_and_say_why(published):
    assert rows(published, "from reports.rpt_call_outcomes") == []
    ((issue,),) = rows(
        published,
        "select issue from reports.rpt_data_quality where report = 'rpt_call_outcomes'",
    )
    assert issue == "missing_table:calls"
