"""The load step: one delivery becomes `raw_hubspot` (K6), the same way for every source.

Belongs here: what makes a load possible or not (K5), the order of its steps, kept history joined
in, and the raw tables with their underscore tables. Reading is the sources' business, types and keys
`accept.py`'s, the history file `history.py`'s.

Nothing is changed before everything has been read and judged. Then kept history is added to, which
may be done twice without harm, and then all of `raw_hubspot` is replaced in one transaction. A kill
at any point leaves the old tables or the new ones.
"""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import duckdb
import yaml

from orchestration.ingest import values
from orchestration.ingest.accept import (
    REJECTED_ROWS,
    REJECTED_VALUES,
    Accepted,
    accept,
    create_reject_tables,
)
from orchestration.ingest.contract import (
    DEFAULT_CALL_DISPOSITIONS,
    KEPT_HISTORIES,
    KEPT_SNAPSHOTS,
    TABLES,
    Table,
)
from orchestration.ingest.delivery import Delivery, LoadError, Unreadable, python_rows
from orchestration.ingest.history import KeptHistory, attached, transaction
from orchestration.ingest.values import literal, quoted
from orchestration.settings import PROJECT_ROOT, WEEK_STARTS, Settings

NO_PORTAL = "default"  # the portal of sources without an account table
LOADED, ABSENT = "loaded", "not delivered"
# Where a run writes and whom it tells is no part of what a build says about itself.
_PRIVATE_SETTINGS = {"postgres_url", "on_failure", "data_dir"}


@dataclass(frozen=True)
class TableSummary:
    """What became of one table. offered = loaded + rejected."""

    name: str
    status: str
    offered: int = 0
    loaded: int = 0
    rejected: int = 0
    rejected_values: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class LoadSummary:
    """What a load did, for asset metadata and the run's summary."""

    load_id: str
    source: str
    portal_id: str
    run_ts: datetime
    read_until: datetime
    tables: tuple[TableSummary, ...]
    rejects_path: Path | None
    """File with every reject; None if there is none."""
    notes: tuple[str, ...]
    seconds: float

    @property
    def offered(self) -> int:
        return sum(table.offered for table in self.tables)

    @property
    def rejected(self) -> int:
        return sum(table.rejected for table in self.tables)

    @property
    def rejected_values(self) -> int:
        return sum(table.rejected_values for table in self.tables)


def load_rows(
    connection: duckdb.DuckDBPyConnection,
    tables: Mapping[str, Iterable[Mapping[str, object]]],
    settings: Settings,
    *,
    now: datetime,
    history_path: Path | str,
    fill_required: bool = False,
) -> LoadSummary:
    """Load rows of Python values, by contract table. See `load`."""
    delivery = Delivery({name: python_rows(name, rows) for name, rows in tables.items()})
    return load(
        connection, delivery, settings, now=now, history_path=history_path, fill_required=fill_required
    )


def load(
    connection: duckdb.DuckDBPyConnection,
    delivery: Delivery,
    settings: Settings,
    *,
    now: datetime,
    history_path: Path | str,
    rejects_dir: Path | None = None,
    fill_required: bool = False,
    on_table: Callable[[TableSummary], None] = lambda table: None,
) -> LoadSummary:
    """Replace `raw_hubspot` of the connection's default database by what the source delivers.

    `now` is the instant of the load. Rejects are also written to `<rejects_dir>/<load_id>.csv`.
    `fill_required` (tests) takes missing required tables and columns for empty ones. `on_table` hears
    of each table as it has been read. The session's time zone is UTC from here on.

    Raises LoadError, with every problem found, and has changed nothing then.
    """
    return _Load(connection, delivery, settings, now, fill_required).run(
        history_path, rejects_dir, on_table
    )


