"""SQL = reference, every night, on another sample of the account's records.

Belongs here: drawing a sample from `raw_hubspot`, building its marts from the SQL that dbt compiled,
and comparing them row by row with the slow computations of `orchestration/reference` over the same
rows. What the sampled records show in the build itself must be what they show in the sample, so the
proof carries over to the tables that were built. On a small account the sample is the whole CRM. A night
draws fewer records, most of them from those that changed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from datetime import time
from time import perf_counter

import duckdb
import yaml

from orchestration.checks import SAMPLE_SIZE as SHOWN
from orchestration.checks import Invariant, Result, invariants
from orchestration.checks.compare import row_differences
from orchestration.compiled import Project, build_nodes
from orchestration.ingest.contract import TABLES
from orchestration.ingest.values import literal, quoted
from orchestration.reference import references
from orchestration.reference.crm import Crm, RunSettings
from orchestration.reference.raw import fetch
from orchestration.settings import PROJECT_ROOT

RECORDS_PER_TABLE = 120
"""Deals, contacts, activities and threads that are drawn, each; what belongs to them comes along.
Chosen so that the slow computations of all marts take a few seconds."""
OF_A_NIGHT = {"changed_per_table": 15, "records_per_table": 5}
"""What a night draws: of records in which the source has changed something, and of all."""
MAX_ASSOCIATIONS = 100
"""Contacts with more are not drawn: one with a million e-mails would be the whole sample."""

DATABASE = "reference_sample"
ACTIVITIES = ("calls", "meetings", "tasks", "emails", "notes")
NOT_READ = ("leads", "communications", "deal_splits", "forecasts")
"""Object tables that no report reads: left empty in the sample."""

# Tables of the build whose rows belong to one record and depend on nothing outside of the sample.
# (Spellings of loss reasons, for example, are voted on by all deals.)
RECORD_TABLES = {
    "core.fct_deals": ("deals", "deal_id"),
    "core.fct_deal_states": ("deals", "deal_id"),
    "core.fct_deal_stage_visits": ("deals", "deal_id"),
    "core.fct_deal_stage_visit_owners": ("deals", "deal_id"),
    "core.fct_deal_changes": ("deals", "deal_id"),
    "reports.rpt_deal_change_history": ("deals", "deal_id"),
    "core.fct_lifecycle_entries": ("contacts", "contact_id"),
    "core.fct_sequence_enrollments": ("contacts", "contact_id"),
    "core.fct_first_engagements": ("contacts", "contact_id"),
    "reports.rpt_lead_response_time": ("contacts", "contact_id"),
}


@dataclass(frozen=True)
class Build:
    """The names of the databases that hold a build."""

    raw_database: str
    marts_database: str

    @property
    def raw(self) -> str:
        return quoted(self.raw_database)

    @property
    def marts(self) -> str:
        return quoted(self.marts_database)


def reference_invariants(models: Collection[str]) -> list[Invariant]:
    """The laws that `compare_with_references` proves: one per mart, one per table of records.

    `models` are the names of all dbt models.
    """
    return [_mart_law(mart) for mart in _compared_marts(models)] + [
        _record_law(table) for table in _record_tables(models)
    ]


def compare_with_references(
    connection: duckdb.DuckDBPyConnection,
    project: Project,
    variables: Mapping[str, object] | None = None,
    *,
    records_per_table: int = RECORDS_PER_TABLE,
    changed_per_table: int = 0,
) -> list[Result]:
    """Prove the marts on a sample of the build in the connection's default database.

    `project` is the project as dbt compiled it for this build, `variables` the dbt variables that
    it was given in place of those of dbt_project.yml (names of RunSettings). Drawn are that many of the
    records that the load found changed, and that many of all, by the build's run_ts: the same ones for
    the same run_ts. Leaves the build as it was, and temporary
    tables behind.
    """
    with _sample_database(connection) as build:
        is_whole = _draw(connection, build, records_per_table, changed_per_table)
        marts, tables = _compared_marts(project.nodes), _record_tables(project.nodes)
        names = [*marts, *(table.partition(".")[2] for table in tables)]
        build_nodes(connection, project.with_ancestors(names))
        crm = Crm.from_duckdb(connection, **_build_variables(connection) | dict(variables or {}))
        results = [_compare_mart(connection, crm, mart, build if is_whole else None) for mart in marts]
        results += [_compare_records(connection, table, build) for table in tables]
    mostly = ", most of them changed" if changed_per_table else ""
    return [replace(result, of="" if is_whole else f"a sample of the records{mostly}") for result in results]


def _build_variables(connection: duckdb.DuckDBPyConnection) -> dict[str, object]:
    """What else a build depends on (decisions.md §5): dbt_project.yml's variables, and the seeds."""
    given = yaml.safe_load((PROJECT_ROOT / "dbt_project.yml").read_text())["vars"]
    known = {field.name for field in fields(RunSettings)}
    variables = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in given.items()
        if name in known
    }
    journey = fetch(connection, "from seeds.lead_journey_stages order by stage_position")
    hours = fetch(connection, "from seeds.business_hours order by weekday, opens")
    return variables | {
        "lead_journey_stages": tuple(
            (stage["stage_id"], stage["stage_label"], stage["is_optional"]) for stage in journey
        ),
        "business_hours": tuple(
            (row["weekday"], time.fromisoformat(row["opens"]), time.fromisoformat(row["closes"]))
            for row in hours
        ),
    }


