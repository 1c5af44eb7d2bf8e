"""Dashboards: saved reports side by side, under a name.

Belongs here: choosing, arranging, renaming, sharing and removing dashboards and saved reports, and saving
the report that is on the page. What a tile draws is `tiles.py`; what is kept and who may change it is
`saved.py`. Every change is a button, so that the keyboard and a phone do what a mouse does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import streamlit

from orchestration.viewer import tiles
from orchestration.viewer.saved import MAX_NAME, WIDTHS, Dashboard, Saved, SavedError, SavedReport, Tile
from orchestration.viewer.tiles import DEFAULT_NAME, DEFAULT_TILES, Look

_BUILT_IN = 0  # the dashboard that ships with the viewer; kept ones count from 1
_NO_DASHBOARD, _NEW_DASHBOARD = -1, -2
_CHOSEN = "dashboard"
_PROBLEM, _DONE = "dashboards_problem", "dashboards_done"


def show(look: Look) -> None:
    """The page of dashboards; `?dashboard=` in the address says which."""
    streamlit.title("Dashboards")
    _show_outcome()
    try:
        boards = {board.dashboard_id: board for board in look.saved.dashboards()}
        reports = look.saved.reports()
    except SavedError as error:
        streamlit.error(str(error), icon=":material/error:")
        tiles.show(look, DEFAULT_TILES)
        return
    chosen = _choose(boards)
    if chosen == _BUILT_IN:
        streamlit.caption("This dashboard comes with the viewer. Copy it to arrange it as you like.")
        streamlit.button("Copy to my dashboards", on_click=_do, args=(_copy_default, look.saved))
        tiles.show(look, DEFAULT_TILES)
    else:
        _dashboard(look, boards[chosen], reports)
    _saved_reports(look, reports)


def save_panel(saved: Saved, report: str, title: str, query: str) -> None:
    """A form that keeps the report on the page, under a name, and puts it on a dashboard if wanted."""
    _show_outcome()
    try:
        boards = [board for board in saved.dashboards() if board.is_own]
    except SavedError as error:
        streamlit.error(str(error), icon=":material/error:")
        return
    names = {_NO_DASHBOARD: "No dashboard", **{board.dashboard_id: board.name for board in boards}}
    names[_NEW_DASHBOARD] = "A new dashboard"
    with streamlit.form("save_report", border=False):
        name = streamlit.text_input("Name", title[:MAX_NAME], max_chars=MAX_NAME)
        board = streamlit.selectbox("Put it on", list(names), format_func=names.get, key="save_board")
        new_name = streamlit.text_input(
            "Name of the new dashboard", max_chars=MAX_NAME, placeholder="Only for a new dashboard"
        )
        replace = streamlit.checkbox("Replace a saved report of this name")
        if streamlit.form_submit_button("Save", type="primary"):
            try:
                _keep(saved, name, report, query, replace, board, new_name)
            except SavedError as error:
                streamlit.error(str(error), icon=":material/error:")
            else:
                streamlit.success(f"Saved as “{name.strip()}”.", icon=":material/check:")


def _keep(saved: Saved, name: str, report: str, query: str, replace: bool, board: int, new_name: str) -> None:
    if board != _NEW_DASHBOARD:
        kept = saved.save_report(name, report, query, replace=replace)
        if board != _NO_DASHBOARD:
            saved.add_tile(board, kept.report_id)
        return
    if not new_name.strip():
        raise SavedError("Give the new dashboard a name.")
    made = saved.create_dashboard(new_name)
    try:
        kept = saved.save_report(name, report, query, replace=replace)
    except SavedError:
        saved.remove_dashboard(made.dashboard_id)
        raise
    saved.add_tile(made.dashboard_id, kept.report_id)


# --- which dashboard ------------------------------------------------------------------------------


def _choose(boards: dict[int, Dashboard]) -> int:
    """The dashboard that the address or the user names; the address follows the choice."""
    options = [_BUILT_IN, *boards]
    state = streamlit.session_state
    if state.get(_CHOSEN) not in options:
        asked = streamlit.query_params.get(_CHOSEN, "")
        state[_CHOSEN] = int(asked) if asked.isdecimal() and int(asked) in options else _BUILT_IN
        if asked not in ("", str(state[_CHOSEN])):
            streamlit.warning("The dashboard of this address no longer exists, or is not shared with you.")

    def name(key: int) -> str:
        if key == _BUILT_IN:
            return DEFAULT_NAME
        board = boards[key]
        return board.name if board.is_own else f"{board.name} (by {board.owner or 'all'})"

    chosen = streamlit.selectbox("Dashboard", options, format_func=name, key=_CHOSEN, width=420)
    streamlit.query_params[_CHOSEN] = str(chosen)
    return chosen


def _copy_default(saved: Saved) -> str:
    """The built-in dashboard as one of the user's own, with its tiles as saved reports."""
    names = {board.name for board in saved.dashboards()}
    board = saved.create_dashboard(_free_name(f"My {DEFAULT_NAME.lower()}", names))
    for tile in DEFAULT_TILES:
        taken = {report.name for report in saved.reports()}
        report = saved.save_report(_free_name(tile.name, taken), tile.report, tile.query)
        saved.add_tile(board.dashboard_id, report.report_id, tile.width)
    streamlit.session_state[_CHOSEN] = board.dashboard_id
    return f"“{board.name}” is yours to arrange."


