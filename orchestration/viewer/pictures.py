"""`python -m orchestration.viewer.pictures <folder> [report …]`: charts of the published reports as PNG.

Belongs here: drawing every report in several groupings, light and dark, wide and as on a phone, to be
looked at. The page's own export is `exports.py`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import altair
import vl_convert

from orchestration.settings import load_settings
from orchestration.viewer import charts
from orchestration.viewer.access import EVERYTHING
from orchestration.viewer.catalog import Report, catalog
from orchestration.viewer.charts import palette
from orchestration.viewer.database import Build, NoBuild, published_file
from orchestration.viewer.state import ReportState

WIDTHS = {"wide": 960, "phone": 358}
"""Pixels of a chart on a desktop page, and on a telephone of 390."""
CHOICES: dict[str, dict[str, Any]] = {
    "": {},
    "by_owner": {"group_by": "owner"},
    "by_team": {"group_by": "team", "include_subteams": True},
    "of_all": {"group_by": "none"},
    "by_month": {"group_by": "none", "bucket": "month"},
    "by_owner_and_month": {"group_by": "owner", "bucket": "month"},
}
_MARGIN = 16


def picture(chart: altair.TopLevelMixin, width: int, *, dark: bool = False) -> bytes:
    """A chart as PNG of that width in pixels, margins included, as a page of the width shows it."""
    specification = chart.to_dict()
    specification["width"] = width
    for parameter in specification["params"]:
        if parameter["name"] == "page":
            parameter["expr"] = str(width)
    return vl_convert.vegalite_to_png(
        specification | {"padding": _MARGIN, "background": palette.BACKGROUND[dark]}, allowed_base_urls=[]
    )


def pictures(build: Build, report: Report) -> Iterator[tuple[str, bytes]]:
    """Names and PNGs of a report's charts: its own look first, then other groupings and buckets."""
    for choice, values in CHOICES.items():
        known = {key: value for key, value in values.items() if key in report.arguments}
        state = ReportState.default(report).choose(report, **known)
        calls = [("", state.sql)] + (
            [("_records", state.rows_sql)] if report.rows_function and not choice else []
        )
        for of, call in calls:
            rows = build.rows(call(report, build.calendar))
            for look, width in WIDTHS.items():
                dark = look == "phone"
                chart = charts.chart(report, rows, state, currency=build.currency, dark=dark)
                if chart is not None:
                    name = "_".join(filter(None, [report.name + of, choice, look]))
                    yield f"{name}.png", picture(chart, width, dark=dark)


def main(arguments: list[str]) -> int:
    """Write the pictures of all reports, or of those named; returns the exit code."""
    if not arguments:
        print(__doc__.splitlines()[0])
        return 2
    folder, wanted = Path(arguments[0]), set(arguments[1:])
    try:
        build = published_file(load_settings(reads_source=False)).build(EVERYTHING)
    except NoBuild as error:
        print(error)
        return 1
    reports = list(catalog(build).reports.values())
    if unknown := wanted - {report.name for report in reports}:
        print(f"No report {', '.join(sorted(unknown))}; there are {', '.join(r.name for r in reports)}.")
        return 2
    folder.mkdir(parents=True, exist_ok=True)
    for report in reports:
        for name, content in pictures(build, report) if not wanted or report.name in wanted else ():
            (folder / name).write_bytes(content)
            print(folder / name)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
