"""Which changes of a record concern other records, held against the models: no column too few, none too many.

Belongs here: `concerns.py`. What a load says of a change stands in test_load_changes.py, what random nights
make of it in test_incremental.py.
"""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from orchestration.compiled import build_nodes
from orchestration.ingest.changes import RECORD_TYPES
from orchestration.ingest.concerns import CONCERNING
from orchestration.ingest.contract import INSTANT, TABLES
from orchestration.ingest.load import load_rows
from tests.crm_generator import hard_crm
from tests.harness import compiled_manifest, compiled_project, empty_database, load_crm, run_settings
from tests.loading import DAY_1, at, crm, deal, version
from tests.nights import build_night, copy_of_raw, differences

KEYS = {"deals": "deal_id", "contacts": "contact_id", "activities": ["activity_type", "activity_id"]}
ACTIVITIES = {"calls", "meetings", "tasks", "emails", "notes"}
CONCERNING_WHOLLY = {
    "deals": {"deals", "owners", "teams"},
    "contacts": {"contacts", "owners", "teams", "conversation_threads"} | ACTIVITIES,
    "activities": {"owners", "teams"} | ACTIVITIES,
}
"""The tables of records that concern a reader by whatever changes in them."""
PAST, FUTURE = at("2026-01-05"), at("2029-01-01")


def keyed_models(reader: str) -> list[str]:
    """The models whose rows are of deals, of contacts or of activities."""
    nodes = compiled_manifest()["nodes"].values()
    return sorted(node["alias"] for node in nodes if node["config"].get("unique_key") == KEYS[reader])


def rows_of(connection, names) -> dict[str, list[str]]:
    schemas = {node.name: node.schema for node in compiled_project().nodes.values()}
    return {
        name: sorted(map(repr, connection.execute(f"from {schemas[name]}.{name}").fetchall()))
        for name in names
    }


# --- none too few ---------------------------------------------------------------------------------


def built(tables, settings, names) -> dict[str, list[str]]:
    """What models hold for a CRM, shown with personal data."""
    build = load_crm(tables, **{**settings, "include_personal_data": True})
    connection = build.ensure(*names)
    rows = rows_of(connection, names)
    connection.close()
    return rows


def with_gaps(tables, rng: random.Random):
    """The same records with fewer values, so that those count that stand in for others; some are of a time to
    come, when the record does not count yet."""

    def value_of(table: str, row: dict, column: str) -> object:
        chance = rng.random()
        if column == "id" or chance < 0.5:
            return row[column]
        return FUTURE if chance > 0.9 and TABLES[table].columns.get(column) == INSTANT else None

    return tables | {
        table: [{column: value_of(table, row, column) for column in row} for row in tables[table]]
        for table in CONCERNING
    }


def with_other_values(tables, reader: str, rng: random.Random):
    """The same records with any values that occur in their columns, except where they concern a reader."""
    others = dict(tables)
    for table in RECORD_TYPES.keys() - CONCERNING_WHOLLY[reader]:
        columns = TABLES[table].columns.keys() - {"id", "_loaded_at"}
        others[table] = [dict(row) for row in tables[table]]
        for column in sorted(columns - set(CONCERNING.get(table, {}).get(reader, ()))):
            values = [*(row.get(column) for row in tables[table]), None]
            for row in others[table]:
                row[column] = rng.choice(values)
    return others


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(2))
def test_rows_of_others_are_made_of_no_other_column(seed):
    whole = hard_crm(seed, is_complete=True)
    tables = with_gaps(whole.tables, random.Random(seed))
    models = {reader: keyed_models(reader) for reader in KEYS}
    names = [name for listed in models.values() for name in listed]
    before = built(tables, whole.settings, names)
    for reader, listed in models.items():
        others = with_other_values(tables, reader, random.Random(seed))
        if reader == "deals":
            others["associations"] = []
        assert built(others, whole.settings, listed) == {name: before[name] for name in listed}, reader


# --- none too many --------------------------------------------------------------------------------

DATED = {"createdate": PAST}
# By column, what a record is before a night, and what the night makes of it.
NIGHTS_OF_A_COLUMN = {
    "createdate": (DATED, {"createdate": FUTURE}),
    "created_at": ({"createdate": None, "created_at": PAST}, {"created_at": FUTURE}),
    "hs_createdate": ({"createdate": None, "hs_createdate": PAST}, {"hs_createdate": FUTURE}),
    "archived": (DATED, {"archived": True}),
    "merged_into_id": (DATED, {"merged_into_id": "another"}),
    "hard_deleted_at": (DATED, {"hard_deleted_at": PAST}),
    "hs_merged_object_ids": (DATED, {"hs_merged_object_ids": "no-such; {former}"}),
    "dealname": (DATED, {"dealname": "Renamed"}),
    "pipeline": (DATED | {"dealstage": "both"}, {"pipeline": "second"}),
    "dealstage": (DATED, {"dealstage": "won"}),
    "closedate": (DATED | {"dealstage": "won", "closedate": PAST}, {"closedate": at("2026-01-06")}),
    "firstname": (DATED, {"firstname": "Ada"}),
    "lastname": (DATED, {"lastname": "Lovelace"}),
    "email": (DATED, {"email": "ada@example.org"}),
    "name": (DATED, {"name": "Analytical Engines"}),
    "domain": (DATED, {"domain": "example.org"}),
}


