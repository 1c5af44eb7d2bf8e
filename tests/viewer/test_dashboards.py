"""The page of dashboards and the form that saves a report, through Streamlit's AppTest.

Belongs here: what a user can do there and what is kept of it. The same with a real browser: `tests/browser`.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from orchestration.viewer.database import Build
from orchestration.viewer.saved import WIDTHS, Saved
from orchestration.viewer.tiles import DEFAULT_NAME, DEFAULT_TILES, Look


def page(look: Look) -> AppTest:
    """The page as its first run shows it."""

    def script(look):
        from orchestration.viewer import dashboards_page

        dashboards_page.show(look)

    return AppTest.from_function(script, args=(look,), default_timeout=20)


@pytest.fixture
def saved(tmp_path: Path) -> Saved:
    return Saved(tmp_path / "viewer.sqlite")


@pytest.fixture
def look(demo_build: Build, saved: Saved) -> Look:
    return Look(demo_build, saved, page_of=lambda name: None)


def shown(app: AppTest) -> str:
    """All texts on the page."""
    return "\n".join(
        element.value for kind in ("title", "header", "markdown", "caption") for element in app.get(kind)
    )


def test_the_built_in_dashboard_shows_every_tile(look: Look):
    app = page(look).run()
    assert not app.exception
    assert app.selectbox(key="dashboard").value == 0
    assert len(app.get("vega_lite_chart")) == len(DEFAULT_TILES)
    assert not app.warning and not app.error
    for tile in DEFAULT_TILES:
        assert tile.name.split(",")[0] in shown(app)


def test_the_built_in_dashboard_is_copied_to_be_changed(look: Look, saved: Saved):
    app = page(look).run()
    click(app, "Copy to my dashboards")
    (board,) = saved.dashboards()
    assert app.selectbox(key="dashboard").value == board.dashboard_id
    kept = saved.tiles(board.dashboard_id)
    assert [(tile.saved.report, tile.saved.query, tile.width) for tile in kept] == [
        (tile.report, tile.query, tile.width) for tile in DEFAULT_TILES
    ]
    assert len(app.get("vega_lite_chart")) == len(DEFAULT_TILES)


@pytest.fixture
def board(saved: Saved) -> int:
    """A dashboard with three tiles, A, B and C."""
    made = saved.create_dashboard("Mine")
    for name in "ABC":
        report = saved.save_report(name, "deals_won_and_lost", "period=last_365_days")
        saved.add_tile(made.dashboard_id, report.report_id)
    return made.dashboard_id


def opened(look: Look, board: int, arrange: bool = True) -> AppTest:
    """The page at the address of a dashboard, being arranged."""
    app = page(look)
    app.query_params["dashboard"] = str(board)
    app.run()
    if arrange:
        app.toggle[0].set_value(True).run()
    assert not app.exception
    return app


def names(saved: Saved, board: int) -> str:
    return "".join(tile.saved.name for tile in saved.tiles(board))


def tile_key(saved: Saved, board: int, name: str) -> str:
    (tile,) = [tile for tile in saved.tiles(board) if tile.saved.name == name]
    return f"tile_{tile.tile_id}"


def click(app: AppTest, label: str, index: int = 0) -> None:
    [button for button in app.button if button.label == label][index].click().run()
    assert not app.exception


def test_the_address_says_which_dashboard(look: Look, board: int):
    app = opened(look, board, arrange=False)
    assert app.selectbox(key="dashboard").value == board
    assert len(app.get("vega_lite_chart")) == 3
    gone = page(look)
    gone.query_params["dashboard"] = "4711"
    gone.run()
    assert "no longer exists" in gone.warning[0].value
    assert gone.selectbox(key="dashboard").value == 0


def test_tiles_are_moved_resized_and_taken_off(look: Look, saved: Saved, board: int):
    app = opened(look, board)
    app.button(key=f"{tile_key(saved, board, 'C')}_Earlier").click().run()
    assert names(saved, board) == "ACB"
    app.button(key=f"{tile_key(saved, board, 'A')}_Later").click().run()
    assert names(saved, board) == "CAB"
    app.selectbox(key=f"{tile_key(saved, board, 'A')}_width").set_value("full").run()
    assert [tile.width for tile in saved.tiles(board)] == [6, WIDTHS["full"], 6]
    app.button(key=f"{tile_key(saved, board, 'B')}_off").click().run()
    assert names(saved, board) == "CA"
    assert app.button(key=f"{tile_key(saved, board, 'C')}_Earlier").disabled
    assert app.button(key=f"{tile_key(saved, board, 'A')}_Later").disabled
    assert len(saved.reports()) == 3


def test_a_saved_report_is_added(look: Look, saved: Saved, board: int):
    app = opened(look, board)
    next(box for box in app.selectbox if box.label == "Saved report").set_value(saved.reports()[1].report_id)
    next(box for box in app.selectbox if box.label == "Width").set_value("third")
    click(app, "Add")
    assert names(saved, board) == "ABCB"
    assert saved.tiles(board)[3].width == WIDTHS["third"]


def test_a_dashboard_is_renamed_and_removed(look: Look, saved: Saved, board: int):
    saved.create_dashboard("Taken")
    app = opened(look, board)
    app.text_input[0].set_value("taken")
    click(app, "Rename")
    assert "already" in app.error[0].value
    assert saved.dashboard(board).name == "Mine"
    app.text_input[0].set_value("Yours")
    click(app, "Rename")
    assert saved.dashboard(board).name == "Yours"
    click(app, "Remove it")
    assert [board.name for board in saved.dashboards()] == ["Taken"]
    assert app.selectbox(key="dashboard").value == 0


def test_a_saved_report_is_renamed_and_removed(look: Look, saved: Saved, board: int):
    app = opened(look, board, arrange=False)
    a = saved.reports()[0]
    next(field for field in app.text_input if field.value == "A").set_value("Renamed")
    click(app, "Rename")
    assert saved.report(a.report_id).name == "Renamed"
    assert "Mine" in shown(app), "where it is, before it is removed"
    app.button(key=f"remove_{a.report_id}").click().run()
    assert names(saved, board) == "BC"
    assert [report.name for report in saved.reports()] == ["B", "C"]


BROKEN = [
    ("no_such_report", "", "there is no report"),
    ("deals_won_and_lost", "owners=4711", "4711"),
    ("deals_won_and_lost", "period=next_century", "next"),
    ("deals_won_and_lost", "no_such_filter=1", "no_such"),
]


@pytest.mark.parametrize(("report", "query", "words"), BROKEN)
def test_what_cannot_be_shown_says_so_and_leaves_the_rest(
    look: Look, saved: Saved, board: int, report: str, query: str, words: str
):
    broken = saved.save_report("Broken", report, query)
    saved.add_tile(board, broken.report_id)
    saved.arrange(board, [saved.tiles(board)[-1].tile_id])
    app = opened(look, board, arrange=False)
    assert len(app.get("vega_lite_chart")) == 3
    (warning,) = app.warning
    assert "cannot be shown any more" in warning.value
    assert words in warning.value.replace("\\", "")


def test_two_users_have_their_own(look: Look, demo_build: Build, saved: Saved, board: int):
    anna, ben = (Saved(saved.path, name) for name in ("anna", "ben"))
    own = anna.create_dashboard("Of Anna")
    report = anna.save_report("Report of Anna", "deals_won_and_lost", "")
    anna.add_tile(own.dashboard_id, report.report_id)
    of_ben = Look(demo_build, ben, page_of=lambda name: None)
    app = opened(of_ben, own.dashboard_id, arrange=False)
    assert "no longer exists" in app.warning[0].value
    assert "Report of Anna" not in shown(app)
    click(opened(Look(demo_build, anna, page_of=lambda name: None), own.dashboard_id), "Share with everybody")
    app = opened(of_ben, own.dashboard_id, arrange=False)
    assert "Report of Anna" in shown(app)
    assert not app.toggle, "who does not own it does not arrange it"


def test_a_damaged_file_leaves_the_built_in_dashboard(look: Look, saved: Saved):
    saved.path.write_bytes(b"no database" * 200)
    app = page(look).run()
    assert not app.exception
    assert "move it away" in app.error[0].value
    assert len(app.get("vega_lite_chart")) == len(DEFAULT_TILES)


# --- saving ---------------------------------------------------------------------------------------


@pytest.fixture
def form(saved: Saved) -> AppTest:
    def script(saved):
        from orchestration.viewer import dashboards_page

        dashboards_page.save_panel(saved, "deals_won_and_lost", "Deals won and lost", "period=last_week")

    return AppTest.from_function(script, args=(saved,)).run()


def test_a_report_is_saved_and_put_on_a_new_dashboard(form: AppTest, saved: Saved):
    form.text_input[0].set_value("Last week")
    form.selectbox[0].set_value(-2)
    form.text_input[1].set_value("Mondays")
    click(form, "Save")
    assert "Saved as “Last week”" in form.success[0].value
    (board,) = saved.dashboards()
    (tile,) = saved.tiles(board.dashboard_id)
    assert (board.name, tile.saved.name) == ("Mondays", "Last week")
    assert (tile.saved.report, tile.saved.query) == ("deals_won_and_lost", "period=last_week")


def test_saving_under_a_taken_name_asks(form: AppTest, saved: Saved):
    saved.save_report("Deals won and lost", "chats", "")
    click(form, "Save")
    assert "already" in form.error[0].value
    form.checkbox[0].set_value(True)
    click(form, "Save")
    assert [(report.report, report.query) for report in saved.reports()] == [
        ("deals_won_and_lost", "period=last_week")
    ]


def test_nothing_is_half_saved(form: AppTest, saved: Saved):
    taken = saved.save_report("Deals won and lost", "chats", "")
    board = saved.create_dashboard("Taken")
    form.selectbox[0].set_value(-2)
    form.text_input[1].set_value("New")
    click(form, "Save")
    assert "already" in form.error[0].value
    form.text_input[0].set_value("Another")
    form.text_input[1].set_value("taken")
    click(form, "Save")
    assert "already" in form.error[0].value
    assert (saved.reports(), saved.dashboards()) == ([taken], [board])


def test_nothing_is_saved_without_the_name_of_the_new_dashboard(form: AppTest, saved: Saved):
    form.selectbox[0].set_value(-2)
    click(form, "Save")
    assert "Give the new dashboard a name" in form.error[0].value
    assert saved.reports() == [] and saved.dashboards() == []


def test_every_default_tile_names_what_the_viewer_knows():
    assert DEFAULT_NAME and len({tile.name for tile in DEFAULT_TILES}) == len(DEFAULT_TILES)
    assert {tile.width for tile in DEFAULT_TILES} <= set(WIDTHS.values())
