"""Each law of data quality is seen to fail on a planted error."""

from __future__ import annotations

import pytest

from orchestration.checks.data_quality import INVARIANTS
from tests.checks.planting import Plot, assert_fails_on_its_plant

PLANTS = {
    "data_quality_and_the_reports_account_for_every_deal": (
        "delete from reports.rpt_data_quality where issue = 'no_date'"
    ),
    "data_quality_counts_the_deals_without_amount": (
        "update reports.rpt_data_quality set row_count = row_count + 1 where issue = 'no_amount'"
    ),
    "data_quality_names_up_to_ten_records": (
        "update reports.rpt_data_quality set sample_ids = null where issue = 'no_amount'"
    ),
}


@pytest.mark.parametrize("invariant", INVARIANTS, ids=lambda invariant: invariant.name)
def test_law_is_seen_to_fail(plot: Plot, invariant):
    assert_fails_on_its_plant(plot, invariant, PLANTS)


def test_every_plant_belongs_to_a_law():
    assert PLANTS.keys() == {invariant.name for invariant in INVARIANTS}
