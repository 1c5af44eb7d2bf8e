"""`make forget`: a person leaves everything that is kept, and no later load brings them back."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta

import duckdb
import pytest

from orchestration import forget as forgetting
from orchestration import publish
from orchestration.forget import ForgetError, forget
from orchestration.ingest.contract import TABLES
from orchestration.ingest.history import last_forgotten
from orchestration.ingest.load import load_id
from orchestration.settings import Settings
from tests.loading import DAY_1, DataFolder, at, crm, version

DAY_2, DAY_3 = DAY_1 + timedelta(days=1), DAY_1 + timedelta(days=2)
NAME, EMAIL = "Hypatia", "hypatia@alexandria.example"
TRACES = (NAME.lower(), "alexandria", "70070", "70071")  # 70071 was merged into 70070


def person(id_: str, **columns) -> dict:
    return {"id": id_, "createdate": at("2026-01-01"), "firstname": NAME, "email": EMAIL, **columns}


def link(kind: str, id_: str, contact: str) -> dict:
    return {"from_type": kind, "from_id": id_, "to_type": "contact", "to_id": contact, "type_id": "1"}


def activity(id_: str, title: str, name: str = NAME) -> dict:
    return {"id": id_, "hs_timestamp": at("2026-02-01"), "hubspot_owner_id": "7", title: f"With {name}"}


def full_crm() -> dict:
    return crm(
        contacts=[
            person("70070", hs_merged_object_ids="70071", favourite_star="Alexandria"),
            person("70071", merged_into_id="70070"),
            person("70072", firstname="Euclid", email="e@example.com"),
        ],
        contact_property_history=[
            version(id_, "lifecyclestage", value, at("2026-01-02"))
            for id_, value in (("70070", "lead"), ("70071", "lead"), ("70072", "lead"))
        ],
        calls=[activity("1", "hs_call_title"), activity("2", "hs_call_title", "Euclid")],
        emails=[activity("3", "hs_email_subject")],
        leads=[{"id": "4", "hs_lead_name": f"{NAME} of Alexandria", "own_note": "Alexandria"}],
        associations=[
            link("call", "1", "70070"),
            link("call", "2", "70072"),
            link("email", "3", "70071"),
            {"from_type": "contact", "from_id": "70070", "to_type": "lead", "to_id": "4", "type_id": "2"},
            {"from_type": "deal", "from_id": "1", "to_type": "contact", "to_id": "70070", "type_id": "3"},
        ],
        conversation_channels=[{"id": "c", "name": "Chat", "kind": "LIVE_CHAT"}],
        conversation_threads=[
            {
                "id": "t",
                "created_at": at("2026-02-01"),
                "original_channel_id": "c",
                "associated_contact_id": "70070",
            }
        ],
        conversation_messages=[
            {"thread_id": "t", "id": "m1", "created_at": at("2026-02-01"), "sender": "V-70070"},
            {"thread_id": "t", "id": "m2", "created_at": at("2026-02-01"), "sender": "A-7"},
        ],
    )


@pytest.fixture
def folder(tmp_path):
    folder = DataFolder(tmp_path)
    folder.load(full_crm(), source="files")
    folder.close()
    yield folder
    folder.close()


@pytest.fixture
def settings(folder) -> Settings:
    return Settings(data_dir=folder.path, source="files")


def traces(path) -> list[tuple[str, str, int]]:
    """Tables and columns of a database in which something of the person stands."""
    found = []
    with duckdb.connect(path, read_only=True) as database:
        columns = database.execute(
            "select schema_name, table_name, column_name from duckdb_columns() "
            "where not internal and data_type = 'VARCHAR' and table_name <> 'forgotten'"
        ).fetchall()
        for schema, table, column in columns:
            (count,) = database.execute(
                f'select count(*) from "{schema}"."{table}" where '
                + " or ".join(
                    f"""regexp_matches(lower("{column}"), '(^|[^0-9.:]){t}([^0-9.:]|$)')""" for t in TRACES
                )
            ).fetchone()
            if count:
                found.append((table, column, count))
    return found


def test_the_person_stands_in_many_places_before(folder):
    tables = {table for table, _, _ in traces(folder.path / "build.duckdb")}
    assert {"contacts", "contact_property_history", "associations", "calls", "emails", "leads"} <= tables
    assert {"conversation_threads", "conversation_messages"} <= tables
    assert traces(folder.history)


@pytest.mark.parametrize("asked_for", ["70070", "70071"])
def test_forgetting_leaves_no_trace(folder, settings, asked_for):
    forgotten = forget(settings, asked_for, DAY_2)
    assert forgotten.contact_ids == ["70070", "70071"]
    assert (forgotten.versions, forgotten.texts) == (2, 3)
    assert traces(folder.path / "build.duckdb") == []
    assert traces(folder.history) == []
    for path in (folder.path / "build.duckdb", folder.history):
        assert NAME.encode() not in path.read_bytes(), "written anew, without what was deleted"


def test_everybody_else_stays(folder, settings):
    forget(settings, "70070", DAY_2)
    assert folder.rows("select id, firstname from contacts") == [("70072", "Euclid")]
    assert folder.rows("select object_id from contact_property_history") == [("70072",)]
    assert folder.rows("select id, hs_call_title from calls order by id") == [
        ("1", None),
        ("2", "With Euclid"),
    ]
    assert folder.rows("select id, own_note from leads") == [("4", None)]
    assert folder.rows("select id, associated_contact_id from conversation_threads") == [("t", None)]
    assert folder.rows("select id from conversation_messages") == [("m2",)]
    assert folder.rows("select count(*) from deals") == [(2,)]


def test_no_later_load_brings_the_person_back(folder, settings):
    """The source still has the person, a new call with them, and a broken row of theirs."""
    forget(settings, "70070", DAY_2)
    tables = full_crm()
    tables["calls"].append(activity("9", "hs_call_title"))
    tables["associations"].append(link("call", "9", "70070"))
    tables["contacts"].append(person("70070", hubspot_owner_assigneddate="soon"))
    summary = folder.load(tables, DAY_3, source="files")
    folder.close()
    assert traces(folder.path / "build.duckdb") == []
    assert traces(folder.history) == []
    (contacts,) = [table for table in summary.tables if table.name == "contacts"]
    assert (contacts.offered, contacts.loaded, contacts.rejected) == (1, 1, 0)
    assert folder.rows("select id from calls where hs_call_title is not null") == [("2",)]
    assert folder.rows("select * from contacts where hard_deleted_at is not null") == []


def test_an_unknown_id_changes_nothing(folder, settings):
    before = folder.history.read_bytes()
    with pytest.raises(ForgetError, match="No contact with the id 700"):
        forget(settings, "700", DAY_2)
    assert folder.history.read_bytes() == before
    assert last_forgotten(folder.history) is None


def test_it_may_be_done_again(folder, settings):
    forget(settings, "70070", DAY_2)
    again = forget(settings, "70070", DAY_3)
    assert (again.raw_rows, again.versions) == (0, 0)
    assert last_forgotten(folder.history) == DAY_3


def test_another_source_than_the_last_loads_is_refused(settings):
    with pytest.raises(ForgetError, match="SALES_REPORTS_SOURCE=files"):
        forget(Settings(data_dir=settings.data_dir, source="demo"), "70070", DAY_2)


def test_nothing_loaded_yet(tmp_path):
    with pytest.raises(ForgetError, match="run `make run` first"):
        forget(Settings(data_dir=tmp_path), "70070", DAY_2)


def test_builds_from_before_are_not_kept_once_a_newer_one_is_published(folder, settings):
    forget(settings, "70070", DAY_2)
    settings.published_dir.mkdir()
    for day in (DAY_1, DAY_3):
        (settings.published_dir / f"{load_id(day)}.duckdb").touch()
    older, newer = sorted(settings.published_dir.iterdir())
    publish.point_link(settings.published_link, older)
    assert publish.prune(settings) == [], "readers keep what they see until there is a newer build"
    publish.point_link(settings.published_link, newer)
    assert publish.prune(settings) == [older]


def test_events_of_earlier_runs_that_name_the_person_go(tmp_path):
    runs = tmp_path / "history" / "runs"
    runs.mkdir(parents=True)
    with closing(sqlite3.connect(runs / "one.db")) as log:
        log.execute("create table event_logs (id integer primary key, event text)")
        events = ["contact_id=70070: no owner", "170070 rows", "0.70070 s", "nothing", "['70070', '80']"]
        log.executemany("insert into event_logs (event) values (?)", [(event,) for event in events])
        log.commit()
    assert forgetting.forget_events(tmp_path, ["70070", "70071"]) == 2
    with closing(sqlite3.connect(runs / "one.db")) as log:
        assert [event for (event,) in log.execute("select event from event_logs")] == events[1:4]


def test_rules_name_tables_of_the_contract():
    from orchestration.ingest import forgotten

    named = {table for table, _ in forgotten.TEXTS.values()} | set(forgotten._ROWS)
    assert named <= set(TABLES)
    assert all(text in TABLES[table].columns for table, text in forgotten.TEXTS.values())
