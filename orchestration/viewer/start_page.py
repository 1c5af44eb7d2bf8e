"""The start page: the dashboard, how fresh the data is, what to know about it, and all reports.

Belongs here: what a reader sees first. The dashboard is drawn by `tiles.py`.
"""

from __future__ import annotations

import streamlit

from orchestration.viewer import formats, tiles
from orchestration.viewer.catalog import COLLECTIONS, Catalog, catalog
from orchestration.viewer.database import Build
from orchestration.viewer.report_page import build_facts
from orchestration.viewer.tiles import Look, plain


def show(look: Look) -> None:
    """The start page."""
    streamlit.title("Sales reports")
    _freshness(look.build)
    _warnings(look.build)
    streamlit.header(tiles.DEFAULT_NAME, divider="gray")
    tiles.show(look, tiles.DEFAULT_TILES)
    streamlit.header("All reports", divider="gray")
    _all_reports(look, catalog(look.build))


def show_data_quality(look: Look) -> None:
    """The page of what to know about the data before trusting a number."""
    build = look.build
    report = catalog(build).data_quality
    streamlit.title("Data quality")
    streamlit.markdown(plain(report.question))
    rows = build.rows(
        "select quality.severity, dim_reports.title as report, quality.issue, row_count, issues.meaning, "
        "sample_ids "
        "from reports.rpt_data_quality as quality "
        "left join core.dim_reports on quality.report = dim_reports.report "
        "left join core.dim_data_quality_issues as issues on quality.issue = issues.issue "
        "order by quality.severity = 'note', row_count desc, quality.issue, quality.report"
    )
    if rows.empty:
        streamlit.success("Nothing was found.", icon=":material/check:")
        return
    table = formats.table(rows, currency=build.currency, kept=["sample_ids"])
    streamlit.dataframe(
        table.data,
        column_config=table.config,
        column_order=table.order,
        hide_index=True,
        placeholder=formats.UNDEFINED,
        key="data_quality",
        alt="Findings about the data, by report",
    )


def _freshness(build: Build) -> None:
    facts = [*build_facts(build)]
    info = build.info
    if info["newest_change_at"]:
        facts.insert(1, ("Newest change", f"{info['newest_change_at']:%Y-%m-%d %H:%M}"))
    counts = catalog(build).check_counts
    facts.append(("Checks", f"{counts['passed']:,} of {counts['checks']:,} held"))
    streamlit.caption(plain(" · ".join(f"{name} {value}" for name, value in facts)))


def _warnings(build: Build) -> None:
    """Open warnings about the data, the largest first; notes are on the page of data quality."""
    found = build.records(
        "select quality.issue, any_value(issues.meaning) as meaning, max(row_count) as most, "
        "count(*) as reports "
        "from reports.rpt_data_quality as quality "
        "left join core.dim_data_quality_issues as issues on quality.issue = issues.issue "
        "where quality.severity <> 'note' group by quality.issue order by most desc, quality.issue"
    )
    if not found:
        streamlit.caption("No open warnings about the data.")
        return
    count = f"{len(found)} open warning{'' if len(found) == 1 else 's'}"
    with streamlit.expander(f"{count} about the data", icon=":material/warning:", key="warnings"):
        for row in found:
            meaning = row["meaning"] or row["issue"].replace("_", " ")
            reports = f"{row['reports']} report{'' if row['reports'] == 1 else 's'}"
            streamlit.markdown(f"- {plain(meaning)} **{row['most']:,}** rows at most, in {reports}")


def _all_reports(look: Look, known: Catalog) -> None:
    for column, (key, title) in zip(streamlit.columns(len(COLLECTIONS)), COLLECTIONS.items(), strict=True):
        with column:
            streamlit.subheader(title)
            for report in known.collection(key):
                note = " (not available)" if report.missing else ""
                streamlit.page_link(
                    look.page_of(report.name), label=f"{report.title}{note}", help=report.question
                )
