"""Attainment: what was won against the target, for each group or period by period.

Belongs here: bars with a target to reach, incremental or running totals.
"""

from __future__ import annotations

from typing import Any

import altair

from orchestration.viewer import formats
from orchestration.viewer.charts import layout, palette
from orchestration.viewer.charts.view import View

REACHED, BELOW = "Target reached", "Below target"
_COLOURS = {REACHED: palette.GREEN, BELOW: palette.BLUE}


def attainment(view: View) -> altair.LayerChart:
    """A bar of `y` for each group, the target as a tick across, the rate beside it."""
    actual, target, rate = view.measures[0], view.entry["target"], view.entry["rate"]
    told = [actual, target, rate, "gap_amount", "expected_amount", "won_count"]
    rows = layout.with_tips(view, [row for row in view.rows if row["group"] in set(view.groups)], told)
    rows = [row | {"state": REACHED if (row[rate] or 0) >= 1 else BELOW} for row in rows]
    names = view.groups
    y = altair.Y(
        field="group",
        type="nominal",
        sort=names,
        axis=layout.name_axis(names),
        scale=altair.Scale(domain=names, padding=0.2),
    )
    axis = view.value_axis(actual, [row[column] for row in rows for column in (actual, target)])
    x = altair.X(field=actual, type="quantitative", scale=layout.end_space(70), axis=axis)
    point = layout.selection(view.keys())
    base = layout.data(rows).transform_calculate(
        beside=f"isValid(datum['{rate}']) ? {view.expression(rate, rate)} : 'no target'",
        reach=f"max(datum['{actual}'] || 0, datum['{target}'] || 0)",
    )
    tips = layout.row_tooltip(view, told)
    bars = (
        base.mark_bar(cursor="pointer", cornerRadiusEnd=2)
        .encode(
            y=y,
            x=x,
            color=altair.Color(
                field="state",
                type="nominal",
                scale=layout.scale_of(_COLOURS),
                legend=layout.legend(list(_COLOURS), names),
            ),
            tooltip=tips,
            opacity=layout.faded(point),
        )
        .add_params(point)
    )
    ticks = (
        base.transform_filter(f"datum['{target}'] > 0")
        .mark_tick(thickness=3, size=24, opacity=1, color=view.text_colour)
        .encode(y=y, x=altair.X(field=target, type="quantitative"), tooltip=tips)
    )
    text = base.mark_text(align="left", dx=8, color=view.text_colour).encode(
        y=y, x=altair.X(field="reach", type="quantitative"), text=altair.Text(field="beside", type="nominal")
    )
    says = f"{formats.heading(actual)} against target by {view.group_heading.lower()}"
    if not view.has_groups:
        says = f"{formats.heading(actual)} against target"
    notes = ["The line across each bar is the target."]
    return layout.finish(view, [bars, ticks, text], height=34 * max(len(names), 1), says=says, notes=notes)


def progress(view: View) -> altair.LayerChart:
    """One group by period: columns against targets, or running totals as lines."""
    if view.arguments.get("compare_against") == "cumulative" or view.arguments.get("cumulative"):
        return _running(view)
    return _incremental(view)


def _incremental(view: View) -> altair.LayerChart:
    actual, target, rate = view.measures[0], view.entry["target"], view.entry["rate"]
    told = [actual, target, rate, "won_count"]
    rows = layout.with_tips(view, view.rows, told)
    rows = [row | {"state": REACHED if (row[rate] or 0) >= 1 else BELOW} for row in rows]
    point = layout.selection(view.keys())
    x = _period(view)
    axis = view.value_axis(actual, [row[column] for row in rows for column in (actual, target)])
    tips = layout.row_tooltip(view, told)
    base = layout.data(rows).transform_calculate(
        beside=f"datum.elapsed_share > 0 ? {view.expression(rate, rate)} : ''",
        reach=f"max(datum['{actual}'] || 0, datum['{target}'] || 0)",
    )
    bars = (
        base.mark_bar(cursor="pointer", cornerRadiusEnd=2)
        .encode(
            x=x,
            y=altair.Y(field=actual, type="quantitative", axis=axis),
            color=altair.Color(
                field="state",
                type="nominal",
                scale=layout.scale_of(_COLOURS),
                legend=layout.legend(list(_COLOURS)),
            ),
            tooltip=tips,
            opacity=layout.faded(point),
        )
        .add_params(point)
    )
    ticks = (
        base.transform_filter(f"datum['{target}'] > 0")
        .mark_tick(thickness=3, opacity=1, color=view.text_colour, width=altair.RelativeBandSize(band=0.95))
        .encode(x=x, y=altair.Y(field=target, type="quantitative"), tooltip=tips)
    )
    room = len(view.periods) * 40
    text = base.mark_text(
        dy=-10, fontSize=11, color=view.text_colour, opacity=layout.when_wide(width=room)
    ).encode(
        x=x, y=altair.Y(field="reach", type="quantitative"), text=altair.Text(field="beside", type="nominal")
    )
    says = f"{formats.heading(actual)} against target, each period by itself"
    notes = ["The line across each column is the target."]
    return layout.finish(view, [bars, ticks, text], height=320, says=says, notes=notes)


def _running(view: View) -> altair.LayerChart:
    actual, target, rate = "cumulative_actual_amount", "cumulative_target_amount", view.entry["rate"]
    told = [actual, target, rate]
    rows = layout.with_tips(view, view.rows, told)
    names = {formats.heading(actual): palette.GREEN, formats.heading(target): palette.MUTED[view.dark]}
    point = layout.selection(view.keys())
    x = _period(view)
    axis = view.value_axis(actual, [row[column] for row in rows for column in (actual, target)])
    tips = layout.row_tooltip(view, told)
    # What is still to come has a target, but nothing won yet.
    begun = layout.data([row for row in rows if row["elapsed_share"]])

    def place(column: str) -> dict[str, Any]:
        return {"x": x, "y": altair.Y(field=column, type="quantitative", axis=axis)}

    def named(chart: altair.Chart, column: str) -> altair.Chart:
        # The area is faint, which its name in the legend must not be.
        return layout.named_colour(
            chart.encode(**place(column)), formats.heading(column), names, symbolOpacity=1
        )

    layers = [
        named(layout.data(rows).mark_line(strokeWidth=2, strokeDash=[6, 4]), target),
        named(begun.mark_area(opacity=0.12), actual),
        named(begun.mark_line(strokeWidth=3), actual),
    ]
    dots = named(begun.mark_point(filled=True, size=80, cursor="pointer"), actual)
    layers.append(dots.encode(tooltip=tips, opacity=layout.faded(point)).add_params(point))
    text = begun.transform_calculate(short=view.expression(rate, rate)).mark_text(
        dy=-13, fontSize=11, color=view.text_colour, opacity=layout.when_wide(width=len(view.periods) * 40)
    )
    text = text.encode(
        x=x, y=altair.Y(field=actual, type="quantitative"), text=altair.Text(field="short", type="nominal")
    )
    says = "Won amount against target, running totals"
    return layout.finish(view, [*layers, text], height=320, says=says)


def _period(view: View) -> altair.X:
    return altair.X(
        field="period",
        type="ordinal",
        sort=view.periods,
        axis=layout.period_axis(),
        scale=altair.Scale(domain=view.periods, padding=0.25),
    )
