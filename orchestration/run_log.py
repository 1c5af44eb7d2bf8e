"""What a run has done so far: its phases, their results, and where it failed.

Belongs here: the record that the steps fill and the summary reads, and how progress is shown on a
console. What a step does belongs to `steps.py`, the words of the summary to `run.py`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:  # only names: what they need takes seconds to import
    from orchestration.checks import Result
    from orchestration.dbt_runs import NodeResult
    from orchestration.ingest.hubspot import SyncSummary
    from orchestration.ingest.load import LoadSummary
    from orchestration.plan import Plan
    from orchestration.publish import Published


@dataclass
class Phase:
    """One phase of a run. `words` say what came of it."""

    name: str
    words: str = ""
    seconds: float = 0.0


@dataclass
class RunLog:
    """The record of one run in this process. By itself it shows nothing."""

    phases: list[Phase] = field(default_factory=list)
    sync: SyncSummary | None = None
    load: LoadSummary | None = None
    plan: Plan | None = None
    nodes: Sequence[NodeResult] = ()
    invariants: Sequence[Result] = ()
    published: Published | None = None
    failure: Exception | None = None

    @property
    def has_nothing_to_do(self) -> bool:
        """Whether the source is as it was, so that the published build stays as it is."""
        return self.plan is not None and self.plan.kind.value == "nothing"

    @contextmanager
    def phase(self, name: str) -> Iterator[Phase]:
        """Time a phase; an error in it is the run's failure."""
        phase = Phase(name)
        self.phases.append(phase)
        begin = time.monotonic()
        self.show_begin(phase)
        try:
            yield phase
        except Exception as error:
            self.failure = error
            raise
        finally:
            phase.seconds = time.monotonic() - begin
            self.show_end(phase)

    def count(self, done: int, total: int | None, what: str) -> None:
        """Tell how far the present phase is, and with what."""

    def show_begin(self, phase: Phase) -> None:
        """A phase begins."""

    def show_end(self, phase: Phase) -> None:
        """A phase has ended, well if `failure` is not set."""


class NotifyingLog(RunLog):
    """For runs that Dagster started: whoever is to hear of a failure does so at once."""

    def __init__(self, on_failure: str | None) -> None:
        super().__init__()
        self._on_failure = on_failure

    def show_end(self, phase: Phase) -> None:
        if self.failure:
            tell_failure(self._on_failure, f"{phase.name}: {self.failure}")


class ConsoleLog(RunLog):
    """Shows one line per phase; on a terminal, a counter while it lasts."""

    def __init__(self, out: TextIO = sys.stdout) -> None:
        super().__init__()
        self._out = out
        self._is_live = out.isatty()

    def count(self, done: int, total: int | None, what: str) -> None:
        if self._is_live:
            of = f"{done}/{total}" if total else str(done)
            self._write(f"\r\x1b[K  {self.phases[-1].name:<10} {of}  {what}"[:100])

    def show_begin(self, phase: Phase) -> None:
        if self._is_live:
            self._write(f"\r\x1b[K  {phase.name:<10} …")

    def show_end(self, phase: Phase) -> None:
        words = "failed" if self.failure else phase.words
        start = "\r\x1b[K" if self._is_live else ""
        self._write(f"{start}  {phase.name:<10} {phase.seconds:>6.1f} s  {words}\n")

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()


def tell_failure(command: str | None, reason: str) -> None:
    """Run the command of SALES_REPORTS_ON_FAILURE with the reason, one line, as its last argument.

    The reason is also in its environment as FAILURE_REASON. A command that fails itself is said so
    on stderr; it changes nothing about the run.
    """
    if not command:
        return
    reason = " ".join(reason.split())
    try:
        subprocess.run(
            ["sh", "-c", f'{command} "$@"', "sh", reason],
            env=os.environ | {"FAILURE_REASON": reason},
            check=True,
            timeout=60,
        )
    except (OSError, subprocess.SubprocessError) as error:
        print(f"SALES_REPORTS_ON_FAILURE could not be run: {error}", file=sys.stderr)
