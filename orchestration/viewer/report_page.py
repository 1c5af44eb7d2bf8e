"""The page of one report: filters, chart, table, the records behind a number, what it means, sharing.

Belongs here: what stands where on the page, and that the address always says what is chosen. Numbers
come from the report function, the chart from `charts`, texts from the published database.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import altair
import pandas
import pyarrow
import streamlit

from orchestration.viewer import charts, dashboards_page, exports, filters, formats
from orchestration.viewer.catalog import Report, catalog
from orchestration.viewer.database import Build, QueryError
from orchestration.viewer.records import MAX_RECORDS, NotListed, Records, measures, records
from orchestration.viewer.state import AddressError, ReportState
from orchestration.viewer.tiles import Look, plain

MAX_SHOWN = 10_000
"""Rows of an answer that the page shows; an export has them all."""


def show(look: Look, report: Report) -> None:
    """The page of a report, as its address says."""
    streamlit.title(report.title)
    streamlit.markdown(plain(report.question))
    if report.missing:
        _missing(report)
        _about(look.build, report)
        return
    try:
        before = _opened(report)
    except AddressError as error:
        streamlit.error(plain(f"This address cannot be shown: {error}."), icon=":material/link_off:")
        streamlit.page_link(look.page_of(report.name), label=f"Show “{report.title}” as it is by default")
        return
    state = filters.panel(look.build, report, before)
    _keep_address(report, state)
    try:
        _answer(look, report, state)
    except QueryError as error:
        streamlit.error(plain(str(error)), icon=":material/error:")
    _about(look.build, report)


# --- the address -----------------------------------------------------------------------------------


def _opened(report: Report) -> ReportState:
    """What was chosen before this run: the address's, if it is new, else that of the controls.

    Raises AddressError if the address says what this report does not know.
    """
    asked = _query()
    kept, state = streamlit.session_state.get(_kept_key(report), (None, None))
    if filters.is_open(report) and (filters.is_touched(report) or asked == kept):
        # Who uses two controls in a moment sends the second with the address from before the first.
        return state
    state = ReportState.from_query(report, asked)
    filters.put(report, state)
    return state


def _keep_address(report: Report, state: ReportState) -> None:
    """Make the address say what is chosen."""
    query = state.to_query(report)
    lists = {key: [value] if isinstance(value, str) else value for key, value in query.items()}
    if lists != _query():
        streamlit.query_params.from_dict(query)
    streamlit.session_state[_kept_key(report)] = (lists, state)


def _query() -> dict[str, list[str]]:
    return {key: streamlit.query_params.get_all(key) for key in streamlit.query_params}


def _kept_key(report: Report) -> str:
    return f"{report.name}:kept"


# --- chart and table -------------------------------------------------------------------------------


def _answer(look: Look, report: Report, state: ReportState) -> None:
    build = look.build
    sql = state.sql(report, build.calendar)
    rows = build.rows(sql, MAX_SHOWN)
    said = filters.words(build, report, state)
    streamlit.caption(plain(" · ".join(f"{name}: {value}" for name, value in said)))
    chart = None if rows.empty else _chart(look, report, state, rows)
    marked = None
    if chart is not None:
        event = streamlit.altair_chart(
            chart, theme=None, key=f"{report.name}:chart", on_select="rerun", alt=report.question
        )
        marked = _marked(event)
    _sharing(look, report, state, chart, sql, said)
    chosen = _table(build, report, state, rows)
    if len(rows) == MAX_SHOWN:
        streamlit.caption(f"The first {MAX_SHOWN:,} rows; an export has all of them.")
    if not rows.empty and (report.rows_function or report.definition.get("drill_down")):
        _behind(build, report, state, rows, chosen, marked)


def _chart(
    look: Look, report: Report, state: ReportState, rows: pandas.DataFrame
) -> altair.TopLevelMixin | None:
    """The chart; a fault in drawing must not take the numbers away."""
    try:
        return charts.chart(report, rows, state, currency=look.build.currency, dark=look.dark)
    except Exception:
        logging.getLogger(__name__).exception(
            "%s?%s cannot be drawn", report.name, state.query_string(report)
        )
        streamlit.error(
            "The chart cannot be drawn; the log of the viewer says why. The table has all numbers."
        )
        return None


def _marked(event: Any) -> dict[str, Any] | None:
    """What the chart's selection says of the mark that was clicked."""
    points = event["selection"].get(charts.SELECTION) if event else None
    return dict(points[0]) if points else None


def _table(build: Build, report: Report, state: ReportState, rows: pandas.DataFrame) -> dict[str, Any] | None:
    """Show the answer; returns the row that is chosen in it."""
    if rows.empty:
        streamlit.info("No records with these filters. Try a longer date range or fewer filters.")
        return None
    table = formats.table(
        rows,
        currency=build.currency,
        group_by=state.value(report, "group_by"),
        descriptions={name: column["description"] for name, column in report.columns.items()},
    )
    event = streamlit.dataframe(
        table.data,
        column_config=table.config,
        column_order=table.order,
        hide_index=True,
        placeholder=formats.UNDEFINED,
        key=f"{report.name}:table",
        on_select="rerun",
        selection_mode="single-row",
        alt=f"{report.title} as a table",
    )
    places = event.selection.rows
    return _row(rows, places[0]) if places and places[0] < len(rows) else None


