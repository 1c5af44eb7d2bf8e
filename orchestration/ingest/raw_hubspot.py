"""The tables of `raw_hubspot`, written anew from a delivery that was read and judged (K6).

Belongs here: what each raw table is made of, kept history joined in, and the tables with an underscore,
which say what is known about the load. What changed in a table is `changes.py`'s, what is kept for ever
`history.py`'s, and whether there is a load at all `load.py`'s.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cache

import duckdb
import yaml

from orchestration.ingest import values
from orchestration.ingest.accept import Accepted
from orchestration.ingest.account import Account
from orchestration.ingest.changes import Changes
from orchestration.ingest.contract import (
    DEFAULT_CALL_DISPOSITIONS,
    KEPT_HISTORIES,
    KEPT_SNAPSHOTS,
    TABLES,
    Table,
)
from orchestration.ingest.delivered import keep_hashes
from orchestration.ingest.history import KeptHistory, version_columns
from orchestration.ingest.load_before import LoadBefore
from orchestration.ingest.summary import TableSummary
from orchestration.ingest.unchanged import Reading, code_mark, write_readings
from orchestration.ingest.values import instant, literal, quoted
from orchestration.settings import PROJECT_ROOT, Settings

# What a build does not say about itself: secrets, and where it was written.
_UNSAID_SETTINGS = {
    *("postgres_url", "on_failure", "data_dir", "hubspot_token"),
    *("viewer_host", "viewer_port", "viewer_user_header", "viewer_access_file"),
    *("memory_limit", "full_refresh"),
}


@dataclass(frozen=True)
class ReadDelivery:
    """A delivery that was read and judged."""

    load_id: str
    now: datetime
    """The instant of the load."""
    read_until: datetime
    run_ts: datetime
    settings: Settings
    account: Account
    says_deletions: bool
    """Whether the source names deleted records; if not, those that are missing are deleted."""
    accepted: Mapping[str, Accepted]
    summaries: Mapping[str, TableSummary]
    marks: Mapping[str, str]
    """Of tables that the source marks, under what they were read."""

    @property
    def anew(self) -> dict[str, Accepted]:
        """The delivered tables that were not left as they are."""
        return {name: accepted for name, accepted in self.accepted.items() if not accepted.is_unchanged}


class RawTables:
    """Kept history is added to first (`keep`), then all raw tables are replaced (`replace`)."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        read: ReadDelivery,
        history: KeptHistory,
        before: LoadBefore,
    ) -> None:
        self.connection = connection
        self.read = read
        self.history = history
        self.before = before
        self.follows = before.is_own()
        self.is_typed_alike = self.follows and not read.settings.full_refresh and before.is_of_this_code()
        """Whether raw histories may stay as they are: they were typed as today, and nobody doubts them."""
        self.fresh: dict[str, str] = {}
        """Of delivered histories, the relation of the versions that kept history did not know."""
        self.version_marks: dict[str, tuple] = {}
        """Of delivered histories, what kept history had before."""

    def execute(self, sql: str, parameters: Mapping[str, object] | None = None):
        return self.connection.execute(sql, parameters or {})

    def keep(self) -> None:
        """Add what was read to kept history, which may happen twice without harm."""
        for name, accepted in self.read.anew.items():
            if name in KEPT_HISTORIES:
                self.version_marks[name] = self.history.version_mark(accepted.table)
                self.fresh[name] = self.history.add_versions(accepted, self.read.now)
            elif name in KEPT_SNAPSHOTS:
                self.history.add_states(accepted, self.read.now)

    def replace(self) -> None:
        """All tables of `raw_hubspot`, and what of them has changed since the load before."""
        self.execute("create schema if not exists raw_hubspot")
        changes = Changes(self.connection, compares=self.follows)
        unchanged = self.read.accepted.keys() - self.read.anew.keys()
        for name, table in TABLES.items():
            if name in unchanged:
                continue
            if name in KEPT_HISTORIES:
                self.replace_history(table, changes)
            elif name in KEPT_SNAPSHOTS:
                changes.replace_by_query(name, self.kept_rows(table))
            elif name in self.read.accepted:
                complete = table.is_object and not self.read.says_deletions
                changes.replace(
                    table,
                    self.read.accepted[name].relation,
                    self.delivered_columns(table),
                    deleted_at=instant(self.read.now) if complete else None,
                    is_partial=self.read.accepted[name].is_partial,
                    only_adds=self.read.accepted[name].only_adds,
                )
            elif name == "call_dispositions":
                changes.replace_by_query(name, self.default_call_dispositions())
            else:
                nothing = _typed_columns(table, dict.fromkeys(table.columns, "null"))
                changes.replace_by_query(name, f"select {nothing} where false")
        self.replace_own_tables(changes)
        changes.write()
        self.keep_hashes()

    def keep_hashes(self) -> None:
        """What was delivered, where the next load may go by it: nothing was turned away or left out."""
        clean = {
            name: accepted
            for name, accepted in self.read.anew.items()
            if accepted.mark and not accepted.rejected and not accepted.rejected_values
        }
        unchanged = self.read.accepted.keys() - self.read.anew.keys()
        if self.history.forgotten():
            clean, unchanged = {}, set()
        keep_hashes(
            self.connection,
            {name: accepted.mark for name, accepted in clean.items()},
            [name for name, accepted in clean.items() if accepted.is_partial],
            unchanged,
            self.read.says_deletions,
        )

    def delivered_columns(self, table: Table) -> dict[str, str]:
        """The columns of a table of this load; a missing `_loaded_at` is its instant (H12)."""
        columns = [*table.columns, *self.read.accepted[table.name].custom]
        return {column: quoted(column) for column in columns} | {
            "_loaded_at": f"coalesce(_loaded_at, {instant(self.read.now)})"
        }

    def kept_rows(self, table: Table) -> str:
        """Query of the rows as delivered, else as they last were, and of those once seen and gone (K2)."""
        if table.name in self.read.accepted:
            columns = self.delivered_columns(table).items()
            listed = ", ".join(f"{value} as {quoted(column)}" for column, value in columns)
            there = f"select {listed} from {self.read.accepted[table.name].relation}"
        else:
            there = self.history.current_states(table)
        return f"{there} union all by name {self.history.gone_states(table)}"

    def replace_history(self, table: Table, changes: Changes) -> None:
        """All versions ever seen: the text, and the value in its own type (H10)."""
        columns = [*table.columns, *values.version_values(table)]
        fresh, (known, until) = self.fresh.get(table.name), self.version_marks.get(table.name, (None, None))
        if fresh is None:
            known, until = self.history.version_mark(table)
        else:
            kept = version_columns(self.read.now) | {column: column for column in columns[-2:]}
            listed = ", ".join(f"{kept[column]} as {quoted(column)}" for column in columns)
        if not known and fresh and not changes.compares:
            self.execute(f"create or replace table raw_hubspot.{table.name} as select {listed} from {fresh}")
        elif self.is_typed_alike and changes.is_at(table.name, columns, known, until):
            if fresh:
                changes.append(table, fresh, f"select {listed} from {fresh}")
        else:
            typed = ", ".join(
                f"{value} as {column}" for column, value in values.version_values(table).items()
            )
            changes.replace_by_query(
                table.name,
                f"select {_typed_columns(table)}, {typed} from ({self.history.versions(table)}) as versions",
            )

    def default_call_dispositions(self) -> str:
        """Query of HubSpot's six call outcomes, which every account has."""
        rows = ", ".join(f"({literal(k)}, {literal(v)})" for k, v in DEFAULT_CALL_DISPOSITIONS.items())
        columns = _typed_columns(
            TABLES["call_dispositions"], {"deleted": "false", "_loaded_at": instant(self.read.now)}
        )
        return f"select {columns} from (values {rows}) as defaults (id, label)"

    def replace_own_tables(self, changes: Changes) -> None:
        """The tables with an underscore: what is known about this load and kept beside it."""
        for name, rows in {
            "_rejected_rows": "select * from rejected_rows",
            "_rejected_values": "select * from rejected_values",
            "_history_gaps": self.history.gaps(),
            "_available_columns": self.available_columns(),
        }.items():
            changes.replace_by_query(name, rows)
        changes.replace_by_days("_stored_snapshots", self.history.stored_snapshots(), "snapshot_date")
        readings = {
            name: Reading(accepted.offered, accepted.rejected, accepted.newest_row)
            for name, accepted in self.read.accepted.items()
        }
        write_readings(self.connection, self.read.marks, readings, len(self.history.forgotten()))
        before = self.before.id_and_run_ts() if self.follows else (None, None)
        self.write_sync_log()
        self.write_run(*before)

    def available_columns(self) -> str:
        """Query of the delivered columns, whatever they hold (K11)."""
        rows = ", ".join(
            f"({literal(name)}, {literal(column)})"
            for name, accepted in self.read.accepted.items()
            for column in accepted.delivered
        )
        return f"select * from (values {rows}) as available (table_name, column_name)"

    def write_sync_log(self) -> None:
        """A row per table and load of this source and portal."""
        if not (self.follows and self.before.has("_sync_log")):
            self.execute(
                "create or replace table raw_hubspot._sync_log (load_id varchar, table_name varchar, "
                "started_at timestamptz, read_until timestamptz, offered bigint, loaded bigint, "
                "rejected bigint, status varchar)"
            )
        load = literal(self.read.load_id)
        self.execute(f"delete from raw_hubspot._sync_log where load_id = {load}")
        instants = f"{instant(self.read.now)}, {instant(self.read.read_until)}"
        rows = ", ".join(
            f"({load}, {literal(t.name)}, {instants}, "
            f"{t.offered}, {t.loaded}, {t.rejected}, {literal(t.status)})"
            for t in self.read.summaries.values()
        )
        self.execute(f"insert into raw_hubspot._sync_log values {rows}")

    def write_run(self, follows_load_id: str | None, follows_run_ts: datetime | None) -> None:
        """The one row that says what this build is made of, and which load's tables it was compared with."""
        settings = {k: v for k, v in asdict(self.read.settings).items() if k not in _UNSAID_SETTINGS}
        self.execute(
            """
            create or replace table raw_hubspot._run as
            select
                cast($load_id as varchar) as build_id,
                cast($source as varchar) as source,
                cast($portal_id as varchar) as portal_id,
                cast($load_id as varchar) as load_id,
                cast($follows_load_id as varchar) as follows_load_id,
                cast($follows_run_ts as timestamptz) as follows_run_ts,
                cast($run_ts as timestamptz) as run_ts,
                cast($time_zone as varchar) as time_zone,
                cast($company_currency as varchar) as company_currency,
                cast($fiscal_year_start_month as bigint) as fiscal_year_start_month,
                cast($week_starts_on as varchar) as week_starts_on,
                cast($include_personal_data as boolean) as include_personal_data,
                cast($read_until as timestamptz) as read_until,
                cast($loaded_at as timestamptz) as loaded_at,
                cast($settings as varchar) as settings,
                cast($loader_code as varchar) as loader_code,
                cast($project_version as varchar) as project_version
            """,
            {
                "load_id": self.read.load_id,
                "follows_load_id": follows_load_id,
                "follows_run_ts": follows_run_ts,
                "source": self.read.settings.source,
                "run_ts": self.read.run_ts,
                **asdict(self.read.account),
                "include_personal_data": self.read.settings.include_personal_data,
                "read_until": self.read.read_until,
                "loaded_at": self.read.now,
                "settings": json.dumps(settings, default=str, sort_keys=True),
                "loader_code": code_mark(),
                "project_version": project_version(),
            },
        )


@cache
def project_version() -> str:
    """The version of this project, as dbt_project.yml has it."""
    return str(yaml.safe_load((PROJECT_ROOT / "dbt_project.yml").read_text())["version"])


def _typed_columns(table: Table, expressions: Mapping[str, str] | None = None) -> str:
    """The columns of a table in their order and types, each by its name or by an expression."""
    expressions = expressions or {}
    return ", ".join(
        f"cast({expressions.get(column, quoted(column))} as {values.SQL_TYPES[kind]}) as {quoted(column)}"
        for column, kind in table.columns.items()
    )
