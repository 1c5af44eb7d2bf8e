"""What people do with the viewer, in a real browser, compared with SQL on the published database.

Belongs here: journeys across pages. The SQL is written here by hand, from the reports' documentation, and
asks the published file itself; nothing of the viewer takes part in it.
"""

from __future__ import annotations

import csv
import io
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from playwright.sync_api import Browser, expect

from orchestration.publish import point_link
from orchestration.settings import Settings
from orchestration.viewer.formats import heading
from tests.browser.login_proxy import logged_in
from tests.browser.reader import PHONE, Reader
from tests.browser.viewer_server import WATCH, Server, viewer
from tests.viewer.workbook import Workbook

pytestmark = pytest.mark.thorough

QUARTER = "date '2026-08-01', date '2026-11-01'"  # the fiscal quarter before the demo's today
AT_QUARTER = "/deals_won_and_lost?period=last_fiscal_quarter"


def ask(database: Path, sql: str) -> list[dict[str, Any]]:
    """The rows of a query on a published file."""
    with duckdb.connect(database, read_only=True) as connection:
        found = connection.execute(sql)
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def assert_shows(reader: Reader, rows: Sequence[Mapping[str, Any]], group: str = "owner") -> None:
    """The table on the page comes to have these rows: every measure in sight is what SQL says."""
    deadline = time.monotonic() + 15
    while difference := _difference(reader.rows(), rows, group):
        assert time.monotonic() < deadline, difference
        reader.page.wait_for_timeout(100)


def _difference(shown: list[Mapping[str, str]], rows: Sequence[Mapping[str, Any]], group: str) -> str:
    """What tells the table from the rows; "" if nothing does. A long table has its first rows in sight."""
    if len(shown) != len(rows) and not 10 <= len(shown) < len(rows):
        return f"{len(shown)} rows for {len(rows)}"
    compared = 0
    for line, row in zip(shown, rows, strict=False):
        for column, value in row.items():
            title = heading(column, group)
            if title in line and isinstance(value, int | float | Decimal | str):
                compared += 1
                if not same(line[title], value):
                    return f"{title}: {line[title]!r} for {value!r}"
    return "" if compared >= 3 * len(shown) else "next to nothing to compare"


def same(shown: str, value: Any) -> bool:
    if isinstance(value, str):
        return shown == value
    return float(shown) == pytest.approx(float(value), rel=1e-12)


@pytest.fixture
def link(demo: Settings) -> Path:
    return demo.published_link


# --- looking --------------------------------------------------------------------------------------


def test_a_shared_address_shows_what_sql_says(reader: Reader, link: Path):
    reader.open(f"{AT_QUARTER}&group_by=team")
    rows = ask(link, f"from reports.deals_won_and_lost({QUARTER}, group_by := 'team')")
    assert len(rows) > 2
    assert_shows(reader, rows, "team")
    assert "How many deals did each rep win and lose?" in reader.text()


def test_the_start_page_leads_to_every_report(reader: Reader, link: Path):
    reader.open("/")
    text = reader.page.locator("body").inner_text()
    for report in ask(link, "from core.dim_reports where function_name is not null"):
        assert report["title"] in text
    assert "Sales overview" in text or "dashboard" in text.lower()


