"""The landing database: packages are all or nothing, kills leave nothing, and one row is left of many."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pyarrow as pa
import pytest

from orchestration.ingest.hubspot.landing import ASSOCIATION_READS, MERGES, READS, Landing, LandingError
from orchestration.ingest.hubspot.night import text_table
from orchestration.settings import PROJECT_ROOT
from tests.hubspot.syncing import Fuse, Killed, burning

pytestmark = pytest.mark.thorough


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "hubspot" / "1234.duckdb"


def deals(*rows: dict) -> pa.Table:
    return text_table([{"archived": "false", "hard_deleted_at": None, **row} for row in rows])


def versions(*rows: tuple[str, str, str], name: str = "amount") -> pa.Table:
    """Versions (object, instant, value) of one reading; their order at an instant is theirs here."""
    return pa.table(
        {
            "object_id": [row[0] for row in rows],
            "name": [name] * len(rows),
            "timestamp": [row[1] for row in rows],
            "value": [row[2] for row in rows],
            "sequence": pa.array([*range(len(rows))], pa.int64()),
        }
    )


def test_state_and_rows_come_back_when_it_is_opened_again(path):
    with Landing(path) as landing:
        assert landing.state == {}
        landing.commit({"deals": deals({"id": "1"})}, {"objects": {"deals": {"cursor": "2026-07-01"}}})
        landing.commit({}, landing.state | {"turn": 3})
    with Landing(path) as landing:
        assert landing.state == {"objects": {"deals": {"cursor": "2026-07-01"}}, "turn": 3, "package": 2}
        assert landing.rows("select id, _package from landing.deals") == [("1", 1)]
        landing.commit({"deals": deals({"id": "2"})}, landing.state)
        assert landing.package == 3


def test_the_state_that_is_handed_out_is_a_copy(path):
    with Landing(path) as landing:
        landing.commit({}, {"objects": {}})
        landing.state["objects"]["deals"] = {}
        assert landing.state["objects"] == {}


def test_the_newest_row_of_a_key_is_left(path):
    with Landing(path) as landing:
        landing.commit({"deals": deals({"id": "1", "amount": "1"}, {"id": "2", "amount": "1"})}, {})
        landing.commit({"deals": deals({"id": "1", "amount": "2"}, {"id": "1", "amount": "3"})}, {})
        landing.settle()
        assert sorted(landing.rows("select id, amount from landing.deals")) == [("1", "3"), ("2", "1")]


def test_names_of_properties_stay_as_they_are_and_new_ones_become_columns(path):
    with Landing(path) as landing:
        landing.commit({"deals": deals({"id": "1"})}, {})
        landing.commit({"deals": deals({"id": "2", "Region__c": "North", "a-b c": "x"})}, {})
        landing.commit({"deals": deals({"id": "3"})}, {})
        found = landing.rows('select id, "Region__c", "a-b c" from landing.deals order by id')
        assert found == [("1", None, None), ("2", "North", "x"), ("3", None, None)]


def test_versions_stay_and_come_once(path):
    with Landing(path) as landing:
        landing.commit({"deal_property_history": versions(("1", "t1", "a"), ("1", "t2", "b"))}, {})
        landing.commit({"deal_property_history": versions(("1", "t2", "b"), ("1", "t3", ""))}, {})
        landing.commit({"deal_property_history": versions(("2", "t1", "a"))}, {})
        landing.settle()
        found = landing.rows("select object_id, timestamp, value from landing.deal_property_history")
        assert sorted(found) == [("1", "t1", "a"), ("1", "t2", "b"), ("1", "t3", ""), ("2", "t1", "a")]


def test_a_list_that_is_read_again_replaces_itself_also_when_it_is_empty(path):
    def mark(status: str) -> pa.Table:
        return text_table([{"table_name": "teams", "status": status, "reason": None}])

    with Landing(path) as landing:
        landing.commit({"teams": text_table([{"id": "1"}, {"id": "2"}]), READS: mark("read")}, {})
        landing.commit({"teams": text_table([{"id": "2"}]), READS: mark("read")}, {})
        landing.settle()
        assert landing.rows("select id from landing.teams") == [("2",)]
        landing.commit({READS: mark("unavailable")}, {})
        landing.settle()
        assert landing.rows("select id from landing.teams") == [("2",)]
        landing.commit({READS: mark("read")}, {})
        landing.settle()
        assert landing.rows("select id from landing.teams") == []


def test_associations_are_those_of_the_last_reading_of_their_record(path):
    def read(from_id: str, *to_ids: str) -> dict[str, pa.Table]:
        link = {"from_type": "deal", "from_id": from_id, "to_type": "contact", "type_id": "3"}
        return {
            "associations": text_table([link | {"to_id": to_id} for to_id in to_ids]),
            ASSOCIATION_READS: text_table([{"from_type": "deal", "from_id": from_id}]),
        }

    with Landing(path) as landing:
        for tables in (read("1", "8", "9"), read("2", "8"), read("1", "9"), read("2")):
            landing.commit(tables, {})
        landing.settle()
        assert landing.rows("select from_id, to_id from landing.associations") == [("1", "9")]


@pytest.mark.parametrize("step", range(3), ids=["before", "loaded, not committed", "committed"])
def test_a_package_that_was_killed_is_there_as_a_whole_or_not_at_all(path, step):
    package = {"deals": deals({"id": "2"}), MERGES: text_table([{"object_type": "deals", "loser_id": "8"}])}
    with Landing(path) as landing:
        landing.commit({"deals": deals({"id": "1"})}, {"turn": 1})
    fuse = Fuse()
    landing = Landing(path)
    with burning(fuse), pytest.raises(Killed):
        fuse.left = step
        landing.commit(package, landing.state | {"turn": 2})
    landing.connection.close()
    with Landing(path) as landing:
        is_there = step == 2
        assert landing.state["turn"] == (2 if is_there else 1)
        ids = [id_ for (id_,) in landing.rows("select id from landing.deals order by id")]
        assert ids == (["1", "2"] if is_there else ["1"])
        merges = landing.rows(f"select loser_id from landing.{MERGES}") if landing.has(MERGES) else []
        assert merges == ([("8",)] if is_there else [])
        landing.commit(package, landing.state | {"turn": 2})
        landing.settle()
        assert [id_ for (id_,) in landing.rows("select id from landing.deals order by id")] == ["1", "2"]


def test_a_process_killed_in_the_middle_of_packages_leaves_whole_packages(path):
    """SIGKILL while packages of 50 rows in two tables are being landed, at three different times."""
    script = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from orchestration.ingest.hubspot.landing import Landing
        from orchestration.ingest.hubspot.night import text_table
        with Landing(Path(sys.argv[1])) as landing:
            while True:
                number = landing.package + 1
                rows = text_table([{"id": f"{number}-{n}", "number": str(number)} for n in range(50)])
                landing.commit({"deals": rows, "contacts": rows}, {"last": number})
                print(number, flush=True)
        """
    )
    for packages in (1, 3, 5):
        command = [sys.executable, "-c", script, str(path)]
        with subprocess.Popen(command, cwd=PROJECT_ROOT, stdout=subprocess.PIPE, text=True) as process:
            for _ in range(packages):
                last = int(process.stdout.readline())
            os.kill(process.pid, signal.SIGKILL)
        with Landing(path) as landing:
            assert landing.state["last"] == landing.package >= last
            for table in ("deals", "contacts"):
                counts = landing.rows(f"select number, count(*) from landing.{table} group by all")
                assert sorted(counts) == sorted((str(n), 50) for n in range(1, landing.package + 1))


