"""The raw tables on a Postgres server are those of the build: names, types and every value."""

from __future__ import annotations

from decimal import Decimal

import psycopg
import pytest

from orchestration.engines.postgres import Postgres
from orchestration.engines.postgres_copy import fetch_schema, in_utc
from orchestration.ingest.contract import TABLES
from orchestration.settings import Settings
from tests.loading import DataFolder, at, crm, deal, version
from tests.postgres_server import database, postgres_server

pytestmark = pytest.mark.thorough

NASTY = ["", None, " ", "🚀", 'Say "hi"', "two\r\nlines", "a,b;c", "\\N", "\\.", "NULL", "back\\slash"]


@pytest.fixture(scope="module")
def server():
    with postgres_server() as url:
        yield url


@pytest.fixture
def postgres(server):
    with database(server, "raw_copy") as url:
        yield url


@pytest.fixture
def folder(tmp_path):
    folder = DataFolder(tmp_path)
    folder.load(
        crm(
            deals=[
                deal(str(n), dealname=name, amount=Decimal("1.0000000001"), archived=n % 2 == 0, Mine=name)
                for n, name in enumerate(NASTY)
            ],
            deal_property_history=[version("1", "closedate", "2026-01-02T03:04:05.678Z", at("2026-01-01"))],
            calls=[{"id": "1", "hs_timestamp": at("0024-01-01"), "hs_call_duration": 2**40}],
        )
    )
    yield folder
    folder.close()


def land(folder: DataFolder, url: str) -> None:
    Postgres(Settings(engine="postgres", postgres_url=url)).land(folder.build)


def fetch(url: str, query: str) -> list[tuple]:
    with psycopg.connect(url) as connection:
        connection.execute("set TimeZone = 'UTC'")
        return connection.execute(query).fetchall()


def test_every_table_is_copied_whole(folder, postgres):
    land(folder, postgres)
    names = [
        row[0] for row in fetch(postgres, "select tablename from pg_tables where schemaname = 'raw_hubspot'")
    ]
    assert set(TABLES) | {"_run", "_sync_log", "_available_columns", "_history_gaps"} <= set(names)
    for name in names:
        columns = [row[0] for row in folder.rows(f"describe {name}")]
        listed = ", ".join(f'"{column}"' for column in columns)
        expected = folder.rows(f"select {listed} from {name}")
        actual = fetch(postgres, f"select {listed} from raw_hubspot.{name}")
        assert sorted(actual, key=str) == sorted(expected, key=str), name


def test_types_are_the_same(folder, postgres):
    land(folder, postgres)
    types = dict(
        fetch(
            postgres,
            "select column_name, data_type || coalesce(' ' || numeric_scale, '') "
            "from information_schema.columns "
            "where table_schema = 'raw_hubspot' and table_name in ('deals', 'calls') "
            "and column_name in ('id', 'amount', 'archived', 'closedate', 'hs_call_duration', 'Mine')",
        )
    )
    assert types == {
        "id": "text",
        "amount": "numeric 10",
        "archived": "boolean",
        "closedate": "timestamp with time zone",
        "hs_call_duration": "bigint 0",
        "Mine": "text",
    }


def test_characters_that_postgres_does_not_have_are_left_out(folder, postgres):
    folder.load(crm(deals=[deal("1", dealname="a\0b")]), accept_drop=True)
    land(folder, postgres)
    assert fetch(postgres, "select dealname from raw_hubspot.deals where id = '1'") == [("ab",)]


def test_a_second_copy_replaces_the_first_and_what_depends_on_it(folder, postgres):
    land(folder, postgres)
    with psycopg.connect(postgres) as connection:
        connection.execute("create view staged as select id from raw_hubspot.deals")
    folder.load(crm(deals=[deal("only")]), source="other")
    land(folder, postgres)
    assert fetch(postgres, "select id from raw_hubspot.deals") == [("only",)]
    assert fetch(postgres, "select count(*) from pg_views where viewname = 'staged'") == [(0,)]


def test_a_copy_that_fails_leaves_the_old_tables(folder, postgres):
    land(folder, postgres)
    before = fetch(postgres, "select id from raw_hubspot.deals order by id")
    folder.load(crm(deals=[deal("only")]), source="other")
    folder.build.execute("create table raw_hubspot.zzz as select interval '1 day' as unheard_of, [1] as list")
    with pytest.raises(psycopg.Error):
        land(folder, postgres)
    assert fetch(postgres, "select id from raw_hubspot.deals order by id") == before


def test_what_comes_back_is_what_went_there(folder, postgres):
    land(folder, postgres)
    folder.build.execute("create schema back")
    with psycopg.connect(postgres) as connection, in_utc(connection):
        counts = fetch_schema(connection, "raw_hubspot", folder.build, "back")
    assert counts["deals"] == len(NASTY)
    for name in counts:
        there = folder.build.execute(f'select * from raw_hubspot."{name}"')
        types = [column[1] for column in there.description]
        rows = there.fetchall()
        back = folder.build.execute(f'select * from back."{name}"')
        assert [column[1] for column in back.description] == types, name
        assert sorted(back.fetchall(), key=str) == sorted(rows, key=str), name