def _row(rows: pandas.DataFrame, place: int) -> dict[str, Any]:
    """A row as Python values."""
    return pyarrow.Table.from_pandas(rows.iloc[[place]], preserve_index=False).to_pylist()[0]


# --- the records behind a number -------------------------------------------------------------------


def _behind(
    build: Build,
    report: Report,
    state: ReportState,
    rows: pandas.DataFrame,
    chosen: Mapping[str, Any] | None,
    marked: Mapping[str, Any] | None,
) -> None:
    """The records behind the row that is chosen in the table, or else behind the mark in the chart."""
    behind = [chosen] if chosen else _marked_rows(rows, marked)
    if not behind:
        streamlit.caption("Choose a row, or a mark of the chart, to see the records behind its numbers.")
        return
    options = measures(report, behind[0])
    present = None if chosen else (marked or {}).get("measure")
    with streamlit.container(border=True, key="records"):
        streamlit.subheader(f"Records behind {plain(_naming(report, state, behind))}")
        measure = streamlit.selectbox(
            "Number",
            options,
            index=options.index(present) if present in options else 0,
            format_func=formats.heading,
            key=f"{report.name}:measure:{present}",
            width=300,
        )
        try:
            found = records(build, report, state, behind, measure)
        except NotListed as reason:
            streamlit.info(str(reason), icon=":material/info:")
        else:
            _show_records(build, report, found, f"{report.name}_records")


def _show_records(build: Build, report: Report, found: Records, file_name: str) -> None:
    count = f"{found.count:,} record{'' if found.count == 1 else 's'}"
    streamlit.caption(
        count if found.count <= MAX_RECORDS else f"{count}; the first {MAX_RECORDS:,} are here."
    )
    table = formats.table(
        found.rows.to_pandas(types_mapper=pandas.ArrowDtype),
        currency=build.currency,
        kept=[column for column in found.rows.column_names if column.endswith("_id")][:1],
    )
    streamlit.dataframe(
        table.data,
        column_config=table.config,
        column_order=table.order,
        hide_index=True,
        placeholder=formats.UNDEFINED,
        key=f"{report.name}:records",
    )
    streamlit.download_button(
        "Records as CSV",
        lambda: exports.as_csv(build.table(found.sql)),
        file_name=f"{file_name}.csv",
        mime=exports.MIME["csv"],
        on_click="ignore",
        icon=":material/download:",
    )