def test_each_filter_changes_the_numbers_to_what_sql_says(reader: Reader, link: Path):
    (owner, other) = ask(
        link,
        f"from reports.deals_won_and_lost({QUARTER}) where won_count > 1 and group_id <> 'none' limit 2",
    )
    (team,) = ask(
        link,
        "from core.dim_teams where team_id in (select ancestor_team_id from core.bridge_team_ancestors "
        "group by all having count(*) > 2) order by depth, team_name limit 1",
    )
    (pipeline,) = ask(link, "from core.dim_pipelines where pipeline_id = 'default'")
    reader.open(AT_QUARTER)
    seen = []

    def now(arguments: str, group: str = "owner", days: str = QUARTER) -> None:
        rows = ask(link, f"from reports.deals_won_and_lost({days}{arguments})")
        assert rows not in seen, "this filter changes nothing in the demo, so it shows nothing"
        assert_shows(reader, rows, group)
        seen.append(rows)

    now("")
    reader.select("Group by", "Team")
    now(", group_by := 'team'", "team")
    reader.select("Group by", "Rep")
    reader.press("Filters")
    reader.choose("Reps", owner["group_label"], other["group_label"])
    both = f", owners := ['{owner['group_id']}', '{other['group_id']}']"
    now(both)
    reader.page.keyboard.press("Escape")
    reader.select("Over time", "Month")
    now(f"{both}, bucket := 'month'")
    reader.switch("Cumulative")
    now(f"{both}, bucket := 'month', cumulative := true")
    assert "cumulative=true" in reader.page.url and f"owners={owner['group_id']}" in reader.page.url
    reader.open(AT_QUARTER)
    reader.press("Filters")
    reader.choose("Teams", team["team_name"])
    reader.switch("With sub-teams")
    now(f", teams := ['{team['team_id']}'], include_subteams := true")
    reader.press("Reset")
    reader.open(AT_QUARTER)
    reader.press("Filters")
    reader.choose("Pipelines", pipeline["pipeline_label"])
    now(", pipelines := ['default']")
    year = "date '2025-02-01', date '2026-02-01'"
    reader.page.keyboard.press("Escape")
    reader.select("Date range by closedate", "Last fiscal year")
    now(", pipelines := ['default']", days=year)
    reader.press("Filters (1)")
    reader.select("Owner basis", "As of")
    now(", pipelines := ['default'], owner_basis := 'as_of'", days=year)


# --- records, files, keeping ----------------------------------------------------------------------


def test_a_number_leads_to_its_records(reader: Reader, link: Path):
    reader.open(AT_QUARTER)
    first = ask(link, f"from reports.deals_won_and_lost({QUARTER})")[0]
    deals = ask(
        link,
        "select deal_id, deal_name from core.fct_deals where is_won and close_date >= date '2026-08-01' "
        f"and close_date < date '2026-11-01' and owner_id = '{first['group_id']}'",
    )
    assert len(deals) == first["won_count"] > 1
    reader.tick(0)
    reader.page.get_by_text(f"Records behind {first['group_label']}").wait_for()
    shown = {row["Deal id"] for row in reader.rows(1)}
    assert shown <= {deal["deal_id"] for deal in deals} and len(shown) > 1
    assert f"{len(deals)} records" in reader.text()
    listed = read_csv(reader.download("Records as CSV"))
    assert {row["deal_id"] for row in listed} == {deal["deal_id"] for deal in deals}


def read_csv(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(file.read_bytes().decode("utf-8-sig"), newline="")))


def test_exports_hold_what_sql_says(reader: Reader, link: Path):
    rows = ask(link, f"from reports.deals_won_and_lost({QUARTER}, group_by := 'team', bucket := 'month')")
    reader.open(f"{AT_QUARTER}&group_by=team&bucket=month")
    reader.press("SQL")
    assert (
        "deals_won_and_lost(date '2026-08-01', date '2026-11-01'" in reader.page.locator("body").inner_text()
    )
    reader.page.keyboard.press("Escape")
    reader.press("Export")
    exported = read_csv(reader.download("CSV"))
    assert exported == [
        {name: "" if value is None else csv_text(value) for name, value in row.items()} for row in rows
    ]
    workbook = Workbook(reader.download("Excel").read_bytes())
    heading_row, *cells = workbook.rows(1)
    place = heading_row.index("Won amount")
    assert [Decimal(str(line[place])) for line in cells] == [row["won_amount"] for row in rows]
    assert [line[heading_row.index("Won")] for line in cells] == [row["won_count"] for row in rows]
    about = {line[0]: line[1] for line in workbook.rows(2)}
    assert ask(link, about["SQL"]) == rows, "the SQL in the file gives the rows in the file"
    assert reader.download("PNG").read_bytes().startswith(b"\x89PNG")


def csv_text(value: Any) -> str:
    return repr(value) if isinstance(value, float) else str(value)


