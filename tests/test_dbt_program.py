"""dbt in a program of its own: what it has parsed, what it says, and when it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pytest

from orchestration.dbt_program import DbtProgram

PROJECT = """
name: small
profile: small
flags: {send_anonymous_usage_stats: false}
"""
PROFILE = """
small: {target: dev, outputs: {dev: {type: duckdb, path: "{{ env_var('SALES_REPORTS_DBT_PATH') }}"}}}
"""

ENDLESS = "select count(*) as one from range(100000000000) where range % 7 = 8"


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A project of one model."""
    monkeypatch.setenv("SALES_REPORTS_DBT_PATH", str(tmp_path / "build.duckdb"))
    (tmp_path / "dbt_project.yml").write_text(PROJECT)
    (tmp_path / "profiles.yml").write_text(PROFILE)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "one.sql").write_text("select 1 as one")
    return tmp_path


@pytest.fixture
def program() -> Iterator[DbtProgram]:
    program = DbtProgram()
    yield program
    program.close()


class Dbt:
    """Commands for the program, of a project whose state is told by a word."""

    def __init__(self, program: DbtProgram, folder: Path) -> None:
        self.program, self.folder, self.log = program, folder, folder / "target" / "dbt.log"

    def command(self, *words: str) -> list[str]:
        places = ("--project-dir", "--profiles-dir", "--log-path")
        return [*words, *(part for place in places for part in (place, str(self.folder))), "--quiet"]

    def run(self, *words: str, state: str = "first"):
        self.heard: list[str] = []

        def hear(event) -> None:
            self.heard.append(event["info"]["name"])

        return self.program.invoke(self.command(*words), state, self.log, hear)

    def break_model(self) -> None:
        (self.folder / "models" / "one.sql").write_text("select {{ nothing(")


def test_a_command_gives_its_nodes_and_lets_go_of_the_database(program, folder):
    dbt = Dbt(program, folder)
    outcome = dbt.run("build")
    assert (outcome.success, outcome.problem) == (True, "")
    assert [(node.name, node.status) for node in outcome.nodes] == [("one", "success")]
    assert dbt.heard == ["LogModelResult"]
    # As another process, since a second connection of one process is no news to DuckDB.
    look = "import duckdb, sys; print(duckdb.connect(sys.argv[1]).execute('from one').fetchone())"
    seen = subprocess.check_output([sys.executable, "-c", look, str(folder / "build.duckdb")], text=True)
    assert seen == "(1,)\n"


def test_a_project_that_was_parsed_ahead_is_not_parsed_again(program, folder):
    dbt = Dbt(program, folder)
    program.parse_ahead(dbt.command("parse"), "first", dbt.log)
    program.parse_ahead(dbt.command("parse"), "first", dbt.log)
    wait_until((folder / "target" / "manifest.json").exists)
    dbt.break_model()
    assert dbt.run("build").success
    # Once only, as a command changes what it is given.
    assert not dbt.run("build").success


def test_a_project_in_another_state_is_parsed_anew(program, folder):
    dbt = Dbt(program, folder)
    assert dbt.run("parse").success
    dbt.break_model()
    outcome = dbt.run("build", state="second")
    assert not outcome.success
    assert "one.sql" in outcome.problem


def test_what_cannot_be_parsed_ahead_is_said_by_the_next_command(program, folder):
    dbt = Dbt(program, folder)
    dbt.break_model()
    program.parse_ahead(dbt.command("parse"), "first", dbt.log)
    assert "one.sql" in dbt.run("build").problem


def test_a_program_that_was_killed_is_told_and_replaced(program, folder):
    dbt = Dbt(program, folder)
    model = folder / "models" / "one.sql"
    model.write_text(ENDLESS)
    with ThreadPoolExecutor(max_workers=1) as pool:
        done = pool.submit(dbt.run, "build")
        wait_until((folder / "build.duckdb").exists)
        os.kill(program._process.pid, signal.SIGKILL)
        outcome = done.result()
    assert not outcome.success
    assert "memory runs out" in outcome.problem
    model.write_text("select 1 as one")
    assert dbt.run("build").success


def test_a_step_that_is_not_heard_to_its_end_ends_the_program(program, folder):
    """Else the next command would take what is left for its own."""
    dbt = Dbt(program, folder)

    def stop(event) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        program.invoke(dbt.command("build"), "first", dbt.log, stop)
    assert program._process is None
    assert [node.name for node in dbt.run("build").nodes] == ["one"]


def test_it_is_closed_while_it_works(program, folder):
    dbt = Dbt(program, folder)
    (folder / "models" / "one.sql").write_text(ENDLESS)
    with ThreadPoolExecutor(max_workers=1) as pool:
        done = pool.submit(dbt.run, "build")
        wait_until((folder / "build.duckdb").exists)
        program.close()
        assert not done.result().success
    program.close()


def test_several_threads_of_dbt_do_not_garble_what_they_say(program, folder):
    """Long events at once: dbt tells of each model with all its configuration."""
    for number in range(24):
        meta = f"{{{{ config(meta={{'words': '{'x' * 20_000}'}}) }}}}"
        (folder / "models" / f"model_{number}.sql").write_text(f"{meta} select {number} as number")
    dbt = Dbt(program, folder)
    outcome = dbt.run("build", "--threads", "8")
    assert outcome.success, outcome.problem
    assert len(outcome.nodes) == len(dbt.heard) == 25


def test_it_has_what_a_command_needs_and_no_secret(program, folder, monkeypatch):
    """Nor what an earlier command needed."""
    dbt = Dbt(program, folder)
    names = ("HUBSPOT_TOKEN", "SALES_REPORTS_HUBSPOT_TOKEN", "PGPASSWORD")
    query = "select " + ", ".join(f"'{{{{ env_var('{name}', 'none') }}}}' as {name}" for name in names)
    for name in names:
        monkeypatch.setenv(name, "secret")
    assert dbt.run("show", "--inline", query).nodes[0].rows == [["none", "none", "secret"]]
    monkeypatch.delenv("PGPASSWORD")
    assert dbt.run("show", "--inline", query).nodes[0].rows == [["none", "none", "none"]]


def test_it_ends_with_whoever_started_it_and_lets_go_of_the_database(folder):
    dbt = Dbt(DbtProgram(), folder)
    (folder / "models" / "one.sql").write_text(ENDLESS)
    start = f"""
from pathlib import Path
from orchestration.dbt_program import DbtProgram
DbtProgram().invoke({dbt.command("build")}, "first", Path({str(dbt.log)!r}), print)
"""
    database = folder / "build.duckdb"
    with subprocess.Popen([sys.executable, "-c", start]) as starter:
        wait_until(database.exists)
        starter.kill()
    wait_until(lambda: is_free(database))


def is_free(database: Path) -> bool:
    try:
        duckdb.connect(database).close()
    except duckdb.IOException:
        return False
    return True


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)
