"""Parts that every chart is put together from.

Belongs here: selection, tooltips, axes, legend, and the finished layered chart with its heading. The
width is the page's: what must fit a phone is wrapped or thinned out by expressions, not by a second
chart.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import altair

from orchestration.viewer import formats
from orchestration.viewer.charts import palette
from orchestration.viewer.charts.view import INDENT, MAX_GROUPS, SELECTION, View, one_line

ROW = 30
"""Height of a row of bars, in pixels."""
_TITLE_LENGTH, _NOTE_LENGTH = 40, 52  # letters on a line of a phone
_NARROW, _PHONE = 420, 560  # pixels; a plot, and a page, that are narrower have less text in them
_PAGE = "width ? containerSize()[0] || 960 : 960"
"""The whole chart's width; `width` is what axes leave of it. A picture without a page is 960 wide."""


def data(values: Iterable[Mapping[str, Any]]) -> altair.Chart:
    """A chart of these values and no others, so that nothing else reaches the page."""
    return altair.Chart(altair.Data(values=list(values)))


def selection(keys: Sequence[str]) -> altair.Parameter:
    """What a click selects: the values of `keys`, which lead to the records behind."""
    return altair.selection_point(name=SELECTION, fields=list(keys))


def faded(point: altair.Parameter, opacity: float = 1) -> Any:
    """Full where selected or nothing is; else held back."""
    return altair.condition(point, altair.value(opacity), altair.value(0.3 * opacity))


def tooltip(pairs: Iterable[tuple[str, str]]) -> list[altair.Tooltip]:
    """Tooltips of (heading, field) with the text in the field."""
    return [altair.Tooltip(field=field, type="nominal", title=title) for title, field in pairs]


def row_tooltip(view: View, columns: Iterable[str]) -> list[altair.Tooltip]:
    """Tooltips of marks that stand for one row each; `with_tips` writes their texts."""
    shown = [column for column in dict.fromkeys(columns) if column in view.columns]
    group = [(view.group_heading, "group_line")] if view.has_groups else []
    when = [("Period", "period")] if view.periods else []
    return tooltip(group + when + [(formats.heading(column), f"tip_{column}") for column in shown])


def with_tips(view: View, rows: Iterable[Mapping[str, Any]], columns: Iterable[str]) -> list[dict[str, Any]]:
    """The rows with full texts of these columns for `row_tooltip`."""
    shown = [column for column in dict.fromkeys(columns) if column in view.columns]
    return [
        {
            **row,
            "group_line": one_line(row.get("group", "")),
            **{f"tip_{column}": view.text(row, column) for column in shown},
        }
        for row in rows
    ]


def name_axis(names: Sequence[str] = (), **given: Any) -> altair.Axis:
    """An axis of names, each on one or two lines, all of them shown; a tree's from the left, indented."""
    least = min((name.count("\n") for name in names), default=0)
    settings: dict[str, Any] = {
        "labelOffset": -6.5 * least,  # the first line would stand in the middle
        "title": None,
        "labelExpr": "split(datum.label, '\\n')",
        "labelLimit": 240,
        "labelOverlap": False,
        "ticks": False,
        "domain": False,
        "labelLineHeight": 13,
    }
    if any(name.startswith(INDENT) for name in names):
        longest = max(len(line) for name in names for line in name.split("\n"))
        settings |= {"labelAlign": "left", "labelPadding": 6.4 * longest + 6}
    return altair.Axis(**{**settings, **given})


def period_axis(**given: Any) -> altair.Axis:
    """An axis of periods, as many labels as fit; on a phone the years in short."""
    settings = {
        "labelExpr": f"page < {_PHONE} ? replace(datum.label, ' 20', ' ’') : datum.label",
        "title": None,
        "labelAngle": 0,
        "labelOverlap": "greedy",
        "ticks": False,
        "labelSeparation": 8,
    }
    return altair.Axis(**{**settings, **given})