def _compared_marts(models: Collection[str]) -> list[str]:
    return sorted(references().keys() & set(models))


def _record_tables(models: Collection[str]) -> list[str]:
    return [table for table in RECORD_TABLES if table.partition(".")[2] in models]


def _mart_law(mart: str) -> Invariant:
    return Invariant(
        name=f"{mart}_equals_its_slow_computation",
        report=mart,
        words="K8, SQL = reference: on a sample of the account's records, the mart holds row by row "
        "what orchestration/reference computes from the same raw rows.",
    )


def _record_law(table: str) -> Invariant:
    name = table.partition(".")[2]
    return Invariant(
        name=f"{name}_of_the_sample_is_that_of_the_build",
        report=name,
        words="The sampled records have in the build's table the rows that they have in the sample's, "
        "on which the reports were proven.",
    )


@contextmanager
def _sample_database(connection: duckdb.DuckDBPyConnection) -> Iterator[Build]:
    """Make an empty database the connection's default for a while; gives where the build's tables are."""
    build, path = connection.execute("select current_database(), current_setting('search_path')").fetchone()
    (marts,) = connection.execute(
        "select database_name from duckdb_tables() where schema_name = 'core' and table_name = 'fct_deals'"
    ).fetchone()
    connection.execute(f"attach ':memory:' as {DATABASE}")
    connection.execute(f"use {DATABASE}")
    try:
        yield Build(build, marts)
    finally:
        connection.execute(f"set search_path = {literal(path)}")
        connection.execute(f"detach {DATABASE}")


# --- the sample -----------------------------------------------------------------------------------


def _draw(connection: duckdb.DuckDBPyConnection, build: Build, size: int, changed: int) -> bool:
    """Copy a sample of the build's raw tables; True if it is the whole CRM."""
    raw = f"{build.raw}.raw_hubspot"
    connection.execute("create or replace temp table sampled (table_name varchar, id varchar)")
    (run,) = connection.execute(f"select cast(epoch_us(run_ts) as varchar) from {raw}._run").fetchone()
    for table in ("deals", "contacts", *ACTIVITIES, "conversation_threads"):
        kind = table.removesuffix("s")
        of_changed = f"id in (select record_id from {raw}._changed_records where object_type = '{kind}')"
        draws = {"true": size} | ({of_changed: changed} if changed else {})
        connection.execute(_drawn(raw, table, run, draws))
    for relatives in (_MERGED, _DEALS_OF_CONTACTS, _MERGED, _ACTIVITIES_OF_CONTACTS, _THREADS, _COMPANIES):
        connection.execute(relatives.format(raw=raw))
    connection.execute("create or replace temp table sampled as select distinct * from sampled")
    connection.execute("create schema raw_hubspot")
    tables = connection.execute(
        "select table_name from duckdb_tables() "
        f"where database_name = {literal(build.raw_database)} "
        "and schema_name = 'raw_hubspot' and not temporary"
    ).fetchall()
    for (table,) in sorted(tables):
        connection.execute(
            f"create table raw_hubspot.{table} as select * from {raw}.{table} "
            f"where {_by_place(f'{raw}.{table}', _taken(table))}"
        )
    return all(
        connection.execute(f"select count(*) from {raw}.{table}").fetchone()
        == connection.execute(f"select count(*) from raw_hubspot.{table}").fetchone()
        for table in ("deals", "contacts", *ACTIVITIES, "conversation_threads")
    )


