"""Heat maps: many groups against periods, stages or categories at once.

Belongs here: charts whose marks are cells, with the value in each where there is room.
"""

from __future__ import annotations

from typing import Any

import altair

from orchestration.viewer import formats
from orchestration.viewer.charts import layout, palette
from orchestration.viewer.charts.bars import GROUP
from orchestration.viewer.charts.view import MAX_GROUPS, View, is_additive, lines, one_line

PERIOD = "period"
_STEP = 28


def over_time(view: View) -> altair.LayerChart:
    """Groups against buckets; of what cannot be added up, also by category."""
    rows = [GROUP] if view.has_groups else []
    colour = view.entry.get("heat") or view.measures[0]
    if view.category and (not is_additive(colour) or not rows):
        rows.append(view.category)
    return heat(view, rows=rows, columns=PERIOD, colour=colour)


def by_category(view: View) -> altair.LayerChart:
    """Groups against the chart's category: stages, sequences, kinds of change."""
    column = view.entry["x"] if view.entry["x"] != "group_label" else view.category
    return heat(view, rows=[GROUP], columns=column, colour=view.entry.get("heat") or view.measures[0])


def heat(view: View, rows: list[str], columns: str, colour: str) -> altair.LayerChart:
    """Cells of `rows` (joined) by `columns`, coloured by the column `colour`."""
    all_names = _row_names(view, rows, colour)
    row_names = all_names[:MAX_GROUPS]
    notes = []
    if len(rows) > 1 and len(all_names) > MAX_GROUPS:
        notes.append(f"The first {MAX_GROUPS} of {len(all_names)} rows; the table has all of them.")
    column_names = view.periods if columns == PERIOD else _used(view, columns, colour)
    categories = [name for name in (*rows, columns) if name not in (GROUP, PERIOD)]
    keys = view.keys(*categories)
    shown = set(row_names)
    values = []
    for row in view.rows:
        name = _row_text(row, rows)
        column = row["period"] if columns == PERIOD else row[f"text_{columns}"]
        is_to_come = row.get("elapsed_share") == 0  # a target that nobody can have met yet
        if row[colour] is None or is_to_come or name not in shown or column not in column_names:
            continue
        value = {key: row[key] for key in keys} | {"row": name, "line": one_line(name)}
        value |= {"column": column, "value": row[colour]}
        values.append(value)
    # An empty cell says that nothing was there; a rate of 0 is a result.
    short = view.expression("value", colour)
    if is_additive(colour):
        short = f"datum.value == 0 ? '' : {short}"
    point = layout.selection(keys)
    base = layout.data(values).transform_aggregate(
        value="sum(value)", groupby=[*keys, "row", "line", "column"]
    )
    base = base.transform_calculate(
        full=view.expression("value", colour, compact=False),
        short=short,
    )
    x = altair.X(
        field="column",
        type="nominal",
        sort=column_names,
        scale=altair.Scale(domain=column_names),
        axis=_column_axis(column_names, columns == PERIOD),
    )
    y = altair.Y(
        field="row",
        type="nominal",
        sort=row_names,
        scale=altair.Scale(domain=row_names),
        axis=layout.name_axis(row_names),
    )
    heading = " and ".join(view.heading_of(name) for name in rows)
    cells = (
        base.mark_rect(
            cursor="pointer", stroke=palette.BACKGROUND[view.dark], strokeWidth=1.5, cornerRadius=2
        )
        .encode(
            x=x,
            y=y,
            color=_colour(view, colour, values),
            opacity=layout.faded(point),
            tooltip=layout.tooltip(
                [(heading, "line"), (view.heading_of(columns), "column"), (formats.heading(colour), "full")]
            ),
        )
        .add_params(point)
    )
    room = len(column_names) * _text_width(view, colour)
    text = base.mark_text(fontSize=11, opacity=layout.when_wide(width=room)).encode(
        x=x,
        y=y,
        text=altair.Text(field="short", type="nominal"),
        color=_text_colour(view, colour, values),
    )
    step = max(_STEP, 14 * max((name.count("\n") + 1 for name in row_names), default=1) + 4)
    *others, last = [view.heading_of(name).lower() for name in (*rows, columns)]
    says = f"{formats.heading(colour)} by {', '.join(others)} and {last}"
    return layout.finish(view, [cells, text], height=step * max(len(row_names), 1), says=says, notes=notes)


