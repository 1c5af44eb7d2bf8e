"""What a load says has changed: `_changed_records`, `_changed_tables`, and raw tables kept in place.

Belongs here: random deliveries one after the other, compared with a slow comparison in Python, and the
cases that such deliveries do not reach. Oracles are written from raw_tables.md alone.
"""

from __future__ import annotations

import tempfile
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from orchestration.ingest import changes, delivered
from orchestration.ingest.concerns import CONCERNING
from orchestration.ingest.contract import TABLES
from orchestration.ingest.delivery import Delivery, python_rows
from orchestration.ingest.history import SNAPSHOT_COLUMNS, store_snapshots
from orchestration.ingest.load import load
from orchestration.settings import PROJECT_ROOT, Settings
from tests.loading import DAY_1, DataFolder, at, crm, deal, stage, version

DAY_2, DAY_3 = DAY_1 + timedelta(days=1), DAY_1 + timedelta(days=2)
SINGULAR = {
    "deals": "deal",
    "contacts": "contact",
    "companies": "company",
    "leads": "lead",
    "calls": "call",
    "meetings": "meeting",
    "tasks": "task",
    "emails": "email",
    "notes": "note",
    "teams": "team",
    "communications": "communication",
    "conversation_threads": "conversation_thread",
    "sequences": "sequence",
    "owners": "owner",
}
OF_THE_LOAD = {"_loaded_at", "load_id"}


@pytest.fixture
def folder(tmp_path):
    folder = DataFolder(tmp_path)
    yield folder
    folder.close()


def changed_records(folder: DataFolder) -> list[tuple]:
    return sorted(folder.rows("select object_type, record_id from _changed_records"))


def concerning_others(folder: DataFolder) -> set[tuple]:
    """The changed records that concern rows of others, each with whose."""
    return {
        (*record, reader)
        for reader in ("activities", "contacts")
        for record in folder.rows(
            f"select object_type, record_id from _changed_records where concerns_{reader}"
        )
    }


def changed_tables(folder: DataFolder) -> set[str]:
    return {name for (name,) in folder.rows("from _changed_tables")}


# --- the oracle -----------------------------------------------------------------------------------


def raw_rows(folder: DataFolder) -> dict[str, list[dict]]:
    """Every raw table as rows of names and values, without what tells of the load."""
    found = {}
    for (name,) in folder.rows("select table_name from duckdb_tables() where schema_name = 'raw_hubspot'"):
        columns = [row[0] for row in folder.rows(f"describe {name}")]
        found[name] = [
            {c: v for c, v in zip(columns, row, strict=True) if c not in OF_THE_LOAD}
            for row in folder.rows(f"from {name}")
        ]
    return found


def different_rows(before: list[dict], now: list[dict]) -> list[dict]:
    """Rows that only one of both has; a column that is not there is empty."""

    def filled(rows: list[dict]) -> list[frozenset]:
        return [frozenset((k, str(v)) for k, v in row.items() if v is not None) for row in rows]

    was, is_ = filled(before), filled(now)
    return [row for row, key in zip(before, was, strict=True) if key not in set(is_)] + [
        row for row, key in zip(now, is_, strict=True) if key not in set(was)
    ]


def concerned(name: str, row: dict) -> set[tuple[str, str]]:
    """The records that a different row speaks of."""
    records = set()
    if name in SINGULAR:
        records.add((SINGULAR[name], row["id"]))
        merged = [row.get("merged_into_id") or "", *(row.get("hs_merged_object_ids") or "").split(";")]
        records |= {(SINGULAR[name], id_.strip()) for id_ in merged}
    history = TABLES[name].history_of if name in TABLES else None
    if name == "_history_gaps":
        history = TABLES[row["table_name"]].history_of
    if history:
        records.add((SINGULAR[history], row["object_id"]))
    if name == "associations":
        ends = {(row["from_type"], row["from_id"]), (row["to_type"], row["to_id"])}
        records |= {end for end in ends if end[0] not in {"deal", "company"}}
    if name == "conversation_messages":
        records.add(("conversation_thread", row["thread_id"]))
    if name == "conversation_threads":
        records.add(("contact", row["associated_contact_id"]))
    if name == "owner_teams":
        records |= {("owner", row["owner_id"]), ("team", row["team_id"])}
    if name == "deal_splits":
        records |= {("deal", row["deal_id"]), ("owner", row["owner_id"])}
    return {(type_, id_) for type_, id_ in records if id_}


