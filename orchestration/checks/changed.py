"""Laws over the rows of changed records, for nights: what a night did not compute was proven before.

Belongs here: which rows are whose, and how a law that holds record by record (`Invariant.by`) is run
over those of changed records alone. When that is allowed is said in `proof.py`.

No law is written twice. For a while, tables of a database in memory, which the search path finds before
the build's own, stand for them under the same two-part names and hold the rows of changed records only.
What is not listed here is read as it is. So a law may be `by` a record if every row that it holds against
another is told from the rows of that record, from tables that are not listed, and from RELATIONS_OF_ALL.
A mart of sums stands for the sums over the changed records, which its drill-down finds (U4): that the
mart's own cells are those over all records is a law of its own, which a night proves whole.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cache

import duckdb

from orchestration.checks import (
    Result,
    create_relations,
    invariants,
    kept_warnings,
    needed_relations,
    run_law,
    set_variables,
)
from orchestration.checks.definitions import definitions
from orchestration.checks.universal import KEYED, cells_of_records
from orchestration.ingest.values import literal, quoted

DATABASE = "changed"
SCHEMAS = ("raw_hubspot", "core", "reports")
DRAWN_DAYS = 3
"""How many days of the past a night looks at, of the reconstructed ones and of the kept ones each."""

CHANGED = {
    "deal": "select deal_id from intermediate.int_deals_changed",
    "contact": "select contact_id from intermediate.int_contacts_changed",
    "activity": "select activity_type, activity_id from intermediate.int_activities_changed",
    # Other ones each night, and today.
    "day": f"""
        select snapshot_date
        from (
            select *, row_number() over (partition by is_stored order by hash(snapshot_date, run_ts)) as place
            from core.dim_snapshot_dates
            cross join core.build_info
        ) as days
        where place <= {DRAWN_DAYS} or snapshot_date = run_date
    """,
}
_DEALS, _CONTACTS, _ACTIVITIES = (f"in (from changed_{kind})" for kind in ("deal", "contact", "activity"))
_OF_TYPE = "id in (select activity_id from changed_activity where activity_type = '{}')"
_OF_DEALS = (
    *("core.fct_deals", "core.fct_deal_states", "core.fct_deal_stage_visits", "core.fct_deal_closings"),
    *("core.fct_deal_stage_visit_owners", "core.fct_deal_changes", "core.fct_deal_close_days"),
    *("core.fct_deal_funnel_steps", "core.fct_deal_pushes", "core.fct_deal_waterfall_lines"),
    *("core.fct_deal_loss_reasons", "core.fct_goal_deals"),
    *("reports.rpt_deal_change_history", "reports.rpt_deal_pipeline_waterfall_deals"),
)
_OF_CONTACTS = (
    *("core.dim_contacts", "core.fct_lifecycle_entries", "core.fct_lead_journey_steps"),
    *("core.fct_lead_conversions", "core.fct_first_engagements", "core.fct_sequence_enrollments"),
    "reports.rpt_lead_response_time",
)
_ASSOCIATIONS = f"{DATABASE}.raw_hubspot.associations"
_OF_ACTIVITIES = ("core.fct_activities", "core.bridge_activity_records", "reports.rpt_team_activity_timeline")
# The rows of each kind of record: predicates, by table.
ROWS: dict[str, dict[str, str]] = {
    "deal": {
        "raw_hubspot.deals": f"id {_DEALS}",
        "raw_hubspot.deal_property_history": f"object_id {_DEALS}",
        **dict.fromkeys(_OF_DEALS, f"deal_id {_DEALS}"),
    },
    "contact": {
        "raw_hubspot.contacts": f"id {_CONTACTS}",
        "raw_hubspot.contact_property_history": f"object_id {_CONTACTS}",
        # Those with deals: no law reads others, and they are most of all rows that there are.
        "raw_hubspot.associations": f"(from_type = 'contact' and to_type = 'deal' and from_id {_CONTACTS}) "
        f"or (to_type = 'contact' and from_type = 'deal' and to_id {_CONTACTS})",
        # Those associated with them.
        "raw_hubspot.deals": f"id in (select unnest([from_id, to_id]) from {_ASSOCIATIONS})",
        **dict.fromkeys(_OF_CONTACTS, f"contact_id {_CONTACTS}"),
    },
    "activity": {
        **{
            f"raw_hubspot.{kind}s": _OF_TYPE.format(kind)
            for kind in ("call", "meeting", "task", "email", "note")
        },
        **dict.fromkeys(_OF_ACTIVITIES, f"(activity_type, activity_id) {_ACTIVITIES}"),
    },
    # By a constant, since DuckDB would spell out all days of the view otherwise.
    "day": dict.fromkeys(
        ("core.dim_snapshot_dates", "reports.rpt_historical_snapshots"),
        "list_contains(getvariable('changed_days'), snapshot_date)",
    ),
}
# Told from the rows of other records, too: which ones were merged into one, and what is no record.
RELATIONS_OF_ALL = {"proof_stages", "proof_merged_deals", "proof_owners", "proof_pipelines"}


def run_of_changed(
    connection: duckdb.DuckDBPyConnection, names: Collection[str], proven_with: str
) -> list[Result]:
    """Run the laws of these names, each over the rows of changed records of its kind; warnings, whose
    count is of all rows, by `kept_warnings.py`.

    The connection's default database is that of a night's build, and `proven_with` the build with which the
    laws were proven of all rows. Leaves temporary tables behind.
    """
    chosen = [law for law in invariants() if law.name in names]
    set_variables(connection)
    relations = needed_relations(chosen)
    of_all = {name: query for name, query in relations.items() if name in RELATIONS_OF_ALL}
    errors = create_relations(connection, of_all)
    results = []
    for kind in CHANGED:
        laws = [law for law in chosen if law.by == kind]
        needed = {name: query for name, query in needed_relations(laws).items() if name not in of_all}
        text = " ".join([*(law.sql + law.screen for law in laws), *needed.values()])
        with changed_rows(connection, kind, text):
            errors |= create_relations(connection, needed)
            for law in laws:
                run = run_law if law.blocking else kept_warnings.run_of_changed
                results.append(run(connection, law, errors))
    of = {kind: _words(connection, kind) for kind in CHANGED}
    return [replace(result, of=of[result.invariant.by], carried_from=proven_with) for result in results]


def _words(connection: duckdb.DuckDBPyConnection, kind: str) -> str:
    """Of which rows a law `by` this kind was proven."""
    (count,) = connection.execute(f"select count(*) from changed_{kind}").fetchone()
    if kind == "day":
        return f"{count} days of the report, drawn anew each night"
    return f"the changed {'activities' if kind == 'activity' else kind + 's'} ({count:,})"


@contextmanager
def changed_rows(connection: duckdb.DuckDBPyConnection, kind: str, text: str) -> Iterator[None]:
    """Have the tables that the SQL names hold the rows of changed records of this kind for a while.

    Of their columns only those are there that are named as well.
    """
    execute = connection.execute
    (path,) = execute("select current_setting('search_path')").fetchone()
    execute(f"create or replace temp table changed_{kind} as select distinct * from ({CHANGED[kind]})")
    if kind == "day":
        execute("set variable changed_days = (select list(snapshot_date) from changed_day)")
    execute(f"attach ':memory:' as {DATABASE}")
    try:
        marts, views = _named(_sums(kind), text), _views(connection)
        asked = " ".join([text, *marts.values()])
        shown = {table: rows for table, rows in _named(ROWS[kind], asked).items() if table in views}
        read = " ".join([asked, *(views[table] for table in shown)])
        for schema in SCHEMAS:
            execute(f"create schema {DATABASE}.{schema}")
        for table, rows in _named(ROWS[kind], read).items():
            if table not in views:
                # By their places: columns are decoded only where such rows are.
                places = f"rowid in (select rowid from {table} where {rows})"
                columns = _columns(connection, table, read)
                execute(f"create table {DATABASE}.{table} as select {columns} from {table} where {places}")
        execute(f"set search_path = {literal(_before_others(connection, path))}")
        for table, rows in shown.items():
            select = (
                f"select {_columns(connection, table, asked)} from ({views[table]}) as shown where {rows}"
            )
            execute(f"create table {DATABASE}.{table} as {select}")
        for table, cells in marts.items():
            execute(f"create table {DATABASE}.{table} as {cells}")
        yield
    finally:
        execute(f"set search_path = {literal(path)}")
        execute(f"detach {DATABASE}")


@cache
def _sums(kind: str) -> Mapping[str, str]:
    """The marts whose cells are sums over records of this kind, and those sums."""
    return {
        f"reports.{definition.mart}": cells_of_records(definition)
        for definition in definitions()
        if definition.mart not in KEYED
        and definition.drill_down.keys() == set(definition.measures)
        and all(_named(ROWS[kind], way["relation"]) for way in definition.drill_down.values())
    }


def _named(tables: Mapping[str, str], text: str) -> dict[str, str]:
    names = set(re.findall(r"\b(?:raw_hubspot|core|reports)\.\w+", text))
    return {table: sql for table, sql in tables.items() if table in names}


def _views(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """The selects of views, in two-part names: of changed records a view holds what the rows of these in the
    tables behind it give."""
    found = connection.execute(
        "select schema_name || '.' || view_name, sql from duckdb_views() "
        "where not internal and list_contains($schemas, schema_name)",
        {"schemas": SCHEMAS},
    ).fetchall()
    return {view: re.split(r"\bas\b", sql.rstrip("; \n"), maxsplit=1, flags=re.I)[1] for view, sql in found}


def _columns(connection: duckdb.DuckDBPyConnection, table: str, text: str) -> str:
    """The columns of a table that the SQL names, for a select."""
    words = set(re.findall(r"\w+", text))
    columns = [name for name, *_ in connection.execute(f"describe {table}").fetchall()]
    return ", ".join(quoted(name) for name in columns if name in words) or "1 as no_column"


def _before_others(connection: duckdb.DuckDBPyConnection, path: str) -> str:
    """The search path by which two-part names find tables of changed rows first, then the build's own."""
    (build,) = connection.execute("select current_database()").fetchone()
    own = connection.execute(
        "select schema_name from duckdb_schemas() where database_name = $build and schema_name in $schemas",
        {"build": build, "schemas": SCHEMAS},
    ).fetchall()
    first, *others = path.split(",") if path else [f"{quoted(build)}.main"]
    changed = [f"{DATABASE}.{schema}" for schema in SCHEMAS]
    return ",".join([first, *changed, *others, *(f"{quoted(build)}.{schema}" for (schema,) in own)])
