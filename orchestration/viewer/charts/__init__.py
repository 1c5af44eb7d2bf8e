"""The chart of a report, from the rows that its report function gave.

Belongs here: which family draws which `chart` entry of a report's YAML (`config.meta.report.chart`).
Charts add and divide nothing; where rows are finer than the marks, Vega stacks them. Every chart has a
selection named SELECTION: what it selects are values of the rows' columns (and `measure`, where marks
stand for several), which lead to the records behind a number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import altair
import pandas

from orchestration.viewer.charts import heat, layout
from orchestration.viewer.charts.attainment import attainment, progress
from orchestration.viewer.charts.bars import bars
from orchestration.viewer.charts.funnel import funnel
from orchestration.viewer.charts.ranges import ranges, records
from orchestration.viewer.charts.timeline import timeline
from orchestration.viewer.charts.trends import MAX_LINES, snapshots, trend
from orchestration.viewer.charts.view import SELECTION, View, period, view_of
from orchestration.viewer.charts.waterfall import waterfall

__all__ = ["SELECTION", "chart", "period"]


def chart(
    report: Any, rows: pandas.DataFrame, state: Any, *, currency: str | None = None, dark: bool = False
) -> altair.LayerChart | None:
    """The chart of `rows`, or None for a report that is a table only.

    `report` has `title` and `chart` (the YAML's entry), `state` the `values` of its arguments. `currency`
    is the company currency of the build. Width is "container"; give `streamlit.altair_chart` theme=None.
    """
    entry = _entry_for(report.chart, rows)
    if entry["type"] == "table":
        return None
    view = view_of(report.title, entry, rows, state.values(report), currency, dark)
    if not view.rows:
        return layout.message(view, "No data for this choice. Try a longer date range or fewer filters.")
    return _family(view)(view)


def _family(view: View) -> Callable[[View], altair.LayerChart]:
    """Which way of drawing fits the rows: by the entry's type, buckets, and how many groups there are."""
    several = view.has_groups and view.group_count > 1
    match view.entry["type"]:
        case "timeline":
            return timeline
        case "scatter":
            return records
        case "area":
            return snapshots
        case "attainment" if view.periods:
            return heat.over_time if several else progress
        case "attainment":
            return attainment
        case "waterfall" | "funnel" | "heat" if view.periods and not several:
            return heat.over_time
        case "waterfall" if not several:
            return waterfall
        case "funnel" if not several:
            return funnel
        case "waterfall" | "funnel" | "heat" if several and not view.periods:
            return heat.by_category
        case "stacked_bar" if several and not view.periods and view.entry["x"] != "group_label":
            return heat.by_category
    if view.periods:
        is_one_line_each = len(view.measures) == 1 and not view.category and view.group_count <= MAX_LINES
        return trend if not several or is_one_line_each else heat.over_time
    return ranges if view.entry["type"] == "range" else bars


def _entry_for(entry: Mapping[str, Any], rows: pandas.DataFrame) -> Mapping[str, Any]:
    """The part of a chart entry that fits the rows: a report of records has one for them of its own."""
    records = entry.get("records")
    return records if records and records["x"] in rows.columns else entry
