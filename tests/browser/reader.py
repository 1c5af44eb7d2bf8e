"""Somebody who looks at the viewer in Chromium: opens addresses, uses controls, reads what is there.

Belongs here: how Streamlit's controls are used and when a page is finished. Controls are found as people
and screen readers find them, by role and name. What should be on a page is asserted in the tests.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Download, Page, Request, WebSocket, expect

WIDE = {"width": 1280, "height": 1600}
TIMEOUT = 30_000  # milliseconds; a machine of two cores may have other things to do
PHONE = {"width": 390, "height": 844}
_DONE = (
    "() => { const app = document.querySelector('[data-testid=stApp]');"
    " return app && app.dataset.testScriptState === 'notRunning'"
    " && app.dataset.testConnectionState === 'CONNECTED'"
    " && !document.querySelector('[data-stale=true], [data-testid=stSkeleton], [data-testid=stSpinner]'); }"
)


@dataclass
class Reader:
    """A page and all that it asked of the network."""

    page: Page
    url: str
    asked: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    """Errors of scripts on the page."""

    @classmethod
    @contextmanager
    def at(cls, browser: Browser, url: str, **options: Any) -> Iterator[Reader]:
        """A window of its own. What it asked of other machines, and what broke, fails the test."""
        context = browser.new_context(**{"viewport": WIDE, "accept_downloads": True} | options)
        context.set_default_timeout(TIMEOUT)
        page = context.new_page()
        reader = cls(page, url)
        context.on("request", reader._note_request)
        page.on("websocket", reader._note_socket)
        page.on("pageerror", lambda error: reader.broken.append(f"{error.message} {error.stack}"))
        try:
            yield reader
        finally:
            context.close()
        assert reader.asked, "the requests of the page are seen"
        assert reader.elsewhere() == [], reader.elsewhere()
        assert reader.broken == [], reader.broken

    def _note_request(self, request: Request) -> None:
        self.asked.append(request.url)

    def _note_socket(self, socket: WebSocket) -> None:
        self.asked.append(socket.url)

    def elsewhere(self) -> list[str]:
        """Requests to anything but this viewer."""
        here = urlsplit(self.url).netloc
        return [
            url
            for url in self.asked
            if urlsplit(url).scheme not in ("data", "blob") and urlsplit(url).netloc != here
        ]

    # --- pages ---

    def open(self, address: str) -> None:
        """Go to an address of the viewer, such as `/deals_won_and_lost?period=last_month`."""
        self.page.goto(self.url + address, wait_until="domcontentloaded")
        self.settle()

    def settle(self) -> None:
        """Wait until the page is finished: the script has run and nothing old is left."""
        self.page.wait_for_timeout(150)  # a click needs a moment to reach the server
        self.page.wait_for_function(_DONE)

    def text(self) -> str:
        return self.page.get_by_test_id("stMain").inner_text()

    # --- controls ---

    def select(self, label: str, option: str) -> None:
        """Choose in a box of which one thing is chosen."""
        self._pick(label, option)

    def choose(self, label: str, *options: str) -> None:
        """Choose several in a box besides those that are chosen."""
        for option in options:
            self._pick(label, option)
        self.page.keyboard.press("Escape")  # the list stays open for more

    def _pick(self, label: str, option: str) -> None:
        box = self.page.get_by_role("combobox", name=label).first
        box.click()
        box.fill(option)  # long lists show what is typed
        self.page.get_by_role("option", name=option, exact=True).click()
        self.settle()

    def switch(self, label: str) -> None:
        """Turn a switch on or off."""
        self.page.get_by_role("switch", name=label).press("Space")
        self.settle()

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).first.click()
        self.settle()

    def download(self, name: str) -> Path:
        """Press a button that gives a file."""
        with self.page.expect_download() as waiting:
            self.page.get_by_role("button", name=name, exact=True).click()
        download: Download = waiting.value
        return Path(download.path())

    def write(self, label: str, text: str) -> None:
        self.page.get_by_role("textbox", name=label, exact=True).fill(text)

    def tab_to(self, name: str) -> None:
        """Go on from control to control with the keyboard until one has this name."""
        for _ in range(120):
            self.page.keyboard.press("Tab")
            focused = self.page.evaluate(
                "() => { const e = document.activeElement;"
                " const text = e.matches('a, button') ? e.innerText : '';"
                " return (e.getAttribute('aria-label') || text).trim(); }"
            )
            if name in focused.splitlines():  # icons are words of their own
                return
        raise AssertionError(f"the keyboard does not get to {name!r}")

    # --- tables ---

    def tick(self, row: int, index: int = 0) -> None:
        """Choose a row of a table, counted from 0, in the column of ticks."""
        table = self.page.get_by_test_id("stDataFrame").nth(index)
        table.scroll_into_view_if_needed()
        place = table.bounding_box()
        self.page.mouse.click(place["x"] + 16, place["y"] + 35 * (row + 1) + 17)  # a canvas has no elements
        self.settle()

    def rows(self, index: int = 0) -> list[Mapping[str, str]]:
        """The rows of a table that are in sight, by heading, as a screen reader finds them: unrounded."""
        table = self.page.get_by_test_id("stDataFrame").nth(index)
        table.scroll_into_view_if_needed()
        grid = table.locator("canvas table")
        expect(grid.locator("tbody tr").first).to_be_attached()
        return grid.evaluate(
            "table => { const texts = row => [...row.children].map(cell => cell.textContent);"
            " const head = texts(table.tHead.rows[0]);"
            " return [...table.tBodies[0].rows].map(row =>"
            "   Object.fromEntries(texts(row).map((text, i) => [head[i], text]))); }"
        )
