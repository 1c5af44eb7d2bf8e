"""Development over time: columns and lines by bucket, and the layers of snapshots.

Belongs here: charts with a time axis, of one group or of few. Many groups over time are a heat map.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import altair

from orchestration.viewer import formats
from orchestration.viewer.charts import layout, palette
from orchestration.viewer.charts.bars import GROUP, MEASURE
from orchestration.viewer.charts.view import View, is_additive, one_line

HEIGHT = 320
MAX_LINES = 6
"""More lines than this cannot be told apart."""


def trend(view: View) -> altair.LayerChart:
    """One group: columns of what adds up, in the colours of its category; else lines."""
    category = view.category
    if len(view.measures) > 1:
        stacked = view.entry["type"] == "stacked_bar"
        return _columns(view, MEASURE) if stacked else _lines(view, MEASURE)
    if view.has_groups and view.group_count > 1:
        return _lines(view, GROUP)
    if is_additive(view.measures[0]):
        return _columns(view, category)
    return _lines(view, category)


def snapshots(view: View) -> altair.LayerChart:
    """The pipeline at each snapshot as layers: by stage, band or category; of several groups by group."""
    series = GROUP if view.has_groups and view.group_count > 1 else view.category
    if series == "stage_label":
        view = _stages_by_name(view)
    measure = view.measures[0]
    colours = _colours(view, series)
    # A day is drawn at its own midnight; without a time JavaScript would take it as one of UTC.
    values = [value | {"at": f"{value['snapshot_date']}T00:00:00"} for value in _drawn(_values(view, series))]
    drawn = {value["series"] for value in values}
    colours = {name: colour for name, colour in colours.items() if name in drawn}
    keys = ["snapshot_date", *_keys(view, series)]
    x = altair.X(
        field="at",
        type="temporal",
        axis=altair.Axis(
            title=None, format="%-d %b %Y", labelOverlap="greedy", labelSeparation=12, grid=False
        ),
    )
    base = _summed(view, values, [*keys, "at"], measure)
    y = altair.Y(
        field="value",
        type="quantitative",
        stack="zero",
        axis=view.value_axis(measure, [v["value"] for v in values]),
    )
    encoding: dict[str, Any] = {"x": x, "y": y, **_colour(colours)}
    point = layout.selection(keys)
    area = base.mark_area(opacity=0.85, line={"strokeWidth": 1}, interpolate="linear").encode(**encoding)
    # An area is one mark: what is pointed at or clicked is the day in it.
    days = max(len({value["snapshot_date"] for value in values}), 1)
    hit = base.mark_bar(
        cursor="pointer", width=altair.ExprRef(f"max(3, width / {days})"), stroke=None
    ).encode(
        **encoding,
        opacity=altair.condition(point, altair.value(0.35), altair.value(0), empty=False),
        tooltip=layout.tooltip(
            [("Day", "day"), (view.heading_of(series), "series"), (formats.heading(measure), "full")]
        ),
    )
    hit = hit.transform_calculate(day="timeFormat(toDate(datum.at), '%-d %b %Y')").add_params(point)
    says = f"{formats.heading(measure)} at the time by {view.heading_of(series).lower()}"
    notes = ["Subteams are within the teams above them."] if view.has_subteams else []
    return layout.finish(view, [area, hit], height=HEIGHT, says=says, notes=notes)


def _drawn(values: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Values without zeros that add nothing; a layer keeps one for each day, or it would bridge the gap."""
    seen, found = set(), []
    for value in values:
        place = (value["series"], value["snapshot_date"])
        if value["value"] or place not in seen:
            found.append(value)
            seen.add(place)
    return found


def _stages_by_name(view: View) -> View:
    """Stages of one name in several pipelines as one layer: twenty colours tell nothing apart."""
    rows = [row | {"text_stage_label": row["stage_label"], "pipeline_label": None} for row in view.rows]
    columns = [name for name in view.columns if name not in ("stage_id", "pipeline_id", "stage_position")]
    return replace(view, rows=rows, columns=columns)


def _columns(view: View, series: str | None) -> altair.LayerChart:
    measure = view.measures[0]
    colours, values, keys = _colours(view, series), _values(view, series), _keys(view, series)
    point = layout.selection(keys)
    base = _summed(view, values, keys, measure)
    x, y = _period(view), _value(view, values, stack="zero")
    mark = {"color": palette.BLUE, "cursor": "pointer", "cornerRadiusEnd": 0 if series else 2}
    if series:
        mark |= {"stroke": palette.BACKGROUND[view.dark], "strokeWidth": 0.6}
    main = (
        base.mark_bar(**mark)
        .encode(x=x, y=y, **_colour(colours), tooltip=_tooltip(view, series), opacity=layout.faded(point))
        .add_params(point)
    )
    total = layout.data(values).transform_aggregate(value="sum(value)", groupby=["period"])
    total = total.transform_calculate(short=view.expression("value", measure))
    room = len(view.periods) * 46
    text = total.mark_text(
        dy=-7, color=view.text_colour, fontSize=11, opacity=layout.when_wide(width=room)
    ).encode(
        x=x, y=altair.Y(field="value", type="quantitative"), text=altair.Text(field="short", type="nominal")
    )
    return layout.finish(view, [main, text], height=HEIGHT, says=_says(view, series))


