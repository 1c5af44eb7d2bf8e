"""What a piece of work costs this process: seconds, CPU seconds, the most memory it held.

Belongs here: reading the clocks and the kernel's high-water mark. What is measured is `phases.py`'s
business.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Measurement:
    """One step of a phase. CPU seconds are those of all threads and ended children."""

    phase: str
    step: str
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_mib: int = 0
    """The process's resident memory at its highest in this step, the database's cache included."""
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
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def _reset_peak() -> None:
    """Let the kernel forget its high-water mark (proc(5), clear_refs), which an earlier step may have set."""
    Path("/proc/self/clear_refs").write_text("5")


def _peak_mib() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) // 1024
    raise OSError("/proc/self/status has no VmHWM")
