"""Tables that are not read again: which are left out, and that nothing else differs because of it.

Belongs here: the files source and the demo. What a load says has changed is tests/test_load_changes.py's.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from orchestration.ingest import demo, unchanged
from orchestration.ingest.delivery import LoadError
from orchestration.ingest.history import KeptHistory, attached
from orchestration.ingest.load import load
from orchestration.ingest.sources import read_source
from orchestration.settings import Settings
from tests.loading import DAY_1, DataFolder, at, crm, deal, version
from tests.test_files_source import as_csv

DAY_2, DAY_3 = DAY_1 + timedelta(days=1), DAY_1 + timedelta(days=2)
TABLES = crm(
    deals=[deal("1", amount="x"), deal("1"), deal("2"), deal("3", own="text")],
    deal_property_history=[version("1", "amount", v, at("2026-01-01")) for v in ("5", "none")],
    contacts=[{"id": "5", "createdate": at("2026-01-01")}],
    associations=[{"from_type": "call", "from_id": "9", "to_type": "contact", "to_id": "5"}],
    calls=[{"id": "9", "hs_timestamp": at("2026-01-02"), "hs_call_title": "Call"}],
    teams=[{"id": "1", "name": "A"}],
)


@pytest.fixture
def folder(tmp_path):
    folder = DataFolder(tmp_path)
    yield folder
    folder.close()


@pytest.fixture
def files(tmp_path) -> Path:
    path = tmp_path / "files"
    path.mkdir()
    for name, rows in TABLES.items():
        write(path, name, rows)
    return path


def write(files: Path, name: str, rows: list[dict], when: datetime = DAY_1 - timedelta(hours=1)) -> None:
    """A file of a table, last changed at an instant."""
    path = files / f"{name}.csv"
    path.write_bytes(as_csv(rows))
    os.utime(path, (when.timestamp(), when.timestamp()))


@pytest.fixture
def staged(monkeypatch) -> list[str]:
    """The tables that are read from their files, from now on."""
    from orchestration.ingest.files import CsvFile

    names = []
    reads = CsvFile._stage

    def watched(self, *arguments):
        names.append(self.table)
        return reads(self, *arguments)

    monkeypatch.setattr(CsvFile, "_stage", watched)
    return names


def load_files(folder: DataFolder, files: Path, now: datetime, **settings):
    return folder.load_files(files, now, **{"max_reject_share": 1.0} | settings)


def without_instants(folder: DataFolder) -> dict[str, list[str]]:
    """All raw tables but those that tell of this load alone."""
    own = {"_run", "_sync_log", "_readings"}
    return {name: rows for name, rows in folder.raw_tables().items() if name not in own}


def test_files_that_are_as_they_were_are_not_read(folder, files, staged):
    first = load_files(folder, files, DAY_1)
    assert set(staged) == set(TABLES)
    before = without_instants(folder)
    staged.clear()
    again = load_files(folder, files, DAY_2)
    assert staged == []
    assert (again.offered, again.loaded, again.rejected) == (first.offered, first.loaded, first.rejected)
    assert again.rejected_values == first.rejected_values == 2
    assert [(t.name, t.status) for t in again.tables] == [(t.name, t.status) for t in first.tables]
    assert again.notes == first.notes
    after = without_instants(folder)
    for name in ("_rejected_rows", "_rejected_values"):  # they are this load's now
        assert folder.rows(f"select distinct load_id from {name}") == [(again.load_id,)]
        assert len(before.pop(name)) == len(after.pop(name)) > 0
    assert after == before
    assert again.rejects_path.read_text().count("\n") == first.rejects_path.read_text().count("\n")
    # H12: only run_ts moves.
    assert folder.value("select run_ts from _run") == again.run_ts == DAY_2
    assert folder.rows("from _changed_records") == folder.rows("from _changed_tables") == []


def test_a_file_that_has_changed_is_read_alone(folder, files, staged):
    load_files(folder, files, DAY_1)
    staged.clear()
    write(files, "contacts", [{"id": "6", "createdate": at("2026-01-01")}], when=DAY_1)
    load_files(folder, files, DAY_2)
    assert staged == ["contacts"]
    assert folder.rows("select id, hard_deleted_at from contacts order by id") == [("5", DAY_2), ("6", None)]
    changed = folder.rows("select object_type, record_id from _changed_records")
    assert set(changed) == {("contact", "5"), ("contact", "6")}
    staged.clear()
    load_files(folder, files, DAY_3)
    assert staged == []
    assert folder.rows("select id, hard_deleted_at from contacts order by id") == [("5", DAY_2), ("6", None)]


def test_a_file_that_was_written_just_now_is_read_again(folder, files, staged):
    write(files, "contacts", TABLES["contacts"], when=DAY_1 - timedelta(seconds=1))
    load_files(folder, files, DAY_1)
    staged.clear()
    load_files(folder, files, DAY_2)
    assert staged == ["contacts"]


def test_a_file_that_is_gone_takes_its_rows_along(folder, files):
    load_files(folder, files, DAY_1)
    (files / "contacts.csv").unlink()
    load_files(folder, files, DAY_2)
    assert folder.rows("from contacts") == []
    assert folder.rows("select object_type, record_id from _changed_records") == [("contact", "5")]
    assert set(folder.rows("from _changed_tables")) == {("contacts",), ("_available_columns",)}


@pytest.mark.parametrize("what", ["setting", "code", "portal", "kept history", "failed load"])
def test_what_else_has_changed_is_seen(folder, files, staged, monkeypatch, what):
    load_files(folder, files, DAY_1)
    staged.clear()
    settings = {}
    expected = set(TABLES)
    if what == "setting":
        settings = {"max_reject_share": 2.0}
    elif what == "code":
        monkeypatch.setattr("orchestration.ingest.load.code_mark", lambda: "another")
    elif what == "portal":
        account = {"portal_id": "9", "time_zone": "UTC", "company_currency": "EUR"}
        write(files, "account", [account])
        expected |= {"account"}
    elif what == "kept history":
        folder.history.unlink()
    else:
        with pytest.raises(LoadError):
            load_files(folder, files, DAY_2, time_zone="Nowhere")
        expected = set()
    load_files(folder, files, DAY_3, **settings)
    assert set(staged) == expected
    assert len(folder.kept_rows("property_versions")) == (4 if what == "portal" else 2)
    assert folder.value("select count(*) from deal_property_history") == 2


def test_thresholds_hold_for_files_that_are_not_read(folder, files):
    write(files, "owners", [])
    (files / "owners.csv").write_text("id\n")
    os.utime(files / "owners.csv", (DAY_1.timestamp() - 60, DAY_1.timestamp() - 60))
    load_files(folder, files, DAY_1, accept_drop=True)
    with pytest.raises(LoadError, match="owners: has no rows"):
        load_files(folder, files, DAY_2)


def test_the_newest_row_is_remembered(folder, files, staged):
    write(files, "contacts", [{"id": "5", "createdate": DAY_1, "_loaded_at": at("2026-02-01")}])
    load_files(folder, files, DAY_1)
    staged.clear()
    load_files(folder, files, DAY_2)
    assert staged == []
    assert folder.value("select run_ts from _run") == at("2026-02-01")


def test_a_history_that_lost_versions_is_read_again(folder, files, staged):
    """As after a backup was put back."""
    load_files(folder, files, DAY_1)
    with duckdb.connect(folder.history) as history:
        history.execute("delete from property_versions where value = 'none'")
    staged.clear()
    load_files(folder, files, DAY_2)
    assert staged == ["deal_property_history"]
    assert sorted(row[5] for row in folder.kept_rows("property_versions")) == ["5", "none"]
    assert folder.value("select count(*) from deal_property_history") == 2


def test_people_who_were_forgotten_stay_forgotten(folder, files, staged):
    load_files(folder, files, DAY_1)
    with attached(folder.build, folder.history):
        KeptHistory(folder.build, "files", "default").forget(["5"], [], DAY_1)
    load_files(folder, files, DAY_2)
    assert folder.rows("from associations") == []
    assert folder.rows("select hs_call_title from calls") == [(None,)]
    staged.clear()
    # The associations tell that this call speaks of the person.
    calls = [{"id": "9", "hs_timestamp": at("2026-01-03"), "hs_call_title": "Call"}]
    write(files, "calls", calls, when=DAY_2)
    load_files(folder, files, DAY_3)
    assert set(staged) == {"calls", "associations"}
    assert folder.rows("select hs_call_title from calls") == [(None,)]


def test_the_demo_is_not_generated_again(folder, monkeypatch):
    end = at("2025-06-01")
    chosen = Settings(source="demo", demo_deals=60, demo_end=end)

    def run(now: datetime) -> None:
        load(folder.build, read_source(chosen, now), chosen, now=now, history_path=folder.history)

    run(DAY_1)
    before = without_instants(folder)
    with monkeypatch.context() as patch:
        patch.setattr(demo, "generate", lambda *_: pytest.fail("generated again"))
        run(DAY_2)
    assert without_instants(folder) == before
    assert folder.value("select run_ts from _run") == end
    monkeypatch.setattr("orchestration.ingest.load.code_mark", lambda: "another")
    run(DAY_3)
    assert folder.rows("from _changed_records") == []


def test_code_is_marked_by_what_it_says():
    assert unchanged.code_mark() == unchanged.code_mark()
    assert len(unchanged.code_mark()) == 64
