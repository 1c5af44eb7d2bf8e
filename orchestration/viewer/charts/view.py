"""What a chart is drawn from: a report's rows as plain values, with texts, order and keys.

Belongs here: everything the families of charts share. Rows are neither summed nor divided here; where
rows are finer than the marks, Vega stacks them.
"""

from __future__ import annotations

import math
import textwrap
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any

import altair
import pandas

from orchestration.viewer import formats
from orchestration.viewer.charts import palette

SELECTION = "point"
"""Name of the selection in every chart; what is selected are values of columns of the rows."""

MAX_GROUPS = 40
"""As many rows as a chart shows; the table has them all."""
INDENT = "· "
"""Stands before a team for each level that it is below; Vega takes off leading blanks of every kind."""
_LINE_LENGTH = 22
_ALL_TOGETHER = "all"
_ORDERS = {
    "category": [
        *("begin", "created", "pulled", "stage_forward", "stage_back", "stage_other", "moved_pipeline"),
        *("reopened", "moved_in", "increased", "decreased", "amount_increased", "amount_decreased"),
        *("close_date_pushed", "close_date_pulled", "close_date_changed", "auto_close_date"),
        *("pushed", "lost", "won", "lapsed", "moved_out", "removed", "end"),
    ],
    "forecast_category": ["CLOSED", "COMMIT", "BEST_CASE", "PIPELINE", "(No category)", "OMIT"],
    "deal_status": ["won", "open", "lost"],
    "task_status": ["COMPLETED", "IN_PROGRESS", "WAITING", "NOT_STARTED", "DEFERRED"],
    "amount_band": ["negative", "0-1k", "1k-5k", "5k-10k", "10k-50k", "50k+", "none", "unknown"],
    "is_inside": [True, False],
}
# What a click on a category must tell besides the category itself.
_KEYS = {
    "call_outcome": ["call_outcome_id"],
    "meeting_outcome": ["meeting_outcome_id"],
    "stage_label": ["stage_id", "pipeline_id", "stage_position"],
    "sequence_name": ["sequence_id"],
}


