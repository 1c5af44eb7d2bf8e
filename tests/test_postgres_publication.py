"""Readers on Postgres: what they may see, and that a publication never disturbs or misleads them.

Belongs here: publication, rollback and pruning with small builds made by hand. The whole run, and a kill
in it, has `test_postgres_run.py`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg import errors
from psycopg.conninfo import make_conninfo

from orchestration.engines.postgres import APPLICATION, end_sessions_left
from orchestration.engines.postgres_publication import (
    builds,
    current_build,
    ensure_reader,
    prune,
    publish_next,
    roll_back,
    show_again,
)
from orchestration.publish import PublishError
from orchestration.settings import PROJECT_ROOT
from tests.postgres_builds import build
from tests.postgres_server import database, postgres_server

pytestmark = pytest.mark.thorough

BUILDER, READER = f"builder_{os.getpid()}", f"reader_{os.getpid()}"
FIRST, SECOND, THIRD = (f"2026070{day}T000000.000000Z" for day in (1, 2, 3))


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres_server() as url, psycopg.connect(url, autocommit=True) as connection:
        ensure_reader(connection)
        connection.execute(f"drop role if exists {READER}, {BUILDER}")
        connection.execute(f"create role {BUILDER} login")
        connection.execute(f"create role {READER} login in role reports_reader")
        yield url
        connection.execute(f"drop role {READER}, {BUILDER}")


@pytest.fixture
def home(server) -> Iterator[str]:
    """A database of a builder who is no superuser."""
    name = f"sales_reports_publication_{os.getpid()}"
    with database(server, name) as url, psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"alter database {name} owner to {BUILDER}")
        yield url


@pytest.fixture
def builder(home) -> Iterator[psycopg.Connection]:
    with psycopg.connect(make_conninfo(home, user=BUILDER), autocommit=True) as connection:
        yield connection


@pytest.fixture
def reader(home) -> Iterator[psycopg.Connection]:
    with psycopg.connect(make_conninfo(home, user=READER), autocommit=True) as connection:
        yield connection


def publish(builder: psycopg.Connection, build_id: str, deals: int = 3, patience: float = 60) -> None:
    publish_next(builder, build(builder, build_id, deals), patience)


def counted(connection: psycopg.Connection, relation: str = "reports.rpt_deals") -> int:
    return connection.execute(f"select count(*) from {relation}").fetchone()[0]


def schemas(connection: psycopg.Connection) -> set[str]:
    return {
        name
        for (name,) in connection.execute(
            "select nspname from pg_namespace where nspname ~ '^(core|reports)'"
        ).fetchall()
    }


# --- who may read what ----------------------------------------------------------------------------


def test_readers_read_core_and_reports(builder, reader):
    publish(builder, FIRST)
    assert counted(reader) == counted(reader, "reports.deals()") == 3
    assert reader.execute("select build_id from core.build_info").fetchone() == (FIRST,)


@pytest.mark.parametrize(
    "statement",
    [
        "select * from raw_hubspot.deals",
        "select * from intermediate.int_deals",
        "select * from core_next.build_info",
        "select * from reports_next.deals()",
        "select * from core_20260701t000000_000000z.build_info",
        "select * from reports_20260701t000000_000000z.deals()",
        "insert into reports.rpt_deals values (4)",
        "update core.build_info set build_id = 'mine'",
        "delete from reports.rpt_deals",
        "truncate reports.rpt_deals",
        "drop table reports.rpt_deals",
        "create table reports.mine (n integer)",
        "create table core.mine (n integer)",
        "create function reports.mine() returns integer language sql return 1",
        "alter schema reports rename to mine",
        "create schema mine",
    ],
)
def test_readers_can_do_nothing_else(builder, reader, statement):
    publish(builder, FIRST)
    publish(builder, SECOND)
    build(builder, THIRD)
    with pytest.raises(errors.InsufficientPrivilege):
        reader.execute(statement)
    assert counted(reader) == 3


def test_a_builder_who_may_not_create_the_role_is_told_what_an_administrator_runs(server, monkeypatch):
    monkeypatch.setattr("orchestration.engines.postgres_publication.READER", "reports_reader_of_a_test")
    poor = psycopg.connect(make_conninfo(server, user=READER), autocommit=True)
    with poor, pytest.raises(PublishError, match="create role reports_reader_of_a_test nologin"):
        ensure_reader(poor)


# --- swap, rollback, pruning ----------------------------------------------------------------------


def test_the_swap_keeps_the_build_before(builder, reader):
    publish(builder, FIRST, deals=3)
    publish(builder, SECOND, deals=4)
    assert counted(reader) == counted(reader, "reports.deals()") == 4
    assert [found.build_id for found in builds(builder)] == [SECOND, FIRST]
    assert current_build(builder).build_id == SECOND
    assert schemas(builder) == {
        "core",
        "reports",
        "core_20260701t000000_000000z",
        "reports_20260701t000000_000000z",
    }


def test_a_kill_in_the_middle_of_the_swap_leaves_readers_their_build(home, builder, reader):
    publish(builder, FIRST, deals=3)
    build(builder, SECOND, deals=4)
    # The swap's last step waits for whoever changes the rights of the same table.
    with psycopg.connect(home) as other:
        other.execute("grant select on reports_next.rpt_deals to reports_reader")
        arguments = make_conninfo(home, user=BUILDER, application_name="to be killed"), SECOND
        with subprocess.Popen([sys.executable, "-c", _SWAP, *arguments], cwd=PROJECT_ROOT) as process:
            _wait_until(lambda: _is_there(builder, "wait_event_type = 'Lock'"))
            assert counted(reader) == counted(reader, "reports.deals()") == 3
            process.kill()
        other.rollback()
    _wait_until(lambda: not _is_there(builder))
    assert counted(reader) == counted(reader, "reports.deals()") == 3
    assert current_build(builder).build_id == FIRST
    publish_next(builder, SECOND)
    assert counted(reader) == counted(reader, "reports.deals()") == 4


_SWAP = """
import sys, psycopg
from orchestration.engines.postgres_publication import publish_next
with psycopg.connect(sys.argv[1], autocommit=True) as server:
    publish_next(server, sys.argv[2])
