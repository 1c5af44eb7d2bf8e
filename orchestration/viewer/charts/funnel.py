"""The funnel: how many get to each stage, how many skip it, and how many go on.

Belongs here: stages from top to bottom with conversion between them. Several groups are a heat map.
"""

from __future__ import annotations

import altair

from orchestration.viewer import formats
from orchestration.viewer.charts import layout, palette
from orchestration.viewer.charts.view import View, lines

_STEP = 58


def funnel(view: View) -> altair.LayerChart:
    """Bars of `y` (those in the stage, those who passed it by), with `rate` between and `share` beside."""
    stage, rate, share = view.entry["x"], view.entry["rate"], view.entry["share"]
    inside, skipped = view.measures
    told = [inside, skipped, share, rate, *layout.named(view.entry.get("label"))]
    rows = sorted(layout.with_tips(view, view.rows, told), key=lambda row: row["stage_position"])
    for row in rows:
        row["row"] = lines(row[f"text_{stage}"])
        row["reached"] = (row[inside] or 0) + (row[skipped] or 0)
    names = [row["row"] for row in rows]
    colours = {formats.heading(inside): palette.BLUE, formats.heading(skipped): palette.GREY}
    y = altair.Y(
        field="row",
        type="nominal",
        sort=names,
        axis=layout.name_axis(),
        scale=altair.Scale(domain=names, paddingInner=0.48, paddingOuter=0.1),
    )
    scale = altair.Scale(range=[0, layout.on_phone("max(60, width - 100)", "width - 190")])
    axis = view.value_axis(inside, [row["reached"] for row in rows])
    point = layout.selection(view.keys(stage))
    tips = layout.row_tooltip(view, [stage, *told])
    base = layout.data(rows)
    parts = base.transform_calculate(end=f"datum['{inside}'] + datum['{skipped}']")

    def part(start: str, end: str | None, column: str) -> altair.Chart:
        bar = parts.mark_bar(cursor="pointer").encode(
            y=y,
            x=altair.X(field=start, type="quantitative", scale=scale, axis=axis),
            x2=altair.X2(field=end) if end else altair.X2(datum=0),
            opacity=layout.faded(point),
            tooltip=tips,
        )
        return layout.named_colour(bar, formats.heading(column), colours, names)

    beside = (
        f"{view.expression(inside, inside)}"
        f" + (datum['{skipped}'] > 0 ? (page < 560 ? '+' : ' + ') + {view.expression(skipped, skipped)} : '')"
        f" + (datum['{skipped}'] > 0 && page >= 560 ? ' {formats.heading(skipped).lower()}' : '')"
        f" + ' · ' + {view.expression(share, share)} + (page < 560 ? '' : ' of all')"
    )
    text = (
        parts.transform_calculate(beside=beside)
        .mark_text(align="left", dx=6, color=view.text_colour)
        .encode(
            y=y,
            x=altair.X(field="end", type="quantitative"),
            text=altair.Text(field="beside", type="nominal"),
        )
    )
    between = base.transform_filter(f"isValid(datum['{rate}'])").transform_calculate(
        goes=f"'↓ ' + {view.expression(rate, rate)} + ' go on'"
    )
    onward = between.mark_text(align="left", dx=8, dy=_STEP / 2, color=view.muted, fontSize=11).encode(
        y=y, x=altair.X(datum=0, type="quantitative"), text=altair.Text(field="goes", type="nominal")
    )
    layers = [part(inside, None, inside).add_params(point), part(inside, "end", skipped), text, onward]
    says = f"{layout.listed([inside, skipped])} by stage"
    return layout.finish(view, layers, height=_STEP * max(len(rows), 1), says=says)
