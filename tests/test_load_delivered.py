"""Rows that come as they did before are not read again, and nothing differs because of it.

Belongs here: random nights loaded twice, with and without looking at what was delivered before, and the
cases in which all rows are read. What a load says has changed is tests/test_load_changes.py's.
"""

from __future__ import annotations

import copy
import random
from collections import Counter
from datetime import timedelta

import duckdb
import pytest

from orchestration.ingest import delivered
from orchestration.ingest import load as load_step
from orchestration.ingest.accept import accept
from orchestration.ingest.delivery import Delivery, python_rows
from orchestration.ingest.history import KeptHistory, attached
from orchestration.settings import Settings
from tests.conftest import first_of
from tests.loading import DAY_1, DataFolder, at, crm, deal, version

DAY_2, DAY_3 = DAY_1 + timedelta(days=1), DAY_1 + timedelta(days=2)


@pytest.fixture
def partial(monkeypatch) -> Counter:
    """How often a table was read in part, by name, from now on; and how often groups were only added."""
    found: Counter = Counter()

    def watched(connection, table, *arguments, **options):
        accepted = accept(connection, table, *arguments, **options)
        found[table.name] += accepted.is_partial
        found[f"{table.name}, added to"] += accepted.only_adds
        return accepted

    monkeypatch.setattr(load_step, "accept", watched)
    return found


@pytest.fixture
def folders(tmp_path):
    """One that goes by what was delivered before, and one that does not."""
    folders = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        folders.append(DataFolder(tmp_path / name))
    yield folders
    for folder in folders:
        folder.close()


@pytest.fixture
def folder(folders):
    return folders[0]


def load(folder: DataFolder, tables, now, *, says_deletions: bool = False) -> None:
    load_step.load(
        folder.build,
        Delivery(
            {name: python_rows(name, rows) for name, rows in tables.items()}, says_deletions=says_deletions
        ),
        Settings(source="test", max_reject_share=1.0, accept_drop=True),
        now=now,
        history_path=folder.history,
    )


def load_both(folders, tables, now, **options) -> None:
    """Load the same into both; they must hold the same afterwards, kept history included."""
    load(folders[0], tables, now, **options)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(load_step, "comparable_tables", lambda *arguments: {})
        load(folders[1], tables, now, **options)
    one, other = (folder.raw_tables() for folder in folders)
    assert one.keys() == other.keys()
    assert {name: rows for name, rows in one.items() if rows != other[name]} == {}
    kept = ("property_versions", "history_gaps")
    one, other = ({table: sorted(map(str, folder.kept_rows(table))) for table in kept} for folder in folders)
    assert one == other


# --- random nights --------------------------------------------------------------------------------


