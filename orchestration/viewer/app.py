"""The viewer's entry: `streamlit run orchestration/viewer/app.py`, by way of `make view`.

Belongs here: who looks at which build, the navigation, and the pages for when there is nothing to look
at. Streamlit runs this file anew for every click.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import streamlit

from orchestration.data_folder import last_check
from orchestration.publish import current_build
from orchestration.settings import Settings, SettingsError, load_settings
from orchestration.viewer import dashboards_page, report_page, start_page
from orchestration.viewer.access import (
    EVERYTHING,
    AccessDenied,
    AccessFile,
    AccessFileError,
    user_of,
)
from orchestration.viewer.catalog import COLLECTIONS, Report, catalog
from orchestration.viewer.database import Build, NoBuild, published_file
from orchestration.viewer.saved import Saved
from orchestration.viewer.tiles import Look, plain

# How often an open page looks whether there is a newer build. (A text under it would be on the page:
# Streamlit shows what stands by itself in this file.)
NEW_BUILD_SECONDS = 60
# Streamlit leaves a hand's breadth above a page, which a report needs itself.
_STYLE = "<style>.stMainBlockContainer { padding-top: 3.5rem; padding-bottom: 2rem; }</style>"


def main() -> None:
    # A picture of Unicode's: for a Material symbol here the browser would ask Google.
    streamlit.set_page_config(page_title="Sales reports", page_icon="📊", layout="wide")
    streamlit.html(_STYLE)
    try:
        settings = load_settings(reads_source=False)
        user = user_of(streamlit.context.headers, settings.viewer_user_header)
        build = _build(settings, user)
    except SettingsError as error:
        _stop("The settings are wrong", str(error))
    except AccessDenied as error:
        _stop("You cannot see these reports", str(error))
    except AccessFileError as error:
        # Whose file it is, and what is in it, is not for readers.
        logging.getLogger(__name__).error("%s", error)
        _stop(
            "The list of who may see what cannot be read",
            "Nobody sees anything until it is mended. The viewer's log says what is wrong with it.",
        )
    except NoBuild as error:
        _stop("There are no reports to show", str(error))
    else:
        _show(settings, user, build)


def _build(settings: Settings, user: str | None) -> Build:
    """The current build as this user may see it."""
    published = published_file(settings)
    if user is None or settings.viewer_access_file is None:
        return published.build(EVERYTHING)
    access = AccessFile.read(settings.viewer_access_file)
    return published.build(access.scope(user, published.build(EVERYTHING)))


def _show(settings: Settings, user: str | None, build: Build) -> None:
    dark = streamlit.context.theme.type == "dark"
    pages: dict[str, Any] = {}
    look = Look(build, Saved(settings.data_dir / "viewer.sqlite", user), pages.get, dark)
    known = catalog(build)
    pages |= {report.name: _page(look, report) for report in known.reports.values()}
    sections = {
        "": [
            streamlit.Page(
                _named("start", lambda: start_page.show(look)),
                title="Start",
                icon=":material/home:",
                default=True,
            ),
            streamlit.Page(
                _named("dashboards", lambda: dashboards_page.show(look)),
                title="Dashboards",
                icon=":material/dashboard:",
                url_path="dashboards",
            ),
            streamlit.Page(
                _named("data_quality", lambda: start_page.show_data_quality(look)),
                title="Data quality",
                icon=":material/rule:",
                url_path="data_quality",
            ),
        ]
    }
    for collection, title in COLLECTIONS.items():
        sections[title] = [pages[report.name] for report in known.collection(collection)]
    page = streamlit.navigation(sections, expanded=True)
    page.run()
    with streamlit.sidebar:
        if user is not None:
            streamlit.caption(plain(f"Signed in as {user}"))
        streamlit.caption(plain(_age_of(build, last_check(settings))))
    _watch(settings, build)


def _age_of(build: Build, checked_at: datetime | None) -> str:
    """Up to when the build knows its source, and when the source last had nothing newer."""
    words = f"Data up to {build.info['run_ts']:%Y-%m-%d %H:%M} ({build.time_zone})"
    if checked_at is None:
        return words
    return f"{words}; nothing new on {checked_at.astimezone(ZoneInfo(build.time_zone)):%Y-%m-%d %H:%M}"


def _page(look: Look, report: Report) -> Any:
    return streamlit.Page(
        _named(report.name, lambda: report_page.show(look, report)),
        title=report.title,
        url_path=report.name,
    )


def _named(name: str, function: Callable[[], None]) -> Callable[[], None]:
    """Streamlit tells pages apart by the names of their functions."""
    function.__name__ = name
    return function


@streamlit.fragment(run_every=NEW_BUILD_SECONDS)
def _watch(settings: Settings, build: Build) -> None:
    """Begin the page anew when there is a newer build."""
    newest = current_build(settings)
    if newest is not None and newest.exists() and newest.resolve() != build.path:
        streamlit.toast("New data has arrived.", icon=":material/refresh:")
        streamlit.rerun()


def _stop(title: str, words: str) -> None:
    """A page that says what is wrong and what to do, without navigation."""
    streamlit.title(title)
    streamlit.info(plain(words), icon=":material/info:")


main()
