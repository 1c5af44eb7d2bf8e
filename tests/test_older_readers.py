"""The published file in DuckDB 1.4 and 1.5, which today's BI tools ship.

They need environments of their own (`make readers`). Where these are missing the tests are skipped; CI
installs them and sets CI, and then a missing one is a failure.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import duckdb
import pytest

from orchestration.settings import PROJECT_ROOT
from tests.end_to_end import DemoRun

pytestmark = pytest.mark.thorough

VERSIONS = ("1.4", "1.5")

# Run in both: the queries of stdin, each result as text (instants would need pytz to be fetched).
READER = """
import duckdb, json, sys
connection = duckdb.connect(sys.argv[1], read_only=True)
connection.execute("set TimeZone = 'UTC'")
found = {}
for name, query in json.load(sys.stdin).items():
    try:
        rows = connection.execute(f"select cast(answer as varchar) from ({query}) as answer").fetchall()
        found[name] = sorted(row[0] for row in rows)
    except Exception as error:
        found[name] = f"{type(error).__name__}: {error}"
print(json.dumps({"version": duckdb.__version__, "found": found}))
"""


def reader_of(version: str) -> Path:
    python = PROJECT_ROOT / f".venv-duckdb-{version}" / "bin" / "python"
    if not python.exists():
        if os.environ.get("CI"):
            pytest.fail(f"{python} is missing; run make readers")
        pytest.skip("make readers installs it")
    return python


def read(python: Path | str, database: Path, queries: dict[str, str]) -> dict:
    done = subprocess.run(
        [python, "-c", READER, database], input=json.dumps(queries), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def queries(demo_run: DemoRun) -> dict[str, str]:
    """Every table, and every report function over the last year of the data."""
    with duckdb.connect(demo_run.settings.published_link, read_only=True) as connection:
        tables = connection.execute(
            "select schema_name || '.' || table_name from duckdb_tables() union all "
            "select schema_name || '.' || view_name from duckdb_views() where not internal"
        ).fetchall()
        functions = connection.execute(
            "select distinct function_name from duckdb_functions() where schema_name = 'reports'"
        ).fetchall()
        (pipeline,) = connection.execute(
            "select pipeline_id from core.fct_deals group by pipeline_id order by count(*) desc limit 1"
        ).fetchone()
        (goal,) = connection.execute("select min(goal_id) from reports.rpt_quota_attainment").fetchone()
        (first, end) = connection.execute(
            "select cast(run_ts as date) - 365, cast(run_ts as date) from core.build_info"
        ).fetchone()
    arguments = {"deal_funnel": f", pipelines := ['{pipeline}']", "quota_attainment": f", goal := '{goal}'"}
    found = {table: f"from {table}" for (table,) in tables}
    for (name,) in functions:
        more = arguments.get(name, "")
        found[f"{name}()"] = f"from reports.{name}(date '{first}', date '{end}'{more})"
    return found


@pytest.mark.parametrize("version", VERSIONS)
def test_every_table_and_function_gives_the_same_there(demo_run: DemoRun, queries, version):
    python = reader_of(version)
    database = demo_run.settings.published_link
    ours = read(PROJECT_ROOT / ".venv" / "bin" / "python", database, queries)
    theirs = read(python, database, queries)
    assert theirs["version"].startswith(f"{version}.")
    assert len(ours["found"]) > 80
    failed = {name: answer for name, answer in ours["found"].items() if isinstance(answer, str)}
    assert failed == {}
    differing = {
        name: (theirs["found"][name][:3], answer[:3])
        for name, answer in ours["found"].items()
        if rounded(theirs["found"][name]) != rounded(answer)
    }
    assert differing == {}


def rounded(rows: list[str]) -> list[str]:
    """Rows without the last digits of percentiles and averages (K13)."""
    return [re.sub(r"-?\d+\.\d+(e[-+]?\d+)?", lambda number: f"{float(number[0]):.10g}", row) for row in rows]
