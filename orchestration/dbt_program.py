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
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from orchestration.dbt_invocation import Outcome, listen
from orchestration.settings import PROJECT_ROOT, environment_for_dbt, environment_without_secrets

Hear = Callable[[Mapping[str, Any]], None]
_PROGRAM = PROJECT_ROOT / "orchestration" / "dbt_invocation.py"
_ENDING = 10  # seconds in which a program that says nothing more has ended
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
        with self._in_step():
            if self._parsed != _state(project):
                self._hear_of_parsing()
                self._tell(command, project, log)
                self._parsed, self._is_parsing = _state(project), True

    def invoke(self, command: Sequence[str], project: str, log: Path, hear: Hear) -> Outcome:
        """Run a command as `dbt_invocation.invoke` does."""
        with self._in_step():
            self._hear_of_parsing()
            self._tell(command, project, log)
            outcome = self._hear(hear)
            self._parsed = _state(project) if command[0] == "parse" and outcome.success else ""
            return outcome

    def close(self) -> None:
        """End the program, whatever it does. A command that it works on fails."""
        if self._lock.acquire(blocking=False):
            self._end()
            self._lock.release()
        elif process := self._process:
            process.kill()  # whoever hears it will end it

    @contextmanager
    def _in_step(self) -> Iterator[None]:
        """One command at a time; where it is not heard to its end, the program ends with it."""
        with self._lock:
            try:
                yield
            except BaseException:
                self._end()
                raise

    def _hear_of_parsing(self) -> None:
        # If it has failed, so does the next command, which says why.
        if self._is_parsing:
            self._is_parsing = False
            self._hear(lambda event: None)

    def _tell(self, command: Sequence[str], project: str, log: Path) -> None:
        if self._process is None or self._process.poll() is not None:
            self._end()
            self._process, self._log = _start(log), log
        request = {
            "command": list(command),
            "project": _state(project),
            "environment": environment_for_dbt(),
            "has_own_session": False,
        }
        with suppress(BrokenPipeError):  # it has ended just now, which is heard next
            print(json.dumps(request), file=self._process.stdin, flush=True)

    def _hear(self, hear: Hear) -> Outcome:
        if outcome := listen(self._process.stdout, hear):
            return outcome
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_ENDING)
        words = _words_of(self._end())
        return Outcome(False, f"{words} {self._log.read_text(errors='replace')[-_TAIL:]}".strip())

    def _end(self) -> int:
        """End the program, if there is one; its exit code."""
        process, self._process = self._process, None
        self._parsed, self._is_parsing = "", False
        if process is None:
            return 0
        process.kill()
        with suppress(BrokenPipeError):
            process.stdin.close()
        process.stdout.close()
        return process.wait()


def _state(project: str) -> str:
    """What tells apart whatever dbt may have parsed: its names depend on the environment too."""
    return f"{project} {hash(frozenset(environment_for_dbt().items()))}"


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
            env=environment_without_secrets(),  # what a command needs besides comes with it
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,  # Ctrl-C is for the run, which ends it
        )
