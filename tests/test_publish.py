"""Publication with a toy build: what readers see, before, during and after (K9, K10)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from orchestration import publish
from orchestration.data_folder import open_build, remove_database
from orchestration.publish import PublishError, builds, current_build, prune, roll_back
from orchestration.report_functions import create_functions, function_nodes
from orchestration.settings import Settings
from tests.conftest import first_of

FUNCTION = """
select group_by as group_id, sum(deal_count) as deal_count
from "build"."reports"."rpt_deals" cross join "build"."core"."dim_owners"
where day >= date_from and day < date_to group by all
"""


def table_node(schema: str, name: str, description: str, **columns: str) -> dict:
    return {
        "name": name,
        "resource_type": "model",
        "database": "build",
        "schema": schema,
        "alias": name,
        "description": description,
        "config": {"materialized": "table", "schema": schema, "meta": {}},
        "columns": {key: {"name": key, "description": text} for key, text in columns.items()},
        "depends_on": {"nodes": []},
    }


MANIFEST = {
    "nodes": {
        "m.dim_owners": table_node(
            "core", "dim_owners", "One row per owner.\nIt's all.", owner_id="Id of 'owner'."
        ),
        "m.build_info": table_node("core", "build_info", "One row.", build_id="Id of the build."),
        "m.rpt_deals": table_node(
            "reports", "rpt_deals", "One row per day.", day="Local day.", deal_count="Deals."
        ),
        "m.stg_deals": table_node("staging", "stg_deals", "One row per deal."),
        "m.deals": table_node("reports", "deals", "Report function.")
        | {
            "config": {
                "materialized": "report_function",
                "schema": "reports",
                "meta": {"function": {"signature": "date_from, date_to, group_by := 'owner'"}},
            },
            "compiled_code": FUNCTION,
            "depends_on": {"nodes": ["m.rpt_deals"]},
        },
    }
}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data")


@pytest.fixture
def build(settings: Settings) -> Callable[[str], publish.Published]:
    """Builds, passes and publishes a build of this id, whose one deal count is its number."""

    def write_and_publish(build_id: str) -> publish.Published:
        write_build(settings, build_id)
        return publish.publish(settings, MANIFEST)

    return write_and_publish


def write_build(
    settings: Settings, build_id: str, passed: tuple[str, ...] = ("models", "invariants")
) -> None:
    settings.data_dir.mkdir(exist_ok=True)
    remove_database(settings.build_path)
    remove_database(settings.marts_path)
    with closing(open_build(settings.build_path)) as connection:
        for schema in ("raw_hubspot", "staging", "intermediate"):
            connection.execute(f"create schema {schema}")
        connection.execute(f"create table raw_hubspot._run as select '{build_id}' as build_id")
        connection.execute("create table staging.stg_deals as select 'secret@example.com' as email")
        connection.execute("create table core.dim_owners as select '1' as owner_id")
        connection.execute(f"create table core.build_info as select '{build_id}' as build_id")
        connection.execute(
            "create table reports.rpt_deals as "
            f"select date '2026-01-05' as day, cast({build_id.removeprefix('b')} as bigint) as deal_count"
        )
        create_functions(connection, function_nodes(MANIFEST))
        publish.withdraw_verdict(connection)
        for step in passed:
            publish.record_verdict(connection, step)


def shown(settings: Settings) -> int:
    """The deal count that a new reader sees through the link."""
    with duckdb.connect(settings.published_link, read_only=True) as connection:
        return connection.execute("select deal_count from reports.rpt_deals").fetchone()[0]


def test_readers_find_tables_functions_and_nothing_internal(settings, build):
    published = build("b1")
    assert published.row_counts == {"core.build_info": 1, "core.dim_owners": 1, "reports.rpt_deals": 1}
    with duckdb.connect(settings.published_link, read_only=True) as connection:
        schemas = connection.execute("select schema_name from duckdb_schemas() where not internal").fetchall()
        tables = connection.execute("select schema_name, table_name from duckdb_tables()").fetchall()
        views = connection.execute("select view_name from duckdb_views() where not internal").fetchall()
        rows = connection.execute("from reports.deals(date '2026-01-01', date '2026-02-01')").fetchall()
    assert {name for (name,) in schemas} == {"core", "reports"}
    described = {("core", "build_info"), ("core", "dim_reports"), ("core", "fct_checks")}
    assert set(tables) == {("core", "dim_owners"), ("reports", "rpt_deals")} | described
    assert views == []
    assert rows == [("owner", 1)]
    assert b"secret@example.com" not in published.path.read_bytes()


def test_descriptions_are_comments(settings, build):
    build("b1")
    with duckdb.connect(settings.published_link, read_only=True) as connection:
        own = "table_name in ('dim_owners', 'rpt_deals')"
        tables = dict(
            connection.execute(f"select table_name, comment from duckdb_tables() where {own}").fetchall()
        )
        columns = dict(
            connection.execute(f"select column_name, comment from duckdb_columns() where {own}").fetchall()
        )
        functions = connection.execute(
            "select comment from duckdb_functions() where function_name = 'deals'"
        ).fetchall()
    assert tables == {"dim_owners": "One row per owner. It's all.", "rpt_deals": "One row per day."}
    assert columns == {"owner_id": "Id of 'owner'.", "day": "Local day.", "deal_count": "Deals."}
    assert functions == [("Report function.",)]


def test_the_file_has_the_storage_version_that_older_readers_know(settings, build):
    published = build("b1")
    with duckdb.connect() as connection:
        connection.execute(f"attach '{published.path}' as file (read_only)")
        tags = connection.execute(
            "select tags from duckdb_databases() where database_name = 'file'"
        ).fetchone()[0]
    assert tags["storage_version"].startswith("v1.4")


def test_the_file_works_under_another_name_and_the_link_when_the_folder_moves(settings, build, tmp_path):
    build("b1")
    moved = tmp_path / "moved"
    settings.data_dir.rename(moved)
    settings = replace(settings, data_dir=moved)
    assert shown(settings) == 1
    copy = tmp_path / "report of may.duckdb"
    shutil.copy(settings.published_link, copy)
    with duckdb.connect(copy, read_only=True) as connection:
        assert connection.execute("from reports.deals(date '2026-01-01', date '2026-02-01')").fetchall()


READER = """
import duckdb, sys
connection = duckdb.connect(sys.argv[1], read_only=True)
for line in sys.stdin:
    print(connection.execute("select deal_count from reports.rpt_deals").fetchone()[0], flush=True)
