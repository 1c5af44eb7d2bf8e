"""Pictures of every page, to be looked at: `python -m tests.browser.pictures <data folder> <out>`.

Belongs here: which pages are worth a look, in which windows and themes. Pictures of charts alone are made
without a browser. What can be asserted about a page is a test, not a picture.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

from orchestration.settings import Settings
from orchestration.viewer.access import EVERYTHING
from orchestration.viewer.catalog import catalog
from orchestration.viewer.database import published_file
from tests.browser.conftest import CHROMIUM, FLAGS
from tests.browser.reader import PHONE, Reader
from tests.browser.viewer_server import viewer

WINDOWS = {
    "wide": {"viewport": {"width": 1280, "height": 900}},
    "dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
    "phone": {"viewport": PHONE, "device_scale_factor": 2, "is_mobile": True, "has_touch": True},
}


def take(data_dir: Path, out: Path, names: list[str], windows: list[str]) -> None:
    """Take the pictures: `<window>-<page>.png`, the whole page each, however long."""
    out.mkdir(parents=True, exist_ok=True)
    reports = catalog(published_file(Settings(data_dir=data_dir)).build(EVERYTHING)).reports
    pages = {"start": "/", "dashboards": "/dashboards", **{name: f"/{name}" for name in reports}}
    with (
        tempfile.TemporaryDirectory() as scratch,
        viewer(data_dir, Path(scratch)) as server,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for window in windows:
            with Reader.at(browser, server.url, **WINDOWS[window]) as reader:
                for name in names or pages:
                    begun = time.perf_counter()
                    reader.open(pages[name])
                    seconds = time.perf_counter() - begun
                    # Streamlit's page scrolls inside the window; as tall as its content, it is all there.
                    height = reader.page.evaluate(
                        "document.querySelector('[data-testid=stMainBlockContainer]').scrollHeight + 80"
                    )
                    width = WINDOWS[window]["viewport"]["width"]
                    reader.page.set_viewport_size({"width": width, "height": min(max(height, 600), 6000)})
                    reader.settle()
                    reader.page.wait_for_timeout(400)  # charts take the new width
                    reader.page.screenshot(path=out / f"{window}-{name}.png")
                    reader.page.set_viewport_size(WINDOWS[window]["viewport"])
                    print(f"{window}-{name}.png  {seconds:.1f} s")
        browser.close()


if __name__ == "__main__":
    folder, target, *wanted = sys.argv[1:]
    chosen = [name for name in wanted if name in WINDOWS] or list(WINDOWS)
    take(Path(folder), Path(target), [name for name in wanted if name not in WINDOWS], chosen)