class _Load:
    def __init__(self, connection, delivery: Delivery, settings: Settings, now: datetime, fill_required: bool):
        self.connection = connection
        self.delivery = delivery
        self.settings = settings
        self.now = now.astimezone(UTC)
        self.fill_required = fill_required
        self.load_id = f"{self.now:%Y%m%dT%H%M%S.%fZ}"
        self.problems = list(delivery.problems)
        self.notes = list(delivery.notes)
        self.accepted: dict[str, Accepted] = {}
        self.summaries: dict[str, TableSummary] = {}

    def execute(self, sql: str, parameters: dict | None = None):
        return self.connection.execute(sql, parameters or {})

    def run(self, history_path, rejects_dir, on_table) -> LoadSummary:
        begin = time.monotonic()
        self.execute("set TimeZone = 'UTC'")
        create_reject_tables(self.connection)
        try:
            self.read_tables(on_table)
            self.account = self.read_account()
            self.portal_id = self.delivery.portal_id or self.account.pop("portal_id")
            self.read_until = self.delivery.read_until or self.newest_row() or self.now
            self.run_ts = self.settings.run_ts or self.read_until
            self.judge_rejects()
            self.judge_counts()
            if self.problems:
                raise LoadError(self.problems)
            with attached(self.connection, history_path):
                history = KeptHistory(self.connection, self.settings.source, self.portal_id)
                with transaction(self.connection):
                    self.keep(history)
                with transaction(self.connection):
                    self.replace_raw(history)
                    rejects_path = self.write_rejects(rejects_dir)
        finally:
            self.drop_temporary_tables()
        return LoadSummary(
            load_id=self.load_id,
            source=self.settings.source,
            portal_id=self.portal_id,
            run_ts=self.run_ts,
            read_until=self.read_until,
            tables=tuple(self.summaries.values()),
            rejects_path=rejects_path,
            notes=tuple(self.notes),
            seconds=time.monotonic() - begin,
        )

    # --- reading ---

    def read_tables(self, on_table) -> None:
        """Accept every delivered table; collect what makes the load impossible."""
        for name, table in TABLES.items():
            begin = time.monotonic()
            offer = self.delivery.tables.get(name)
            if offer is None:
                self.summaries[name] = TableSummary(name, ABSENT)
                continue
            try:
                accepted = accept(
                    self.connection, table, offer, self.load_id, fill_required=self.fill_required
                )
            except (Unreadable, duckdb.Error) as error:
                self.problems.append(f"{offer.place or name}: {_first_line(error)}")
                continue
            self.accepted[name] = accepted
            self.summaries[name] = TableSummary(
                name,
                LOADED,
                accepted.offered,
                accepted.loaded,
                accepted.rejected,
                sum(accepted.rejected_values.values()),
                time.monotonic() - begin,
            )
            on_table(self.summaries[name])
        unknown = sorted(set(self.delivery.tables) - set(TABLES))
        self.problems += [f"{name}: no table of the contract (raw_tables.md)" for name in unknown]
        if not self.delivery.problems and not self.fill_required:
            self.problems += [
                f"{name}: this table is required; it is not there{self.delivery.place and f' {self.delivery.place}'}"
                for name, table in TABLES.items()
                if table.required and name not in self.delivery.tables
            ]

    def newest_row(self) -> datetime | None:
        """The newest `_loaded_at` that the source gives (H12)."""
        instants = [
            self.execute(f"select max(_loaded_at) from {accepted.relation}").fetchone()[0]
            for accepted in self.accepted.values()
            if "_loaded_at" in accepted.delivered
        ]
        return max((instant for instant in instants if instant), default=None)

    # --- the account ---

    def read_account(self) -> dict[str, object]:
        """Portal, time zone, currency, fiscal year and week: a setting beats the account table (§5)."""
        account = {
            "portal_id": NO_PORTAL,
            "time_zone": "UTC",
            "company_currency": "USD",
            "fiscal_year_start_month": 1,
            "week_starts_on": "monday",
        }
        if "account" in self.accepted:
            cursor = self.execute(f"select {', '.join(account)} from {self.accepted['account'].relation}")
            rows = cursor.fetchall()
            if len(rows) > 1:
                self.problems.append(f"account: one row is expected, {len(rows)} are there")
            for row in rows[:1]:
                given = dict(zip(account, row, strict=True))
                account |= {name: value for name, value in given.items() if value not in (None, "")}
        for name in ("time_zone", "fiscal_year_start_month", "week_starts_on"):
            if getattr(self.settings, name) is not None:
                account[name] = getattr(self.settings, name)
        if self.settings.currency:
            account["company_currency"] = self.settings.currency
        account["week_starts_on"] = str(account["week_starts_on"]).lower()
        self.judge_account(account)
        return account

    def judge_account(self, account: Mapping[str, object]) -> None:
        remedy = "correct the account table or set SALES_REPORTS_"
        try:
            ZoneInfo(account["time_zone"])
        except (ZoneInfoNotFoundError, ValueError, OSError):
            self.problems.append(
                f"account: unknown time zone {account['time_zone']!r}; use a tz database name such as "
                f"Europe/Berlin: {remedy}TIME_ZONE"
            )
        if not 1 <= account["fiscal_year_start_month"] <= 12:
            self.problems.append(
                f"account: fiscal_year_start_month is {account['fiscal_year_start_month']}, not 1 to 12: "
                f"{remedy}FISCAL_YEAR_START_MONTH"
            )
        if account["week_starts_on"] not in WEEK_STARTS:
            self.problems.append(
                f"account: week_starts_on is {account['week_starts_on']!r}, none of "
                f"{', '.join(WEEK_STARTS)}: {remedy}WEEK_STARTS_ON"
            )

    # --- thresholds ---

    def judge_rejects(self) -> None:
        """K5(c): too large a share of a table or of a column's values turned away."""
        allowed = self.settings.max_reject_share
        for name, accepted in self.accepted.items():
            if accepted.rejected > allowed * accepted.offered:
                self.problems.append(
                    f"{name}: {accepted.rejected:,} of {accepted.offered:,} rows rejected"
                    + self.examples("rejected_rows", "'row ' || row_number || ': ' || reason", name)
                )
            for column, count in accepted.rejected_values.items():
                if count > allowed * accepted.filled[column]:
                    self.problems.append(
                        f"{name}.{column}: {count:,} of {accepted.filled[column]:,} values rejected"
                        + self.examples(
                            "rejected_values", "record_id || ': ' || raw_text || ' is ' || reason", name, column
                        )
                    )

    def examples(self, rejects: str, words: str, table: str, column: str | None = None) -> str:
        where = f"table_name = {literal(table)}"
        if column:
            where += f" and column_name = {literal(column)}"
        found = self.execute(f"select {words} from {rejects} where {where} limit 3").fetchall()
        shown = "; ".join(" ".join(str(text)[:120].split()) for (text,) in found)
        return (
            f", more than SALES_REPORTS_MAX_REJECT_SHARE={self.settings.max_reject_share:g} allows. "
            f"Correct the source or allow more. For example {shown}"
        )

    def judge_counts(self) -> None:
        """K5(c): a required table empty, or fallen by more than half since the last load."""
        if self.settings.accept_drop:
            return
        before = self.loaded_before()
        for name, accepted in self.accepted.items():
            if not TABLES[name].required:
                continue
            if not accepted.loaded:
                what = "has no rows"
            elif accepted.loaded * 2 < before.get(name, 0):
                what = f"has {accepted.loaded:,} rows; the last load had {before[name]:,}"
            else:
                continue
            self.problems.append(f"{name}: {what}. If that is right, set SALES_REPORTS_ACCEPT_DROP=1 once")

    # --- what was there before ---

    def has_raw(self, table: str) -> bool:
        return bool(
            self.execute(
                "select 1 from duckdb_tables() where database_name = current_database() "
                f"and schema_name = 'raw_hubspot' and table_name = {literal(table)}"
            ).fetchone()
        )

    def follows_own_load(self) -> bool:
        """Whether the raw tables that are there come from this source and portal."""
        if not self.has_raw("_run"):
            return False
        owner = self.execute("select source, portal_id from raw_hubspot._run").fetchone()
        return owner == (self.settings.source, self.portal_id)

    def loaded_before(self) -> dict[str, int]:
        if not self.follows_own_load():
            return {}
        rows = self.execute(
            "select table_name, loaded from raw_hubspot._sync_log semi join raw_hubspot._run using (load_id)"
        ).fetchall()
        return dict(rows)

    # --- writing ---

    def keep(self, history: KeptHistory) -> None:
        """Add what this load brings to kept history."""
        for name, accepted in self.accepted.items():
            self.execute(
                f"update {accepted.relation} set _loaded_at = $now where _loaded_at is null", {"now": self.now}
            ) if name in KEPT_HISTORIES else None
            if name in KEPT_HISTORIES:
                history.add_versions(TABLES[name], accepted.relation)
            elif name in KEPT_SNAPSHOTS:
                history.add_states(TABLES[name], accepted.relation, self.now)

    def replace_raw(self, history: KeptHistory) -> None:
        """Replace every table of `raw_hubspot`."""
        follows = self.follows_own_load()
        self.execute("create schema if not exists raw_hubspot")
        for name, table in TABLES.items():
            if name in KEPT_HISTORIES:
                rows = self.history_rows(table, history)
            elif name in KEPT_SNAPSHOTS:
                rows = self.kept_rows(table, history)
            elif name in self.accepted:
                rows = self.object_rows(table, follows) if table.is_object else self.delivered_rows(table)
            elif name == "call_dispositions":
                rows = self.default_call_dispositions()
            else:
                rows = f"select {self.columns_of(table)} from {_empty(table)} where false"
            self.execute(f"create or replace table raw_hubspot.{name} as {rows}")
        self.replace_own_tables(history, follows)

    def columns_of(self, table: Table, expressions: Mapping[str, str] | None = None) -> str:
        expressions = expressions or {}
        return ", ".join(
            f"cast({expressions.get(c, quoted(c))} as {values.SQL_TYPES[kind]}) as {quoted(c)}"
            for c, kind in table.columns.items()
        )

    def delivered_rows(self, table: Table) -> str:
        return (
            f"select * exclude (_row) replace (coalesce(_loaded_at, {_instant(self.now)}) as _loaded_at) "
            f"from {self.accepted[table.name].relation}"
        )

    def object_rows(self, table: Table, follows: bool) -> str:
        """K4: files are complete, so a record that is no longer in them has been deleted."""
        rows = self.delivered_rows(table)
        if not follows or not self.has_raw(table.name):
            return rows
        before = {row[0] for row in self.execute(f"describe raw_hubspot.{table.name}").fetchall()}
        columns = [c for c in (*table.columns, *self.accepted[table.name].custom) if c in before]
        listed = ", ".join(quoted(c) for c in columns if c != "hard_deleted_at")
        return (
            f"{rows} union all by name "
            f"select {listed}, coalesce(hard_deleted_at, {_instant(self.now)}) as hard_deleted_at "
            f"from raw_hubspot.{table.name} where id not in (select id from {self.accepted[table.name].relation})"
        )

    def kept_rows(self, table: Table, history: KeptHistory) -> str:
        """K2: as delivered, or as last delivered, and those once seen and gone."""
        there = (
            self.delivered_rows(table) if table.name in self.accepted else history.current_states(table)
        )
        return f"{there} union all by name ({history.gone_states(table)})"

    def history_rows(self, table: Table, history: KeptHistory) -> str:
        """H10: the text of each version, and its value in its own type."""
        return (
            f"select {self.columns_of(table)}, "
            f"{values.number_value(table)} as number_value, {values.instant_value(table)} as instant_value "
            f"from ({history.versions(table)})"
        )

    def default_call_dispositions(self) -> str:
        rows = ", ".join(f"({literal(k)}, {literal(v)})" for k, v in DEFAULT_CALL_DISPOSITIONS.items())
        expressions = {"deleted": "false", "_loaded_at": _instant(self.now)}
        return (
            f"select {self.columns_of(TABLES['call_dispositions'], expressions)} "
            f"from (values {rows}) as defaults (id, label)"
        )

    def replace_own_tables(self, history: KeptHistory, follows: bool) -> None:
        raw = "create or replace table raw_hubspot"
        self.execute(f"{raw}._rejected_rows as select * from rejected_rows")
        self.execute(f"{raw}._rejected_values as select * from rejected_values")
        self.execute(f"{raw}._history_gaps as {history.gaps()}")
        self.execute(f"{raw}._stored_snapshots as {history.stored_snapshots()}")
        delivered = [
            (name, column) for name, accepted in self.accepted.items() for column in accepted.delivered
        ]
        self.execute(f"{raw}._available_columns (table_name varchar, column_name varchar)")
        if delivered:
            rows = ", ".join(f"({literal(t)}, {literal(c)})" for t, c in delivered)
            self.execute(f"insert into raw_hubspot._available_columns values {rows}")
        self.write_sync_log(follows)
        self.write_run()

    def write_sync_log(self, follows: bool) -> None:
        """The log of this source and portal; each load adds a row per table."""
        if not (follows and self.has_raw("_sync_log")):
            self.execute(
                "create or replace table raw_hubspot._sync_log (load_id varchar, table_name varchar, "
                "started_at timestamptz, read_until timestamptz, offered bigint, loaded bigint, "
                "rejected bigint, status varchar)"
            )
        self.execute("delete from raw_hubspot._sync_log where load_id = $load_id", {"load_id": self.load_id})
        rows = ", ".join(
            f"({literal(self.load_id)}, {literal(t.name)}, {_instant(self.now)}, {_instant(self.read_until)}, "
            f"{t.offered}, {t.loaded}, {t.rejected}, {literal(t.status)})"
            for t in self.summaries.values()
        )
        self.execute(f"insert into raw_hubspot._sync_log values {rows}")

    def write_run(self) -> None:
        shown = {k: v for k, v in asdict(self.settings).items() if k not in _PRIVATE_SETTINGS}
        self.execute(
            """
            create or replace table raw_hubspot._run as
            select
                cast($load_id as varchar) as build_id,
                cast($source as varchar) as source,
                cast($portal_id as varchar) as portal_id,
                cast($load_id as varchar) as load_id,
                cast($run_ts as timestamptz) as run_ts,
                cast($time_zone as varchar) as time_zone,
                cast($company_currency as varchar) as company_currency,
                cast($fiscal_year_start_month as bigint) as fiscal_year_start_month,
                cast($week_starts_on as varchar) as week_starts_on,
                cast($include_personal_data as boolean) as include_personal_data,
                cast($read_until as timestamptz) as read_until,
                cast($now as timestamptz) as loaded_at,
                cast($settings as varchar) as settings,
                cast($project_version as varchar) as project_version
            """,
            {
                "load_id": self.load_id,
                "source": self.settings.source,
                "portal_id": self.portal_id,
                "run_ts": self.run_ts,
                "include_personal_data": self.settings.include_personal_data,
                "read_until": self.read_until,
                "now": self.now,
                "settings": json.dumps(shown, default=str, sort_keys=True),
                "project_version": project_version(),
                **{k: v for k, v in self.account.items() if k != "portal_id"},
            },
        )

    def write_rejects(self, rejects_dir: Path | None) -> Path | None:
        """All rejects of the load as one CSV file for people to look through."""
        return None

    def drop_temporary_tables(self) -> None:
        for accepted in self.accepted.values():
            self.execute(f"drop table if exists temp.{accepted.relation}")
        for name in ("rejected_rows", "rejected_values", "fresh_versions"):
            self.execute(f"drop table if exists temp.{name}")


def project_version() -> str:
    """The version of this project, as in dbt_project.yml."""
    return str(yaml.safe_load((PROJECT_ROOT / "dbt_project.yml").read_text())["version"])


def _empty(table: Table) -> str:
    columns = ", ".join(f"null as {quoted(c)}" for c in table.columns)
    return f"(select {columns})"


def _instant(value: datetime) -> str:
    return f"timestamptz {literal(value.astimezone(UTC).isoformat())}"


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
