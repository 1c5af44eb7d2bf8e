"""Timelines: what happened when, one lane for each group or kind.

Belongs here: charts of single events along time. Very many of them are counted by day instead.
"""

from __future__ import annotations

import altair

from orchestration.viewer import formats
from orchestration.viewer.charts import layout, palette
from orchestration.viewer.charts.view import View, lines

MAX_EVENTS = 4_000
"""As many events as a browser draws without delay."""


def timeline(view: View) -> altair.LayerChart:
    """Events along `x`, in lanes of `y`, coloured by a category."""
    x, category = view.entry["x"], view.category
    lane = view.measures[0]
    told = [x, category, *layout.named(view.entry.get("label"))]
    rows = [
        row | {"lane": row["group"] if lane == "group_label" else lines(row[f"text_{lane}"])}
        for row in view.rows
        if row[x] is not None
    ]
    names = view.groups if lane == "group_label" else [lines(text) for text in view.texts(lane)]
    rows = [row for row in rows if row["lane"] in set(names)]
    y = altair.Y(
        field="lane",
        type="nominal",
        sort=names,
        axis=layout.name_axis(names),
        scale=altair.Scale(domain=names),
    )
    heading = view.group_heading if lane == "group_label" else formats.heading(lane)
    colours = view.colours(category)
    if len(rows) > MAX_EVENTS:
        return _by_day(view, rows, x, y, names, heading)
    point = layout.selection([*view.keys(category), *view.record_keys])
    kinds = list(colours)
    marks = layout.data(layout.with_tips(view, rows, told)).mark_circle(size=46, cursor="pointer")
    drawn = marks.encode(
        x=layout.time_x(x),
        y=y,
        yOffset=altair.YOffset(
            field=f"text_{category}",
            type="nominal",
            sort=kinds,
            scale=altair.Scale(domain=kinds, paddingOuter=0.6),
        ),
        color=altair.Color(
            field=f"text_{category}",
            type="nominal",
            scale=layout.scale_of(colours),
            legend=layout.legend(kinds, names, symbolType="circle"),
        ),
        tooltip=layout.row_tooltip(view, told),
        opacity=layout.faded(point, 0.7),
    ).add_params(point)
    height = max(120, max(30, 9 * len(kinds) + 8) * len(names))
    says = f"{view.title} by {heading.lower()}" if len(names) > 1 else view.title
    return layout.finish(view, [drawn], height=height, says=says)


def _by_day(view: View, rows: list, x: str, y: altair.Y, names: list[str], heading: str) -> altair.LayerChart:
    keys = ["lane", "day"]
    base = layout.data(
        [{"lane": row["lane"], "day": row[x][:10], "at": f"{row[x][:10]}T00:00:00"} for row in rows]
    )
    base = base.transform_aggregate(value="count()", groupby=[*keys, "at"])
    base = base.transform_calculate(full=view.expression("value", "row_count", compact=False))
    point = layout.selection(keys)
    drawn = (
        base.mark_bar(cursor="pointer", width=4)
        .encode(
            x=layout.time_x("at"),
            y=y,
            color=altair.Color(
                field="value",
                type="quantitative",
                legend=None,
                scale=altair.Scale(range=palette.ramp(view.dark), domainMin=0),
            ),
            tooltip=layout.tooltip([(heading, "lane"), ("Day", "day"), ("Number", "full")]),
            opacity=layout.faded(point),
        )
        .add_params(point)
    )
    notes = [f"{len(rows):,} are too many to draw one by one; the darker, the more on a day."]
    return layout.finish(
        view, [drawn], height=30 * max(len(names), 1), says=f"{view.title} by day", notes=notes
    )
