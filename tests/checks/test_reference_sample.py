"""The nightly proof: marts of a sample equal the slow computations, and planted errors are seen."""

from __future__ import annotations

import pytest

from orchestration.checks.reference_sample import (
    RECORD_TABLES,
    compare_with_references,
    reference_invariants,
)
from orchestration.compiled import Node, Project
from orchestration.reference import references
from tests.checks.planting import Plot, spoilt
from tests.checks.tidy_crm import SETTINGS, tidy_crm
from tests.conftest import first_of
from tests.crm_generator import hard_crm
from tests.harness import load_crm

WHOLE, PART = 1000, 3


def broken(results) -> dict[str, str]:
    """Text by name of the laws that do not hold."""
    return {result.invariant.name: str(result) for result in results if not result.passed}


def compare(plot: Plot, size: int = WHOLE, project: Project | None = None):
    return compare_with_references(plot.connection, project or plot.build.project, records_per_table=size)


@pytest.mark.parametrize("size", [WHOLE, PART])
@pytest.mark.parametrize("seed", first_of([200, 201]))
def test_samples_of_hard_crms_are_what_the_references_say(seed, size):
    crm = hard_crm(seed)
    build = load_crm(crm.tables, **crm.settings)
    build.ensure(*build.project.nodes)
    results = compare_with_references(build.connection, build.project, records_per_table=size)
    build.connection.close()
    assert broken(results) == {}


def test_every_mart_with_a_reference_is_compared(plot: Plot):
    laws = [law.name for law in reference_invariants(plot.build.project.nodes)]
    assert [result.invariant.name for result in compare(plot)] == laws
    for mart in references():
        assert f"{mart}_equals_its_slow_computation" in laws


def test_build_is_left_as_it_was(plot: Plot):
    databases = "select database_name, schema_name, table_name from duckdb_tables() where not temporary"
    before = plot.connection.execute(databases).fetchall()
    compare(plot)
    assert plot.connection.execute(databases).fetchall() == before
    assert plot.connection.execute("select current_database()").fetchone() == ("build",)


def test_build_is_left_as_it_was_after_an_error(plot: Plot):
    nodes = plot.build.project.nodes
    wrong = Node("fct_deals", "core", nodes["fct_deals"].parents, "create table core.fct_deals as nonsense")
    with pytest.raises(RuntimeError, match="fct_deals"):
        compare(plot, project=Project(nodes | {"fct_deals": wrong}))
    assert plot.connection.execute("select current_database()").fetchone() == ("build",)
    assert broken(compare(plot)) == {}


@pytest.mark.parametrize(
    ("node", "right", "wrong", "mart"),
    [
        ("rpt_deals_created", "count(*) as deal_count", "2 * count(*) as deal_count", "rpt_deals_created"),
        ("rpt_call_outcomes", "count(duration_ms)", "count(*)", "rpt_call_outcomes"),
        ("fct_deals", "= 'lost' as is_lost", "<> 'won' as is_lost", "rpt_deal_loss_reasons"),
    ],
)
def test_wrong_sql_is_seen(plot: Plot, node, right, wrong, mart):
    """An error in a model's SQL, which build and sample share."""
    old = plot.build.project.nodes[node]
    assert right in old.statement
    new = Node(old.name, old.schema, old.parents, old.statement.replace(right, wrong))
    found = broken(compare(plot, project=Project(plot.build.project.nodes | {node: new})))
    text = found[f"{mart}_equals_its_slow_computation"]
    if mart == "rpt_deals_created":  # mart, row, column, both values
        assert "created_date=2026-02-01" in text and "deal_count is 2, expected 1" in text


def test_wrong_rows_of_a_mart_are_seen_where_the_sample_is_the_whole(plot: Plot):
    """An error in the build's own tables, which the sample does not share."""
    mart = "reports.rpt_deals_won_and_lost"
    with spoilt(plot, [mart], f"update {mart} set won_amount = won_amount + 0.01 where won_count > 0"):
        found = broken(compare(plot))
    assert found.keys() == {"rpt_deals_won_and_lost_equals_its_slow_computation"}
    assert "only in the build" in found.popitem()[1]


def test_lost_rows_of_sampled_records_are_seen(plot: Plot):
    """Whatever the size of the account: the tables that belong to single records."""
    for table in RECORD_TABLES:
        assert plot.connection.execute(f"from {table} limit 1").fetchone(), f"no rows in {table}"
    with spoilt(plot, RECORD_TABLES, "".join(f"delete from {table};" for table in RECORD_TABLES)):
        found = broken(compare(plot, PART))
    assert found.keys() == {
        f"{table.partition('.')[2]}_of_the_sample_is_that_of_the_build" for table in RECORD_TABLES
    }


def test_same_run_ts_draws_the_same_sample_and_another_one_another(plot: Plot):
    def drawn() -> tuple:
        compare(plot, PART)
        query = "select id from sampled where table_name = 'deals' order by id"
        return tuple(plot.connection.execute(query).fetchall())

    first = drawn()
    assert drawn() == first
    with spoilt(plot, ["raw_hubspot._run"], "update raw_hubspot._run set run_ts = run_ts + interval 1 hour"):
        assert drawn() != first


@pytest.mark.thorough
def test_an_accounts_own_variables_and_seeds_are_followed():
    """A changed variable or seed changes marts and references alike."""
    variables = {
        "snapshot_daily_days": 5,
        "snapshot_weekly_days": 20,
        "amount_band_edges": [50, 100],
        "connected_outcomes": ["gone"],
        "completed_meeting_outcomes": ["NO_SHOW"],
    }
    build = load_crm(tidy_crm(), **SETTINGS, variables=variables)
    seed = build.project.nodes["lead_journey_stages"]
    statement = f"create table seeds.lead_journey_stages as from ({seed.statement.partition(' as ')[2]}) " + (
        "where stage_id <> 'salesqualifiedlead'"
    )
    build.project = Project(
        build.project.nodes | {seed.name: Node(seed.name, seed.schema, seed.parents, statement)}
    )
    build.ensure(*build.project.nodes)
    same = {name: tuple(v) if isinstance(v, list) else v for name, v in variables.items()}
    assert broken(compare_with_references(build.connection, build.project, same)) == {}
    assert broken(compare_with_references(build.connection, build.project)).keys() >= {
        "rpt_historical_snapshots_equals_its_slow_computation",
        "rpt_meeting_outcomes_equals_its_slow_computation",
    }
    build.connection.close()


def test_kept_snapshots_are_left_to_their_own_law():
    """What an earlier run stored (K7) is no function of today's rows: the sample reconstructs it."""
    build = load_crm(tidy_crm(), **SETTINGS)
    build.connection.execute(
        "insert into raw_hubspot._stored_snapshots by name select date '2026-06-10' as snapshot_date, "
        "'1' as owner_id, 'default' as pipeline_id, 'new' as stage_id, 'COMMIT' as forecast_category, "
        "'0-1k' as amount_band, 'open' as deal_status, 9 as deal_count, 1 as total_amount, "
        "0 as weighted_amount, 0 as unknown_count"
    )
    build.ensure(*build.project.nodes)
    kept = "from reports.rpt_historical_snapshots where snapshot_date = date '2026-06-10'"
    assert len(build.connection.execute(kept).fetchall()) == 1
    assert broken(compare_with_references(build.connection, build.project)) == {}
    build.connection.close()
