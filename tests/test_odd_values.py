"""A CRM whose values are odd still has reports, and both computations agree on them (K8).

Belongs here: values that a source may well deliver and that the generated CRMs do not have: names that are
missing, ends of lines in texts, dates of other centuries, what a spreadsheet makes of true and false.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from orchestration.reference import references
from orchestration.reference.crm import Crm
from tests.conftest import first_of
from tests.crm_generator import hard_crm
from tests.harness import assert_mart_equals, compiled_project, load_crm

Tables = dict[str, list[dict]]
FAR_DATES = (
    *("2200-01-01", "2099-12-31", "1900-01-01", "0001-01-01"),
    *("9999-12-30", "9999-12-31", "9999999999999999"),
)
REASONS = (
    *("\u00a0Price", "Price\u2003", "Price", " two\nlines ", "\u00a0"),
    *("ΣΑΣ", "σας", "\u0130stanbul", "istanbul", "(no reason)", ""),
)
# What one of DuckDB and Python reads and the other does not; and, last, what both do.
INSTANTS = (
    *("2026-9-2", "2026/09/02", "2026-W36-3", "20260902T030405Z", "2026-09-02T03", "2026-09-02T24:00"),
    *("2026-09-02 03:04 Europe/Berlin", "2026-09-02T03:04:05,5Z", "epoch", "infinity", "2026-09-02 (BC)"),
    *("2026-09-02T03:04+24:00", "2026-09-02T03:04:05.9999999-0230", " 2026-09-02\t", "20260902"),
)
NUMBERS = ("1_", "_1", "1__0", "1._5", "١", "0x10", "1e28", "1e1000", "1_000", " 1e3\n", ".5", "1.")


def no_names(tables: Tables, rng: random.Random) -> None:
    for table, column in (("teams", "name"), ("pipelines", "label"), ("pipeline_stages", "label")):
        for row in rng.sample(tables[table], len(tables[table]) // 2):
            row[column] = None
    for row in rng.sample(tables["pipeline_stages"], 3):
        row["display_order"] = None


def ends_of_lines(tables: Tables, rng: random.Random) -> None:
    for table in ("deal_property_history", "contact_property_history", "task_property_history"):
        for row in tables[table]:
            if row["value"] and rng.random() < 0.3:
                row["value"] = (
                    rng.choice(["\n", "\t ", ""])
                    + row["value"]
                    + rng.choice(["\r\n", "\n", "\t", "\u00a0\n"])
                )
    for row in tables["owners"]:
        row["last_name"] = rng.choice(["\t", "North\n", row["last_name"]])
        row["first_name"] = rng.choice(["\n", "\r\nAda", row["first_name"]])
    for table in ("deals", "contacts"):
        for row in tables[table]:
            if row.get("hs_merged_object_ids"):
                row["hs_merged_object_ids"] = row["hs_merged_object_ids"].replace(";", ";\n") + "\r\n"


def far_dates(tables: Tables, rng: random.Random) -> None:
    for row in tables["deal_property_history"]:
        if row["name"] == "closedate" and rng.random() < 0.3:
            row["value"] = rng.choice(FAR_DATES)
    for deal in rng.sample(tables["deals"], 4):
        deal["closedate"] = rng.choice([datetime(2200, 1, 1, tzinfo=UTC), datetime(1900, 5, 1, tzinfo=UTC)])
    tables["deals"][0]["createdate"] = datetime(1900, 1, 1, tzinfo=UTC)


def half_read(tables: Tables, rng: random.Random) -> None:
    for row in tables["deal_property_history"]:
        if row["name"] in ("closedate", "amount") and rng.random() < 0.5:
            row["value"] = rng.choice(INSTANTS if row["name"] == "closedate" else NUMBERS)


def spreadsheet_words(tables: Tables, rng: random.Random) -> None:
    for row in tables["goal_targets"]:
        row["hs_kpi_is_team_rollup"] = rng.choice(["True", "TRUE", "False", None])
        row["hs_pipeline_ids"] = rng.choice([";", " ;\n", row["hs_pipeline_ids"]])
        row["hs_kpi_metric_type"] = rng.choice(["sum", "Sum", None])
        row["hs_kpi_object_type"] = rng.choice(["deal", "Deals", None])
        row["hs_kpi_property_name"] = rng.choice(["Amount", "amount", None])
        row["hs_kpi_time_property_name"] = rng.choice(["CloseDate", None])


def odd_reasons(tables: Tables, rng: random.Random) -> None:
    for deal in tables["deals"]:
        deal["closed_lost_reason"] = ";".join(rng.sample(REASONS, rng.randrange(3)))


@pytest.mark.parametrize(
    "spoil", [no_names, ends_of_lines, far_dates, half_read, spreadsheet_words, odd_reasons]
)
@pytest.mark.parametrize("seed", first_of([3, 7]))  # the first has lost deals, with and without a reason
def test_odd_values_stop_nothing(spoil: Callable[[Tables, random.Random], None], seed: int):
    crm = hard_crm(seed, is_complete=True)
    spoil(crm.tables, random.Random(spoil.__name__))
    build = load_crm(crm.tables, **crm.settings)
    marts = sorted(set(references()) & set(compiled_project().marts))
    build.ensure(*marts)
    raw = Crm.from_duckdb(build.connection)
    for mart in marts:
        reference = references()[mart]
        assert_mart_equals(build, mart, reference.compute(raw), reference.measures, spoil.__name__)
    build.connection.close()
