"""Who sees which rows, and that nothing that an address can say changes it.

Two ways prove it. A restricted reader gets from every report function what everybody gets with that
reader's owners as a filter; and no table or answer that a restricted reader can ask for has a row of
anybody else's.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from orchestration.settings import Settings
from orchestration.viewer.access import (
    EVERYTHING,
    OPEN_TABLES,
    AccessDenied,
    AccessFile,
    AccessFileError,
    Scope,
    user_of,
)
from orchestration.viewer.catalog import Report, catalog, choices
from orchestration.viewer.database import Build, QueryError, published_file
from orchestration.viewer.records import NotListed, measures, records
from orchestration.viewer.sql import literal
from orchestration.viewer.state import ReportState
from tests.viewer.pages import assert_no_failure, opened, texts

REP, TEAM = "70001008", "120"  # a rep; a team with teams below it


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "access.toml"
    path.write_text(text)
    return path


def scope_of(tmp_path: Path, build: Build, entry: str) -> Scope:
    return AccessFile.read(written(tmp_path, f'[users]\n"who@example.com" = {entry}\n')).scope(
        "Who@Example.com", build
    )


@pytest.fixture(scope="module")
def rep(demo_settings: Settings) -> Build:
    """The build as a rep sees it."""
    return published_file(demo_settings).build(Scope(frozenset({REP})))


@pytest.fixture(scope="module")
def manager(demo_settings: Settings, demo_build: Build, tmp_path_factory: pytest.TempPathFactory) -> Build:
    """The build as the manager of a team sees it."""
    scope = scope_of(tmp_path_factory.mktemp("access"), demo_build, f'{{ teams = ["{TEAM}"] }}')
    return published_file(demo_settings).build(scope)


# --- the file --------------------------------------------------------------------------------------


def test_a_rep_has_own_rows_by_id_or_name(tmp_path: Path, demo_build: Build):
    name = demo_build.one(f"select owner_name from core.dim_owners where owner_id = '{REP}'")["owner_name"]
    for owner in (REP, name):
        assert scope_of(tmp_path, demo_build, f'{{ owners = ["{owner}"] }}') == Scope(frozenset({REP}))


def test_a_manager_has_the_rows_of_the_team_and_of_those_below_it(tmp_path: Path, demo_build: Build):
    scope = scope_of(tmp_path, demo_build, '{ teams = ["EMEA"] }')
    below = demo_build.records("select team_id from core.dim_teams where path_names like 'Sales / EMEA%'")
    assert scope.teams == {row["team_id"] for row in below}
    assert len(scope.teams) > 1
    members = demo_build.records(
        "select owner_id from core.dim_owners inner join core.dim_teams using (team_id) "
        "where path_names like 'Sales / EMEA%'"
    )
    assert scope.owners == {row["owner_id"] for row in members}
    assert len(scope.owners) > 1


def test_everything_and_the_rest(tmp_path: Path, demo_build: Build):
    assert scope_of(tmp_path, demo_build, "{ everything = true }") == EVERYTHING
    named = '[users]\n"a@example.com" = { everything = true }\n'
    assert AccessFile.read(written(tmp_path, named)).scope("b@example.com", demo_build) == EVERYTHING
    closed = AccessFile.read(written(tmp_path, 'rest = "nothing"\n' + named))
    assert closed.scope("a@example.com", demo_build) == EVERYTHING
    with pytest.raises(AccessDenied, match="not in the list"):
        closed.scope("b@example.com", demo_build)


@pytest.mark.parametrize(
    "entry",
    [
        '{ owners = ["Nobody At All"] }',
        '{ owners = ["70001008", "4711"] }',
        '{ teams = ["Nowhere"] }',
        '{ owners = ["none"] }',
        '{ teams = ["none"] }',
        '{ teams = ["EMEA", "x"], owners = ["70001008"] }',
    ],
)
def test_a_name_that_the_build_does_not_know_refuses(tmp_path: Path, demo_build: Build, entry: str):
    with pytest.raises(AccessDenied, match="unknown"):
        scope_of(tmp_path, demo_build, entry)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("not toml", "cannot be read"),
        ('rest = "all"', "rest must be one of"),
        ("[user]\n", "“user” is not known"),
        ("[users]\na = {}", "write"),
        ("[users]\na = { owner = 'x' }", "write"),
        ("[users]\na = { owners = 'x' }", "must be a list"),
        ("[users]\na = { teams = [] }", "must be a list"),
        ("[users]\na = { owners = [7] }", "must be a list"),
        ("[users]\na = { everything = false }", "stands alone"),
        ("[users]\na = { everything = true, teams = ['x'] }", "stands alone"),
        ("[users]\nA = { teams = ['x'] }\na = { teams = ['y'] }", "twice"),
        ("users = 7", "write"),
    ],
)
def test_a_slip_in_the_file_stops_it(tmp_path: Path, text: str, words: str):
    with pytest.raises(AccessFileError, match=words):
        AccessFile.read(written(tmp_path, text))


def test_a_file_that_is_not_there_stops_it(tmp_path: Path):
    with pytest.raises(AccessFileError, match="cannot be read"):
        AccessFile.read(tmp_path / "none.toml")


def test_the_header_names_the_user_or_nobody_gets_in():
    assert user_of({}, None) is None
    assert user_of({"X-User": " ada@example.com "}, "X-User") == "ada@example.com"
    for headers in ({}, {"X-User": ""}, {"X-User": "  "}, {"X-Other": "ada@example.com"}):
        with pytest.raises(AccessDenied, match="X-User"):
            user_of(headers, "X-User")


# --- rows ------------------------------------------------------------------------------------------


def tables(build: Build) -> list[tuple[str, list[str]]]:
    rows = build.records(
        "select schema_name || '.' || table_name as name, list(column_name) as columns "
        "from duckdb_columns() where database_name = 'published' and not internal group by all order by all"
    )
    return [(row["name"], row["columns"]) for row in rows]


def test_no_table_has_rows_of_anybody_else(demo_build: Build, rep: Build, manager: Build):
    """By owner where there is one, by deal or contact where not; and most tables have rows at all."""
    for build in (rep, manager):
        filled = 0
        for table, columns in tables(demo_build):
            if table not in OPEN_TABLES:
                foreign = foreign_rows(demo_build, build.scope, table, set(columns))
                seen = {
                    tuple(row.values()) for row in build.records(f"select distinct {foreign[0]} from {table}")
                }
                assert not seen & foreign[1], table
                filled += bool(seen)
        assert filled > 40
        assert build.one("select count(sample_ids) as n from reports.rpt_data_quality")["n"] == 0


def foreign_rows(everything: Build, scope: Scope, table: str, columns: set[str]) -> tuple[str, set[tuple]]:
    """Columns of a table that say whose its rows are, and their values in the rows of others."""
    mine, teams = _in(literal(sorted(scope.owners))), _in(f"{literal(sorted(scope.teams))}::varchar[]")
    is_state = table in ("core.fct_deal_states", "core.fct_deal_stage_visit_owners")  # of then, not of today
    if table in ("core.dim_teams", "core.bridge_team_ancestors"):
        members = f"select team_id from core.dim_owners where owner_id in {mine}"
        key, where = "team_id", f"team_id not in {teams} and team_id not in ({members})"
    elif "assignee_kind" in columns:
        key = "assignee_kind, owner_id, team_id"
        where = f"case assignee_kind when 'team' then team_id not in {teams} else owner_id not in {mine} end"
    elif "owner_id" in columns and not is_state:
        key, where = "owner_id", f"owner_id not in {mine}"
    elif "deal_id" in columns:
        key, where = (
            "deal_id",
            f"deal_id in (select deal_id from core.fct_deals where owner_id not in {mine})",
        )
    elif "contact_id" in columns:
        contacts = f"select contact_id from core.dim_contacts where owner_id not in {mine}"
        key, where = "contact_id", f"contact_id in ({contacts})"
    elif "activity_id" in columns:
        key = "activity_type, activity_id"
        where = (
            "(activity_type, activity_id) in (select (activity_type, activity_id) from core.fct_activities "
            f"where owner_id not in {mine})"
        )
    else:
        raise AssertionError(f"{table} is new: who may see its rows?")
    found = everything.records(f"select distinct {key} from {table} where {where}", 1_000_000)
    return key, {tuple(row.values()) for row in found}


def _in(list_sql: str) -> str:
    return f"(select unnest({list_sql}))"


def test_open_tables_exist_and_have_nobody_in_them(demo_build: Build):
    """Whoever opens a table to all must not open rows of somebody."""
    known = dict(tables(demo_build))
    for table in OPEN_TABLES:
        assert not {"owner_id", "deal_id", "contact_id", "user_id"} & set(known[table]), table


def reports(build: Build) -> list[Report]:
    return list(catalog(build).reports.values())


def counted(report: Report, rows: list[dict]) -> list[dict]:
    """Rows in which something is counted: a category that only others use is a row of zeros to a filter."""
    measures = [measure for measure in report.measures if rows and measure in rows[0]]
    return [row for row in rows if not measures or any(row[measure] for measure in measures)]


@pytest.mark.thorough
def test_every_function_answers_as_with_a_filter_on_the_owners(demo_build: Build, rep: Build, manager: Build):
    """So nothing is lost either, and a total is the total of the own rows."""
    compared = 0
    looks = ((rep, "none"), (manager, "owner"))
    for (build, group_by), report in itertools.product(looks, reports(demo_build)):
        state = ReportState.default(report).choose(report, group_by=group_by)
        whole = state.choose(report, owners=sorted(build.scope.owners))
        own = counted(report, build.records(state.sql(report, build.calendar)))
        if report.name == "quota_attainment":  # a filter on owners leaves the goals of teams out
            own = [row for row in own if row["assignee_kind"] == "owner"]
        expected = counted(report, demo_build.records(whole.sql(report, build.calendar)))
        assert own == expected, f"{report.name} by {group_by}"
        compared += len(own)
    assert compared > 500


def test_a_manager_sees_the_goals_of_own_teams_only(demo_build: Build, rep: Build, manager: Build):
    sql = "select distinct team_id from core.fct_goals where assignee_kind = 'team'"
    everybody = {row["team_id"] for row in demo_build.records(sql)}
    assert {row["team_id"] for row in manager.records(sql)} == everybody & manager.scope.teams
    assert rep.records(sql) == []


def test_rows_of_teams_count_own_rows_only(demo_build: Build, rep: Build):
    call = "from reports.deals_won_and_lost(date '2020-01-01', date '2030-01-01', group_by := '{}'{})"
    (own,) = rep.records(call.format("owner", ""))
    for more in ("", ", include_subteams := true"):
        (team,) = rep.records(call.format("team", more))
        assert {key: team[key] for key in ("won_count", "lost_count", "won_amount")} == {
            key: own[key] for key in ("won_count", "lost_count", "won_amount")
        }
    (everybody,) = demo_build.records(call.format("none", ""))
    assert everybody["won_count"] > own["won_count"] > 0


def test_naming_others_is_an_error_that_does_not_name_them(demo_build: Build, rep: Build):
    others = demo_build.records(f"select owner_id, owner_name from core.dim_owners where owner_id <> '{REP}'")
    for report in reports(demo_build):
        if "owners" not in report.arguments:
            continue
        for ids in ([others[0]["owner_id"]], [REP, others[1]["owner_id"]], [others[2]["owner_name"]]):
            state = ReportState.default(report).choose(report, owners=ids)
            with pytest.raises(QueryError, match="unknown") as error:
                rep.table(state.sql(report, rep.calendar))
            told = str(error.value).split("choose from", 1)[1]
            assert not [row for row in others if row["owner_id"] in told or row["owner_name"] in told]
    assert set(choices(rep, reports(rep)[0].arguments["owners"])) == {REP}


@pytest.mark.thorough
def test_drill_down_lists_own_records_only(demo_build: Build, rep: Build):
    """Also of a row that another reader's page showed: its number is not the own one, so it is refused."""
    listed = 0
    for report in reports(rep):
        state = ReportState.default(report)
        for row in rep.records(state.sql(report, rep.calendar))[:4]:
            for measure in measures(report, row)[:2]:
                try:
                    found = records(rep, report, state, [row], measure)
                except NotListed:
                    continue
                listed += found.rows.num_rows
                if "owner_name" in found.rows.column_names:
                    (name,) = {row["owner_name"] for row in rep.records("from core.dim_owners")}
                    assert set(found.rows["owner_name"].to_pylist()) <= {name}
    assert listed > 50
    report = catalog(rep).reports["deals_won_and_lost"]
    state = ReportState.default(report)
    foreign = next(
        row
        for row in demo_build.records(state.sql(report, rep.calendar))
        if row["group_id"] != REP and row["won_count"]
    )
    with pytest.raises(NotListed):
        records(rep, report, state, [foreign], "won_count")