def test_a_file_that_is_no_database_is_told_with_what_to_do(path):
    path.parent.mkdir(parents=True)
    path.write_bytes(b"no database, whatever its name says" * 1000)
    with pytest.raises(LandingError, match="move it away"):
        Landing(path)


def test_a_package_that_cannot_be_written_is_told_and_leaves_what_was_there(path):
    with Landing(path) as landing:
        landing.commit({"deals": deals({"id": "1"})}, {})
        landing.connection.execute("alter table landing.deals add column amount integer")
        with pytest.raises(LandingError, match=r"1234.duckdb cannot be written: .*amount"):
            landing.commit({"deals": deals({"id": "2", "amount": "no number"})}, {"turn": 5})
    with Landing(path) as landing:
        assert "turn" not in landing.state
        assert landing.rows("select id from landing.deals") == [("1",)]


def test_nothing_is_left_in_the_working_folder(path):
    with Landing(path) as landing:
        landing.commit({"deals": deals({"id": "1"})}, {})
    assert [found for found in path.parent.rglob("*") if found.is_file()] == [path]


def test_dlt_reports_nothing_home_whoever_started_it(path, monkeypatch):
    from dlt.common.configuration.specs import RuntimeConfiguration
    from dlt.common.runtime import anon_tracker, run_context

    sent: list[object] = []

    class Recorder:
        def __getattr__(self, method: str):
            return lambda *arguments, **options: sent.append((method, arguments))

    anon_tracker.init_anon_tracker(RuntimeConfiguration())
    monkeypatch.setattr(anon_tracker, "requests", Recorder())
    with Landing(path) as landing:
        landing.commit({"deals": deals({"id": "1"})}, {})
    assert run_context.active().runtime_config.dlthub_telemetry is False
    assert anon_tracker._ANON_TRACKER_ENDPOINT is None and anon_tracker._THREAD_POOL is None
    assert sent == []
