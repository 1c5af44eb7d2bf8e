"""What a piece of work costs this process and the programs it has started: seconds, CPU seconds, memory.

Belongs here: reading the clocks and the kernel's high-water mark. What is measured is `phases.py`'s
business.
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_SELF = Path("/proc/self")
_ENDED = (FileNotFoundError, ProcessLookupError)  # between being listed and being read


@dataclass
class Measurement:
    """One step of a phase. CPU seconds are those of all threads and programs."""

    phase: str
    step: str
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_mib: int = 0
    """Resident memory at its highest in this step, the database's cache included: of each process its own
    highest, added up, though they need not have met."""
    rows: int | None = None


@contextmanager
def measured(phase: str, step: str) -> Iterator[Measurement]:
    """Measure a block; the measurement is complete when it has ended."""
    measurement = Measurement(phase, step)
    meter = Meter()
    try:
        yield measurement
    finally:
        meter.read(measurement)


class Meter:
    """Runs from its creation on."""

    def __init__(self) -> None:
        _reset_peak()
        self._seconds, self._cpu_seconds = time.monotonic(), _cpu_seconds()

    def read(self, measurement: Measurement) -> None:
        """Fill in what has been used so far."""
        measurement.seconds = time.monotonic() - self._seconds
        measurement.cpu_seconds = _cpu_seconds() - self._cpu_seconds
        measurement.peak_mib = _peak_mib()


def _cpu_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used) + sum(map(_cpu_seconds_of, _programs()))


def _cpu_seconds_of(process: Path) -> float:
    """Of a program that has not ended (proc(5), stat: utime and stime, behind a name in parentheses)."""
    with suppress(*_ENDED):
        fields = (process / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def _reset_peak() -> None:
    """Let the kernel forget its high-water marks (proc(5), clear_refs), which an earlier step has set."""
    for process in (_SELF, *_programs()):
        with suppress(*_ENDED):
            (process / "clear_refs").write_text("5")


def _peak_mib() -> int:
    own = _peak_mib_of(_SELF)
    if not own:
        raise OSError(f"{_SELF}/status has no VmHWM")
    return own + sum(map(_peak_mib_of, _programs()))


def _peak_mib_of(process: Path) -> int:
    """0 of a program that has ended."""
    with suppress(*_ENDED):
        for line in (process / "status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) // 1024
    return 0


def _programs(of: Path = _SELF) -> list[Path]:
    """The programs that a process has started and that have not ended, with theirs."""
    found = []
    for thread in (of / "task").iterdir():
        with suppress(*_ENDED):
            for pid in (thread / "children").read_text().split():
                program = Path("/proc") / pid
                found += [program, *_programs(program)]
    return found
