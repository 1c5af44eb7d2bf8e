"""Runs of the whole project in a process of their own.

Belongs here: starting and killing `python -m orchestration.run` on a small demo, and what was seen of
it. What should have been seen is asserted in the tests.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from orchestration.settings import PROJECT_ROOT, Settings

DEALS = 150  # enough for every report to have rows


@dataclass(frozen=True)
class Killed:
    """A run that was killed: how it ended, and where the published link pointed then."""

    returncode: int
    link_target: str
    stderr: str


@dataclass
class DemoRun:
    """A good run of the demo, and the kills before it."""

    settings: Settings
    done: subprocess.CompletedProcess
    kills: dict[str, Killed] = field(default_factory=dict)
    strays: list[str] = field(default_factory=list)
    """Files that appeared in the project's folder."""

    def fingerprint(self) -> tuple:
        """What readers see: the link and the file behind it."""
        link = self.settings.published_link
        status = link.stat()
        return os.readlink(link), status.st_ino, status.st_size, status.st_mtime_ns


def start(data_dir: Path, **environment: str) -> subprocess.Popen:
    """Start a run of the demo in this data folder."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SALES_REPORTS_")}
    return subprocess.Popen(
        [sys.executable, "-m", "orchestration.run"],
        cwd=PROJECT_ROOT,
        env=clean
        | {"SALES_REPORTS_DATA_DIR": str(data_dir), "SALES_REPORTS_DEMO_DEALS": str(DEALS)}
        | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(data_dir: Path, **environment: str) -> subprocess.CompletedProcess:
    """A run of the demo in this data folder, to its end."""
    process = start(data_dir, **environment)
    out, errors = process.communicate()
    return subprocess.CompletedProcess(process.args, process.returncode, out, errors)


def kill_after(data_dir: Path, phase: str, seconds: float, by: int = signal.SIGKILL) -> Killed:
    """Start a run that builds everything, and send it a signal some time after a phase has ended."""
    with start(data_dir, SALES_REPORTS_FULL_REFRESH="1") as process:
        for line in process.stdout:
            if line.strip().startswith(phase):
                time.sleep(seconds)
                break
        process.send_signal(by)
        _, errors = process.communicate()
    return Killed(process.returncode, os.readlink(data_dir / "sales_reports.duckdb"), errors)


def killed_then_run(data_dir: Path) -> DemoRun:
    """Kill a run in the load and one in dbt, over a build of before, and then let one go through."""
    settings = Settings(data_dir=data_dir)
    settings.published_dir.mkdir(parents=True)
    (settings.published_dir / "old.duckdb").write_bytes(b"a build of before")
    settings.published_link.symlink_to("published/old.duckdb")
    before = _files()
    kills = {
        phase: kill_after(data_dir, phase, seconds) for phase, seconds in (("Start", 0.3), ("Load", 4.0))
    }
    done = run(data_dir)
    return DemoRun(settings, done, kills, sorted(_files() - before))


def _files() -> set[str]:
    """What dbt and Dagster like to leave in the project's folder."""
    names = ("logs", "target", "dbt_packages", ".user.yml", ".telemetry", "storage", "history")
    return {name for name in names if (PROJECT_ROOT / name).exists()}