def _free_name(name: str, taken: set[str]) -> str:
    known = {each.casefold() for each in taken}
    numbered = (f"{name} {number}" for number in range(2, len(known) + 3))
    return next(each for each in (name, *numbered) if each.casefold() not in known)


# --- one dashboard --------------------------------------------------------------------------------


def _dashboard(look: Look, board: Dashboard, reports: Sequence[SavedReport]) -> None:
    saved = look.saved
    placed = saved.tiles(board.dashboard_id)
    arranging = board.is_own and streamlit.toggle("Arrange", key=f"arrange_{board.dashboard_id}")
    if not placed:
        streamlit.info(
            "Nothing is on this dashboard yet. Open a report, set its filters and choose Save, "
            "or turn on Arrange and add a saved report."
        )
    if not arranging:
        tiles.show(look, [tiles.of_saved(tile) for tile in placed])
        return
    _settings(saved, board)
    _add(saved, board, reports)
    order = [tile.tile_id for tile in placed]
    for index, tile in enumerate(placed):
        _arrange(saved, board, tile, index, order)


def _settings(saved: Saved, board: Dashboard) -> None:
    """Name, sharing and removal of a dashboard."""
    with streamlit.form(f"name_{board.dashboard_id}", border=False), _row():
        name = streamlit.text_input("Name of the dashboard", board.name, max_chars=MAX_NAME, width=320)
        if streamlit.form_submit_button("Rename"):
            _do_now(saved.rename_dashboard, board.dashboard_id, name)
    with _row():
        if saved.user is not None:
            _sharing(saved.share_dashboard, board.dashboard_id, board.is_shared)
        _removal(
            f"dashboard_{board.dashboard_id}",
            f"Remove “{board.name}”? The saved reports on it stay.",
            saved.remove_dashboard,
            board.dashboard_id,
        )


def _add(saved: Saved, board: Dashboard, reports: Sequence[SavedReport]) -> None:
    if not reports:
        return
    names = {report.report_id: report.name for report in reports}
    with streamlit.form(f"add_{board.dashboard_id}", border=False), _row():
        report_id = streamlit.selectbox("Saved report", list(names), format_func=names.get, width=320)
        width = streamlit.selectbox("Width", list(WIDTHS), index=1, width=140)
        if streamlit.form_submit_button("Add"):
            _do_now(saved.add_tile, board.dashboard_id, report_id, WIDTHS[width])


