"""Colours and Vega's settings for light and dark.

Belongs here: which colour means what, and how axes, legends and texts look. One set of colours serves
both themes: each stands out from white and from the dark background (tests/viewer/test_charts.py).
Green and red are bluish and yellowish, so that they differ without colour vision too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

BLUE, GREEN, RED, GREY = "#3b82c4", "#159a7c", "#d9503f", "#868e96"
ORANGE, PURPLE, TEAL, GOLD = "#cb7a22", "#8e6bc8", "#2596a8", "#b28a24"
PINK, LIME, BROWN, INDIGO = "#cf5f9b", "#5f9e3f", "#a5714b", "#5c6bd0"
ROSE, OLIVE, STEEL = "#b0647f", "#858b2b", "#5f86a8"
CATEGORIES = (BLUE, ORANGE, PURPLE, TEAL, GOLD, PINK, INDIGO, LIME, BROWN, ROSE, OLIVE, STEEL)
"""For names without a meaning of their own; all further names are grey."""

BACKGROUND = {False: "#ffffff", True: "#0e1117"}
TEXT = {False: "#33475b", True: "#dfe3e8"}
MUTED = {False: "#66788a", True: "#9aa5b1"}
_GRID = {False: "#e7edf3", True: "#2a303a"}
_LINE = {False: "#b5c2cf", True: "#4a5462"}
FAINT = {False: "#eaf1f8", True: "#17222e"}
FONT = "Source Sans, Segoe UI, Roboto, Helvetica Neue, Arial, Liberation Sans, DejaVu Sans, sans-serif"

_MEANINGS = (
    (GREY, r"^\(|^-$|^none$|^unknown$|^skipped_count$|^deferred$|^outside"),
    (
        GREEN,
        r"\bwon\b|^closed$|^closed_count$|^completed|^held_count$|^connected|^won_|^forward$",
    ),
    (RED, r"\blost\b|no.show|^lost_|^overdue|^bounced"),
    (BROWN, r"^omit$"),
    (ORANGE, r"^cancell?ed"),
    (GOLD, r"^rescheduled"),
    (TEAL, r"^commit$"),
    (BLUE, r"^open|^pending|^best_case$|^scheduled|^not_started$|^inside"),
    (PURPLE, r"^pipeline$"),
)


def colours(names: Iterable[str]) -> dict[str, str]:
    """A colour for each name, in order: its meaning's (won is green, lost red), else the next free one."""
    found = {name: _meaning(name) for name in names}
    # A meaning that two names share tells them apart no more; the second one gets a colour of its own.
    taken: set[str] = set()
    for name, colour in found.items():
        if colour and colour != GREY and colour in taken:
            found[name] = None
        elif colour:
            taken.add(colour)
    free = [colour for colour in CATEGORIES if colour not in taken]
    unnamed = [name for name, colour in found.items() if colour is None]
    return {
        **found,
        **{name: free[i] if i < len(free) else GREY for i, name in enumerate(unnamed)},
    }


def _meaning(name: str) -> str | None:
    return next((colour for colour, pattern in _MEANINGS if re.search(pattern, name.lower())), None)


def ramp(dark: bool) -> list[str]:
    """From little to much."""
    return [FAINT[dark], BLUE]


def config(dark: bool) -> Mapping[str, Any]:
    """Vega-Lite's `config`: calm axes, no frame, texts in the page's colour; no background of its own."""
    text, muted = TEXT[dark], MUTED[dark]
    return {
        "background": "transparent",
        "font": FONT,
        "view": {"stroke": None},
        "axis": {
            "labelColor": text,
            "titleColor": muted,
            "labelFontSize": 12,
            "titleFontSize": 12,
            "titleFontWeight": "normal",
            "gridColor": _GRID[dark],
            "domainColor": _LINE[dark],
            "tickColor": _LINE[dark],
            "labelPadding": 6,
            "titlePadding": 8,
        },
        "legend": {
            "labelColor": text,
            "titleColor": muted,
            "labelFontSize": 12,
            "titleFontSize": 12,
            "titleFontWeight": "normal",
            "offset": 16,
            "symbolType": "square",
            "symbolSize": 110,
            "labelLimit": 240,
            "rowPadding": 4,
            "columnPadding": 14,
        },
        "title": {
            "color": text,
            "subtitleColor": muted,
            "fontSize": 14,
            "subtitleFontSize": 12,
            "fontWeight": 600,
            "anchor": "start",
            "frame": "bounds",
            "offset": 12,
        },
        "text": {"color": text, "fontSize": 12},
        "rule": {"color": _LINE[dark]},
    }
