"""The demo CRM: a pure function that only grows forward, sound and plausible.

Belongs here: what the demo promises by itself. The traps of real data in it are counted in
`test_demo_traps.py`; what reports make of it is tested elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from statistics import median

import duckdb
import pyarrow as pa
import pytest

from orchestration.ingest import contract, demo
from orchestration.ingest.contract import TABLES, VERSION_CAP
from orchestration.ingest.delivery import LoadError
from orchestration.ingest.demo import clock, company
from orchestration.ingest.load import load
from orchestration.settings import Settings
from tests.demo_rows import DAY, END, MINUTE, ZONE, Demo, default_demo, instant

SMALL = 400  # deals: enough for what has to hold of each record

EARLY = datetime(2025, 8, 28, tzinfo=ZONE)
NEXT_DAY = datetime(2025, 8, 29, tzinfo=ZONE)
FAR = datetime(2028, 3, 1, 15, 30, tzinfo=ZONE)

ARROW_TYPES = {
    contract.TEXT: pa.string(),
    contract.DECIMAL: pa.decimal128(38, 10),
    contract.INTEGER: pa.int64(),
    contract.BOOLEAN: pa.bool_(),
    contract.INSTANT: pa.timestamp("us", tz="UTC"),
}


@pytest.fixture(scope="module")
def default() -> Demo:
    return default_demo()


@pytest.fixture(scope="module")
def at() -> Callable[[datetime], Demo]:
    made: dict[datetime, Demo] = {}

    def make(end: datetime) -> Demo:
        if end not in made:
            made[end] = Demo(SMALL, end)
        return made[end]

    return make


# --- a pure function that grows forward ---


def test_same_inputs_same_tables(at):
    again = demo.generate(1, SMALL, clock.to_ms(EARLY))
    assert all(again[name].equals(table) for name, table in at(EARLY).arrow.items())


def test_another_seed_is_another_story(at):
    other = demo.generate(2, SMALL, clock.to_ms(EARLY))
    assert not other["deals"].equals(at(EARLY).arrow["deals"])


@pytest.mark.parametrize(
    "ends", [(EARLY, NEXT_DAY), (EARLY, END), (END, FAR)], ids=lambda e: str(e[1].date())
)
def test_a_later_end_only_adds(at, ends):
    """No version changes or appears before the first end; one is missing only above the cap."""
    before, after = at(ends[0]), at(ends[1])
    for name, histories in before.histories.items():
        cap = VERSION_CAP[TABLES[name].history_of]
        later = after.histories[name]
        for key, versions in histories.items():
            kept = {row["sequence"]: row for row in later[key]}
            for row in versions:
                assert kept.get(row["sequence"], row) == row
                assert row["sequence"] in kept or len(kept) == cap
        for key, versions in later.items():
            known = {row["sequence"] for row in histories.get(key, ())}
            assert all(row["sequence"] in known for row in versions if row["timestamp"] < ends[0])


@pytest.mark.parametrize(
    "ends", [(EARLY, NEXT_DAY), (EARLY, END), (END, FAR)], ids=lambda e: str(e[1].date())
)
def test_a_later_end_keeps_every_record(at, ends):
    before, after = at(ends[0]), at(ends[1])
    for name, table in TABLES.items():
        # Archived owners lose their teams (HubSpot), and settings change at known days.
        if table.history_of or name in ("owner_teams", "pipeline_stages"):
            continue
        old, new = (
            {tuple(row[column] for column in table.key): row for row in crm.rows[name]}
            for crm in (before, after)
        )
        assert len(old) == len(before.rows[name]), f"{name}: a key twice"
        assert old.keys() <= new.keys(), name
        if "created_at" in table.columns:
            assert {key for key, row in new.items() if row["created_at"] < ends[0]} == old.keys(), name
        for key, row in old.items():
            lasting = {column for column in row if column in LASTING or not table.is_object}
            lasting -= {"archived", "archived_at", "updated_at"}
            assert {c: row[c] for c in lasting} == {c: new[key][c] for c in lasting}, name


LASTING = {
    "created_at", "createdate", "hs_createdate", "dealname", "email", "firstname", "name", "domain",
    "hs_call_title", "hs_call_disposition", "hs_call_duration", "hs_meeting_start_time", "hs_email_subject",
    "hs_email_direction", "hs_task_subject", "hs_lead_name", "hs_target_amount", "percentage", "hs_amount",
    "hs_timestamp", "original_channel_id", "associated_contact_id", "hs_communication_channel_type",
}  # fmt: skip


def test_what_was_present_is_history_later(at):
    """The deal rows of the early end can be read from the histories of the late one."""
    before, after = at(EARLY), at(END)
    for name in ("dealstage", "pipeline", "hubspot_owner_id"):
        for deal_id, versions in after.versions(name):
            past = [row for row in versions if row["timestamp"] < EARLY]
            if past and len(versions) < VERSION_CAP["deals"]:
                assert before.deals[deal_id][name] == (past[-1]["value"] or None)


def test_nothing_is_known_after_the_end(at):
    crm = at(EARLY)
    for name, table in TABLES.items():
        for column in ("created_at", "updated_at", "archived_at", "timestamp", "effective_at"):
            if column in table.columns:
                known = [row[column] for row in crm.rows[name] if row[column] is not None]
                assert max(known, default=EARLY - MINUTE) < EARLY, f"{name}.{column}"


def test_the_smallest_demo_works():
    tables = demo.generate(1, 1, clock.to_ms(END))
    assert tables["deals"].num_rows >= 1


# --- the entry ---


def test_read_delivers_what_the_settings_ask_for():
    settings = Settings(demo_deals=30, demo_end=EARLY)
    delivery = demo.read(settings, datetime.now(UTC))
    assert delivery.read_until == EARLY
    assert delivery.tables.keys() == TABLES.keys()
    assert delivery.tables["deals"].rows.equals(demo.generate(1, 30, clock.to_ms(EARLY))["deals"])


def test_another_story_is_another_portal():
    """Kept history of one seed and size never meets that of another (K1)."""
    portals = {
        demo.read(Settings(demo_seed=seed, demo_deals=size, demo_end=EARLY), EARLY).portal_id
        for seed, size in ((1, 2), (1, 3), (2, 2))
    }
    assert len(portals) == 3


def test_default_end_is_the_last_midnight_of_the_company():
    now = datetime(2026, 3, 8, 4, 59, tzinfo=UTC)  # 23:59 in New York, the day before a change of clocks
    read_until = demo.read(Settings(demo_deals=1), now).read_until
    assert read_until == datetime(2026, 3, 7, tzinfo=ZONE)


def test_an_end_before_the_company_is_an_error_that_says_what_to_do():
    with pytest.raises(LoadError, match=r"SALES_REPORTS_DEMO_END to an instant after 2024-12-03"):
        demo.read(Settings(demo_end=datetime(2024, 12, 2, tzinfo=UTC)), datetime.now(UTC))


def test_the_load_step_takes_every_row(tmp_path):
    settings = Settings(demo_deals=60, demo_end=EARLY)
    delivery = demo.read(settings, EARLY)
    with duckdb.connect() as connection:
        load(connection, delivery, settings, now=EARLY, history_path=tmp_path / "history.duckdb")
        log = connection.execute("select table_name, offered, loaded from raw_hubspot._sync_log").fetchall()
        values = connection.execute("select * from raw_hubspot._rejected_values").fetchall()
    assert {name for name, *_ in log} == TABLES.keys()
    assert all(offered == loaded for _, offered, loaded in log)
    assert not values


# --- tables ---


def test_tables_have_the_columns_and_types_of_the_contract(default):
    for name, table in TABLES.items():
        expected = {column: kind for column, kind in table.columns.items() if column != "_loaded_at"}
        schema = default.arrow[name].schema
        assert schema.names == list(expected), name
        assert schema.types == [ARROW_TYPES[kind] for kind in expected.values()], name


def test_no_table_is_empty(default):
    assert not [name for name, rows in default.rows.items() if not rows]


def test_sizes_are_as_promised(default):
    count = {name: len(rows) for name, rows in default.rows.items()}
    assert 2_400 < count["deals"] < 2_900
    activities = sum(count[name] for name in ("calls", "meetings", "tasks", "emails", "notes"))
    assert 13_000 < activities < 20_000
    assert sum(not owner["archived"] for owner in default.rows["owners"]) == 10
    assert sum(row["object_type"] == "deal" for row in default.rows["pipelines"]) == 3
    parents = {team["id"]: team["parent_team_id"] for team in default.rows["teams"]}
    assert any(parents.get(parents.get(team)) for team in parents), "no team two levels down"


def test_references_hold(default):
    rows, ids = default.rows, default.ids
    owners = ids("owners") | {company.UNKNOWN_OWNER, None}
    users = {row["user_id"] for row in rows["owners"]} | {company.TRAINEE_USER, None}
    agents = {f"A-{user}" for user in users} | {"B-31415", None}
    outcomes = ids("call_dispositions") | {company.FORGOTTEN_OUTCOME, None}
    stages = {(row["pipeline_id"], row["id"]) for row in rows["pipeline_stages"]}
    known = {
        ("calls", "hs_call_disposition"): outcomes,
        ("contacts", "associatedcompanyid"): ids("companies") | {None},
        ("contacts", "hs_latest_sequence_enrolled"): ids("sequences") | {None},
        ("conversation_threads", "original_channel_id"): ids("conversation_channels"),
        ("conversation_threads", "associated_contact_id"): ids("contacts") | {None},
        ("conversation_threads", "assigned_to"): agents,
        ("conversation_messages", "thread_id"): ids("conversation_threads"),
        ("deal_splits", "deal_id"): ids("deals"),
        ("deal_splits", "owner_id"): owners,
        ("deals", "pipeline"): ids("pipelines"),
        ("goal_targets", "hs_assignee_user_id"): users,
        ("goal_targets", "hs_assignee_team_id"): ids("teams") | {None},
        ("owner_teams", "owner_id"): ids("owners"),
        ("owner_teams", "team_id"): ids("teams"),
        ("teams", "parent_team_id"): ids("teams") | {None},
    }
    for table in TABLES.values():
        if "hubspot_owner_id" in table.columns:
            known[table.name, "hubspot_owner_id"] = owners
        if table.history_of:
            known[table.name, "object_id"] = ids(table.history_of)
    for (table, column), targets in known.items():
        assert {row[column] for row in rows[table]} <= targets, f"{table}.{column}"
    assert all((row["pipeline"], row["dealstage"]) in stages for row in rows["deals"])
    ends = {
        (row[f"{side}_type"], row[f"{side}_id"]) for row in rows["associations"] for side in ("from", "to")
    }
    assert ends <= default.records


def test_last_versions_are_the_present_of_nearly_all(default):
    for name in ("dealstage", "pipeline", "hubspot_owner_id", "amount", "closedate"):
        differ = 0
        for deal_id, versions in default.versions(name):
            last, present = versions[-1]["value"] or None, default.deals[deal_id][name]
            if name == "closedate":
                last = instant(last)
            elif name == "amount" and last is not None:
                last = Decimal(last)
            differ += last != present
        allowed = 25 if name == "amount" else 0
        assert differ <= allowed, name


# --- worth looking at ---


def test_reps_and_pipelines_differ_plausibly(default):
    """The year before the last full quarter, as a sales leader sees it."""
    first, last = datetime(2025, 11, 1, tzinfo=ZONE), datetime(2026, 11, 1, tzinfo=ZONE)
    closed = [
        row
        for row in default.rows["deals"]
        if row["hs_is_closed"] and not row["archived"] and first <= row["closedate"] < last
    ]

    def win_rate(rows: list[dict]) -> float:
        return sum(row["hs_is_closed_won"] for row in rows) / len(rows)

    assert 0.2 < win_rate([row for row in closed if row["pipeline"] == "default"]) < 0.35
    assert 0.78 < win_rate([row for row in closed if row["pipeline"] == "renewals"]) < 0.92
    rates = []
    for rep in company.REPS[:10]:
        rows = [row for row in closed if row["hubspot_owner_id"] == rep.owner_id]
        won = [row for row in rows if row["hs_is_closed_won"]]
        rates.append(win_rate(rows))
        assert 30 < median((row["closedate"] - row["createdate"]) / DAY for row in won) < 75, rep.last
    new_business = sorted(rates)[:-1]
    assert new_business[-1] - new_business[0] > 0.12
    opened = [row for row in default.rows["deals"] if not row["hs_is_closed"]]
    overdue = [row for row in opened if row["closedate"] and row["closedate"] < END]
    assert 120 < len(opened) < 320
    assert 0.08 < len(overdue) / len(opened) < 0.4


def test_connect_rate_is_plausible(default):
    calls = [row for row in default.rows["calls"] if row["hs_call_direction"] == "OUTBOUND"]
    connected = sum(row["hs_call_disposition"] == company.OUTCOMES["Connected"] for row in calls)
    assert 0.15 < connected / len(calls) < 0.35
