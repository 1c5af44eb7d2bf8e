"""`python -m tests.browser.measure <data folder>`: how long a person waits for the viewer.

Belongs here: the waits that the closing notes and the README speak of, in a real browser, from the start
of the server on. It is no test: machines differ.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.conftest import CHROMIUM, FLAGS
from tests.browser.reader import Reader
from tests.browser.viewer_server import viewer

REPORTS = (
    "deals_won_and_lost",
    "deal_pipeline_waterfall",
    "historical_snapshots",
    "deal_funnel",
    "lead_journey",
)


@contextmanager
def timed(what: str) -> Iterator[None]:
    begin = time.monotonic()
    yield
    print(f"{what:<60} {time.monotonic() - begin:>6.1f} s", flush=True)


def main(data_dir: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        begin = time.monotonic()
        with viewer(data_dir, Path(scratch)) as server:
            print(f"{'server answers':<60} {time.monotonic() - begin:>6.1f} s", flush=True)
            with Reader.at(browser, server.url) as reader, timed("first report after a start"):
                reader.open(f"/{REPORTS[0]}")
            with Reader.at(browser, server.url) as reader:
                with timed("first report in another browser"):
                    reader.open(f"/{REPORTS[0]}")
                with timed("change of a filter (group by team)"):
                    reader.select("Group by", "Team")
                for report in REPORTS[1:]:
                    with timed(f"open {report}"):
                        reader.open(f"/{report}")
                with timed("start page with its dashboard"):
                    reader.open("/")
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
