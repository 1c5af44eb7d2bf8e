"""The demo company through the simulator and the sync gives the marts that it gives directly.

Belongs here: this one comparison, of every relation of core and reports, row by row. What a record went
through before it was merged away is nowhere in HubSpot; so the merges come after a first sync, as they
do for an account that is synced every night.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest

from orchestration.hubspot_simulator import Clock, Limits, Simulator, crm_from_tables
from orchestration.ingest import demo
from orchestration.ingest.demo.company import FISCAL_YEAR_START
from tests.harness import Build, load_crm
from tests.hubspot.conftest import running_account
from tests.hubspot.syncing import Place

pytestmark = pytest.mark.thorough

END = datetime(2026, 7, 1, tzinfo=UTC)


def contents(build: Build, name: str) -> Counter:
    """The rows of a published relation, as texts."""
    connection = build.ensure(name)
    (schema,) = connection.execute(
        "select table_schema from information_schema.tables where table_name = ?", [name]
    ).fetchone()
    return Counter(map(repr, connection.execute(f"select * from {schema}.{name}").fetchall()))


def test_the_demo_through_hubspot_and_directly(tmp_path):
    tables = {
        name: rows.to_pylist() for name, rows in demo.generate(1, 100, int(END.timestamp() * 1000)).items()
    }
    crm = crm_from_tables(tables, Clock(END), calculated=0.1, merges_to_come=True)
    with running_account(Simulator(crm, limits=Limits(None, None, None))) as account:
        place = Place(account, tmp_path)
        place.sync()
        crm.merge_as_planned()
        place.sync(hubspot_full_refresh=True)
        landed = {name: place.rows(name) for name in place.delivery().tables}
    options = {"run_ts": END, "fiscal_year_start_month": FISCAL_YEAR_START}
    through, directly = load_crm(landed, **options), load_crm(tables, **options)
    names = [name for name in directly.project.nodes if name.startswith(("dim_", "fct_", "bridge_", "rpt_"))]
    differing = {}
    for name in names:
        ours, theirs = contents(through, name), contents(directly, name)
        if ours != theirs:
            differing[name] = [*(ours - theirs), *(theirs - ours)][:4]
    assert not differing
    for build in (through, directly):
        assert build.connection.execute("select count(*) from raw_hubspot._rejected_rows").fetchone() == (0,)
    assert len(names) > 60
    assert sum(contents(directly, "rpt_deals_won_and_lost").values()) > 20
