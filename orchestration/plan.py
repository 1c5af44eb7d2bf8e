"""What a build has to do tonight: everything anew, only what changed, or nothing.

Belongs here: the decision, its reason in words, and the note about the last proven build (the basis) that
it is made from. Which records changed is the load's to say (`_changed_records`), what hangs on them the
models' (`int_*_changed`, `macros/incremental.sql`).

A night may build on the former build only where that one is whole, proven and there, where the raw
tables were compared with the very ones it was made of, and where nothing has changed that concerns all
records. Whatever is in doubt is built anew, and once a week everything is, so that no error of a night
can last.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import Enum
from functools import cache
from typing import Any

import duckdb

from orchestration.data_folder import has_marts, published_path
from orchestration.dbt_runs import project_hash
from orchestration.ingest.contract import TABLES
from orchestration.publish import current_build, oldest_allowed
from orchestration.settings import PROJECT_ROOT, Settings

EVERYTHING_AFTER = timedelta(days=7)
MOST_CHANGED = 0.2
"""The share of changed records from which building everything anew costs less."""
# Raw tables of which every record may depend on any row.
CONCERNING_ALL = {
    "pipelines": "pipelines have changed",
    "pipeline_stages": "stages have changed",
    "call_dispositions": "call outcomes have changed",
    "conversation_channels": "channels have changed",
    "_available_columns": "the source delivers other columns than before",
}


class Kind(Enum):
    """How much of a build is done."""

    EVERYTHING = "everything"
    CHANGES = "changes"
    NOTHING = "nothing"


@dataclass(frozen=True)
class Plan:
    """What tonight's build does, and why."""

    kind: Kind
    reason: str


def make_plan(connection: duckdb.DuckDBPyConnection, settings: Settings) -> Plan:
    """Plan the build of the raw tables as they are now. `connection` is that of the build database."""
    basis = read_basis(connection)
    if reason := _reason_for_everything(connection, settings, basis):
        return Plan(Kind.EVERYTHING, reason)
    changed = _count(connection, "raw_hubspot._changed_records")
    if changed > MOST_CHANGED * _records(connection):
        return Plan(Kind.EVERYTHING, f"{changed:,} records have changed, most of the account")
    (run_ts,) = connection.execute("select run_ts from raw_hubspot._run").fetchone()
    is_published = current_build(settings) == published_path(settings, basis["build_id"])
    # The day that the last publication has stored (K7) is in its report already.
    news = _changed_tables(connection) - {"_stored_snapshots"}
    if is_published and run_ts == basis["run_ts"] and not news:
        return Plan(Kind.NOTHING, f"nothing has changed since build {basis['build_id']}")
    return Plan(Kind.CHANGES, f"{changed:,} records have changed since build {basis['build_id']}")


def _reason_for_everything(
    connection: duckdb.DuckDBPyConnection, settings: Settings, basis: dict | None
) -> str | None:
    """Why nothing of the former build may stay; None if it may."""
    if settings.full_refresh:
        return "SALES_REPORTS_FULL_REFRESH is set"
    if settings.engine != "duckdb":
        return f"on {settings.engine} every build is whole"
    if basis is None:
        return "there is no proven build to go on from"
    follows, run_ts, loaded_at = connection.execute(
        "select follows_load_id, run_ts, loaded_at from raw_hubspot._run"
    ).fetchone()
    if follows != basis["load_id"]:
        return "another load has come between"
    if basis["build_id"] < oldest_allowed(settings):
        return "somebody has been forgotten since"
    if not has_marts(settings, basis["build_id"]):
        return "the tables of the build before are gone"
    if basis["fingerprint"] != _fingerprint(connection, settings):
        return "the project or its settings have changed"
    if run_ts < basis["run_ts"]:
        return "run_ts lies before that of the last build"
    if _local_month(connection, run_ts) != _local_month(connection, basis["run_ts"]):
        return "a month has begun, and with it periods in which all deals are"
    if _has_teams(connection) != basis["has_teams"]:
        return "teams have come or gone altogether"
    if loaded_at - basis["whole_at"] >= EVERYTHING_AFTER:
        return "the last whole build is a week old"
    changed = sorted(_changed_tables(connection))
    return next((CONCERNING_ALL[name] for name in changed if name in CONCERNING_ALL), None)