@dataclass(frozen=True)
class View:
    """A report's rows, ready to draw.

    `entry` is the chart as the report's YAML describes it, `arguments` those of the report function.
    """

    title: str
    entry: Mapping[str, Any]
    rows: list[dict[str, Any]]
    columns: Sequence[str]
    arguments: Mapping[str, Any]
    currency: str | None
    dark: bool

    # --- rows -------------------------------------------------------------------------------------

    @cached_property
    def groups(self) -> list[str]:
        """Texts of the groups in the order of the chart, not more than MAX_GROUPS."""
        if not self.rows or "group" not in self.rows[0]:
            return []
        if "depth" in self.columns:
            return self._tree()[:MAX_GROUPS]
        size = defaultdict(float)
        for row in self.rows:
            size[row["group"]] += _size(row, self.sort_by)
        named = {row["group"]: row["group_id"] for row in self.rows}
        return sorted(size, key=lambda text: (named[text] in ("none", "unknown"), -size[text], text))[
            :MAX_GROUPS
        ]

    @cached_property
    def group_count(self) -> int:
        return len({row["group_id"] for row in self.rows}) if "group_id" in self.columns else 1

    @cached_property
    def has_groups(self) -> bool:
        """Whether there is something to compare: more than one group, or one that was asked for."""
        return "group_id" in self.columns and any(row["group_id"] != _ALL_TOGETHER for row in self.rows)

    @cached_property
    def periods(self) -> list[str]:
        """Texts of the buckets, oldest first; none without buckets."""
        named = {row["bucket_start"]: row["period"] for row in self.rows if "bucket_start" in row}
        return [named[start] for start in sorted(named)]

    @property
    def sort_by(self) -> str:
        return self.entry.get("sort") or self.measures[0]

    @property
    def measures(self) -> list[str]:
        return _listed(self.entry["y"])

    @property
    def category(self) -> str | None:
        """The category that the chart tells apart: the first of its columns that these rows have."""
        named = [*_listed(self.entry.get("color")), *_listed(self.entry.get("detail")), self.entry["x"]]
        return next((name for name in named if f"text_{name}" in self._known and name != "group_label"), None)

    @cached_property
    def _known(self) -> set[str]:
        return set(self.rows[0]) if self.rows else set()

    @property
    def record_keys(self) -> list[str]:
        """The ids of single records, by which a click finds them."""
        named = ("change_id", "activity_type", "activity_id", "contact_id", "deal_id")
        return [column for column in named if column in self.columns]

    @cached_property
    def disjoint_rows(self) -> list[dict[str, Any]]:
        """Rows of which none contains another: of teams with their subteams, the uppermost that are here."""
        groups = {row.get("group_id") for row in self.rows}
        return [row for row in self.rows if row.get("parent_team_id") not in groups]

    @property
    def has_subteams(self) -> bool:
        """Whether some rows are contained in others."""
        return len(self.disjoint_rows) < len(self.rows)

    def _tree(self) -> list[str]:
        """Teams as the tree has them, each with its subteams below it."""
        text, below, known = {}, defaultdict(list), {row["group_id"] for row in self.rows}
        for row in self.rows:
            if row["group_id"] not in text:
                text[row["group_id"]] = row["group"]
                parent = row["parent_team_id"]
                below[parent if parent in known else None].append(row["group_id"])

        def walk(parent: str | None) -> Iterable[str]:
            for team in sorted(below[parent], key=lambda team: (team == "none", text[team])):
                yield text[team]
                yield from walk(team)

        return list(walk(None))

    def texts(self, column: str) -> list[str]:
        """Texts of a category in a sensible order: of time, of the pipeline, of meaning, else by size."""
        found = {row[f"text_{column}"]: row for row in self.rows}
        if column == "stage_label":
            # A stage of several pipelines stands where the longest of them has it.
            for row in self.rows:
                known = found[row["text_stage_label"]]
                if (row.get("stage_position") or 0) > (known.get("stage_position") or 0):
                    found[row["text_stage_label"]] = row
            return sorted(found, key=lambda text: _stage_place(found[text]))
        if column in _ORDERS:
            order = {value: place for place, value in enumerate(_ORDERS[column])}
            return sorted(found, key=lambda text: order.get(found[text][column], len(order)))
        size = defaultdict(float)
        for row in self.rows:
            size[row[f"text_{column}"]] += _size(row, self.sort_by)
        return sorted(found, key=lambda text: (text.startswith("("), -size[text]))

    def colours(self, column: str) -> dict[str, str]:
        """The colour of each text of a category, by its meaning."""
        values = {text: text for text in self.texts(column)}
        for row in self.rows:
            values[row[f"text_{column}"]] = _meaning_of(row, column)
        by_value = palette.colours(dict.fromkeys(values.values()))
        return {text: by_value[value] for text, value in values.items()}

    def keys(self, *columns: str) -> list[str]:
        """Columns that say which rows a mark stands for: the group, the bucket and given categories."""
        named = ["group_id", "bucket_start"]
        for column in columns:
            named += [column, *_KEYS.get(column, [])]
        return [column for column in dict.fromkeys(named) if column in self.columns]

    # --- texts ------------------------------------------------------------------------------------

    @property
    def group_heading(self) -> str:
        return formats.heading("group_label", str(self.arguments.get("group_by") or "owner"))

    def heading_of(self, series: str) -> str:
        """What a part of the chart is called: a column, the groups, or the periods."""
        return {"group": self.group_heading, "period": "Period"}.get(series) or formats.heading(series)

    def expression(self, field: str, column: str, *, compact: bool = True) -> str:
        """Vega's expression of the text of `field`, which holds values of `column`."""
        return formats.expression(field, formats.kind(column), self.currency, compact=compact)

    def text(self, row: Mapping[str, Any], column: str) -> str:
        """A row's value as people read it, in full."""
        value, kind = row[column], formats.kind(column)
        if column in formats.CODED or column == "is_inside":
            return formats.words(value, column)
        if kind in ("date", "instant") and value is not None:
            value = datetime.fromisoformat(value)
        return formats.text(value, kind, self.currency)

    def value_axis(self, column: str, shown: Iterable[float], **given: Any) -> altair.Axis:
        """An axis with short labels: $1.2M, 34%, 3 d."""
        largest = max((abs(value) for value in shown if value is not None), default=0)
        settings: dict[str, Any] = {
            "tickCount": altair.ExprRef("width < 320 ? 3 : 5"),
            "labelSeparation": 8,
            "labelOverlap": "greedy",
            "domain": False,
            "ticks": False,
        }
        if formats.kind(column) == "duration":
            settings["values"] = duration_ticks(largest)
        if formats.kind(column) == "count":
            settings["tickMinStep"] = 1
        settings |= given
        if "values" in settings:
            del settings["tickCount"]  # Vega would leave out some of them
        expression = self.expression("value", column)
        return altair.Axis(labelExpr=expression, title=None, **settings)

    @property
    def text_colour(self) -> str:
        return palette.TEXT[self.dark]

    @property
    def muted(self) -> str:
        return palette.MUTED[self.dark]


def view_of(
    title: str,
    entry: Mapping[str, Any],
    rows: pandas.DataFrame,
    arguments: Mapping[str, Any],
    currency: str | None,
    dark: bool,
) -> View:
    """Rows of a report function as a View. Instants are taken as local times of the zone they carry."""
    columns = list(rows.columns)
    values = {column: [_plain(value) for value in rows[column].tolist()] for column in columns}
    plain = [dict(zip(columns, row, strict=True)) for row in zip(*values.values(), strict=True)]
    _add_group_texts(plain, columns)
    _add_category_texts(plain, columns)
    grain = str(arguments.get("bucket") or "day")
    for row in plain if "bucket_start" in columns else ():
        row["period"] = period(date.fromisoformat(row["bucket_start"]), grain)
    return View(title, entry, plain, columns, arguments, currency, dark)