def test_what_is_saved_is_on_the_dashboard_after_a_reload(reader: Reader):
    reader.open(f"{AT_QUARTER}&group_by=team")
    reader.press("Save")
    reader.write("Name", "Teams last quarter")
    reader.select("Put it on", "A new dashboard")
    reader.write("Name of the new dashboard", "Monday meeting")
    reader.page.get_by_test_id("stFormSubmitButton").get_by_role("button").click()
    reader.page.get_by_text("Saved as “Teams last quarter”").wait_for()
    reader.open("/dashboards")
    reader.select("Dashboard", "Monday meeting")
    expect(reader.page.get_by_test_id("stVegaLiteChart")).to_have_count(1)
    reader.page.reload()
    reader.settle()
    assert reader.page.get_by_role("combobox", name="Dashboard").input_value() == "Monday meeting"
    assert reader.page.get_by_test_id("stVegaLiteChart").count() == 1
    reader.page.get_by_role("link", name="Teams last quarter").first.click()
    reader.page.wait_for_url(f"**{AT_QUARTER}&group_by=team")


def test_the_keyboard_is_enough(reader: Reader, link: Path):
    """Group by team, save it, and take the saved report away again, without a mouse."""
    page = reader.page
    reader.open(AT_QUARTER)
    reader.tab_to("Group by")
    page.keyboard.press("Control+A")
    page.keyboard.type("Team")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    reader.settle()
    teams = ask(link, f"from reports.deals_won_and_lost({QUARTER}, group_by := 'team')")
    assert_shows(reader, teams, "team")
    reader.tab_to("Save")
    page.keyboard.press("Enter")
    reader.tab_to("Name")
    page.keyboard.press("Control+A")
    page.keyboard.type("By keyboard")
    page.keyboard.press("Enter")
    page.get_by_text("Saved as “By keyboard”").wait_for()
    reader.open("/dashboards")
    assert page.get_by_role("link", name="By keyboard").count() == 1
    while True:
        reader.tab_to("Change")
        page.keyboard.press("Enter")
        page.wait_for_timeout(200)
        if page.get_by_role("textbox", name="Name", exact=True).input_value() == "By keyboard":
            break
        page.keyboard.press("Escape")
    reader.tab_to("Remove")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="By keyboard").wait_for(state="detached")


# --- a publish while somebody reads ---------------------------------------------------------------


def test_a_publish_is_seen_and_disturbs_nobody(chromium: Browser, demo: Settings, server: Server, link: Path):
    before = link.resolve()
    after = before.with_name("after.duckdb")
    sql = f"from reports.deals_won_and_lost({QUARTER}, group_by := 'none')"
    address = f"{AT_QUARTER}&group_by=none"
    (old,) = ask(link, sql)
    with Reader.at(chromium, server.url) as reading, Reader.at(chromium, server.url) as coming:
        reading.open(address)
        assert_shows(reading, [old], "none")
        shutil.copy(before, after)
        with duckdb.connect(after) as connection:
            connection.execute("delete from core.fct_deals where close_date >= date '2026-09-01'")
            connection.execute("update core.build_info set build_id = 'later'")
        point_link(link, after)
        try:
            (new,) = ask(link, sql)
            assert new["won_count"] < old["won_count"]
            assert_shows(reading, [old], "none")
            coming.open(address)
            assert_shows(coming, [new], "none")
            reading.select("Over time", "Month")  # the next click is the new build's
            monthly = sql.removesuffix(")") + ", bucket := 'month')"
            assert_shows(reading, ask(after, monthly), "none")
        finally:
            point_link(link, before)
            after.unlink()


# --- nothing leaves the machine -------------------------------------------------------------------


def test_the_watch_on_the_server_sees_what_wants_outside(tmp_path: Path):
    """That the pages ask no other machine is asserted after every journey, of the server after all."""
    asked = (
        'import sys; [sys.audit("socket.connect", None, (host, 443)) for host in ("127.0.0.1", "192.0.2.7")]'
    )
    environment = os.environ | {"PYTHONPATH": str(WATCH), "VIEWER_WATCH": str(tmp_path / "watch")}
    subprocess.run([sys.executable, "-c", asked], env=environment, check=True)
    (line,) = (tmp_path / "watch").read_text().splitlines()
    assert "192.0.2.7" in line


def test_the_watch_on_the_browser_sees_what_wants_outside(chromium: Browser, server: Server):
    with pytest.raises(AssertionError, match=r"example\.org"), Reader.at(chromium, server.url) as reader:
        reader.open("/data_quality")
        reader.page.evaluate("fetch('https://example.org/pixel').catch(() => null)")


