"""Bars of groups or categories: plain, stacked, or beside each other.

Belongs here: charts without a time axis whose marks are lengths. Bars lie, so that names of people and
teams stay readable at any number and on a phone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import altair

from orchestration.viewer import formats
from orchestration.viewer.charts import layout, palette
from orchestration.viewer.charts.view import View, lines, one_line

MEASURE = "measure"
"""Key of marks that stand for one of several measures; its value is the measure's column."""
GROUP = "group"


def bars(view: View) -> altair.LayerChart:
    """Bars by group; of one group alone, by its categories, else by its measures."""
    several = len(view.measures) > 1
    if view.has_groups:
        return _Bars(view, GROUP, MEASURE if several else view.entry.get("color")).chart()
    named = [view.entry["x"], view.entry.get("color"), view.entry.get("detail")]
    categories = [name for name in named if name in view.columns and name != "group_label"]
    if categories:
        row, *others = categories
        return _Bars(view, row, MEASURE if several else next(iter(others), None)).chart()
    return _Bars(view, MEASURE if several else GROUP, MEASURE if several else None).chart()


@dataclass(frozen=True)
class _Bars:
    """One chart: `row` and `series` are GROUP, MEASURE, or a category's column."""

    view: View
    row: str
    series: str | None

    @property
    def is_stacked(self) -> bool:
        return self.view.entry["type"] == "stacked_bar" and self.series not in (None, self.row)

    @property
    def is_aside(self) -> bool:
        """Whether the series' bars stand beside each other."""
        return self.series is not None and not self.is_stacked and self.row != self.series

    @cached_property
    def names(self) -> list[str]:
        """Rows from top to bottom."""
        if self.row == GROUP:
            return self.view.groups
        if self.row == MEASURE:
            return [formats.heading(measure) for measure in self.view.measures]
        return [lines(text) for text in self.view.texts(self.row)]

    @cached_property
    def colours(self) -> Mapping[str, str]:
        if self.series == MEASURE:
            chosen = palette.colours(self.view.measures)
            return {formats.heading(measure): colour for measure, colour in chosen.items()}
        return self.view.colours(self.series) if self.series else {}

    @cached_property
    def extras(self) -> list[str]:
        """Columns that are told beside the bars: those of which each row of bars has one value."""
        named = layout.named(self.view.entry.get("label"))
        by_row: dict[str, set[tuple[Any, ...]]] = {}
        for row in self.view.rows:
            by_row.setdefault(self._text(row, self.row, None), set()).add(tuple(row[c] for c in named))
        is_told = self.row != MEASURE and all(len(values) == 1 for values in by_row.values())
        return list(named) if is_told else []

    @property
    def keys(self) -> list[str]:
        categories = [name for name in (self.row, self.series) if name not in (GROUP, MEASURE, None)]
        return self.view.keys(*categories) + ([MEASURE] if MEASURE in (self.row, self.series) else [])

    def chart(self) -> altair.LayerChart:
        view, measure = self.view, self.view.measures[0]
        values = self._values()
        point = layout.selection(self.keys)
        drawn = layout.data(values).transform_aggregate(
            value="sum(value)", groupby=[*self.keys, "row", "line", "series", "place", *self._extra_fields]
        )
        drawn = drawn.transform_calculate(
            full=view.expression("value", measure, compact=False), short=view.expression("value", measure)
        )
        mark = {"color": palette.BLUE, "cursor": "pointer", "cornerRadiusEnd": 2}
        if self.is_stacked:
            mark |= {"stroke": palette.BACKGROUND[view.dark], "strokeWidth": 0.6, "cornerRadiusEnd": 0}
        main = (
            drawn.mark_bar(**mark)
            .encode(
                **self._place(values), **self._colour(), tooltip=self._tooltip(), opacity=layout.faded(point)
            )
            .add_params(point)
        )
        layers = [main, self._end_text(drawn, values), *self._tick(values)]
        has_tick = len(layers) > 2
        layers += self._undefined(values)
        step = max(layout.ROW, 13 * len(self.colours) + 12) if self.is_aside else layout.ROW
        step = max(step, 14 * max((line.count("\n") + 1 for line in self._lines.values()), default=1) + 6)
        notes = []
        if formats.kind(measure) == "money_per_day":
            notes.append("Amount per day.")
        unsaid = [c for c in self.extras if formats.kind(c) != "count" and not self.is_aside]
        if unsaid:
            notes.append(f"Beside the bars: {_lower(layout.listed(unsaid))}.")
        if self.row == MEASURE and len(view.rows) == 1:
            row = view.rows[0]
            notes += [
                f"{formats.heading(c)}: {view.text(row, c)}" for c in layout.named(view.entry.get("label"))
            ]
        if has_tick:
            notes.append(f"The line across each bar: {_lower(formats.heading(view.entry['tick']))}.")
        return layout.finish(
            view, layers, height=step * max(len(self.names), 1), says=self._says(), notes=notes
        )

    # --- values -----------------------------------------------------------------------------------

    def _values(self) -> list[dict[str, Any]]:
        """One value for each row and measure, with its keys and texts."""
        places = {name: place for place, name in enumerate(self.colours)}
        shown, found = set(self.names), []
        for row in self.view.rows if self.row == GROUP else self.view.disjoint_rows:
            for measure in self.view.measures:
                name = self._text(row, self.row, measure)
                if row[measure] is None or name not in shown:
                    continue
                series = self._text(row, self.series, measure)
                value = {key: row.get(key) for key in self.keys} | {"value": row[measure], "row": name}
                if MEASURE in value:
                    value[MEASURE] = measure
                value["line"] = one_line(self._lines[name])
                value |= {"series": series, "place": places.get(series, 0)}
                value |= {f"extra_{column}": row[column] for column in self._extra_columns}
                found.append(value)
        return found

    def _text(self, row: Mapping[str, Any], column: str | None, measure: str | None) -> str:
        if column == GROUP:
            return row["group"]
        if column == MEASURE:
            return formats.heading(measure) if measure else ""
        if column is None:
            return ""
        return lines(row[f"text_{column}"]) if column == self.row else row[f"text_{column}"]

    @cached_property
    def _extra(self) -> dict[str, str]:
        """What is told beside each row: "$761k", "win rate 81%"."""
        if not self.extras:
            return {}
        return {
            self._text(row, self.row, None): ", ".join(self._told(row, column) for column in self.extras)
            for row in self.view.rows
        }

    def _told(self, row: Mapping[str, Any], column: str) -> str:
        """A column in words: "win rate 81%", "40 deals"."""
        name, text = _lower(formats.heading(column)), self.view.text(row, column)
        if formats.kind(column) == "count":
            return f"{text} {name.removesuffix('s') if row[column] == 1 else name}"
        return f"{name} {text}"

    @property
    def tick(self) -> str | None:
        """The column that is drawn as a tick across the bars."""
        column = self.view.entry.get("tick")
        return column if column in self.view.columns and self.row == GROUP else None

    @property
    def _extra_columns(self) -> list[str]:
        return [*self.extras, *([self.tick] if self.tick else [])]

    @property
    def _extra_fields(self) -> list[str]:
        return [f"extra_{column}" for column in self._extra_columns]

    @cached_property
    def _lines(self) -> dict[str, str]:
        """What stands at the axis for each row: its name, and what is told where bars are many."""
        if not self.is_aside or not self._extra:
            return {name: name for name in self.names}
        return {name: f"{name}\n{self._extra.get(name, '')}" for name in self.names}

    # --- encodings --------------------------------------------------------------------------------

    def _place(self, values: list[dict[str, Any]]) -> dict[str, Any]:
        y = self._y()
        x = altair.X(
            field="value",
            type="quantitative",
            scale=layout.end_space(self._end_width()),
            axis=self.view.value_axis(self.view.measures[0], self._totals(values)),
            stack="zero" if self.is_stacked else None,
        )
        if not self.is_aside:
            return {"y": y, "x": x}
        offset = altair.YOffset(
            field="series", type="nominal", sort=list(self.colours), scale=altair.Scale(paddingOuter=0.08)
        )
        return {"y": y, "x": x, "yOffset": offset}

    def _y(self) -> altair.Y:
        written = [[name, line] for name, line in self._lines.items() if name != line]
        axis = layout.name_axis(self.names)
        if written:
            # The axis shows more than the name, which stays what the row is known by.
            table = dict(written)
            axis = layout.name_axis(
                list(self._lines.values()), labelExpr=f"split({_lookup(table)}[datum.label], '\\n')"
            )
        return altair.Y(
            field="row",
            type="nominal",
            sort=self.names,
            axis=axis,
            scale=altair.Scale(domain=self.names, paddingInner=0.24, paddingOuter=0.12),
        )

    def _colour(self) -> dict[str, Any]:
        if not self.series:
            return {}
        shown = (
            layout.legend(list(self.colours), list(self._lines.values())) if self.row != self.series else None
        )
        return {
            "color": altair.Color(
                field="series", type="nominal", scale=layout.scale_of(self.colours), legend=shown
            ),
            "order": altair.Order(field="place", type="quantitative"),
        }

    def _tooltip(self) -> list[altair.Tooltip]:
        pairs = [] if self.row == MEASURE else [(self._heading(self.row), "line")]
        if self.series == MEASURE:
            return layout.tooltip([*pairs, ("Measure", "series"), ("Value", "full")])
        if self.series:
            pairs.append((self._heading(self.series), "series"))
        return layout.tooltip([*pairs, (formats.heading(self.view.measures[0]), "full")])

    def _end_text(self, drawn: altair.Chart, values: list[dict[str, Any]]) -> altair.Chart:
        """The value at the end of each bar; of stacked ones their sum."""
        x = altair.X(field="reach", type="quantitative", stack=None)
        text = altair.Text(field="end", type="nominal")
        place = {"y": self._y(), "x": x, "text": text}
        measure = self.view.measures[0]
        base = drawn
        if self.is_stacked:
            base = layout.data(values).transform_aggregate(
                value="sum(value)", groupby=["row", *self._extra_fields]
            )
            base = base.transform_calculate(short=self.view.expression("value", measure))
        told = [
            f"' · ' + {self.view.expression(f'extra_{column}', column)} + {self._unit(column)}"
            for column in (() if self.is_aside else self.extras)
        ]
        tick = f"datum['extra_{self.tick}'] || 0" if self.tick else "0"
        base = base.transform_calculate(
            end=" + ".join(["datum.short", *told]), reach=f"datum.value < 0 ? 0 : max(datum.value, {tick})"
        )
        if self.is_aside:
            place["yOffset"] = self._place(values)["yOffset"]
        return base.mark_text(
            align="left",
            dx=5,
            baseline="middle",
            color=self.view.text_colour,
            fontSize=11 if self.is_aside else 12,
        ).encode(**place)

    def _undefined(self, values: list[dict[str, Any]]) -> list[altair.Chart]:
        """A dash for rows that have no value, such as an average of nothing."""
        drawn = {value["row"] for value in values}
        missing = [{"row": name, "dash": formats.UNDEFINED} for name in self.names if name not in drawn]
        if not missing:
            return []
        text = layout.data(missing).mark_text(align="left", dx=5, color=self.view.muted)
        return [
            text.encode(
                y=self._y(),
                x=altair.XDatum(0, type="quantitative"),
                text=altair.Text(field="dash", type="nominal"),
            )
        ]

    def _tick(self, values: list[dict[str, Any]]) -> list[altair.Chart]:
        """A second value of each row as a tick across its bar, such as the median or the time before."""
        column = self.tick
        if not column:
            return []
        rows = [row for row in self.view.rows if row[column] is not None and row["group"] in set(self.names)]
        marks = [
            {
                "row": row["group"],
                "tick": row[column],
                "full": self.view.text(row, column),
            }
            for row in rows
        ]
        ticks = layout.data(marks).mark_tick(thickness=3, size=22, opacity=1, color=self.view.text_colour)
        return [
            ticks.encode(
                y=self._y(),
                x=altair.X(field="tick", type="quantitative"),
                tooltip=layout.tooltip([(self._heading(GROUP), "row"), (formats.heading(column), "full")]),
            )
        ]

    # --- texts ------------------------------------------------------------------------------------

    def _heading(self, column: str) -> str:
        return self.view.group_heading if column == GROUP else formats.heading(column)

    def _says(self) -> str:
        what = layout.listed(self.view.measures)
        by = [self._heading(name).lower() for name in (self.row, self.series) if name not in (None, MEASURE)]
        by = by if self.view.has_groups or self.row != GROUP else []
        return f"{what} by {' and '.join(dict.fromkeys(by))}" if by else what

    def _unit(self, column: str) -> str:
        """Vega's expression of what a number beside a bar counts, which cannot be seen from the number."""
        if formats.kind(column) != "count":
            return "''"
        name = _lower(formats.heading(column))
        return f"(datum['extra_{column}'] == 1 ? {' ' + name.removesuffix('s')!r} : {' ' + name!r})"

    def _end_width(self) -> int:
        told = () if self.is_aside else self.extras
        return 52 + 58 * len(told)

    def _totals(self, values: list[dict[str, Any]]) -> list[float]:
        return [value["value"] for value in values]


def _lower(name: str) -> str:
    return name[:1].lower() + name[1:]


def _lookup(table: Mapping[str, str]) -> str:
    """A Vega expression of an object of texts."""
    return "{" + ", ".join(f"{key!r}: {value!r}" for key, value in table.items()) + "}"
