"""Every model and test of dbt's, compiled for Snowflake, BigQuery, Databricks and Trino, read as their SQL.

Compiled, not run: no warehouse is there. So these tests say that the SQL is theirs by grammar and by name,
and not that it gives the same numbers. dbt and the adapters are in an environment of their own
(`make warehouses`); where it is missing these tests are skipped, except in CI.

Belongs here: compiling, and errors that are planted to be found. What an engine knows is in
`warehouses/dialects.py`; what macros mean, on engines that are here, is in `test_dialect.py`.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from orchestration.settings import PROJECT_ROOT
from tests.warehouses.dialects import DIALECTS, complaints

PROFILES = PROJECT_ROOT / "tests" / "warehouses"
DBT = PROJECT_ROOT / ".venv-warehouses" / "bin" / "dbt"
# Neither a proxy nor a credential of this machine: whoever asks for a connection is to fail at once.
NOWHERE = {"HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9", "PATH": os.defpath}


def is_checked(node: dict) -> bool:
    """Report functions are for engines that orchestration runs; they are translated from DuckDB's."""
    return node["resource_type"] in ("model", "test") and node["config"]["materialized"] != "report_function"


@pytest.fixture(scope="module", params=DIALECTS)
def compiled(request, tmp_path_factory) -> tuple[str, dict[str, str | None]]:
    """An engine, and the SQL of every model and test for it, by id."""
    if not DBT.exists():
        pytest.fail(f"{DBT} is missing; run make warehouses") if os.environ.get("CI") else pytest.skip(
            "make warehouses installs it"
        )
    engine, folder = request.param, tmp_path_factory.mktemp(request.param)
    done = subprocess.run(
        [
            *(DBT, "--quiet", "--no-use-colors", "compile", "--full-refresh", "--no-introspect"),
            *("--no-populate-cache", "--select", "resource_type:model", "resource_type:test"),
            *("--exclude", "config.materialized:report_function"),
            *("--target", engine, "--profiles-dir", PROFILES),
            *("--target-path", folder, "--log-path", folder),
        ],
        cwd=PROJECT_ROOT,
        env=NOWHERE | {"HOME": str(folder)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    nodes = json.loads((Path(folder) / "manifest.json").read_text())["nodes"]
    return engine, {name: node.get("compiled_code") for name, node in nodes.items() if is_checked(node)}


@pytest.mark.thorough
def test_everything_is_compiled_and_the_engine_s_own(compiled):
    engine, queries = compiled
    of_files = {
        path.stem
        for path in (PROJECT_ROOT / "models").rglob("*.sql")
        if "report_function" not in path.parent.name + path.read_text()
    }
    assert of_files <= {name.split(".")[2] for name in queries if name.startswith("model.")}
    assert sum(name.startswith("test.") for name in queries) > 100
    assert not [name for name, sql in queries.items() if not sql]
    found = {name: complaints(sql, engine) for name, sql in queries.items()}
    assert {name: wrong for name, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize("engine", DIALECTS)
def test_every_branch_is_one_of_a_macro(engine):
    """A macro of a misspelt name would be no error, and leave DuckDB's text."""
    own = PROJECT_ROOT / "macros" / "dialect" / f"{engine}.sql"
    dispatched = (own.parent / "dialect.sql").read_text()
    names = re.findall(rf"macro {engine}__(\w+)", own.read_text() if own.exists() else "")
    assert [name for name in names if f"adapter.dispatch('{name}')" not in dispatched] == []


@pytest.mark.parametrize("engine", DIALECTS)
@pytest.mark.parametrize(
    ("sql", "complaint"),
    [
        ("select epoch_us(run_ts) from runs", "unknown function epoch_us"),
        ("select unnest(string_split(ids, ';')) from deals", "unknown function string_split"),
        ("select median(amount) from deals", "unknown function median"),
        ("select cast(amount as hugeint) from deals", "unknown type hugeint"),
        ("select cast(created_at as timestamptz) from deals", "unknown type timestamptz"),
        ("select deal_id as full from deals", "reserved word full"),
        ("select deal_id from deals union select deal_id from lost", ""),
        ("select deal_id from deals except select deal_id from lost", ""),
        ("select count(*) filter (where is_won) from deals", "an aggregate with filter"),
        ("select sum(a) over w from deals window w as (order by b)", ""),
        ("select deal_id from deals where is_won is not true", "is true"),
        ("select d.a from d left join e on d.a > e.a", "an outer join without an equality"),
        ("select d.a from d left join e on d.a = 1", "an outer join without an equality"),
        (
            "with d as (select 1 as a), e as (with d as (select * from d) select * from d) select * from e",
            "CTE d",
        ),
        ("select from deals where", ""),
        ("create table x (a integer); select 1", "is not one query"),
    ],
)
def test_a_planted_error_is_found(engine, sql, complaint):
    """With an empty complaint, any will do: some engines do not even parse it."""
    found = complaints(sql, engine)
    assert found
    assert any(text.startswith(complaint) for text in found)


@pytest.mark.parametrize(
    ("engine", "sql", "complaint"),
    [
        ("snowflake", "select string_agg(a, ',') from t", "unknown function string_agg"),
        ("trino", "select string_agg(a, ',') from t", "unknown function string_agg"),
        ("bigquery", "select cast(a as decimal(38, 2)) from t", "unknown type decimal(38, 2)"),
        ("bigquery", "select cast(a as varchar) from t", "unknown type varchar"),
        ("bigquery", "select a + interval '1 minute' from t", "interval '1 minute'"),
        ("bigquery", "select mod(a, 7), a % 7 from t", ""),
        ("trino", "select a + interval '1 minute' from t", "interval '1 minute'"),
        (
            "trino",
            "with recursive r as (select 1 as a union all select a + 1 from r) select a from r",
            "recursion r",
        ),
        (
            "bigquery",
            "select a from (with recursive r as (select 1 union all select a from r) select a from r) as s",
            "a recursion inside another query",
        ),
        ("databricks", "select listagg_of(a) from t", "unknown function listagg_of"),
    ],
)
def test_an_error_of_one_engine_is_found(engine, sql, complaint):
    assert any(text.startswith(complaint) for text in complaints(sql, engine))


@pytest.mark.parametrize("engine", DIALECTS)
def test_plain_sql_is_no_error(engine):
    sql = """
        with d as (select a, max(b) as b from t group by a)
        select d.a, coalesce(sum(d.b), 0) as b, count(case when e.a is null then 1 end) as c
        from d left join e on d.a = e.a and e.b > 1
        group by d.a union all select 1, 2, 3
    """
    assert complaints(sql, engine) == []