def _arrange(saved: Saved, board: Dashboard, tile: Tile, index: int, order: list[int]) -> None:
    """A tile's line while the dashboard is being arranged."""
    key = f"tile_{tile.tile_id}"
    name = tile.saved.name if tile.saved else "A report that is no longer shared with you"

    def moved(by: int) -> list[int]:
        rest = [tile_id for tile_id in order if tile_id != tile.tile_id]
        return [*rest[: index + by], tile.tile_id, *rest[index + by :]]

    def resize() -> None:
        saved.resize_tile(tile.tile_id, WIDTHS[streamlit.session_state[f"{key}_width"]])

    with streamlit.container(border=True, key=key), _row("center"):
        streamlit.markdown(f"{index + 1}. **{tiles.plain(name)}**", width="stretch")
        widths = list(WIDTHS)
        streamlit.selectbox(
            f"Width of {name}",
            widths,
            index=list(WIDTHS.values()).index(tile.width),
            key=f"{key}_width",
            on_change=_do,
            args=(resize,),
            label_visibility="collapsed",
            width=140,
        )
        for label, by, at_end in (("Earlier", -1, index == 0), ("Later", 1, index == len(order) - 1)):
            streamlit.button(
                label,
                key=f"{key}_{label}",
                disabled=at_end,
                on_click=_do,
                args=(saved.arrange, board.dashboard_id, [] if at_end else moved(by)),
            )
        streamlit.button("Take off", key=f"{key}_off", on_click=_do, args=(saved.remove_tile, tile.tile_id))


# --- saved reports --------------------------------------------------------------------------------


def _saved_reports(look: Look, reports: Sequence[SavedReport]) -> None:
    """All saved reports that this user sees: open, rename, share, remove."""
    streamlit.header("Saved reports", divider="gray")
    if not reports:
        streamlit.caption("None yet. Open a report, set its filters and choose Save.")
    for report in reports:
        with streamlit.container(border=True, key=f"saved_{report.report_id}"), _row("center"):
            tiles.link(look, report.report, report.query, report.name)
            problem = tiles.problem(look, report.report, report.query)
            note = f"by {report.owner}" if report.owner and not report.is_own else ""
            streamlit.caption(tiles.plain(" · ".join(filter(None, (problem, note)))), width="stretch")
            if report.is_own:
                with streamlit.popover("Change", key=f"change_{report.report_id}"):
                    _change(look.saved, report)


def _change(saved: Saved, report: SavedReport) -> None:
    with streamlit.form(f"rename_{report.report_id}", border=False):
        name = streamlit.text_input("Name", report.name, max_chars=MAX_NAME)
        if streamlit.form_submit_button("Rename"):
            _do_now(saved.rename_report, report.report_id, name)
    if saved.user is not None:
        _sharing(saved.share_report, report.report_id, report.is_shared)
    boards = [board.name for board in saved.dashboards_with(report.report_id)]
    where = (
        f" It is on {', '.join(f'“{name}”' for name in boards)} and goes from there too." if boards else ""
    )
    streamlit.markdown(tiles.plain(f"Removing it cannot be undone.{where}"))
    streamlit.button(
        "Remove",
        key=f"remove_{report.report_id}",
        on_click=_do,
        args=(saved.remove_report, report.report_id),
        type="primary",
    )


# --- small parts ----------------------------------------------------------------------------------


def _row(align: Literal["center", "bottom"] = "bottom") -> Any:
    """Elements side by side, that wrap on a phone."""
    return streamlit.container(horizontal=True, vertical_alignment=align)


def _sharing(share: Callable[[int, bool], None], key: int, is_shared: bool) -> None:
    label = "Stop sharing" if is_shared else "Share with everybody"
    streamlit.button(label, key=f"{share.__name__}_{key}", on_click=_do, args=(share, key, not is_shared))


def _removal(key: str, question: str, remove: Callable[[int], None], removed: int) -> None:
    with streamlit.popover("Remove"):
        streamlit.markdown(tiles.plain(question))
        streamlit.button(
            "Remove it", key=f"remove_{key}", type="primary", on_click=_do, args=(remove, removed)
        )


def _do(action: Callable[..., str | None], *arguments: Any) -> None:
    """Do something that a button asked for; the page then says what came of it."""
    try:
        streamlit.session_state[_DONE] = action(*arguments)
    except SavedError as error:
        streamlit.session_state[_PROBLEM] = str(error)


def _do_now(action: Callable[..., str | None], *arguments: Any) -> None:
    """The same for a form, whose values come after the page began; the page begins anew."""
    _do(action, *arguments)
    streamlit.rerun()


def _show_outcome() -> None:
    if problem := streamlit.session_state.pop(_PROBLEM, None):
        streamlit.error(problem, icon=":material/error:")
    if done := streamlit.session_state.pop(_DONE, None):
        streamlit.success(done, icon=":material/check:")