def _drawn(raw: str, table: str, run: str, draws: Mapping[str, int]) -> str:
    """Insert of so many records of each predicate, in an order that only the run and their id decide."""
    most = 1 if table != "contacts" else 10
    first = " union all ".join(
        f"""
        from (
            select {number} as draw, {size} as size, id, hash(id, {literal(run)}) as place
            from {raw}.{table}
            where {where}
            order by place, id
            limit {most * size}
        )
        """
        for number, (where, size) in enumerate(draws.items())
    )
    if table != "contacts":
        return f"insert into sampled select '{table}', id from ({first})"
    # Associations are many: they are counted of those contacts only that may be drawn.
    return f"""
        insert into sampled
        with candidates as materialized ({first}),
        ends as (
            select from_id as id from {raw}.associations
            where from_type = 'contact' and from_id in (select id from candidates)
            union all
            select to_id from {raw}.associations
            where to_type = 'contact' and to_id in (select id from candidates)
        ),
        skewed as (
            select id from ends group by id having count(*) > {MAX_ASSOCIATIONS}
        )
        select 'contacts', id from candidates
        where id not in (select id from skewed)
        qualify row_number() over (partition by draw order by place, id) <= size
    """


# A record that another one lists as merged does not count (P1); a survivor has the past of both (P2).
_MERGED = """
    insert into sampled
    with pairs as (
        select 'deals' as table_name, id as survivor_id,
            trim(unnest(string_split(hs_merged_object_ids, ';'))) as former_id
        from {raw}.deals where hs_merged_object_ids <> ''
        union all
        select 'contacts', id, trim(unnest(string_split(hs_merged_object_ids, ';')))
        from {raw}.contacts where hs_merged_object_ids <> ''
        union all
        select 'deals', merged_into_id, id from {raw}.deals where merged_into_id is not null
        union all
        select 'contacts', merged_into_id, id from {raw}.contacts where merged_into_id is not null
    )
    select table_name, survivor_id from pairs
    semi join sampled on pairs.table_name = sampled.table_name and former_id = sampled.id
    union all
    select table_name, former_id from pairs
    semi join sampled on pairs.table_name = sampled.table_name and survivor_id = sampled.id
"""
_ENDS = """
    with ends as (
        select from_type, from_id, to_type, to_id from {raw}.associations
        union all
        select to_type, to_id, from_type, from_id from {raw}.associations
    )
"""
_DEALS_OF_CONTACTS = f"""
    insert into sampled
    {_ENDS}
    select 'deals', to_id from ends
    where from_type = 'contact'
        and to_type = 'deal'
        and from_id in (select id from sampled where table_name = 'contacts')
"""
_ACTIVITIES_OF_CONTACTS = f"""
    insert into sampled
    {_ENDS}
    select to_type || 's', to_id from ends
    where from_type = 'contact'
        and to_type in ('call', 'meeting', 'task', 'email', 'note')
        and from_id in (select id from sampled where table_name = 'contacts')
"""
_THREADS = """
    insert into sampled
    select 'conversation_threads', id from {raw}.conversation_threads
    where associated_contact_id in (select id from sampled where table_name = 'contacts')
"""
_COMPANIES = f"""
    insert into sampled
    {_ENDS}
    select 'companies', to_id from ends
    semi join sampled on from_id = sampled.id
    where to_type = 'company'
"""


def _by_place(table: str, where: str) -> str:
    """Predicate of the same few rows of a stored table, by which columns are decoded only where these are."""
    return where if where in ("true", "false") else f"rowid in (select rowid from {table} where {where})"


