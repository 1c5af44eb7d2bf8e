"""The viewer's pages without a browser, through Streamlit's AppTest.

Belongs here: opening an address of the real app and reading what is on the page.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qs

from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from orchestration.settings import PROJECT_ROOT

APP = PROJECT_ROOT / "orchestration" / "viewer" / "app.py"


def opened(page: str = "", query: str | Mapping[str, str | list[str]] = "") -> AppTest:
    """The app at an address, after its first run. `page` is a report's name; the start page has none."""
    app = AppTest.from_file(str(APP), default_timeout=60)
    # AppTest knows how to go to pages that are files only; ours are functions, told apart by this.
    app._page_hash = calc_hash(page)
    parsed = parse_qs(query, keep_blank_values=True) if isinstance(query, str) else query
    for key, value in parsed.items():
        app.query_params[key] = value
    return app.run()


def texts(app: AppTest) -> str:
    """Everything that the page says in words."""
    kinds = ("title", "header", "subheader", "markdown", "caption", "info", "warning", "error", "success")
    return "\n".join(str(element.value) for kind in kinds for element in app.get(kind)).replace("\\", "")


def control(app: AppTest, key: str):
    """The control with this key, such as `deals_won_and_lost:group_by`."""
    for kind in ("selectbox", "multiselect", "toggle", "button", "date_input"):
        for widget in app.get(kind):
            if widget.key == key:
                return widget
    raise KeyError(key)


def assert_no_failure(app: AppTest) -> None:
    assert [exception.value for exception in app.exception] == []