def _marked_rows(rows: pandas.DataFrame, marked: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """The rows of the answer that a mark of the chart stands for; none if it does not say."""
    wanted = {key: value for key, value in (marked or {}).items() if key in rows.columns}
    if not wanted:
        return []
    return [
        _row(rows, place)
        for place in range(len(rows))
        if all(_same(rows[column].iloc[place], value) for column, value in wanted.items())
    ]


def _same(value: Any, marked: Any) -> bool:
    """Vega tells days as texts or as milliseconds."""
    if value is marked or str(value) == str(marked):
        return True
    if hasattr(value, "isoformat") and isinstance(marked, int | float):
        return pandas.Timestamp(value) == pandas.Timestamp(marked, unit="ms")
    return hasattr(value, "isoformat") and str(marked).startswith(value.isoformat()[:10])


def _naming(report: Report, state: ReportState, rows: list[dict[str, Any]]) -> str:
    """What rows have in common that tells them from others, in words."""
    said = []
    for column, value in rows[0].items():
        if not all(row[column] == value for row in rows):
            continue
        if column == "bucket_start":
            said.append(charts.period(value, str(state.value(report, "bucket"))))
        elif formats.kind(column) == "date" and value is not None:
            said.append(formats.text(value, "date"))
        elif isinstance(value, str) and value != "all" and not column.endswith("_id"):
            said.append(formats.words(value, column))
    return " · ".join(said) or report.title


# --- share, save, export ---------------------------------------------------------------------------


def _sharing(
    look: Look,
    report: Report,
    state: ReportState,
    chart: altair.TopLevelMixin | None,
    sql: str,
    said: list[tuple[str, str]],
) -> None:
    build = look.build
    with streamlit.container(horizontal=True, key="sharing"):
        with streamlit.popover("Share", icon=":material/link:"):
            streamlit.markdown("Whoever opens this address sees the same view:")
            streamlit.code(_address(report, state), language=None, wrap_lines=True)
        with streamlit.popover("Save", icon=":material/bookmark:"):
            dashboards_page.save_panel(look.saved, report.name, report.title, state.query_string(report))
        with streamlit.popover("Export", icon=":material/download:"):
            _exports(build, report, state, chart, sql, said)
        with streamlit.popover("SQL", icon=":material/code:"):
            streamlit.markdown("What gives these numbers in the published database:")
            streamlit.code(sql + ";", language="sql", wrap_lines=True)


def _address(report: Report, state: ReportState) -> str:
    parts = urlsplit(streamlit.context.url or "")
    here = f"{parts.scheme}://{parts.netloc}{parts.path}" if parts.netloc else f"/{report.name}"
    return f"{here}?{state.query_string(report)}"


def _exports(
    build: Build,
    report: Report,
    state: ReportState,
    chart: altair.TopLevelMixin | None,
    sql: str,
    said: list[tuple[str, str]],
) -> None:
    view = exports.View(
        report=report.name,
        title=report.title,
        question=report.question,
        filters=said,
        build=build_facts(build),
        sql=sql,
        time_zone=build.time_zone,
        currency=build.currency,
        group_by=state.value(report, "group_by"),
    )
    # Made when a button is pressed, with the reader's own access, from all rows.
    makers = {
        "CSV": ("csv", lambda: exports.as_csv(build.table(sql))),
        "Excel": ("xlsx", lambda: exports.as_excel(build.table(sql), view)),
    }
    if chart is not None:
        makers["PNG"] = ("png", lambda: exports.as_png(_bright(build, report, state, sql), view))
    for name, (ending, make) in makers.items():
        streamlit.download_button(
            name,
            make,
            file_name=view.file_name(ending),
            mime=exports.MIME[ending],
            on_click="ignore",
            key=f"{report.name}:export:{ending}",
            width="stretch",
        )


def _bright(build: Build, report: Report, state: ReportState, sql: str) -> altair.TopLevelMixin:
    """The chart for paper, which is white at night too."""
    return charts.chart(report, build.rows(sql, MAX_SHOWN), state, currency=build.currency)


def build_facts(build: Build) -> list[tuple[str, str]]:
    """Which build it is and how far its data goes, as name and value for people."""
    info = build.info
    return [
        ("Data up to", f"{info['run_ts']:%Y-%m-%d %H:%M} ({build.time_zone})"),
        ("Source", info["source"]),
        ("Build", build.build_id),
    ]


# --- what it means ---------------------------------------------------------------------------------


def _missing(report: Report) -> None:
    """A report whose inputs the source does not deliver: what they are, and what to do."""
    inputs = "\n".join(f"- {plain(_input(issue))}" for issue in report.missing)
    streamlit.warning(
        f"This report is not available, because the source does not deliver what it needs:\n\n{inputs}\n\n"
        "Deliver it with the next load: a file of the table's name among the input files, or the scope in "
        "HubSpot that gives it. `make run` then builds the report; nothing else has to be done.",
        icon=":material/database_off:",
    )


def _input(issue: str) -> str:
    """`missing_table:calls` in words."""
    kind, _, name = issue.partition(":")
    return {"missing_table": f"the table {name}", "missing_column": f"the column {name}"}.get(kind, issue)


def _about(build: Build, report: Report) -> None:
    """About this report, from the YAML that documents the mart, and the checks of the last build."""
    with streamlit.expander("About this report", icon=":material/info:", key=f"{report.name}:about"):
        about = report.definition
        streamlit.markdown(f"**{plain(report.question)}**")
        for text in (report.function_meta["description"], report.description):
            streamlit.markdown(plain(text))
        for what, column in filters.ranges(report):
            streamlit.markdown(f"**{what} by** {plain(column)}")
        streamlit.markdown("**HubSpot properties** " + ", ".join(f"`{x}`" for x in about["properties"]))
        streamlit.markdown("**Rules of the specification** " + ", ".join(f"`{x}`" for x in about["rules"]))
        if cases := about.get("edge_cases"):
            streamlit.markdown("**Edge cases**\n" + "\n".join(f"- {plain(case)}" for case in cases))
        described = {name: column for name, column in report.columns.items() if column["description"]}
        if streamlit.toggle("Columns", key=f"{report.name}:columns"):
            streamlit.markdown(
                "\n".join(
                    f"- **{plain(formats.heading(name))}** (`{name}`): {plain(column['description'])}"
                    for name, column in described.items()
                )
            )
        _checks(build, report)


def _checks(build: Build, report: Report) -> None:
    found = catalog(build).checks(report)
    failed = [check for check in found if not check["is_passed"]]
    streamlit.markdown(f"**Checks** {len(found) - len(failed)} of {len(found)} hold in the last build")
    lines = [
        f"- {'✓' if check['is_passed'] else '✗'} "
        + plain(check["words"] or check["check_name"].removeprefix(f"{report.mart}_").replace("_", " "))
        + ("" if check["is_passed"] else f" ({check['violation_count']:,} rows)")
        + (f" (proven {proof})" if (proof := check.get("proof") or "").startswith("with") else "")
        for check in found
    ]
    if streamlit.toggle("All checks", key=f"{report.name}:checks") or failed:
        streamlit.markdown("\n".join(lines))
