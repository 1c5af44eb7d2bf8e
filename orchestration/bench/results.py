"""What the benchmark found, as a JSON file and as Markdown tables.

Belongs here: ratios, growth exponents and their tables. Nothing is measured here.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

JSON_FILE, MARKDOWN_FILE = "results.json", "results.md"
SHOWN_STEPS = 30
FLOOR, CORE = "floor", "core steps"
# Phases whose steps are of interest one by one, and the heading of their table.
STEP_TABLES = {
    "floor": ("floor", "Reading every needed raw column"),
    "core": ("core steps", "Hand-written SQL of the core steps"),
    "run": ("run", "The whole run, by phase"),
    "run table": ("run", "Load step, by table"),
    "sql": ("SQL alone", "Models, one after another"),
    "run check": ("run", "Slowest checks (seconds beside others)"),
    "function": ("functions", "Report functions: one quarter, by owner"),
}


@dataclass
class Phase:
    """One phase at one size, from the start of its process to its end."""

    name: str
    seconds: float
    cpu_seconds: float
    peak_mib: int
    succeeded: bool
    words: str
    """The end of what it printed."""
    steps: list[dict]
    """Its measurements (measure.Measurement)."""


@dataclass
class SizeResult:
    """All phases at one size."""

    deals: int
    phases: list[Phase] = field(default_factory=list)

    def phase(self, name: str) -> Phase | None:
        return next((phase for phase in self.phases if phase.name == name), None)

    def cpu_of_steps(self, name: str) -> float | None:
        """CPU seconds of a phase's work itself, without the interpreter's start."""
        phase = self.phase(name)
        return sum(step["cpu_seconds"] for step in phase.steps) if phase else None


def write(folder: Path, sizes: Sequence[SizeResult]) -> None:
    """Write both files anew."""
    found = {"cores": os.cpu_count(), "sizes": [asdict(size) for size in sizes]}
    (folder / JSON_FILE).write_text(json.dumps(found, indent=1))
    (folder / MARKDOWN_FILE).write_text(markdown(sizes))


def read(folder: Path) -> list[SizeResult]:
    """What `write` wrote."""
    return [
        SizeResult(size["deals"], [Phase(**phase) for phase in size["phases"]])
        for size in json.loads((folder / JSON_FILE).read_text())["sizes"]
    ]


def growth(small: float, large: float, small_size: int, large_size: int) -> float | None:
    """The exponent x of cost = size^x between two sizes; NULL where one of them cost nothing."""
    if small <= 0 or large <= 0:
        return None
    return math.log(large / small) / math.log(large_size / small_size)


def markdown(sizes: Sequence[SizeResult]) -> str:
    """All tables."""
    lines = ["# Benchmark", "", *_phase_table(sizes)]
    for kind, (phase, heading) in STEP_TABLES.items():
        table = list(_step_table(sizes, phase, kind))
        if table:
            lines += ["", f"## {heading}", "", *table]
    return "\n".join(lines) + "\n"


def _phase_table(sizes: Sequence[SizeResult]) -> Iterator[str]:
    """A row per phase and size; ratios are of CPU seconds, which other work on the machine disturbs least."""
    yield "| phase | deals | s | CPU s | peak MiB | CPU × floor | CPU × core steps | growth |"
    yield "|---|--:|--:|--:|--:|--:|--:|--:|"
    for name in dict.fromkeys(phase.name for size in sizes for phase in size.phases):
        before: tuple[int, float] | None = None
        for size in sizes:
            phase = size.phase(name)
            if phase is None:
                continue
            exponent = growth(before[1], phase.cpu_seconds, before[0], size.deals) if before else None
            before = (size.deals, phase.cpu_seconds)
            ratios = [_ratio(phase.cpu_seconds, size.cpu_of_steps(base)) for base in (FLOOR, CORE)]
            yield (
                f"| {name} | {size.deals:,} | {phase.seconds:.1f} | {phase.cpu_seconds:.1f} | "
                f"{phase.peak_mib:,} | {' | '.join(ratios)} | {_number(exponent)} |"
            )


def _step_table(sizes: Sequence[SizeResult], phase_name: str, kind: str) -> Iterator[str]:
    """A row per step, those first that cost most at the largest size."""
    found: dict[str, dict[int, dict]] = {}
    for size in sizes:
        phase = size.phase(phase_name)
        for step in phase.steps if phase else ():
            if step["phase"] == kind:
                found.setdefault(step["step"], {})[size.deals] = step
    if not found:
        return
    counts = sorted({deals for steps in found.values() for deals in steps})
    yield "| step | " + " | ".join(f"s, CPU s, MiB, rows at {deals:,}" for deals in counts) + " | growth |"
    yield "|---|" + "--:|" * (len(counts) + 1)
    ordered = sorted(found.items(), key=lambda item: -_cost(item[1].get(counts[-1])))
    for name, steps in ordered[:SHOWN_STEPS]:
        cells = [_cell(steps.get(deals)) for deals in counts]
        ends = (
            [steps[deals] for deals in (counts[-2], counts[-1]) if deals in steps] if len(counts) > 1 else []
        )
        exponent = growth(_cost(ends[0]), _cost(ends[1]), counts[-2], counts[-1]) if len(ends) == 2 else None
        yield f"| {name} | {' | '.join(cells)} | {_number(exponent)} |"


def _cost(step: dict | None) -> float:
    """CPU seconds where they were measured: beside others only seconds are."""
    return (step["cpu_seconds"] or step["seconds"]) if step else 0.0


def _cell(step: dict | None) -> str:
    if step is None:
        return "–"
    rows = f"{step['rows']:,}" if step["rows"] is not None else "–"
    return f"{step['seconds']:.2f}, {step['cpu_seconds']:.2f}, {step['peak_mib']:,}, {rows}"


def _ratio(cost: float, base: float | None) -> str:
    return f"{cost / base:.1f}" if base else "–"


def _number(exponent: float | None) -> str:
    return "–" if exponent is None else f"{exponent:.2f}"
