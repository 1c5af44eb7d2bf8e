"""One viewer on a published demo and one Chromium for all journeys.

Belongs here: what a journey needs before it begins, and what holds after each of them: no request has
left the machine, and no page has broken.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Playwright, sync_playwright

from orchestration.settings import Settings
from tests.browser.reader import Reader
from tests.browser.viewer_server import Server, viewer
from tests.viewer.demo_build import publish_demo

DEALS = 600
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    # Nothing but this machine has an address: what a page asks of the network besides fails at once.
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without Chromium the journeys are skipped; where `CI` is set they fail in the fixture instead."""
    if Path(CHROMIUM).exists() or os.environ.get("CI"):
        return
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.skip("no Chromium here: install Debian's package chromium"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """A failed journey tells what its page said."""
    report = yield
    reader = getattr(item, "funcargs", {}).get("reader")
    if report.failed and report.when == "call" and reader is not None:
        report.sections.append((f"The page {reader.page.url}", reader.page.locator("body").inner_text()))
    return report


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A data folder with a published demo, which journeys may publish to."""
    return publish_demo(tmp_path_factory.mktemp("browser") / "data", DEALS)


@pytest.fixture(scope="module")
def server(demo: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The viewer of all journeys; in none of them did it turn to another machine."""
    with viewer(demo.data_dir, tmp_path_factory.mktemp("server")) as running:
        yield running
        assert running.wanted_outside() == ""
        assert running.outside == set()


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    """Playwright, for one file of tests: while it runs, nothing else in the process can run an event loop."""
    if not Path(CHROMIUM).exists():
        pytest.fail(f"{CHROMIUM} is missing: install Debian's package chromium")
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="module")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
    yield browser
    browser.close()


@pytest.fixture
def reader(chromium: Browser, server: Server) -> Iterator[Reader]:
    """Somebody who looks at the viewer in a window of their own."""
    with Reader.at(chromium, server.url) as looking:
        yield looking
