"""dbt in a program of its own: what it has parsed, what it says, and when it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

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
        hear = lambda event: self.heard.append(event["info"]["name"])  # noqa: E731
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
    while not (folder / "target" / "manifest.json").exists():
        time.sleep(0.05)
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
    model.write_text("select count(*) as one from range(100000000000) where range % 7 = 8")
    with ThreadPoolExecutor(max_workers=1) as pool:
        done = pool.submit(dbt.run, "build")
        while not (folder / "build.duckdb").exists():
            time.sleep(0.05)
        os.kill(program._process.pid, signal.SIGKILL)
        outcome = done.result()
    assert not outcome.success
    assert "memory runs out" in outcome.problem
    model.write_text("select 1 as one")
    assert dbt.run("build").success


def test_it_ends_with_whoever_started_it(folder):
    start = f"""
import time
from pathlib import Path
from orchestration.dbt_program import DbtProgram
program = DbtProgram()
program.parse_ahead(["parse", "--project-dir", {str(folder)!r}], "first", Path({str(folder / "dbt.log")!r}))
print(program._process.pid, flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", start], stdout=subprocess.PIPE, text=True) as starter:
        pid = int(starter.stdout.readline())
        assert Path(f"/proc/{pid}").exists()
        starter.kill()
    deadline = time.monotonic() + 30
    while _is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _is_alive(pid)


def _is_alive(pid: int) -> bool:
    """Whether a process works: whoever inherits it need not have been told of its end."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