def legend(names: Sequence[str], beside: Sequence[str] = (), **given: Any) -> altair.Legend:
    """A legend above the plot, in as many columns as fit there; `beside` are the names left of the plot."""
    widest = max((len(name) for name in names), default=1) * 6.6 + 34
    left = 6.4 * max((len(line) for name in beside for line in name.split("\n")), default=6) + 24
    columns = altair.ExprRef(f"max(1, min({len(names)}, floor((page - {left:.0f}) / {widest:.0f})))")
    settings = {
        "orient": "top",
        "direction": "horizontal",
        "columns": columns,
        "title": None,
        "symbolLimit": 0,
    }
    return altair.Legend(**{**settings, **given})


def scale_of(colours: Mapping[str, str]) -> altair.Scale:
    return altair.Scale(domain=list(colours), range=list(colours.values()))


def named_colour(
    chart: altair.Chart, name: str, colours: Mapping[str, str], beside: Sequence[str] = (), **given: Any
) -> altair.Chart:
    """The chart in the colour of `name`, with a legend of all of `colours`."""
    colour = altair.Color(
        field="what", type="nominal", scale=scale_of(colours), legend=legend(list(colours), beside, **given)
    )
    return chart.transform_calculate(what=repr(name)).encode(color=colour)


def end_space(pixels: int) -> altair.Scale:
    """A scale of values that leaves room for texts at the ends of bars."""
    return altair.Scale(range=[0, altair.ExprRef(f"max(60, width - {pixels})")], nice=True)


def on_phone(then: str, otherwise: str) -> altair.ExprRef:
    """One of two expressions, by the width of the page."""
    return altair.ExprRef(f"page < {_PHONE} ? {then} : {otherwise}")


def when_wide(opacity: float = 1, width: int = _NARROW) -> altair.ExprRef:
    """Shown only where there is room."""
    return altair.ExprRef(f"width < {width} ? 0 : {opacity}")


def finish(
    view: View, layers: Sequence[altair.Chart], *, height: int, says: str, notes: Sequence[str] = ()
) -> altair.LayerChart:
    """The layers as one chart of the page's width. `says` tells in words what is drawn."""
    notes = list(notes)
    if view.has_groups and view.group_count > MAX_GROUPS:
        notes.append(f"The first {MAX_GROUPS} of {view.group_count}; the table has all of them.")
    title = altair.TitleParams(text=_wrapping(says))
    if notes:
        # A subtitle knows no expressions, so it is wrapped for a phone everywhere.
        title.subtitle = [line for note in notes for line in textwrap.wrap(note, _NOTE_LENGTH)]
    chart = altair.layer(*layers).properties(
        width="container",
        height=height,
        title=title,
        autosize=altair.AutoSizeParams(type="fit-x", contains="padding"),
    )
    page = altair.VariableParameter(name="page", expr=_PAGE)
    chart.params = [page, *([] if chart.params is altair.Undefined else chart.params)]
    chart.config = dict(palette.config(view.dark))
    return chart


def named(columns: str | Sequence[str] | None) -> list[str]:
    """Columns of an entry of the YAML, which may be one, several or none."""
    return [columns] if isinstance(columns, str) else list(columns or [])


def listed(columns: Sequence[str]) -> str:
    """Headings as a phrase: "Won, lost and open"."""
    first, *others = map(formats.heading, columns)
    others = [name[:1].lower() + name[1:] for name in others]
    return first if not others else f"{', '.join([first, *others[:-1]])} and {others[-1]}"


def time_x(column: str) -> altair.X:
    axis = altair.Axis(
        title=None, format="%-d %b", labelOverlap="greedy", labelSeparation=12, tickCount=8, grid=True
    )
    return altair.X(field=column, type="temporal", axis=axis)


def _wrapping(text: str) -> altair.ExprRef:
    """A text on one line, on a phone on as many as it needs."""
    return on_phone(json.dumps(textwrap.wrap(text, _TITLE_LENGTH)), json.dumps([text]))


def message(view: View, text: str) -> altair.LayerChart:
    """A chart that says why there is nothing to draw."""
    layer = data([{"text": text}]).mark_text(fontSize=14, color=view.muted).encode(text="text:N")
    return finish(view, [layer], height=140, says=view.title)