def _taken(table: str) -> str:
    """Predicate of the rows of a raw table that belong to the sample."""
    contract = TABLES.get(table)
    ids = "(select id from sampled where table_name = '{}')"
    if table in NOT_READ or (contract and contract.history_of in NOT_READ):
        return "false"
    if table == "_stored_snapshots":
        return "false"  # sums over the whole account; the sample's are all reconstructed
    if table == "associations":
        return " and ".join(
            # The ids alone first: they leave next to nothing of many millions.
            f"{end}_id in (select id from sampled) and exists (select 1 from sampled where "
            f"sampled.id = {end}_id and table_name = "
            f"case {end}_type when 'company' then 'companies' else {end}_type || 's' end)"
            for end in ("from", "to")
        )
    if table == "conversation_messages":
        return f"thread_id in {ids.format('conversation_threads')}"
    if table == "_history_gaps":
        return "object_id in (select id from sampled)"
    if table == "_rejected_values":
        drawn = [name for name, other in TABLES.items() if _is_drawn(other.history_of or name)]
        names = ", ".join(f"'{name}'" for name in drawn)
        return f"table_name not in ({names}) or record_id in (select id from sampled)"
    if contract and contract.history_of:
        return f"object_id in {ids.format(contract.history_of)}"
    if contract and _is_drawn(table):
        return f"id in {ids.format(table)}"
    return "true"  # the account's own: owners, teams, stages, goals, rates, the run


def _is_drawn(table: str) -> bool:
    """Whether a sample has only some of the table's records; of goals it has all."""
    return TABLES[table].is_object and table != "goal_targets"


# --- the comparison -------------------------------------------------------------------------------


def _compare_mart(connection: duckdb.DuckDBPyConnection, crm: Crm, mart: str, build: Build | None) -> Result:
    """The sample's mart against the reference and, if the sample is the whole, against the build's."""
    start = perf_counter()
    reference = references()[mart]
    sampled = fetch(connection, f"select * from reports.{mart}")
    found = row_differences(sampled, reference.compute(crm), reference.measures)
    if build is not None:
        found += _unlike_rows(
            connection,
            f"{build.marts}.reports.{mart}",
            f"reports.{mart}",
            _rows_that_are_computed(mart, build),
            # A day that this run will keep is shown as kept; in the sample none is.
            "* exclude (is_stored)" if mart == "rpt_historical_snapshots" else "*",
        )
    return Result(_mart_law(mart), len(found), found[:SHOWN], perf_counter() - start)


def _rows_that_are_computed(mart: str, build: Build) -> str:
    """Predicate of a mart's rows that are a function of today's raw rows."""
    if mart == "rpt_historical_snapshots":
        return f"snapshot_date not in (select snapshot_date from {build.raw}.raw_hubspot._stored_snapshots)"
    if mart == "rpt_data_quality":
        warnings = [f"'{law.name}'" for law in invariants() if not law.blocking]
        return f"issue not in ({', '.join(warnings)})"
    return "true"


def _compare_records(connection: duckdb.DuckDBPyConnection, table: str, build: Build) -> Result:
    start = perf_counter()
    record_type, column = RECORD_TABLES[table]
    found = _unlike_rows(
        connection,
        f"{build.marts}.{table}",
        table,
        f"{column} in (select id from sampled where table_name = '{record_type}')",
    )
    return Result(_record_law(table), len(found), found[:SHOWN], perf_counter() - start)


def _unlike_rows(
    connection: duckdb.DuckDBPyConnection, built: str, sampled: str, where: str, columns: str = "*"
) -> list[dict]:
    """Rows that only one of two tables has."""
    # Kept, since each is read twice, and the build's table is large.
    for side, table in (("build", built), ("sample", sampled)):
        rows = _by_place(table, where) if _is_stored(connection, table) else where
        connection.execute(
            f"create or replace temp table rows_of_{side} as select {columns} from {table} where {rows}"
        )
    return [
        {
            "id": ", ".join(f"{column}={value}" for column, value in row.items()),
            "difference": f"only in the {side}",
        }
        for side, other in (("build", "sample"), ("sample", "build"))
        for row in fetch(connection, f"from rows_of_{side} except all from rows_of_{other}")
    ]


def _is_stored(connection: duckdb.DuckDBPyConnection, table: str) -> bool:
    """Whether it is no view, whose rows have no places."""
    database, schema, name = [DATABASE, *table.replace('"', "").split(".")][-3:]
    (count,) = connection.execute(
        "select count(*) from duckdb_tables() where (database_name, schema_name, table_name) = ($1, $2, $3)",
        [database, schema, name],
    ).fetchone()
    return count == 1
