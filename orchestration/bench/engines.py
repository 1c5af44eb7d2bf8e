"""`make bench-engines SIZES="20000" ENGINES="duckdb postgres spark"`: a whole build on each engine.

Belongs here: which engines build which sizes, Spark with one core and with all, and their table. A build
is what engines do each in their own way: raw tables landed, models and dbt's tests, marts fetched back;
loading and the proof run in DuckDB whatever the engine is. Postgres needs SALES_REPORTS_POSTGRES_URL,
a database of its own that may be overwritten.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from orchestration.bench.process import run_phase
from orchestration.bench.results import Phase
from orchestration.settings import PREFIX, load_settings

ENGINES = ("duckdb", "postgres", "spark")
STEPS = ("start", "land", "models and dbt tests", "fetch marts")
JSON_FILE, MARKDOWN_FILE = "engines.json", "engines.md"

# By deals and the name of an engine: its phase.
Found = dict[int, dict[str, Phase]]


def main() -> int:
    """Run the benchmark. Returns the exit code: 1 if a build failed, 0 if none did."""
    arguments = _arguments()
    folder: Path = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    found: Found = {}
    for deals in arguments.sizes:
        work = folder / str(deals)
        shutil.rmtree(work, ignore_errors=True)
        generated = run_phase("generate", "generate", work, [str(deals)])
        if not generated.succeeded:
            print(generated.words, file=sys.stderr)
            return 1
        for name, environment in _variants(arguments.engines):
            phase = run_phase(name, "engine", work, data=f"data {name}", environment=environment)
            found.setdefault(deals, {})[name] = phase
            print(f"{deals:>10,} deals  {name:<16} {_line(phase)}", flush=True)
            if not phase.succeeded:
                print(phase.words, file=sys.stderr)
            _write(folder, found)
            shutil.rmtree(work / f"data {name}", ignore_errors=True)
        shutil.rmtree(work)
    print("\n".join(markdown(found)))
    print(f"Written to {folder / JSON_FILE} and {folder / MARKDOWN_FILE}")
    return 0 if all(phase.succeeded for sizes in found.values() for phase in sizes.values()) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m orchestration.bench.engines", description=__doc__.splitlines()[0]
    )
    parser.add_argument("sizes", nargs="+", type=int, metavar="deals")
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=["duckdb"])
    parser.add_argument(
        "--folder",
        type=Path,
        default=load_settings(reads_source=False).data_dir / "bench",
        help="for files and results",
    )
    return parser.parse_args()


def _variants(engines: Sequence[str]) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Names and settings of the builds: Spark's with one core first, to show that a second one helps."""
    for engine in engines:
        if engine != "spark":
            yield engine, {f"{PREFIX}ENGINE": engine}
            continue
        for cores in dict.fromkeys((1, os.cpu_count() or 1)):
            name = f"spark with {cores} core{'s' if cores > 1 else ''}"
            yield name, {f"{PREFIX}ENGINE": engine, f"{PREFIX}SPARK_CORES": str(cores)}


def _seconds(phase: Phase, step: str) -> float | None:
    return next((found["seconds"] for found in phase.steps if found["step"] == step), None)


def _line(phase: Phase) -> str:
    if not phase.succeeded:
        return f"FAILED after {phase.seconds:.0f} s"
    return ", ".join(f"{step} {_seconds(phase, step):.1f} s" for step in STEPS)


def _write(folder: Path, found: Found) -> None:
    plain = {
        deals: {name: asdict(phase) for name, phase in engines.items()} for deals, engines in found.items()
    }
    (folder / JSON_FILE).write_text(json.dumps(plain, indent=1))
    (folder / MARKDOWN_FILE).write_text("\n".join(markdown(found)) + "\n")


def markdown(found: Found) -> Iterator[str]:
    """A row per size and engine. The start is one session's; dbt's own is part of its models' time."""
    yield "| deals | engine | start, s | land, s | models and dbt tests, s | fetch marts, s | × DuckDB |"
    yield "|--:|---|--:|--:|--:|--:|--:|"
    for deals, engines in found.items():
        base = engines.get("duckdb")
        for name, phase in engines.items():
            if not phase.succeeded:
                yield f"| {deals:,} | {name} | failed | | | | |"
                continue
            cells = [f"{_seconds(phase, step):.1f}" for step in STEPS]
            ratio = "–"
            if base and base.succeeded:
                work = STEPS[1:]
                ratio = f"{_sum(phase, work) / _sum(base, work):.1f}"
            yield f"| {deals:,} | {name} | {' | '.join(cells)} | {ratio} |"


def _sum(phase: Phase, steps: Sequence[str]) -> float:
    return sum(_seconds(phase, step) for step in steps)


if __name__ == "__main__":
    sys.exit(main())
