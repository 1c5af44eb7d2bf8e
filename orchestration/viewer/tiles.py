"""Tiles: a report, small, with its title, its period and a link to its page.

Belongs here: how a dashboard's reports are laid out and drawn, and the dashboard that ships with the
viewer. A tile that cannot be shown, because the report, a rep or a stage is gone, says so in its place;
all others are drawn all the same.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

import streamlit

from orchestration.viewer import charts, formats
from orchestration.viewer.catalog import Report, catalog
from orchestration.viewer.database import Build, QueryError
from orchestration.viewer.saved import WIDTHS, Saved
from orchestration.viewer.saved import Tile as SavedTile
from orchestration.viewer.state import AddressError, ReportState

_MAX_ROWS = 2_000  # of a tile; what needs more is looked at on its page
_COLUMN = 120  # pixels that a sixth of the page has at least; a narrower page has fewer of them


@dataclass(frozen=True)
class Tile:
    """What a tile shows: a report and the query string of its address."""

    name: str
    report: str
    query: str = ""
    width: int = WIDTHS["half"]
    problem: str | None = None
    """Why there is nothing to show."""


@dataclass(frozen=True)
class Look:
    """What a page needs to show tiles to one reader."""

    build: Build
    saved: Saved
    page_of: Callable[[str], Any]
    """The page of a report by its name, as `streamlit.page_link` takes it."""
    dark: bool = False


DEFAULT_NAME = "Sales overview"
DEFAULT_TILES = (
    Tile(
        "Deals won and lost by month",
        "deals_won_and_lost",
        "period=last_365_days&group_by=none&bucket=month",
        WIDTHS["two thirds"],
    ),
    Tile(
        "Deals won and lost by rep",
        "deals_won_and_lost",
        "period=this_quarter",
        WIDTHS["third"],
    ),
    Tile("Pipeline waterfall", "deal_pipeline_waterfall", "period=this_quarter"),
    Tile("Quota attainment", "quota_attainment"),
    Tile("Deal funnel", "deal_funnel", "period=last_365_days"),
    Tile("Forecast by category", "forecast_category", "period=this_quarter"),
    Tile("Why deals were lost", "deal_loss_reasons", "period=last_365_days&group_by=none"),
    Tile("Completed activities", "completed_activities", "period=last_30_days"),
)
"""The dashboard that everybody has before making one: what came in, what is to come, what was done."""


def of_saved(tile: SavedTile) -> Tile:
    """A kept tile as it is shown."""
    if tile.saved is None:
        return Tile("Saved report", "", "", tile.width, "Its owner no longer shares this report with you.")
    return Tile(tile.saved.name, tile.saved.report, tile.saved.query, tile.width)


def show(look: Look, shown: Sequence[Tile]) -> None:
    """Tiles beside each other as wide as they ask for; on a phone one below the other."""
    grid = streamlit.grid(6, min_column_width=_COLUMN)
    for index, tile in enumerate(shown):
        with (
            grid.cell(column_span=tile.width // 2),
            streamlit.container(border=True, key=f"shown_{index}", height="stretch"),
        ):
            _tile(look, tile, index)


def _tile(look: Look, tile: Tile, index: int) -> None:
    if tile.problem:
        streamlit.markdown(f"**{plain(tile.name)}**")
        streamlit.info(tile.problem)
        return
    link(look, tile.report, tile.query, tile.name)
    try:
        report, state = _read(look.build, tile.report, tile.query)
        rows = look.build.rows(state.sql(report, look.build.calendar), _MAX_ROWS)
    except (AddressError, QueryError) as error:
        _cannot_be_shown(error)
        return
    streamlit.caption(plain(state.period.words(look.build.calendar)))
    if report.missing:
        streamlit.info(f"Not available: the source lacks {', '.join(report.missing)}.")
    elif rows.empty:
        streamlit.info("No records in this period.")
    else:
        try:
            _draw(look, report, state, rows, index)
        except Exception:  # a mistake of ours in one chart is no reason to lose all the others
            logging.getLogger(__name__).exception("%s?%s cannot be drawn", tile.report, tile.query)
            streamlit.error("This cannot be drawn. The log of the viewer says why.", icon=":material/error:")


def _draw(look: Look, report: Report, state: ReportState, rows: Any, index: int) -> None:
    drawn = charts.chart(report, rows, state, currency=look.build.currency, dark=look.dark)
    if drawn is None:
        table = formats.table(rows, currency=look.build.currency, group_by=state.value(report, "group_by"))
        streamlit.dataframe(
            table.data,
            column_config=table.config,
            column_order=table.order,
            hide_index=True,
            height=300,
            placeholder=formats.UNDEFINED,
        )
        return
    streamlit.altair_chart(drawn, theme=None, key=f"tile_chart_{index}", alt=report.question)


def _cannot_be_shown(error: Exception) -> None:
    streamlit.warning(
        f"This cannot be shown any more: {plain(str(error))}. Open the report, choose anew and save it.",
        icon=":material/warning:",
    )


def _read(build: Build, name: str, query: str) -> tuple[Report, ReportState]:
    """The report and its state. Raises AddressError if this build does not know one of them."""
    report = catalog(build).reports.get(name)
    if report is None:
        raise AddressError(f"there is no report {name!r} in this build")
    return report, ReportState.from_query(report, query)


def problem(look: Look, name: str, query: str) -> str | None:
    """What keeps a saved report from being opened, as far as can be told without asking for its rows."""
    try:
        _read(look.build, name, query)
    except AddressError as error:
        return f"cannot be shown any more: {error}"
    return None


def link(look: Look, name: str, query: str, label: str) -> None:
    """A link to a report's page with this state, or just its name if there is no such page."""
    page = look.page_of(name)
    if page is None:
        streamlit.markdown(f"**{plain(label)}**")
        return
    streamlit.page_link(
        page, label=f"**{plain(label)}**", query_params=parse_qs(query, keep_blank_values=True)
    )


def plain(text: str) -> str:
    """A text that Markdown leaves as it is."""
    return re.sub(r"([\\`*_{}\[\]()<>#+\-.!|~$:])", r"\\\1", text)