@pytest.mark.parametrize(
    "sql",
    [
        "from read_csv('/etc/passwd')",
        "from '/etc/passwd'",
        "copy (select 1) to '/tmp/out.csv'",
        "attach '/tmp/x.duckdb'",
        "install httpfs",
        "create table published.core.x as select 1",
        "delete from core.fct_deals",
        "set enable_external_access = true",
    ],
)
def test_a_session_reads_the_build_and_nothing_else(rep: Build, sql: str):
    """Should SQL of somebody's ever get in, it finds no file, no network and nothing to write to."""
    with pytest.raises(QueryError):
        rep.table(sql)


# --- pages -----------------------------------------------------------------------------------------


HEADER = "X-Forwarded-Email"


@pytest.fixture
def logins(demo_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The app with logins: returns how to sign in as somebody."""
    path = written(
        tmp_path,
        f'rest = "nothing"\n[users]\n"rep@example.com" = {{ owners = ["{REP}"] }}\n'
        '"slip@example.com" = { teams = ["Renamed"] }\n"all@example.com" = { everything = true }\n',
    )
    monkeypatch.setenv("SALES_REPORTS_DATA_DIR", str(demo_settings.data_dir))
    monkeypatch.setenv("SALES_REPORTS_VIEWER_USER_HEADER", HEADER)
    monkeypatch.setenv("SALES_REPORTS_VIEWER_ACCESS_FILE", str(path))

    def sign_in(user: str | None) -> None:
        headers = {} if user is None else {HEADER: user}
        monkeypatch.setattr("streamlit.runtime.context.ContextProxy.headers", headers)

    return sign_in


@pytest.mark.parametrize(
    ("user", "words"),
    [
        (None, HEADER),
        ("stranger@example.com", "not in the list"),
        ("slip@example.com", "unknown in this build"),
    ],
)
def test_pages_refuse_who_is_not_known(logins, user: str | None, words: str):
    logins(user)
    for page in ("", "deals_won_and_lost", "dashboards", "data_quality"):
        app = opened(page)
        assert_no_failure(app)
        assert words in texts(app)
        assert not app.dataframe
        assert not app.get("vega_lite_chart")


@pytest.mark.thorough
def test_pages_show_a_rep_nothing_of_others(logins, demo_build: Build):
    logins("REP@example.com")
    others = {
        row["owner_name"]
        for row in demo_build.records(
            f"select owner_name from core.dim_owners where owner_id not in ('{REP}', 'none')"
        )
    }
    for page, query in (
        ("deals_won_and_lost", "period=last_fiscal_year"),
        ("deals_won_and_lost", "period=last_fiscal_year&group_by=team&include_subteams=true"),
        ("deals_won_and_lost", "period=last_fiscal_year&owners=70001005"),
        ("team_activity_timeline", "period=last_365_days"),
        ("deal_pipeline_waterfall", "group_by=owner"),
        ("", ""),
        ("data_quality", ""),
    ):
        app = opened(page, query)
        assert_no_failure(app)
        shown = texts(app) + "".join(frame.value.to_string() for frame in app.dataframe)
        shown += "".join(chart.proto.spec for chart in app.get("vega_lite_chart"))
        shown += "".join(str(widget.options) for widget in app.multiselect)
        assert not [name for name in others if name in shown], (page, query)


def test_a_broken_access_file_shuts_the_viewer_and_tells_its_log_only(
    logins, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setenv("SALES_REPORTS_VIEWER_ACCESS_FILE", str(written(tmp_path, "rest = 'secret-word'")))
    logins("all@example.com")
    app = opened("deals_won_and_lost")
    assert_no_failure(app)
    assert "Nobody sees anything" in texts(app)
    assert "secret-word" not in texts(app)
    assert "rest must be one of" in caplog.text
    assert not app.dataframe


def test_whoever_may_see_everything_does(logins, demo_build: Build):
    logins("all@example.com")
    app = opened("deals_won_and_lost", "period=last_fiscal_year")
    (count,) = demo_build.one(
        "select count(*) as n from reports.deals_won_and_lost(date '2025-02-01', date '2026-02-01')"
    ).values()
    assert len(app.dataframe[0].value) == count > 5