"""


def test_a_reader_keeps_its_build_and_a_new_one_sees_the_next(settings, build):
    settings = replace(settings, keep_builds=1)
    build("b1")
    reader = subprocess.Popen(
        [sys.executable, "-c", READER, str(settings.published_link)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with reader:
        ask = lambda: (reader.stdin.write("\n"), reader.stdin.flush(), int(reader.stdout.readline()))[-1]  # noqa: E731
        assert ask() == 1
        write_build(settings, "b2")
        published = publish.publish(settings, MANIFEST)  # removes b1, which the reader has open
        assert [path.name for path in published.removed] == ["b1.duckdb"]
        assert shown(settings) == 2
        assert ask() == 1
        reader.stdin.close()


def test_only_the_newest_builds_are_kept_and_always_the_one_readers_see(settings, build):
    for number in range(1, 6):
        build(f"b{number}")
    assert [path.stem for path in builds(settings)] == ["b5", "b4", "b3"]
    roll_back(settings)
    roll_back(settings)
    assert current_build(settings).stem == "b3"
    assert prune(replace(settings, keep_builds=1)) == [settings.published_dir / "b4.duckdb"]
    assert [path.stem for path in builds(settings)] == ["b5", "b3"]


def test_rollback_goes_back_one_build_at_a_time_and_the_next_build_replaces_it(settings, build):
    with pytest.raises(PublishError, match="Nothing has been published"):
        roll_back(settings)
    build("b1"), build("b2"), build("b3")
    assert [path.stem for path in roll_back(settings)] == ["b3", "b2"]
    assert shown(settings) == 2
    assert [path.stem for path in roll_back(settings)] == ["b2", "b1"]
    assert shown(settings) == 1
    with pytest.raises(PublishError, match=r"no build before b1\.duckdb"):
        roll_back(settings)
    build("b4")
    assert shown(settings) == 4


@pytest.mark.parametrize("passed", [(), ("models",), ("invariants",)])
def test_a_build_that_has_not_passed_is_not_published(settings, build, passed):
    build("b1")
    write_build(settings, "b2", passed)
    with pytest.raises(PublishError, match="has not passed its checks"):
        publish.publish(settings, MANIFEST)
    assert shown(settings) == 1
    assert [path.stem for path in builds(settings)] == ["b1"]


def test_a_failure_leaves_the_former_build_and_no_file(settings, build):
    build("b1")
    write_build(settings, "b2")
    missing = {"nodes": MANIFEST["nodes"] | {"m.x": table_node("core", "dim_missing", "One row.")}}
    with pytest.raises(PublishError, match=r"lacks core\.dim_missing"):
        publish.publish(settings, missing)
    assert shown(settings) == 1
    assert sorted(path.name for path in settings.published_dir.iterdir()) == ["b1.duckdb"]


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path[:0] = [{root!r}, {tests!r}]
from orchestration import publish
from orchestration.settings import Settings
from test_publish import MANIFEST
module, name = {place!r}
target = publish if module == "publish" else os
original = getattr(target, name)
calls = 0
def die(*arguments):
    global calls
    calls += 1
    if calls == {call}:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(*arguments)
setattr(target, name, die)
publish.publish(Settings(data_dir=Path({data!r})), MANIFEST)
"""


@pytest.mark.parametrize(
    ("place", "call", "sees"),
    first_of(
        [
            (("publish", "_comments"), 2, 1),  # in the middle of the file
            (("publish", "_sync"), 1, 1),  # written, not yet on disk
            (("os", "replace"), 1, 1),  # not yet under its name
            (("os", "replace"), 2, 1),  # the new link made, not yet in place
            (("publish", "prune"), 1, 2),  # published
        ]
    ),
)
def test_a_kill_leaves_one_build_or_the_other_and_the_next_publication_cleans_up(
    settings, build, place, call, sees
):
    build("b1")
    write_build(settings, "b2")
    root = str(Path(__file__).parent.parent)
    program = KILLED.format(
        root=root, tests=f"{root}/tests", place=place, call=call, data=str(settings.data_dir)
    )
    killed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert killed.returncode == -9, killed.stderr
    assert shown(settings) == sees
    build("b3")
    assert shown(settings) == 3
    left = [path.name for path in settings.data_dir.rglob("*") if ".tmp" in path.name]
    assert left == []


def test_the_command_says_what_it_did_and_fails_where_it_cannot(settings, build):
    def command() -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-m", "orchestration.publish"],
            cwd=Path(__file__).parent.parent,
            env=os.environ | {"SALES_REPORTS_DATA_DIR": str(settings.data_dir)},
            capture_output=True,
            text=True,
        )

    build("b1"), build("b2")
    done = command()
    assert done.returncode == 0
    assert "now points to b1.duckdb; it pointed to b2.duckdb" in done.stdout
    refused = command()
    assert refused.returncode == 1
    assert "no build before b1.duckdb" in refused.stderr
