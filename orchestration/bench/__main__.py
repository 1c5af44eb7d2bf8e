"""`make bench SIZES="20000 100000"`: measures every phase at every size and writes what came of it.

Belongs here: which phases are run in which order, each in a process of its own, and where files go.
A size is finished before the next one begins, and results are written after each, so that a benchmark
that is stopped has said what it knew.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from orchestration.bench import results
from orchestration.bench.process import run_phase
from orchestration.bench.results import SizeResult
from orchestration.settings import load_settings

# Name in the results, name in `phases.py`, its arguments. The data folder goes on from one to the next.
PLAN = (
    ("generate", "generate", ["{deals}"]),
    ("floor", "floor", []),
    ("core steps", "core", []),
    ("run", "run", []),
    ("functions", "functions", []),
    ("run, nothing changed", "run", []),
    ("night of 0.01 %", "night", ["0.0001"]),
    ("run, 0.01 % changed", "run", []),
    ("night of 1 %", "night", ["0.01"]),
    ("run, 1 % changed", "run", []),
    ("dbt alone", "dbt", []),
    ("SQL alone", "sql", []),
)


def main() -> int:
    """Run the benchmark. Returns the exit code."""
    arguments = _arguments()
    folder: Path = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    done: list[SizeResult] = []
    for deals in arguments.sizes:
        size = SizeResult(deals)
        done.append(size)
        work = folder / str(deals)
        shutil.rmtree(work, ignore_errors=True)
        for name, phase, given in PLAN:
            if arguments.only and name not in (*arguments.only, "generate"):
                continue
            measured = run_phase(name, phase, work, [text.format(deals=deals) for text in given])
            size.phases.append(measured)
            print(
                f"{deals:>10,} deals  {name:<22} {measured.seconds:>8.1f} s "
                f"{measured.cpu_seconds:>8.1f} CPU s {measured.peak_mib:>6} MiB"
                f"{'' if measured.succeeded else '  FAILED'}",
                flush=True,
            )
            results.write(folder, done)
            if not measured.succeeded:
                print(measured.words, file=sys.stderr)
                return 1
        if not arguments.keep:
            shutil.rmtree(work)
    print(results.markdown(done))
    print(f"Written to {folder / results.JSON_FILE} and {folder / results.MARKDOWN_FILE}")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m orchestration.bench", description=__doc__.splitlines()[0]
    )
    parser.add_argument("sizes", nargs="+", type=int, metavar="deals")
    parser.add_argument(
        "--folder",
        type=Path,
        default=load_settings(reads_source=False).data_dir / "bench",
        help="for files and results",
    )
    parser.add_argument("--only", nargs="+", choices=[name for name, _, _ in PLAN], help="phases to run")
    parser.add_argument("--keep", action="store_true", help="keep the generated files and the builds")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