def _fingerprint(connection: duckdb.DuckDBPyConnection, settings: Settings) -> str:
    """Changes with the code, and with the settings that concern every record."""
    row = connection.execute(
        "select source, portal_id, time_zone, company_currency, fiscal_year_start_month, week_starts_on, "
        "include_personal_data from raw_hubspot._run"
    ).fetchone()
    text = json.dumps([project_hash(settings), _program_hash(), *row], default=str)
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def _program_hash() -> str:
    """Changes with the laws and with all else that makes, proves and publishes a build."""
    digest = hashlib.sha256()
    for path in sorted((PROJECT_ROOT / "orchestration").rglob("*.py")):
        if not {"viewer", "bench", "hubspot_simulator"} & set(path.parts):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _local_month(connection: duckdb.DuckDBPyConnection, instant: datetime) -> date:
    return connection.execute(
        "select cast(date_trunc('month', timezone(time_zone, $instant)) as date) from raw_hubspot._run",
        {"instant": instant},
    ).fetchone()[0]


def _has_teams(connection: duckdb.DuckDBPyConnection) -> bool:
    """Without any team nobody is in one, whatever owners say (P17)."""
    return bool(_count(connection, "raw_hubspot.teams"))


def _records(connection: duckdb.DuckDBPyConnection) -> int:
    """Records of the account, roughly: of its tables of objects."""
    (count,) = connection.execute(
        "select coalesce(sum(estimated_size), 0) from duckdb_tables() "
        "where schema_name = 'raw_hubspot' and list_contains($objects, table_name)",
        {"objects": [name for name, table in TABLES.items() if table.is_object]},
    ).fetchone()
    return int(count)


def _changed_tables(connection: duckdb.DuckDBPyConnection) -> set[str]:
    return {name for (name,) in connection.execute("from raw_hubspot._changed_tables").fetchall()}


def _count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    return connection.execute(f"select count(*) from {table}").fetchone()[0]


# --- the basis ------------------------------------------------------------------------------------


_BASIS_COLUMNS = ("build_id", "load_id", "run_ts", "fingerprint", "has_teams", "whole_at", "whole_build_id")


def read_basis(connection: duckdb.DuckDBPyConnection) -> dict | None:
    """The last build that is whole and proven; None if there is none."""
    try:
        cursor = connection.execute("from audit.basis")
    except duckdb.CatalogException:
        return None
    row = cursor.fetchone()
    found = dict(zip([column[0] for column in cursor.description], row, strict=True)) if row else {}
    return found if found.keys() == set(_BASIS_COLUMNS) else None  # else an older version wrote it


def write_basis(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Note the build, which is whole and proven, as one to go on from."""
    connection.execute(
        "create table if not exists audit.whole as "
        "select loaded_at as whole_at, build_id as whole_build_id from raw_hubspot._run"
    )
    connection.execute(
        "create or replace table audit.basis as "
        "select build_id, load_id, run_ts, cast($fingerprint as varchar) as fingerprint, "
        "cast($has_teams as boolean) as has_teams, whole_at, whole_build_id "
        "from raw_hubspot._run, audit.whole",
        {"fingerprint": _fingerprint(connection, settings), "has_teams": _has_teams(connection)},
    )


def carry_basis(connection: duckdb.DuckDBPyConnection) -> None:
    """A load that brought nothing new: the next one is compared with its tables, which are the same."""
    connection.execute("update audit.basis set load_id = (select load_id from raw_hubspot._run)")


def forget_basis(connection: duckdb.DuckDBPyConnection) -> None:
    """The build is about to change: until it is proven again there is nothing to go on from.

    When everything was built last stays noted until everything is built again, which drops the schema.
    """
    connection.execute("drop table if exists audit.basis")
    connection.execute("drop table if exists audit.night")


# --- a night --------------------------------------------------------------------------------------


def begin_night(connection: duckdb.DuckDBPyConnection, basis: Mapping[str, Any]) -> None:
    """Note that the build of these raw tables goes on from a basis, whoever proves it later."""
    connection.execute(
        "create or replace table audit.night as "
        "select build_id, cast(? as varchar) as proven_with from raw_hubspot._run",
        [basis["whole_build_id"]],
    )


def proven_with(connection: duckdb.DuckDBPyConnection) -> str | None:
    """The last build that was proven whole, if the present one is a night that goes on from it. None in
    all other cases, and whenever that is in doubt: then all has to be proven."""
    try:
        row = connection.execute(
            "select proven_with from audit.night semi join raw_hubspot._run using (build_id)"
        ).fetchone()
    except duckdb.CatalogException:
        return None
    return row[0] if row else None