class Account:
    """Tables of some size, few rows of which differ from one night to the next."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.says_deletions = False
        self.number = 0
        self.tables = crm(
            deals=[self.deal() for _ in range(60)],
            contacts=[self.contact() for _ in range(60)],
            calls=[{"id": self.new_id(), "hs_timestamp": self.instant()} for _ in range(60)],
            associations=[],
            deal_property_history=[],
            contact_property_history=[],
        )
        self.tables["associations"] = [self.association() for _ in range(80)]
        for name in ("deal", "contact"):
            self.tables[f"{name}_property_history"] = [self.version(f"{name}s") for _ in range(80)]
        self.gone = {name: [] for name in self.tables}

    def new_id(self) -> str:
        self.number += 1
        return str(self.number)

    def instant(self):
        return at("2026-01-01") + timedelta(hours=self.rng.randrange(4))

    def deal(self) -> dict:
        return deal(self.new_id(), amount=self.rng.choice(["1", "1.0", None]), own="text")

    def contact(self) -> dict:
        return {"id": self.new_id(), "createdate": self.instant(), "lastname": self.rng.choice("ab")}

    def association(self) -> dict:
        self.number += 1
        ids = {"from_id": self.rng.choice(self.tables["deals"])["id"], "to_id": str(self.number)}
        type_id = self.rng.choice([None, "", "3"])
        return {"from_type": "deal", "to_type": "contact", "type_id": type_id, "label": None} | ids

    def version(self, table: str) -> dict:
        """One of few objects and instants: several versions at one are told apart by their order (H9)."""
        id_ = self.rng.choice(self.tables[table][:9])["id"]
        name, value = self.rng.choice([("amount", "5"), ("amount", "6"), ("dealstage", "new")])
        return version(id_, name, value, self.instant() + timedelta(minutes=self.rng.randrange(30)))

    def next(self) -> None:
        new = {
            "deals": self.deal,
            "contacts": self.contact,
            "associations": self.association,
            "deal_property_history": lambda: self.version("deals"),
            "contact_property_history": lambda: self.version("contacts"),
        }
        for name, make in new.items():
            rows = self.tables[name] = copy.deepcopy(self.tables[name])
            if self.rng.random() < 0.7:
                self.rng.shuffle(rows)
            for _ in range(self.rng.randrange(4)):
                rows.append(make())
            for _ in range(self.rng.randrange(3)):
                self.gone[name].append(rows.pop())
            if self.gone[name] and self.rng.random() < 0.4:
                rows.append(self.gone[name].pop())
            if self.rng.random() < 0.7:
                self.edit(name, self.rng.choice(rows))
        if self.rng.random() < 0.1:
            self.says_deletions = not self.says_deletions

    def edit(self, name: str, row: dict) -> None:
        odd = self.rng.random()
        if odd < 0.06:
            self.tables[name].append(dict(row))  # the same key twice
        elif odd < 0.1:
            row["id" if "id" in row else "object_id" if "object_id" in row else "to_id"] = " "
        elif odd < 0.14 and name == "deals":
            row["amount"] = "many"
        elif odd < 0.17:
            row["new column"] = "value"
        elif name == "deals":
            row["amount"] = self.rng.choice(["2", "3", "1"])
            row["hs_merged_object_ids"] = self.rng.choice([None, "1;2"])
        elif name == "contacts":
            row["lastname"] = self.rng.choice("abc")
        elif name == "associations":
            row["label"] = self.rng.choice([None, "first"])
            row["type_id"] = self.rng.choice([None, "", "4"])
        else:
            row["value"] = self.rng.choice(["7", "8", "none"])


@pytest.mark.thorough
@pytest.mark.parametrize("seed", (1, 2))
def test_nights_are_loaded_as_if_all_rows_were_read(folders, partial, seed):
    account = Account(random.Random(seed))
    for night in range(7):
        load_both(
            folders,
            account.tables,
            DAY_1 + timedelta(days=night),
            says_deletions=account.says_deletions,
        )
        account.next()
    assert all(partial[name] for name in ("deals", "contacts", "calls", "associations")), partial
    assert partial["deal_property_history"] and partial["contact_property_history"], partial


# --- single cases ---------------------------------------------------------------------------------

MANY = [deal(str(n), amount="1") for n in range(20)]


def read_in_part(folder, partial, tables, now=DAY_2, **options) -> bool:
    partial.clear()
    load(folder, tables, now, **options)
    return bool(partial["deals"])


def test_only_rows_that_are_not_as_before_are_read(folder, partial):
    assert not read_in_part(folder, partial, crm(deals=MANY), DAY_1)
    assert read_in_part(folder, partial, crm(deals=[*MANY[1:], deal("0", amount="2")]))
    assert dict(folder.rows("select id, amount from deals where id in ('0', '1')")) == {"0": 2, "1": 1}
    assert folder.rows("select offered, loaded from _sync_log where table_name = 'deals'") == [(20, 20)] * 2
    assert read_in_part(folder, partial, crm(deals=MANY[1:]), DAY_3)
    assert folder.rows("select id from deals where hard_deleted_at is not null") == [("0",)]


@pytest.mark.parametrize(
    "odd",
    first_of([deal("1", amount="1"), deal(" "), deal("99", amount="many")]),
    ids=["twice", "no key", "no number"],
)
def test_where_anything_is_turned_away_all_rows_are_read_and_the_night_after_too(folder, partial, odd):
    """Rejects name the rows of the delivery, and thresholds are shares of all of them."""
    load(folder, crm(deals=MANY), DAY_1)
    assert not read_in_part(folder, partial, crm(deals=[odd, *MANY]))
    assert (
        folder.value("select count(*) from _rejected_rows")
        + folder.value("select count(*) from _rejected_values")
        == 1
    )
    assert not read_in_part(folder, partial, crm(deals=MANY), DAY_3)
    assert read_in_part(folder, partial, crm(deals=MANY), DAY_3 + timedelta(days=1))


def test_a_row_that_comes_once_more_is_seen(folder, partial):
    load(folder, crm(deals=MANY), DAY_1)
    assert not read_in_part(folder, partial, crm(deals=[*MANY, MANY[3]]))
    assert folder.value("select reason from _rejected_rows").startswith("same key as row")


@pytest.mark.parametrize("columns", [{"own": "text"}, {"amount": None, "dealtype": "new"}])
def test_other_columns_are_another_delivery(folder, partial, columns):
    load(folder, crm(deals=MANY), DAY_1)
    assert not read_in_part(folder, partial, crm(deals=[{**row, **columns} for row in MANY]))


def test_where_most_has_changed_all_rows_are_read(folder, partial):
    load(folder, crm(deals=MANY), DAY_1)
    assert not read_in_part(folder, partial, crm(deals=[deal(row["id"], amount="2") for row in MANY]))


def test_who_says_deletions_now_is_read_as_a_whole(folder, partial):
    """Rows that were kept as deleted are gone then."""
    load(folder, crm(deals=MANY), DAY_1)
    load(folder, crm(deals=MANY[1:]), DAY_2)
    assert not read_in_part(folder, partial, crm(deals=MANY[1:]), DAY_3, says_deletions=True)
    assert folder.value("select count(*) from deals") == 19


def test_after_somebody_was_forgotten_no_hash_of_a_row_is_kept(folder, partial):
    load(folder, crm(deals=MANY), DAY_1)
    with attached(folder.build, folder.history):
        KeptHistory(folder.build, "test", "default").forget(["5"], [], DAY_2)
    assert not read_in_part(folder, partial, crm(deals=MANY))
    assert folder.build.execute("from delivered.tables").fetchall() == []
    with pytest.raises(duckdb.CatalogException):
        folder.build.execute("from delivered.deals")


def test_kept_history_that_lost_versions_gets_them_again(folder, partial):
    tables = crm(
        deals=MANY,
        deal_property_history=[version(str(n), "amount", "1", at("2026-01-01")) for n in range(20)],
    )
    load(folder, tables, DAY_1)
    with duckdb.connect(folder.history) as history:  # as after a backup was put back
        history.execute("delete from property_versions where object_id = '4'")
    assert read_in_part(folder, partial, tables)
    assert not partial["deal_property_history"]
    assert len(folder.kept_rows("property_versions")) == 20


def test_a_load_that_fails_leaves_what_is_known(folder, partial):
    load(folder, crm(deals=MANY), DAY_1)
    with pytest.raises(load_step.LoadError):
        load(folder, crm(deals=MANY[2:], owners=None), DAY_2)
    assert read_in_part(folder, partial, crm(deals=MANY[1:]), DAY_3)
    assert folder.value("select count(*) from deals where hard_deleted_at is not null") == 1


def test_a_table_that_is_not_delivered_is_known_no_longer(folder, partial):
    contacts = [{"id": str(n), "createdate": at("2026-01-01")} for n in range(20)]
    load(folder, crm(contacts=contacts), DAY_1)
    load(folder, crm(), DAY_2)
    partial.clear()
    load(folder, crm(contacts=contacts), DAY_3)
    assert not partial["contacts"]
    assert folder.value("select count(*) from contacts") == 20


def test_every_group_key_is_filled_in_raw_tables():
    for name in delivered.DELIVERED_TABLES:
        table = load_step.TABLES[name.split("_", 1)[1]]
        assert delivered.group_key(table), name
        assert set(delivered.group_key(table)) <= table.required_columns, name


# --- what is added to -----------------------------------------------------------------------------


def association(deal: int, contact: int, type_id: str = "3") -> dict:
    ids = {"from_id": str(deal), "to_id": str(contact), "type_id": type_id}
    return {"from_type": "deal", "to_type": "contact", "label": None} | ids


KNOWN = [association(n, n) for n in range(20)]


@pytest.mark.parametrize("bits", [4294967295, 1], ids=["groups apart", "groups taken for others"])
@pytest.mark.parametrize(
    ("associations", "only_added"),
    first_of(
        [
            ([*KNOWN, association(1, 99), association(99, 1)], True),
            ([association(1, 99), *KNOWN], True),
            ([*KNOWN, association(1, 99), association(5, 5, "4")], False),
            ([*KNOWN[1:], association(1, 99)], False),
            ([*KNOWN[:-1], KNOWN[-1] | {"label": "new"}], False),
        ]
    ),
    ids=["after others", "before others", "to a pair", "one is gone", "one differs"],
)
def test_associations_that_come(folders, partial, monkeypatch, associations, only_added, bits):
    """Where nothing else has changed no row of the raw table is looked at."""
    monkeypatch.setattr(delivered, "_group_hash", lambda key: f"cast({key} & {bits} as uinteger)")
    load_both(folders, crm(associations=KNOWN), DAY_1)
    partial.clear()
    load_both(folders, crm(associations=associations), DAY_2)
    assert partial["associations"] == 1
    assert partial["associations, added to"] == only_added
    load_both(folders, crm(associations=associations[::-1]), DAY_3)
    assert partial["associations"] == 2


@pytest.mark.parametrize(
    ("deals", "has_grown"),
    first_of(
        [
            (MANY, True),
            ([*MANY, deal("99")], True),
            ([*MANY[1:], MANY[0]], False),
            ([MANY[0] | {"amount": "2"}, *MANY[1:]], False),
            (MANY[:-1], False),
            ([deal("99"), *MANY], False),
        ]
    ),
    ids=["same", "added to", "another order", "one differs", "one is gone", "put before"],
)
def test_rows_are_looked_for_where_a_delivery_has_not_only_grown(
    folders, partial, monkeypatch, deals, has_grown
):
    seen = {}
    grown = delivered.DeliveredRows._has_grown

    def watched(rows) -> bool:
        seen[rows.table.name] = grown(rows)
        return seen[rows.table.name]

    monkeypatch.setattr(delivered.DeliveredRows, "_has_grown", watched)
    load_both(folders, crm(deals=MANY), DAY_1)
    load_both(folders, crm(deals=deals), DAY_2)
    assert seen["deals"] == has_grown
    assert partial["deals"] == 1


def test_a_row_that_is_added_once_more_is_seen(folders, partial):
    load_both(folders, crm(associations=KNOWN), DAY_1)
    load_both(folders, crm(associations=[*KNOWN, KNOWN[3]]), DAY_2)
    assert not partial["associations"]
    assert folders[0].value("select reason from _rejected_rows").startswith("same key as row")