"""


def test_what_a_killed_run_left_computing_is_ended_and_nothing_else_is(home, builder):
    """Postgres goes on with a statement whose client is gone, with its locks, for as long as it takes."""
    builder.execute("create table landed as select 1 as id")

    def session(name: str) -> psycopg.Connection:
        return psycopg.connect(make_conninfo(home, user=BUILDER, application_name=name), autocommit=True)

    with session("dbeaver") as somebody, session(APPLICATION) as left, ThreadPoolExecutor() as threads:
        computing = threads.submit(left.execute, "select pg_sleep(60) from landed")
        _wait_until(lambda: _is_there(builder, "state = 'active'", APPLICATION))
        end_sessions_left(builder)
        with pytest.raises(errors.AdminShutdown):
            computing.result()
        builder.execute("drop table landed")  # waits for nobody
        assert somebody.execute("select 1").fetchone() == (1,)


def _is_there(connection: psycopg.Connection, condition: str = "true", name: str = "to be killed") -> bool:
    """Whether the server has a session of this name, of which this is true."""
    sessions = f"select count(*) from pg_stat_activity where application_name = %s and {condition}"
    return connection.execute(sessions, [name]).fetchone()[0] > 0


def _wait_until(is_so: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it did not come to it"
        time.sleep(0.05)


def test_rollback_goes_one_build_back_each_time(builder, reader):
    for number, build_id in enumerate((FIRST, SECOND, THIRD), start=3):
        publish(builder, build_id, deals=number)
    assert roll_back(builder) == (THIRD, SECOND)
    assert counted(reader) == counted(reader, "reports.deals()") == 4
    assert roll_back(builder) == (SECOND, FIRST)
    assert counted(reader) == 3
    with pytest.raises(PublishError, match=f"no build before {FIRST}"):
        roll_back(builder)
    with pytest.raises(errors.InsufficientPrivilege):
        counted(reader, "reports_20260703t000000_000000z.rpt_deals")
    assert show_again(builder, THIRD)
    assert counted(reader) == 5
    assert not show_again(builder, "20260704T000000.000000Z")


def test_nothing_to_go_back_to_is_said(builder):
    with pytest.raises(PublishError, match="Nothing has been published"):
        roll_back(builder)


def test_only_the_newest_builds_are_kept(builder, reader):
    for build_id in (FIRST, SECOND, THIRD):
        publish(builder, build_id)
    assert prune(builder, keep=2) == [FIRST]
    assert [found.build_id for found in builds(builder)] == [THIRD, SECOND]
    assert not {name for name in schemas(builder) if "0701" in name}
    # Somebody has been forgotten since the second build.
    assert prune(builder, keep=2, oldest=THIRD) == [SECOND]
    assert counted(reader) == 3


def test_the_build_that_readers_see_is_never_dropped(builder, reader):
    publish(builder, FIRST)
    publish(builder, SECOND)
    roll_back(builder)
    assert prune(builder, keep=1) == []
    assert counted(reader) == 3
    assert current_build(builder).build_id == FIRST


def test_a_build_with_somebody_elses_view_on_it_stays(builder):
    publish(builder, FIRST, deals=3)
    builder.execute("create schema mine; create view mine.deals as select * from reports.rpt_deals")
    publish(builder, SECOND, deals=4)
    assert prune(builder, keep=1) == []
    assert counted(builder, "mine.deals") == 3
    builder.execute("drop view mine.deals")
    assert prune(builder, keep=1) == [FIRST]


@pytest.mark.parametrize("name", ["staging", "core", "reports", "raw_hubspot"])
def test_a_schema_of_somebody_else_is_left_alone(builder, name):
    builder.execute(f"create schema {name}; create table {name}.theirs as select 1 as n")
    with pytest.raises(PublishError, match=f"has a schema {name} that is not this project's"):
        publish(builder, FIRST)
    assert counted(builder, f"{name}.theirs") == 1


def test_a_build_that_was_not_proven_is_not_published(builder, reader):
    publish(builder, FIRST)
    build(builder, THIRD)
    with pytest.raises(PublishError, match=f"{SECOND} was proven, and Postgres holds build {THIRD}"):
        publish_next(builder, SECOND)
    assert reader.execute("select build_id from core.build_info").fetchone() == (FIRST,)
    builder.execute("drop schema core_next cascade")
    with pytest.raises(PublishError, match="holds no build"):
        publish_next(builder, THIRD)


# --- readers at the time of a swap ----------------------------------------------------------------


def test_a_snapshot_of_before_is_waited_for_and_sees_its_build_to_the_end(builder, reader):
    """Otherwise it would find the new tables by the old names, and empty."""
    publish(builder, FIRST, deals=3)
    with ThreadPoolExecutor(1) as pool:
        with reader.transaction():
            reader.execute("set transaction isolation level repeatable read")
            assert reader.execute("select build_id from core.build_info").fetchone() == (FIRST,)
            publication = pool.submit(publish, builder, SECOND, 4)
            for _ in range(10):
                time.sleep(0.05)
                assert counted(reader) == 3
            assert not publication.done()
        publication.result(timeout=30)
    assert counted(reader) == 4


def test_a_statement_under_way_finishes_on_its_tables(builder, reader):
    publish(builder, FIRST, deals=50)
    with ThreadPoolExecutor(2) as pool:
        slow = pool.submit(counted, reader, "(select pg_sleep(0.01) from reports.rpt_deals) as slow")
        time.sleep(0.1)
        pool.submit(publish, builder, SECOND, 4).result(timeout=30)
        assert slow.result() == 50
    assert counted(reader) == 4


def test_readers_that_are_never_quiet_do_not_keep_a_build_from_them(builder, home):
    """Every statement sees one build whole, whether it asks tables or functions."""
    publish(builder, FIRST, deals=3)
    stop, seen = threading.Event(), []

    def read() -> None:
        with psycopg.connect(make_conninfo(home, user=READER), autocommit=True) as own:
            while not stop.is_set():
                seen.append(
                    own.execute(
                        "select (select count(*) from reports.rpt_deals), "
                        "(select count(*) from reports.deals()), "
                        "(select build_id from core.build_info)"
                    ).fetchone()
                )

    def until_seen(build_id: str) -> None:
        """A busy machine may take its time until somebody reads."""
        end = time.monotonic() + 20
        while build_id not in {row[2] for row in list(seen)} and time.monotonic() < end:
            time.sleep(0.01)

    with ThreadPoolExecutor(3) as pool:
        readers = [pool.submit(read) for _ in range(3)]
        try:
            until_seen(FIRST)
            for number, build_id in enumerate((SECOND, THIRD), start=4):
                publish(builder, build_id, deals=number)
                until_seen(build_id)
        finally:
            stop.set()
        for future in readers:
            future.result()
    assert set(seen) == {(3, 3, FIRST), (4, 4, SECOND), (5, 5, THIRD)}


def test_whoever_keeps_a_snapshot_for_too_long_is_named(builder, reader):
    publish(builder, FIRST, deals=3)
    with reader.transaction():
        reader.execute("set transaction isolation level repeatable read")
        counted(reader)
        with pytest.raises(PublishError, match=f"process {reader.info.backend_pid};"):
            publish(builder, SECOND, deals=4, patience=0.2)
        assert counted(reader) == 3
    assert counted(reader) == 3
    publish_next(builder, SECOND)
    assert counted(reader) == 4


def test_sessions_that_may_not_read_the_reports_are_not_waited_for(server, builder, home):
    publish(builder, FIRST)
    name = f"other_{os.getpid()}"
    with psycopg.connect(server, autocommit=True) as administrator:
        administrator.execute(f"create role {name} login")
        try:
            with psycopg.connect(make_conninfo(home, user=name)) as other:
                other.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
                other.execute("select 1")
                publish(builder, SECOND, patience=0.2)
        finally:
            administrator.execute(f"drop role {name}")