def _lines(view: View, series: str | None) -> altair.LayerChart:
    measure = view.measures[0]
    colours, values, keys = _colours(view, series), _values(view, series), _keys(view, series)
    point = layout.selection(keys)
    base = _summed(view, values, keys, measure)
    encoding = {"x": _period(view), "y": _value(view, values), **_colour(colours)}
    line = base.mark_line(strokeWidth=2.5, color=palette.BLUE).encode(**encoding)
    dots = (
        base.mark_point(filled=True, size=70, color=palette.BLUE, cursor="pointer")
        .encode(**encoding, tooltip=_tooltip(view, series), opacity=layout.faded(point))
        .add_params(point)
    )
    layers = [line, dots]
    if not series:
        text = base.mark_text(
            dy=-12,
            color=view.text_colour,
            fontSize=11,
            opacity=layout.when_wide(width=len(view.periods) * 46),
        )
        layers.append(
            text.encode(x=encoding["x"], y=encoding["y"], text=altair.Text(field="short", type="nominal"))
        )
    return layout.finish(view, layers, height=HEIGHT, says=_says(view, series))


# --- parts ----------------------------------------------------------------------------------------


def _values(view: View, series: str | None) -> list[dict[str, Any]]:
    places = {name: place for place, name in enumerate(_colours(view, series))}
    found, keys = [], [key for key in _keys(view, series) if key != MEASURE]
    for row in view.disjoint_rows if series != GROUP or "snapshot_date" in view.columns else view.rows:
        for measure in view.measures:
            if row[measure] is None:
                continue
            name = {GROUP: row.get("group"), MEASURE: formats.heading(measure), None: ""}.get(series)
            name = row[f"text_{series}"] if name is None else one_line(name)
            value = {column: row[column] for column in keys}
            value |= {"period": row.get("period"), "series": name, "place": places.get(name, 0)}
            value |= {"value": row[measure], MEASURE: measure}
            value |= {"snapshot_date": row["snapshot_date"]} if "snapshot_date" in row else {}
            found.append(value)
    return found


def _keys(view: View, series: str | None) -> list[str]:
    named = [] if series in (GROUP, MEASURE, None) else [series]
    return view.keys(*named) + ([MEASURE] if series == MEASURE else [])


def _colours(view: View, series: str | None) -> Mapping[str, str]:
    if series is None:
        return {}
    if series == MEASURE:
        chosen = palette.colours(view.measures)
        return {formats.heading(measure): colour for measure, colour in chosen.items()}
    if series == GROUP:
        return palette.colours(one_line(name) for name in view.groups)
    return view.colours(series)


def _summed(view: View, values: list[dict[str, Any]], keys: list[str], measure: str) -> altair.Chart:
    base = layout.data(values).transform_aggregate(
        value="sum(value)", groupby=[*keys, "period", "series", "place"]
    )
    return base.transform_calculate(
        full=view.expression("value", measure, compact=False), short=view.expression("value", measure)
    )


def _period(view: View) -> altair.X:
    return altair.X(
        field="period",
        type="ordinal",
        sort=view.periods,
        axis=layout.period_axis(),
        scale=altair.Scale(domain=view.periods, padding=0.2),
    )


def _value(view: View, values: list[dict[str, Any]], **given: Any) -> altair.Y:
    axis = view.value_axis(view.measures[0], [value["value"] for value in values])
    return altair.Y(field="value", type="quantitative", axis=axis, **given)


def _colour(colours: Mapping[str, str]) -> dict[str, Any]:
    if not colours:
        return {}
    return {
        "color": altair.Color(
            field="series",
            type="nominal",
            scale=layout.scale_of(colours),
            legend=layout.legend(list(colours)),
        ),
        "order": altair.Order(field="place", type="quantitative"),
    }


def _tooltip(view: View, series: str | None) -> list[altair.Tooltip]:
    pairs = [("Period", "period")]
    if series:
        pairs.append((view.heading_of(series), "series"))
    return layout.tooltip(
        [*pairs, ("Value" if series == MEASURE else formats.heading(view.measures[0]), "full")]
    )


def _says(view: View, series: str | None) -> str:
    by = "" if series in (None, MEASURE) else f" by {view.heading_of(series).lower()}"
    so_far = ", each period with all before it" if view.arguments.get("cumulative") else ""
    return f"{layout.listed(view.measures)}{by} over time{so_far}"
