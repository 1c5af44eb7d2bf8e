"""`python -m orchestration.hubspot_benchmark`: how fast many deals with their history come over the API.

Belongs here: a first load of synthetic deals from the simulator, which runs in a process of its own, and
what it cost: requests and rows a second, the share of the allowed rate, refused requests, memory. Nobody
but a person runs it (some three minutes for 100,000 deals: HubSpot's limit, not the machine's).
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import pyarrow as pa

from orchestration.ingest.hubspot.api import HubSpot
from orchestration.ingest.hubspot.http import SEARCHES_PER_SECOND, WINDOW
from orchestration.ingest.hubspot.objects import crm_objects
from orchestration.ingest.hubspot.windows import read_windows
from orchestration.settings import Settings

LATENCY = (0.08, 0.15)
"""Seconds that HubSpot takes to answer, drawn evenly between these two."""


@dataclass(frozen=True)
class Arrivals:
    """What the simulator saw, by its own clock."""

    requests: int
    refused: int
    """Answered with 429."""
    loading: int
    """Requests while deals were read, from the first page of ids to the last batch."""
    loading_seconds: float
    most_in_10_s: int
    most_searches_in_1_s: int


@dataclass(frozen=True)
class Measured:
    """What one load cost."""

    what: str
    latency: tuple[float, float] | None
    deals: int
    rows: int
    """Deals and their versions."""
    seconds: float
    cpu_seconds: float
    peak_mb: float
    """The highest resident memory of the client's process so far."""
    allowed_in_10_s: int
    arrivals: Arrivals

    @property
    def share(self) -> float:
        """Requests sent while deals were read, of those that the limit allows in that time."""
        return self.arrivals.loading / (self.arrivals.loading_seconds * self.allowed_in_10_s / WINDOW)

    def line(self) -> str:
        latency = (
            "none" if self.latency is None else "{:.0f}-{:.0f} ms".format(*(1e3 * s for s in self.latency))
        )
        seen = self.arrivals
        return (
            f"| {self.what} | {latency} | {self.deals:,} | {self.rows:,} | {self.seconds:.0f} | "
            f"{seen.requests:,} | {seen.loading / seen.loading_seconds:.1f} | {self.share:.1%} | "
            f"{seen.most_in_10_s} | {seen.refused / seen.requests:.1%} | {self.rows / self.seconds:,.0f} | "
            f"{self.cpu_seconds:.0f} | {self.peak_mb:.0f} |"
        )


HEAD = (
    "| what | latency | deals | rows | s | requests | requests/s | of the allowed rate | "
    "most in any 10 s | 429 | rows/s | CPU s | peak MB |\n" + "|---" * 13 + "|"
)


def read_only(settings: Settings) -> int:
    """Read all deals with their versions into Arrow and let them go; the number of rows."""
    deals = crm_objects()["deals"]
    with HubSpot(settings) as hubspot:
        windows = read_windows(hubspot, deals, hubspot.record_ids("deals"))
        return sum(window.records.num_rows + window.history.num_rows for window in windows)


def whole_sync(settings: Settings) -> int:
    """A first sync into a landing database, as `make run` does it; the number of rows landed."""
    from orchestration.ingest.hubspot.sync import sync  # dlt takes a while to import

    summary = sync(settings)
    return sum(table.rows for table in summary.tables if table.name in ("deals", "deal_property_history"))


LOADS = {"read": read_only, "sync": whole_sync}


def measure(what: str, deals: int, latency: tuple[float, float] | None) -> Measured:
    """One load of this many deals."""
    with _simulator(deals, latency) as (url, token, report), tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            source="hubspot", hubspot_token=token, hubspot_url=url, data_dir=Path(folder) / "data"
        )
        began, cpu = time.monotonic(), time.process_time()
        rows = LOADS[what](settings)
        seconds, cpu = time.monotonic() - began, time.process_time() - cpu
        return Measured(
            what=what,
            latency=latency,
            deals=deals,
            rows=rows,
            seconds=seconds,
            cpu_seconds=cpu,
            peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,  # KiB on Linux
            allowed_in_10_s=settings.hubspot_requests_per_10_s,
            arrivals=report(),
        )


@contextmanager
def _simulator(deals: int, latency: tuple[float, float] | None) -> Iterator[tuple]:
    """A simulator with this many deals, in a process of its own: address, token, and what it has seen."""
    context = get_context("spawn")  # the child is to have none of this process's memory, and vice versa
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, deals, latency), daemon=True)
    process.start()
    theirs.close()
    try:
        url, token = ours.recv()

        def report() -> Arrivals:
            ours.send("report")
            return ours.recv()

        yield url, token, report
    finally:
        ours.close()  # which ends the child
        process.join(timeout=10)


def _serve(pipe: Connection, deals: int, latency: tuple[float, float] | None) -> None:
    from orchestration.hubspot_simulator import Simulator, running
    from orchestration.hubspot_simulator.synthetic import synthetic_crm

    app = Simulator(synthetic_crm(deals), latency=latency)
    with running(app) as url:
        pipe.send((url, app.token))
        try:
            while pipe.recv() == "report":
                pipe.send(_arrivals(app))
        except EOFError:
            return


def _arrivals(app) -> Arrivals:
    instants = sorted(seen.at for seen in app.seen)
    first = min(seen.at for seen in app.seen if seen.path.endswith("/deals"))
    last = max(seen.at for seen in app.seen if seen.path.endswith("/deals/batch/read"))
    return Arrivals(
        requests=len(instants),
        refused=sum(1 for seen in app.seen if seen.status == 429),
        loading=sum(1 for instant in instants if first <= instant <= last),
        loading_seconds=last - first,
        most_in_10_s=most_in(instants, WINDOW),
        most_searches_in_1_s=most_in(sorted(seen.at for seen in app.seen if seen.is_search), 1.0),
    )


def most_in(instants: list[float], window: float) -> int:
    """The most of these ascending instants that lie in any half-open window of so many seconds."""
    assert all(before <= after for before, after in pairwise(instants))
    most, first = 0, 0
    for last, instant in enumerate(instants):
        while instants[first] <= instant - window:
            first += 1
        most = max(most, last - first + 1)
    return most


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m orchestration.hubspot_benchmark", description=__doc__)
    parser.add_argument("--deals", type=int, default=100_000)
    parser.add_argument("--what", choices=[*LOADS, "both"], default="sync")
    parser.add_argument("--latency", choices=["with", "without", "both"], default="both")
    chosen = parser.parse_args(arguments)
    pa.table({"warm": ["up"]})  # loads pandas, once, for two seconds
    print(HEAD)
    broken = False
    for what in LOADS if chosen.what == "both" else [chosen.what]:
        for latency in {"with": [LATENCY], "without": [None], "both": [None, LATENCY]}[chosen.latency]:
            measured = measure(what, chosen.deals, latency)
            print(measured.line(), flush=True)
            seen = measured.arrivals
            broken |= seen.most_in_10_s > measured.allowed_in_10_s
            broken |= seen.most_searches_in_1_s > SEARCHES_PER_SECOND
    if broken:
        print("HubSpot's limits were exceeded.", file=sys.stderr)
    return int(broken)


if __name__ == "__main__":
    raise SystemExit(main())
