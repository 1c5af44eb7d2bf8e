"""One phase of a benchmark in a process of its own, and what the kernel counted for it.

Belongs here: starting it, waiting for it, reading what it wrote. What it does is `phases.py`'s business.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from orchestration.bench.results import Phase
from orchestration.settings import PROJECT_ROOT


def run_phase(
    name: str,
    phase: str,
    work: Path,
    arguments: Sequence[str] = (),
    *,
    data: str = "data",
    environment: Mapping[str, str] | None = None,
) -> Phase:
    """Run one phase in a process of its own and wait for its end.

    `data`: the name of its data folder in `work`. `environment`: settings beside those of this process.
    """
    work.mkdir(parents=True, exist_ok=True)
    result, log = work / "phase.json", work / f"{name}.log"
    result.unlink(missing_ok=True)
    places = [str(work / "files"), str(work / data), str(result)]
    begin = time.monotonic()
    with log.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "orchestration.bench.phases", phase, *places, *arguments],
            cwd=PROJECT_ROOT,
            env=os.environ | (environment or {}),
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        # What the kernel counted for this one process, its interpreter's start included.
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - begin
    steps = json.loads(result.read_text()) if result.exists() else []
    return Phase(
        name=name,
        seconds=seconds,
        cpu_seconds=usage.ru_utime + usage.ru_stime,
        # A phase that measures its steps resets the kernel's mark at each.
        peak_mib=max([usage.ru_maxrss // 1024, *(step["peak_mib"] for step in steps)]),
        succeeded=process.returncode == 0 and result.exists(),
        words=log.read_text()[-4000:],
        steps=steps,
    )
