"""Columns of an account that the contract does not know reach fct_deals when they are named."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from orchestration.reference.raw import fetch
from tests.harness import load_crm

BORN = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.mark.thorough
def test_named_columns_come_last_in_fct_deals():
    deals = [
        {"id": "1", "createdate": BORN, "region": "EMEA", "Odd name": "ü"},
        {"id": "2", "createdate": BORN, "region": None, "Odd name": None},
    ]
    build = load_crm({"deals": deals}, variables={"custom_properties": ["region", "Odd name"]})
    rows = fetch(build.ensure("fct_deals"), "select * from core.fct_deals order by deal_id")
    assert [(row["region"], row["Odd name"]) for row in rows] == [("EMEA", "ü"), (None, None)]
    assert list(rows[0])[-2:] == ["region", "Odd name"]


def test_columns_that_nobody_named_stay_in_raw():
    build = load_crm({"deals": [{"id": "1", "createdate": BORN, "region": "EMEA"}]})
    connection = build.ensure("fct_deals")
    (deal,) = fetch(connection, "select * from core.fct_deals")
    assert "region" not in deal
    assert fetch(connection, "select region from raw_hubspot.deals") == [{"region": "EMEA"}]