def concerning(before: dict[str, list[dict]], now: dict[str, list[dict]]) -> set[tuple[str, str, str]]:
    """Records that came, went, or differ in a column that rows of others are made of, each with whose."""
    found = set()
    for name, readers in CONCERNING.items():
        was, is_ = ({row["id"]: row for row in side.get(name, [])} for side in (before, now))
        for id_ in was.keys() | is_.keys():
            rows = [side[id_] for side in (was, is_) if id_ in side]
            for reader, columns in readers.items():
                if len(rows) == 1 or any(str(rows[0].get(c)) != str(rows[1].get(c)) for c in columns):
                    found |= {(*record, reader) for row in rows for record in concerned(name, row)}
    return found


def owners_of_teams(raw: dict[str, list[dict]], teams: set[str]) -> set[str]:
    """The owners in these teams and in those below them."""
    below = set(teams)
    while more := {t["id"] for t in raw["teams"] if t["parent_team_id"] in below} - below:
        below |= more
    return {row["owner_id"] for row in raw["owner_teams"] if row["team_id"] in below}


def assert_changes_are_said(folder: DataFolder, before: dict[str, list[dict]]) -> None:
    """`_changed_records` and `_changed_tables` are what a comparison row by row finds."""
    now = raw_rows(folder)
    own = {"_run", "_sync_log", "_changed_records", "_changed_tables"}
    different = {name: different_rows(before.get(name, []), now[name]) for name in now.keys() - own}
    records = {record for name, rows in different.items() for row in rows for record in concerned(name, row)}
    teams = {id_ for type_, id_ in records if type_ == "team"}
    records |= {("owner", id_) for id_ in owners_of_teams(now, teams)}
    assert changed_records(folder) == sorted(records)
    assert concerning_others(folder) == concerning(before, now)
    assert changed_tables(folder) == {name for name, rows in different.items() if rows}


# --- random nights --------------------------------------------------------------------------------

IDS = st.sampled_from("1234567")
INSTANTS = st.integers(0, 4).map(lambda n: at("2026-01-01") + timedelta(hours=n))
TEXTS = st.sampled_from([None, "", "a", "b", "7"])
MERGED = st.sampled_from([None, "1", "2; 3", ";4"])


def rows_of(**columns: st.SearchStrategy) -> st.SearchStrategy:
    """Rows with some of these columns; a key may come twice or not at all."""
    return st.lists(st.fixed_dictionaries(columns), max_size=6)


def optional(rows: st.SearchStrategy) -> st.SearchStrategy:
    return st.one_of(st.none(), rows)


DEAL = {"dealname": TEXTS, "pipeline": TEXTS, "dealstage": TEXTS, "createdate": INSTANTS}
VERSION = {"object_id": IDS, "name": st.sampled_from(["amount", "dealstage"]), "value": TEXTS}
CRMS = st.fixed_dictionaries(
    {
        "deals": rows_of(
            id=IDS,
            **DEAL,
            amount=st.sampled_from(["1", "1.0", "x", None]),
            hs_merged_object_ids=MERGED,
        ),
        "deal_property_history": rows_of(**VERSION, timestamp=INSTANTS),
        "contacts": optional(
            rows_of(id=IDS, createdate=INSTANTS, merged_into_id=MERGED, own=TEXTS, lastname=TEXTS)
        ),
        "companies": optional(rows_of(id=IDS, name=TEXTS, industry=TEXTS)),
        "contact_property_history": optional(rows_of(**VERSION, timestamp=INSTANTS)),
        "notes": optional(rows_of(id=st.one_of(st.none(), IDS), hs_timestamp=INSTANTS)),
        "conversation_threads": optional(
            rows_of(id=IDS, created_at=INSTANTS, associated_contact_id=st.one_of(st.none(), IDS))
        ),
        "conversation_messages": optional(rows_of(thread_id=IDS, id=IDS, created_at=INSTANTS)),
        "associations": optional(
            rows_of(
                from_type=st.sampled_from(["deal", "call"]),
                from_id=IDS,
                to_type=st.just("contact"),
                to_id=IDS,
                type_id=st.sampled_from([None, "3"]),
            )
        ),
        "owners": rows_of(id=IDS, user_id=TEXTS, archived=st.booleans()),
        "teams": optional(rows_of(id=IDS, name=TEXTS, parent_team_id=st.one_of(st.none(), IDS))),
        "owner_teams": optional(rows_of(owner_id=IDS, team_id=IDS, is_primary=st.booleans())),
        "deal_splits": optional(rows_of(id=IDS, deal_id=IDS, owner_id=IDS, percentage=st.just("0.5"))),
        "pipelines": st.just([{"object_type": "deal", "id": "default", "label": "Sales"}]),
        "pipeline_stages": st.lists(st.sampled_from("abc").map(stage), max_size=3),
    }
)


