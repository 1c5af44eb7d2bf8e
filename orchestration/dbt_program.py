"""dbt in a program of its own, beside the run.

Belongs here: starting it, telling it commands, hearing what comes of them. It reads the project while
the run loads raw tables, and builds while Dagster records what is built: dbt's Python alone keeps a core
busy, so in one process each would wait for the other.

It ends when this process does, however it ends: its input is a pipe from here, so no kill leaves it behind
with the build database, which it has open while a command lasts.
"""

from __future__ import annotations

import atexit
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from orchestration.dbt_invocation import Outcome
from orchestration.settings import PROJECT_ROOT, environment_for_dbt, environment_without_secrets

Hear = Callable[[Mapping[str, Any]], None]
_PROGRAM = PROJECT_ROOT / "orchestration" / "dbt_invocation.py"
_TAIL = 2000  # characters of its log that are read for the reason why it ended


class DbtProgram:
    """A program that runs one command of dbt at a time, started by the first one."""

    def __init__(self) -> None:
        self._process: subprocess.Popen | None = None
        self._log = Path()
        self._parsed = ""
        """The state of the project that it has parsed, or is parsing, for the next command."""
        self._is_parsing = False
        self._lock = threading.Lock()
        atexit.register(self.close)

    def parse_ahead(self, command: Sequence[str], project: str, log: Path) -> None:
        """Have a command `parse` done while this process goes on: the next one need not parse then.

        `project` tells one state of the project from another; `log` is the file for what dbt says beside.
        """
        with self._lock:
            if self._parsed != project:
                self._hear_of_parsing()
                self._tell(command, project, log)
                self._parsed, self._is_parsing = project, True

    def invoke(self, command: Sequence[str], project: str, log: Path, hear: Hear) -> Outcome:
        """Run a command as `dbt_invocation.invoke` does."""
        with self._lock:
            self._hear_of_parsing()
            self._tell(command, project, log)
            outcome = self._hear(hear)
            self._parsed = project if command[0] == "parse" and outcome.success else ""
            return outcome

    def close(self) -> None:
        """End the program, whatever it does."""
        if self._process is not None:
            self._end()

    def _end(self) -> int:
        """Its exit code; by itself it ends when nobody tells it anything any more."""
        process, self._process = self._process, None
        with suppress(BrokenPipeError):
            process.stdin.close()
        process.stdout.close()
        return process.wait()

    def _hear_of_parsing(self) -> None:
        # If it has failed, so does the next command, which says why.
        if self._is_parsing:
            self._hear(lambda event: None)
            self._is_parsing = False

    def _tell(self, command: Sequence[str], project: str, log: Path) -> None:
        if self._process is not None and self._process.poll() is not None:
            self._end()
        if self._process is None:
            self._process, self._log = _start(log), log
        request = {
            "command": list(command),
            "project": project,
            "environment": environment_for_dbt(),
            "has_own_session": False,
        }
        with suppress(BrokenPipeError):  # it has ended just now, which is heard next
            print(json.dumps(request), file=self._process.stdin, flush=True)

    def _hear(self, hear: Hear) -> Outcome:
        try:
            for line in self._process.stdout:
                said = json.loads(line)
                if event := said.get("event"):
                    hear(event)
                else:
                    return Outcome.of(said["outcome"])
        except BaseException:
            self._end()  # what it has still to say is for nobody
            raise
        words = _words_of(self._end())
        return Outcome(False, f"{words} {self._log.read_text(errors='replace')[-_TAIL:]}".strip())


def _words_of(code: int) -> str:
    if code == -signal.SIGKILL:
        return (
            "Something has killed dbt, as systems do where memory runs out: lower "
            "SALES_REPORTS_MEMORY_LIMIT, or give the machine more, and run again."
        )
    return f"dbt has ended by itself, with exit code {code}."


def _start(log: Path) -> subprocess.Popen:
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as errors:
        return subprocess.Popen(
            # -P: the folder of these modules has names, such as lock, that others know for something else.
            [sys.executable, "-P", "-W", "ignore", str(_PROGRAM)],
            env=environment_without_secrets() | environment_for_dbt(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,  # Ctrl-C is for the run, which ends it
        )