def _used(view: View, column: str, colour: str) -> list[str]:
    """A category's texts that are not empty in every row."""
    used = {row[f"text_{column}"] for row in view.rows if row[colour]}
    return [name for name in view.texts(column) if name in used]


def _row_text(row: dict[str, Any], rows: list[str]) -> str:
    parts = [row["group"] if name == GROUP else lines(row[f"text_{name}"]) for name in rows]
    return "\n".join(parts)


def _row_names(view: View, rows: list[str], colour: str) -> list[str]:
    """Rows that have a value, by group, then by category."""
    names = {_row_text(row, rows): row for row in view.rows if row[colour] is not None}
    groups = {name: place for place, name in enumerate(view.groups)}
    places = [{text: place for place, text in enumerate(view.texts(name))} for name in rows if name != GROUP]
    categories = [name for name in rows if name != GROUP]

    def order(name: str) -> tuple[int, ...]:
        row = names[name]
        return (
            groups.get(row.get("group", ""), len(groups)),
            *(place[row[f"text_{column}"]] for place, column in zip(places, categories, strict=True)),
        )

    known = [name for name in names if GROUP not in rows or names[name]["group"] in groups]
    return sorted(known, key=order)


def _column_axis(names: list[str], is_time: bool) -> altair.Axis:
    if is_time:
        return layout.period_axis(orient="top")
    # Names stand upright where they have no room beside each other.
    # The second line of a stage is its pipeline.
    longest = max((len(part) for name in names for part in name.split(" · ")), default=0)
    padding = 18 if any(" · " in name for name in names) else 6
    room = len(names) * (longest * 6.5 + 8) + 130
    return altair.Axis(
        title=None,
        orient="top",
        ticks=False,
        domain=False,
        labelOverlap=layout.on_phone("'parity'", "false"),
        labelLimit=200,
        labelLineHeight=13,
        labelExpr="page < 560 ? split(datum.label, ' · ')[0] : split(datum.label, ' · ')",
        labelAngle=altair.ExprRef(f"page < {room:.0f} ? (page < 560 ? -90 : -60) : 0"),
        labelPadding=altair.ExprRef(f"page < {room:.0f} && page >= 560 ? {padding} : 6"),
        labelAlign=altair.ExprRef(f"page < {room:.0f} ? 'left' : 'center'"),
        labelBaseline=altair.ExprRef(f"page < {room:.0f} ? 'middle' : 'bottom'"),
    )


def _is_signed(values: list[dict[str, Any]]) -> bool:
    return any(value["value"] < 0 for value in values)


def _colour(view: View, colour: str, values: list[dict[str, Any]]) -> altair.Color:
    if formats.heading(colour) == "Attainment":
        scale = altair.Scale(
            domain=[0, 1, 2],
            range=[palette.RED, palette.FAINT[view.dark], palette.GREEN],
            clamp=True,
            interpolate="rgb",
        )
    elif _is_signed(values):
        scale = altair.Scale(
            range=[palette.ORANGE, palette.FAINT[view.dark], palette.TEAL], domainMid=0, interpolate="rgb"
        )
    else:
        # By square roots, or one outlier leaves all others pale.
        kind = "linear" if formats.kind(colour) == "percent" else "sqrt"
        scale = altair.Scale(type=kind, range=palette.ramp(view.dark), domainMin=0, interpolate="rgb")
    return altair.Color(field="value", type="quantitative", scale=scale, legend=None)


def _text_colour(view: View, colour: str, values: list[dict[str, Any]]) -> Any:
    """White on strong cells, the page's colour on faint ones, which in the dark are dark themselves."""
    if view.dark:
        return altair.value(view.text_colour)
    if formats.heading(colour) == "Attainment":
        strong = "datum.value < 0.2 || datum.value > 1.8"
    else:
        largest = max((abs(value["value"]) for value in values), default=0) or 1
        share = 0.8 if _is_signed(values) or formats.kind(colour) == "percent" else 0.64
        strong = f"abs(datum.value) > {share * largest}"
    return altair.condition(strong, altair.value("#ffffff"), altair.value(view.text_colour))


def _text_width(view: View, colour: str) -> int:
    return {"money": 46, "percent": 36, "duration": 36}.get(formats.kind(colour), 28)
