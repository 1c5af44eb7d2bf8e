"""Distributions: where the middle of a group lies, and how far its slow part reaches.

Belongs here: charts of medians and upper deciles by group, and of single records along a time axis.
"""

from __future__ import annotations

import altair

from orchestration.viewer import formats
from orchestration.viewer.charts import layout, palette
from orchestration.viewer.charts.view import View


def ranges(view: View) -> altair.LayerChart:
    """A line from the middle (`y`) to the upper end (`high`) for each group, with the average as a tick."""
    middle, high, average = view.measures[0], view.entry["high"], view.entry.get("tick")
    columns = [middle, high, average] if average else [middle, high]
    told = [*columns, *layout.named(view.entry.get("label"))]
    rows = [row for row in view.rows if row[middle] is not None and row["group"] in set(view.groups)]
    rows = layout.with_tips(view, rows, told)
    names = [name for name in view.groups if name in {row["group"] for row in rows}]
    shape = {formats.heading(middle): palette.BLUE, formats.heading(high): palette.ORANGE}
    if average:
        shape[formats.heading(average)] = palette.MUTED[view.dark]
    y = altair.Y(
        field="group",
        type="nominal",
        sort=names,
        axis=layout.name_axis(names),
        scale=altair.Scale(domain=names),
    )
    scale, axis = _value_scale(view, [row[column] for row in rows for column in columns])

    def x(column: str) -> altair.X:
        return altair.X(field=column, type="quantitative", scale=scale, axis=axis)

    point = layout.selection(view.keys())
    tips = layout.row_tooltip(view, told)
    base = layout.data(rows)
    span = base.mark_rule(strokeWidth=5, opacity=0.55).encode(y=y, x=x(middle), x2=altair.X2(field=high))
    layers = [span]
    for column in columns:
        mark = (
            base.mark_tick(thickness=3, size=18, opacity=1)
            if column == average
            else base.mark_point(filled=True, size=150)
        )
        drawn = mark.encode(y=y, x=x(column), tooltip=tips, opacity=layout.faded(point))
        drawn = layout.named_colour(drawn, formats.heading(column), shape, names, symbolType="circle")
        # The selection belongs to one layer, the first mark that is clicked.
        layers.append(drawn.add_params(point) if column == middle else drawn)
    says = layout.listed([middle, high])
    if view.has_groups:
        says += f" by {view.group_heading.lower()}"
    return layout.finish(view, layers, height=max(layout.ROW * len(names), layout.ROW), says=says)


def records(view: View) -> altair.LayerChart:
    """Single records: when (`x`) and how long (`y`), coloured by a category."""
    x, y, category = view.entry["x"], view.measures[0], view.category
    told = [x, y, category, *layout.named(view.entry.get("label"))]
    rows = [row for row in view.rows if row[y] is not None]
    missing = len(view.rows) - len(rows)
    rows = layout.with_tips(view, rows, told)
    drawn_names = {row[f"text_{category}"] for row in rows}
    colours = {name: colour for name, colour in view.colours(category).items() if name in drawn_names}
    scale, axis = _value_scale(view, [row[y] for row in rows])
    point = layout.selection(
        [*view.keys(category), *[column for column in view.columns if column in view.record_keys]]
    )
    marks = layout.data(rows).mark_circle(size=55, cursor="pointer")
    drawn = marks.encode(
        x=layout.time_x(x),
        y=altair.Y(field=y, type="quantitative", scale=scale, axis=axis),
        color=altair.Color(
            field=f"text_{category}",
            type="nominal",
            scale=layout.scale_of(colours),
            legend=layout.legend(list(colours), symbolType="circle"),
        ),
        tooltip=layout.row_tooltip(view, told),
        opacity=layout.faded(point, 0.75),
    ).add_params(point)
    notes = [f"{missing:,} without a value are not drawn."] if missing else []
    says = f"{formats.heading(y)}, each point one"
    return layout.finish(view, [drawn], height=340, says=says, notes=notes)


def _value_scale(view: View, values: list[float]) -> tuple[altair.Scale, altair.Axis]:
    """Days as they are; times from minutes to weeks by powers, so that none of them vanishes."""
    measure = view.measures[0]
    if formats.kind(measure) != "duration":
        return altair.Scale(zero=True), view.value_axis(measure, values)
    ticks = [formats.MINUTE * n for n in (1, 5, 15)] + [formats.HOUR * n for n in (1, 4)]
    ticks += [formats.DAY * n for n in (1, 3, 7, 30, 90, 365)]
    known = [value for value in values if value is not None and value > 0] or [formats.MINUTE, formats.DAY]
    low, high = min(known), max(known)
    start = max((tick for tick in ticks if tick <= low), default=min(low, ticks[0]))
    end = min((tick for tick in ticks if tick >= high), default=high)
    scale = altair.Scale(type="log", domain=[max(start, formats.SECOND), end], nice=False, clamp=True)
    return scale, view.value_axis(
        measure, values, values=[tick for tick in ticks if start <= tick <= end], labelSeparation=2
    )