# --- windows and keys -----------------------------------------------------------------------------


def test_a_phone_and_the_dark(chromium: Browser, server: Server, tmp_path: Path):
    options = {"viewport": PHONE, "color_scheme": "dark", "is_mobile": True, "has_touch": True}
    with Reader.at(chromium, server.url, **options) as reader:
        for address in ("/", "/dashboards", AT_QUARTER, "/deal_pipeline_waterfall", "/deal_funnel"):
            reader.open(address)
            width = reader.page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth")
            assert width <= PHONE["width"], f"{address} is {width} pixels wide"
            background = reader.page.get_by_test_id("stApp").evaluate(
                "e => getComputedStyle(e).backgroundColor"
            )
            assert sum(map(int, background.removeprefix("rgb(").rstrip(")").split(","))) < 150, background
            assert not reader.page.get_by_test_id("stException").count()


# --- logins ---------------------------------------------------------------------------------------

HEADER = "X-Forwarded-Email"


@pytest.fixture(scope="module")
def guarded(demo: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, str, str]]:
    """A viewer with logins, the owner whose rows `rep@example.com` sees, and another owner."""
    folder = tmp_path_factory.mktemp("guarded")
    mine, other = ask(
        demo.published_link,
        f"from reports.deals_won_and_lost({QUARTER}) where won_count > 0 and group_id <> 'none' limit 2",
    )
    access = folder / "access.toml"
    access.write_text(
        f'rest = "nothing"\n[users]\n"rep@example.com" = {{ owners = ["{mine["group_id"]}"] }}\n'
    )
    environment = {
        "SALES_REPORTS_VIEWER_USER_HEADER": HEADER,
        "SALES_REPORTS_VIEWER_ACCESS_FILE": str(access),
    }
    with viewer(demo.data_dir, folder, **environment) as running:
        yield running, mine["group_id"], other["group_id"]


def test_a_rep_sees_own_rows_whatever_the_address_says(chromium: Browser, guarded, link: Path):
    server, mine, other = guarded
    own = ask(link, f"from reports.deals_won_and_lost({QUARTER}, owners := ['{mine}'])")
    names = {row["owner_name"] for row in ask(link, f"from core.dim_owners where owner_id <> '{mine}'")}
    with logged_in(server.url, HEADER, "rep@example.com") as url, Reader.at(chromium, url) as reader:
        reader.open(AT_QUARTER)
        assert_shows(reader, own, "owner")
        for attempt in (
            f"{AT_QUARTER}&owners={other}",
            f"{AT_QUARTER}&owners={mine}&owners={other}",
            f"{AT_QUARTER}&group_by=team",
            f"{AT_QUARTER}&owners=x')%20or%20true--",
            f"/team_activity_timeline?period=last_365_days&owners={other}",
            f"/deal_pipeline_waterfall?owners={other}",
        ):
            reader.open(attempt)
            text = reader.page.locator("body").inner_text()
            told = {name for name in names if name in text}
            assert not told, f"{attempt} tells of {told}"
            for table in range(reader.page.get_by_test_id("stDataFrame").count()):
                cells = {cell for line in reader.rows(table) for cell in line.values()}
                assert not cells & names, attempt


@pytest.mark.parametrize("user", [None, "stranger@example.com"])
def test_who_is_not_known_sees_nothing(chromium: Browser, guarded, user: str | None):
    server, *_ = guarded
    with logged_in(server.url, HEADER, user) as url, Reader.at(chromium, url) as reader:
        reader.open(AT_QUARTER)
        assert not reader.page.get_by_test_id("stDataFrame").count()
        assert "Won" not in reader.text()
        assert ("not in the list" if user else HEADER) in reader.page.locator("body").inner_text()


def test_a_browser_cannot_name_its_user_past_the_proxy(chromium: Browser, guarded):
    server, *_ = guarded
    headers = {"extra_http_headers": {HEADER: "rep@example.com"}}
    with (
        logged_in(server.url, HEADER, "stranger@example.com") as url,
        Reader.at(chromium, url, **headers) as reader,
    ):
        reader.open(AT_QUARTER)
        assert "not in the list" in reader.page.locator("body").inner_text()