def period(start: date, grain: str) -> str:
    """A bucket in words, by its first day: "Jul 2026"; quarters and years by their months, as fiscal ones."""
    match grain:
        case "month":
            return f"{start:%b %Y}"
        case "quarter":
            return f"{start:%b}–{_month_after(start, 2):%b %Y}"
        case "year":
            end = _month_after(start, 11)
            return f"{start:%Y}" if start.month == 1 else f"{start:%b %Y}–{end:%b %Y}"
    return f"{start:%-d %b %Y}"


def one_line(name: str) -> str:
    """A group's text as it stands in a sentence: without line breaks and indentation."""
    return " ".join(line.lstrip(INDENT) for line in name.split("\n"))


def is_additive(column: str) -> bool:
    """Whether a column's values of different rows may stand on top of each other."""
    is_single = column.startswith(("average_", "median_", "p90_"))
    return formats.kind(column) in ("count", "money", "duration") and not is_single


def lines(text: str, length: int = _LINE_LENGTH) -> str:
    """A name on at most two lines, which fits beside a chart on a phone too."""
    # A stage with its pipeline has a line for each.
    wrapped = (
        [line for part in text.split(" · ")[:2] for line in _shortened(part, length)] if " · " in text else []
    )
    wrapped = wrapped or textwrap.wrap(text, length) or [""]
    if len(wrapped) > 2:
        wrapped = [wrapped[0], wrapped[1][: length - 1] + "…"]
    return "\n".join(wrapped)


def _shortened(text: str, length: int) -> list[str]:
    return [text if len(text) <= length + 4 else text[: length + 3] + "…"]


def duration_ticks(largest: float) -> list[float]:
    """At most seven round lengths of time from 0 to `largest` milliseconds."""
    steps = [
        *(formats.SECOND * n for n in (1, 5, 10, 30)),
        *(formats.MINUTE * n for n in (1, 2, 5, 10, 30)),
        *(formats.HOUR * n for n in (1, 2, 4, 6, 12)),
        *(formats.DAY * n * 10**power for power in range(5) for n in (1, 2, 5)),
    ]
    step = next((step for step in steps if largest / step <= 6), steps[-1])
    return [step * number for number in range(int(largest // step) + 1)]


def _add_group_texts(rows: list[dict[str, Any]], columns: Sequence[str]) -> None:
    if "group_id" not in columns:
        return
    ids = defaultdict(set)
    for row in rows:
        ids[row["group_label"]].add(row["group_id"])
    for row in rows:
        label = "All" if row["group_id"] == _ALL_TOGETHER else str(row["group_label"])
        # Two people of one name are two rows.
        label += f" ({row['group_id']})" if len(ids[row["group_label"]]) > 1 else ""
        indent = INDENT * int(row.get("depth") or 0)
        row["group"] = "\n".join(indent + line for line in lines(label).split("\n"))


def _add_category_texts(rows: list[dict[str, Any]], columns: Sequence[str]) -> None:
    categories = [column for column in columns if formats.kind(column) in ("text", "flag")]
    pipelines = {row["pipeline_id"] for row in rows} if "pipeline_id" in columns else set()
    for row in rows:
        for column in categories:
            row[f"text_{column}"] = formats.words(row[column], column)
        if "stage_label" in columns and len(pipelines) > 1 and "stage_position" in columns:
            row["text_stage_label"] = f"{row['stage_label']} · {row['pipeline_label']}"


def _meaning_of(row: Mapping[str, Any], column: str) -> str:
    """What a category's colour goes by: its code word; of a stage, the class where the rows tell it."""
    if column == "stage_label":
        return row.get("deal_status") if row.get("deal_status") in ("won", "lost") else row[f"text_{column}"]
    if column == "is_inside":
        return row[f"text_{column}"]
    return str(row[column])


def _stage_place(row: Mapping[str, Any]) -> tuple[str, float, str]:
    """Stages by pipeline and place; one that the pipeline has no more comes last."""
    place = row.get("stage_position")
    return row.get("pipeline_label") or "", math.inf if place is None else place, row["text_stage_label"]


def _size(row: Mapping[str, Any], column: str) -> float:
    """What a row weighs in an order: its value; an event that has none counts as one."""
    value = row.get(column)
    if isinstance(value, str):
        return 1.0
    return float(value or 0)


def _listed(named: str | Sequence[str] | None) -> list[str]:
    return [named] if isinstance(named, str) else list(named or [])


def _month_after(start: date, months: int) -> date:
    number = start.year * 12 + start.month - 1 + months
    return date(number // 12, number % 12 + 1, 1)


def _plain(value: Any) -> Any:
    """A value as JSON has it: days as 2026-07-01, instants as local times without a zone."""
    if formats.is_undefined(value):
        return None
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, pandas.Timestamp):
        local = value.tz_localize(None)
        return (
            local.strftime("%Y-%m-%d") if local == local.normalize() and not value.tz else local.isoformat()
        )
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds() * 1000
    return value.item() if hasattr(value, "item") else value