class Story:
    """A CRM in which each column that concerns others changes in one record, and a reader hangs on each."""

    def __init__(self) -> None:
        self.before = {"deals": {}, "contacts": {}, "companies": {}, "calls": {}}
        self.changes: list[tuple[dict, dict]] = []
        self.associations: list[dict] = []
        self.versions: list[dict] = []
        self.readers: dict[tuple[str, str, str], str] = {}
        for table, readers in CONCERNING.items():
            for reader, columns in readers.items():
                for column in columns:
                    self.tell(table, reader, column)

    def tell(self, table: str, reader: str, column: str) -> None:
        before, after = NIGHTS_OF_A_COLUMN[column]
        record = self.add(table, **before)
        read = record
        if column == "hs_merged_object_ids":
            read = self.add(table, **DATED)
            after = {column: after[column].format(former=read["id"])}
        self.changes.append((record, after))
        self.readers[table, reader, column] = self.hang_on(table, read, reader)

    def hang_on(self, table: str, record: dict, reader: str) -> str:
        """The id of a new reader of a record."""
        if reader == "activities":
            its = self.add("calls", createdate=None, hs_timestamp=PAST)
        else:
            its = self.add("contacts", createdate=at("2026-01-01"))
        ends = [
            (RECORD_TYPES[table], record["id"]),
            (RECORD_TYPES["calls" if reader == "activities" else reader], its["id"]),
        ]
        (from_type, from_id), (to_type, to_id) = ends if len(self.associations) % 2 else reversed(ends)
        self.associations.append(
            {"from_type": from_type, "from_id": from_id, "to_type": to_type, "to_id": to_id}
        )
        return its["id"]

    def add(self, table: str, **columns) -> dict:
        id_ = f"{table}-{len(self.before[table])}"
        row = deal(id_, **columns) if table == "deals" else {"id": id_, **columns}
        self.before[table][id_] = row
        return row

    def tables(self) -> dict[str, list[dict]]:
        pipelines = ("default", "second")
        stages = {"new": "0.2", "both": "0.5", "won": "1"}
        rows = {name: list(rows.values()) for name, rows in self.before.items()}
        return crm(
            **rows,
            associations=self.associations,
            deal_property_history=self.versions,
            pipelines=[{"object_type": "deal", "id": id_, "label": id_} for id_ in pipelines],
            pipeline_stages=[
                {"object_type": "deal", "pipeline_id": pipeline, "id": id_, "label": id_, "display_order": 1}
                | {"probability": "1" if (pipeline, id_) == ("second", "both") else probability}
                for pipeline in pipelines
                for id_, probability in stages.items()
            ],
        )


@pytest.mark.thorough
def test_each_column_moves_rows_of_others_and_a_night_moves_them(tmp_path):
    story = Story()
    # A deal without a date begins with its first version, and an earlier one comes.
    undated = story.add("deals", createdate=None)
    story.versions.append(version(undated["id"], "dealstage", "new", at("2026-01-20")))
    story.readers["deal_property_history", "contacts", "timestamp"] = story.hang_on(
        "deals", undated, "contacts"
    )

    build = empty_database()

    def load(now) -> None:
        settings = run_settings({"include_personal_data": True, "time_zone": "UTC"})
        load_rows(
            build,
            story.tables(),
            settings,
            now=now,
            history_path=tmp_path / "history.duckdb",
            fill_required=True,
        )

    def readers() -> dict[str, dict[str, list[str]]]:
        """What is said of each reader."""
        return {
            "activities": rows_by_id(build, "reports.rpt_team_activity_timeline", "activity_id"),
            "contacts": rows_by_id(build, "core.fct_lead_conversions", "contact_id"),
        }

    load(DAY_1)
    build_nodes(build, compiled_project().nodes.values())
    before = readers()
    for record, after in story.changes:
        record |= after
    story.versions.append(version(undated["id"], "dealstage", "new", at("2026-01-19")))
    load(DAY_1 + timedelta(hours=1))
    build_night(build)
    fresh = copy_of_raw(build)
    build_nodes(fresh, compiled_project().nodes.values())
    assert differences(build, fresh) == {}
    after = readers()
    same = [what for what, id_ in story.readers.items() if before[what[1]][id_] == after[what[1]][id_]]
    assert same == [], "these columns concern nobody"


def rows_by_id(connection, table: str, key: str) -> dict[str, str]:
    rows = connection.execute(f"select {key}, * from {table}").fetchall()
    return {id_: repr(row) for id_, *row in rows}
