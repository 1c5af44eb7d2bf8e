"""`SALES_REPORTS_ENGINE=postgres make run` from outside: kills, publication, readers, rollback, secrets.

Belongs here: what a whole run leaves on the server and in the data folder. That the numbers are DuckDB's
shows `test_postgres.py`; how publication treats readers, `test_postgres_publication.py`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import psycopg
import pytest
from psycopg import errors, sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from orchestration.dbt_runs import DbtError
from orchestration.engines.postgres import Postgres
from orchestration.engines.postgres_publication import builds, current_build, ensure_reader, publish_next
from orchestration.settings import PROJECT_ROOT, Settings
from tests.end_to_end import DEALS, run, start
from tests.postgres_builds import build
from tests.postgres_server import database, postgres_server

pytestmark = pytest.mark.thorough

BEFORE = "20200101T000000.000000Z"
PASSWORD = "hunter2-of-the-builder"
BUILDER, READER = f"builder_{os.getpid()}", f"reader_of_runs_{os.getpid()}"


@dataclass
class Home:
    """A database that a run has published in, after runs that were killed there."""

    url: str
    data_dir: Path
    seen_after_kill: dict[str, tuple] = field(default_factory=dict)
    done: subprocess.CompletedProcess | None = None

    @property
    def environment(self) -> dict[str, str]:
        parts = conninfo_to_dict(self.url)
        address = f"{parts['host']}:{parts['port']}/{parts['dbname']}"
        return {
            "SALES_REPORTS_ENGINE": "postgres",
            "SALES_REPORTS_POSTGRES_URL": f"postgresql://{BUILDER}:{PASSWORD}@{address}",
        }

    def connect(self, user: str) -> psycopg.Connection:
        return psycopg.connect(make_conninfo(self.url, user=user), autocommit=True)

    def seen(self) -> tuple:
        """What a reader sees."""
        with self.connect(READER) as reader:
            return reader.execute(
                "select (select build_id from core.build_info), (select count(*) from reports.rpt_deals), "
                "(select count(*) from reports.deals()), 'reports.rpt_deals'::regclass::oid"
            ).fetchone()

    def kill_after(self, phase: str, seconds: float) -> None:
        """Start a run and kill it some time after a phase has ended."""
        with start(self.data_dir, **self.environment) as process:
            for line in process.stdout:
                if line.strip().startswith(phase):
                    time.sleep(seconds)
                    break
            assert process.poll() is None, process.stderr.read()
            process.send_signal(signal.SIGKILL)
            process.communicate()
        self.seen_after_kill[phase] = self.seen()


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Iterator[Home]:
    """Built by a user who is no superuser, over a build of before, after two runs that were killed."""
    with postgres_server() as server, psycopg.connect(server, autocommit=True) as connection:
        ensure_reader(connection)
        for role in (BUILDER, READER):
            connection.execute(f"drop role if exists {role}")
        connection.execute(f"create role {BUILDER} login password '{PASSWORD}'")
        connection.execute(f"create role {READER} login in role reports_reader")
        with database(server, f"sales_reports_run_{os.getpid()}") as url:
            connection.execute(f"alter database sales_reports_run_{os.getpid()} owner to {BUILDER}")
            found = Home(url, tmp_path_factory.mktemp("postgres") / "data")
            with found.connect(BUILDER) as builder:
                publish_next(builder, build(builder, BEFORE))
            found.seen_after_kill["none"] = found.seen()
            found.kill_after("Start", 1.0)  # while raw tables are loaded and copied
            found.kill_after("Load", 8.0)  # while dbt builds
            found.done = run(found.data_dir, **found.environment)
            yield found
        for role in (BUILDER, READER):
            connection.execute(f"drop role {role}")


def test_a_killed_build_leaves_the_published_reports_as_they_were(home):
    assert home.seen_after_kill["none"][:3] == (BEFORE, 3, 3)
    assert set(home.seen_after_kill) == {"none", "Start", "Load"}
    assert len(set(home.seen_after_kill.values())) == 1


def test_the_next_run_publishes_and_keeps_the_build_of_before(home):
    assert home.done.returncode == 0, home.done.stderr
    with home.connect(BUILDER) as builder:
        assert [found.build_id for found in builds(builder)] == [current_build(builder).build_id, BEFORE]
        left = {name for (name,) in builder.execute("select nspname from pg_namespace").fetchall()}
    assert {"core", "reports", "raw_hubspot"} <= left and not {"core_next", "reports_next"} & left


def test_readers_have_what_the_file_has(home):
    """Tables with their comments, the catalog of reports and checks, and functions."""
    link = Settings(data_dir=home.data_dir).published_link
    with duckdb.connect(link, read_only=True) as file, home.connect(READER) as reader:
        tables = file.execute(
            "select schema_name || '.' || table_name, comment from duckdb_tables() where not internal"
        ).fetchall()
        assert len(tables) > 60
        for table, comment in tables:
            count = f"select count(*) from {table}"
            assert reader.execute(count).fetchone() == file.execute(count).fetchone(), table
            if comment:
                words = f"select obj_description('{table}'::regclass, 'pg_class')"
                assert " ".join(reader.execute(words).fetchone()[0].split()) == comment, table
        functions = file.execute(
            "select distinct function_name from duckdb_functions() "
            "where schema_name = 'reports' and function_type = 'table_macro'"
        ).fetchall()
        assert len(functions) > 25
        for (function,) in functions:
            pipeline = ", pipelines := array['default']" if function == "deal_funnel" else ""
            goal = ", goal := (select min(goal_id) from core.fct_goal_slices)" if "quota" in function else ""
            days = "date '2026-01-01', date '2026-07-01'"
            reader.execute(f"select * from reports.{function}({days}{pipeline}{goal})").fetchall()


@pytest.mark.parametrize("schema", ["raw_hubspot", "staging", "intermediate", "seeds"])
def test_readers_see_nothing_of_the_build(home, schema):
    with home.connect(BUILDER) as builder:
        relations = builder.execute(
            "select relname from pg_class where relnamespace = %s::regnamespace and relkind in ('r', 'v')",
            [schema],
        ).fetchall()
    assert relations
    with home.connect(READER) as reader:
        for (name,) in relations:
            with pytest.raises(errors.InsufficientPrivilege):
                reader.execute(f'select * from {schema}."{name}" limit 1')


def test_readers_can_write_to_no_report(home):
    with home.connect(READER) as reader:
        tables = reader.execute(
            "select schemaname, tablename from pg_tables where schemaname in ('core', 'reports')"
        ).fetchall()
        for schema, table in tables:
            with pytest.raises(errors.InsufficientPrivilege):
                reader.execute(f'delete from {schema}."{table}"')


def test_dbt_has_granted_the_reports(home):
    """Grants of a report's own YAML or dbt_project.yml reach the server, whatever the swap adds."""
    with home.connect(BUILDER) as builder:
        granted = builder.execute(
            "select has_table_privilege('reports_reader', 'core.fct_deals', 'select'), "
            "has_table_privilege('reports_reader', 'core.fct_deals', 'insert')"
        ).fetchone()
    assert granted == (True, False)