def load_night(folder: DataFolder, number: int, night: tuple[dict, bool]) -> None:
    tables, says_deletions = night
    offered = {name: python_rows(name, rows) for name, rows in tables.items() if rows is not None}
    load(
        folder.build,
        Delivery(offered, says_deletions=says_deletions),
        Settings(source="test", max_reject_share=1.0, accept_drop=True),
        now=DAY_1 + timedelta(days=number),
        history_path=folder.history,
    )


# Shrinking takes minutes: an example is two loads and more, and small enough to be read as it is.
@pytest.mark.thorough
@settings(
    max_examples=5,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(nights=st.lists(st.tuples(CRMS, st.booleans()), min_size=2, max_size=3))
def test_what_has_changed_is_what_a_comparison_row_by_row_finds(nights):
    """And it makes no difference whether the raw tables are changed in place or written anew."""
    with tempfile.TemporaryDirectory() as path, pytest.MonkeyPatch.context() as patch:

        def most_changed(share: float) -> None:
            for module in (changes, delivered):
                patch.setattr(module, "MOST_CHANGED", share)

        folder, other = DataFolder(Path(path) / "a"), DataFolder(Path(path) / "b")
        folder.path.mkdir()
        other.path.mkdir()
        try:
            for number, night in enumerate(nights):
                before = raw_rows(folder) if number else {}
                most_changed(1000.0)  # in place, and only what is not delivered as before
                load_night(folder, number, night)
                if number:
                    assert_changes_are_said(folder, before)
                else:
                    assert changed_records(folder) == [] and changed_tables(folder) == set()
                most_changed(-1.0)  # anew
                load_night(other, number, night)
                assert {name: sorted(map(str, rows)) for name, rows in raw_rows(folder).items()} == {
                    name: sorted(map(str, rows)) for name, rows in raw_rows(other).items()
                }
        finally:
            folder.close()
            other.close()


# --- single cases ---------------------------------------------------------------------------------


def test_a_first_load_has_nothing_to_compare_with(folder):
    folder.load(crm(), DAY_1)
    assert folder.value("select follows_load_id from _run") is None
    assert changed_records(folder) == [] and changed_tables(folder) == set()


def test_a_load_names_the_one_it_was_compared_with(folder):
    first = folder.load(crm(), DAY_1)
    folder.load(crm(), DAY_2)
    assert folder.value("select follows_load_id from _run") == first.load_id
    assert changed_records(folder) == [] and changed_tables(folder) == set()


def test_another_portal_is_not_compared(folder):
    account = {"portal_id": "9", "time_zone": "UTC", "company_currency": "EUR"}
    folder.load(crm(), DAY_1)
    folder.load(crm(account=[account]), DAY_2)
    assert folder.value("select follows_load_id from _run") is None
    assert changed_records(folder) == [] and changed_tables(folder) == set()


def test_rows_that_come_again_unchanged_keep_the_instant_of_their_first_load(folder):
    folder.load(crm(deals=[deal(str(n)) for n in range(10)]), DAY_1)
    folder.load(crm(deals=[deal(str(n), amount=n // 9) for n in range(10)]), DAY_2)
    assert set(folder.rows("select id, _loaded_at from deals where id in ('1', '9')")) == {
        ("1", DAY_2),  # amount came: NULL became 0
        ("9", DAY_2),
    }
    folder.load(crm(deals=[deal(str(n), amount=n // 9 * 5) for n in range(10)]), DAY_3)
    assert dict(folder.rows("select id, _loaded_at from deals where id in ('1', '9')")) == {
        "1": DAY_2,
        "9": DAY_3,
    }
    assert changed_records(folder) == [("deal", "9")]


def test_another_stamp_of_the_source_is_no_change(folder):
    folder.load(crm(deals=[deal("1", _loaded_at=at("2026-02-03"))]), DAY_1)
    folder.load(crm(deals=[deal("1", _loaded_at=at("2026-02-04"))]), DAY_2)
    assert changed_records(folder) == []
    assert folder.value("select run_ts from _run") == at("2026-02-04")  # H12


def test_a_value_in_another_spelling_is_no_change(folder):
    folder.load(crm(deals=[deal("1", amount="1")]), DAY_1)
    folder.load(crm(deals=[deal("1", amount="1.00")]), DAY_2)
    assert changed_records(folder) == []


def test_a_record_says_whether_its_change_concerns_others(folder):
    contacts = [{"id": id_, "createdate": at("2026-01-01"), "firstname": "Ada"} for id_ in "123"]
    folder.load(crm(contacts=contacts), DAY_1)
    contacts[0]["lifecyclestage"] = "lead"
    contacts[1]["firstname"] = "Augusta"
    contacts[2]["hs_merged_object_ids"] = "4"
    folder.load(crm(contacts=contacts, deals=[deal("1", dealstage="won", dealname=None), deal("2")]), DAY_2)
    assert changed_records(folder) == [("contact", id_) for id_ in "1234"] + [("deal", "1")]
    assert concerning_others(folder) == {
        *(("contact", id_, "activities") for id_ in "234"),
        ("deal", "1", "activities"),
        ("deal", "1", "contacts"),
    }
    folder.load(crm(contacts=contacts[1:], deals=[deal("1", dealstage="new", dealname=None)]), DAY_3)
    assert concerning_others(folder) == {
        ("contact", "1", "activities"),  # gone
        ("deal", "1", "contacts"),  # in another stage
        *(("deal", "2", reader) for reader in ("activities", "contacts")),
    }


def test_a_row_that_is_rejected_now_has_changed(folder):
    """K4: what is not accepted is not there; the value of a version says it with its object."""
    rows = [deal("1"), deal("2", amount="5")]
    folder.load(crm(deals=rows), DAY_1)
    folder.load(crm(deals=[rows[0], deal("2", amount="five")]), DAY_2)
    assert changed_records(folder) == [("deal", "2")]
    assert changed_tables(folder) == {"deals", "_rejected_values"}
    folder.load(crm(deals=[rows[0], deal("2", amount="five")]), DAY_3)
    assert changed_records(folder) == [] and changed_tables(folder) == set()
    assert folder.value("select load_id from _rejected_values") == folder.value("select load_id from _run")


def test_a_gap_in_a_history_concerns_its_record(folder):
    folder.load(crm(contact_property_history=[version("5", "lifecyclestage", "lead", DAY_1)]), DAY_1)
    full = [version("5", "lifecyclestage", str(n), DAY_1 + timedelta(hours=n + 1)) for n in range(45)]
    folder.load(crm(contact_property_history=full), DAY_2)
    assert changed_records(folder) == [("contact", "5")]
    assert changed_tables(folder) == {"contact_property_history", "_history_gaps"}


def test_stored_snapshots_are_added_day_by_day(folder):
    def store(day: str, amount: int) -> None:
        row = f"'7', 'p', 'new', 'omitted', 'band', 'open', 1, {amount}, {amount}, 0"
        names = ", ".join(SNAPSHOT_COLUMNS)
        store_snapshots(
            folder.build,
            folder.history,
            days=f"select date '{day}' as snapshot_date",
            snapshots=f"select * from (values (date '{day}', {row})) as snapshots ({names})",
        )

    folder.load(crm(), DAY_2)
    store("2026-03-01", 5)
    folder.load(crm(), DAY_3)
    assert changed_tables(folder) == {"_stored_snapshots"}
    folder.load(crm(), DAY_3)
    assert changed_tables(folder) == set()
    store("2026-03-02", 6)
    with duckdb.connect(folder.history) as history:  # as after a backup was put back
        history.execute("update stored_snapshots set total_amount = 7 where total_amount = 5")
        history.execute("insert into stored_snapshots from stored_snapshots where total_amount = 7")
    folder.load(crm(), DAY_3)
    assert changed_tables(folder) == {"_stored_snapshots"}
    assert sorted(folder.rows("select total_amount from _stored_snapshots")) == [(6,), (7,), (7,)]


def test_a_table_of_an_older_project_is_brought_to_todays_columns(folder):
    folder.load(crm(), DAY_1)
    folder.build.execute("alter table raw_hubspot.deals drop column hs_priority")
    folder.load(crm(), DAY_2)
    assert "hs_priority" in [row[0] for row in folder.rows("describe deals")]
    assert changed_records(folder) == []


def test_no_model_reads_what_is_not_compared():
    for path in (PROJECT_ROOT / "models").rglob("*.sql"):
        assert "_loaded_at" not in path.read_text(), path


def test_every_object_of_the_contract_has_its_type():
    assert changes.RECORD_TYPES == SINGULAR
    objects = {name for name, table in TABLES.items() if table.is_object}
    assert objects - SINGULAR.keys() == {"goal_targets", "deal_splits", "forecasts"}