def test_the_password_is_nowhere(home):
    assert PASSWORD not in home.done.stdout + home.done.stderr
    files = [path for path in home.data_dir.rglob("*") if path.is_file()]
    assert any("dbt_target" in path.parts for path in files)
    for path in files:
        assert PASSWORD.encode() not in path.read_bytes(), path
    with home.connect(READER) as reader:
        (settings,) = reader.execute("select settings from core.build_info").fetchone()
    assert "engine" in settings and PASSWORD not in settings


def test_rollback_gives_readers_the_build_of_before(home):
    with home.connect(BUILDER) as builder:
        published = current_build(builder).build_id
    done = subprocess.run(
        [sys.executable, "-m", "orchestration.publish"],
        cwd=PROJECT_ROOT,
        env=os.environ | {"SALES_REPORTS_DATA_DIR": str(home.data_dir)} | home.environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert f"Readers on postgres have build {BEFORE} now; they had {published}." in done.stdout
    assert home.seen() == home.seen_after_kill["none"]


def test_who_is_forgotten_is_on_the_server_no_more(home):
    """Neither in raw tables nor in a build; one that somebody has a view on is told, and goes later."""
    with home.connect(BUILDER) as builder:
        contact_id, email = builder.execute(
            "select id, email from raw_hubspot.contacts where email is not null order by id limit 1"
        ).fetchone()
        published = builds(builder)[0]  # which the rollback has put away
        assert {"raw_hubspot.contacts", f"core{published.suffix}.dim_contacts"} <= places_of(
            builder, contact_id, email
        )
        builder.execute("create schema of_somebody")
        builder.execute("create view of_somebody.deals as select * from reports.rpt_deals")
    done = subprocess.run(
        [sys.executable, "-m", "orchestration.forget", contact_id],
        cwd=PROJECT_ROOT,
        env=os.environ
        | {"SALES_REPORTS_DATA_DIR": str(home.data_dir), "SALES_REPORTS_DEMO_DEALS": str(DEALS)}
        | home.environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    suffix = BEFORE.replace(".", "_").lower()
    assert f"still holds them: the schemas core_{suffix} and reports_{suffix}, which" in done.stderr
    with home.connect(BUILDER) as builder:
        current = current_build(builder)
        assert [found.build_id for found in builds(builder)] == [current.build_id, BEFORE]
        assert current.build_id != BEFORE
        assert places_of(builder, contact_id, email) == set()
        builder.execute("drop schema of_somebody cascade")
    Postgres(Settings(data_dir=home.data_dir, engine="postgres", postgres_url=home.url)).publish()
    with home.connect(BUILDER) as builder:
        assert builds(builder) == [current]


def places_of(server: psycopg.Connection, contact_id: str, email: str) -> set[str]:
    """Tables and views of all schemas in which a contact stands, by the address or by the id."""
    relations = server.execute(
        "select table_schema, table_name, max(column_name) filter (where column_name = 'contact_id' "
        "or table_name = 'contacts' and column_name = 'id') from information_schema.columns "
        "where table_schema not in ('pg_catalog', 'information_schema') group by 1, 2"
    ).fetchall()
    found = set()
    for schema, name, key in relations:
        by_id = sql.SQL("t.{} = {}").format(sql.Identifier(key), contact_id) if key else sql.SQL("false")
        query = sql.SQL("select exists(select 1 from {} as t where {} or strpos(t::text, {}) > 0)").format(
            sql.Identifier(schema, name), by_id, email
        )
        if server.execute(query).fetchone()[0]:
            found.add(f"{schema}.{name}")
    return found


def test_a_server_that_is_not_there_is_said_without_the_password(tmp_path):
    url = f"postgresql://me:{PASSWORD}@127.0.0.1:1/nowhere"
    done = run(tmp_path / "data", SALES_REPORTS_ENGINE="postgres", SALES_REPORTS_POSTGRES_URL=url)
    assert done.returncode == 1
    assert "SALES_REPORTS_POSTGRES_URL: connection failed" in done.stderr
    assert PASSWORD not in done.stdout + done.stderr


def test_no_part_of_a_published_build_is_built_by_itself(home):
    """Its tables are the readers' now."""
    engine = Postgres(Settings(data_dir=home.data_dir, engine="postgres", postgres_url=home.url))
    with pytest.raises(DbtError, match="run the whole job"):
        engine.begin_part()
