"""The load step: one delivery becomes `raw_hubspot` (K6), the same way for every source.

Belongs here: what makes a load possible or not (K5), the order of its steps, and the tables of
`raw_hubspot` with kept history joined in. Reading is the source's business, types and keys are
`accept.py`'s, the history file is `history.py`'s.

Everything is read and judged before anything is changed. Then kept history is added to, which may
happen twice without harm, and then all of `raw_hubspot` is replaced in one transaction. A kill at
any point leaves the old tables or the new ones, and nothing to clean up.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import duckdb
import yaml

from orchestration.ingest import values
from orchestration.ingest.accept import Accepted, accept, create_reject_tables
from orchestration.ingest.changes import CHANGES_TABLES, Changes
from orchestration.ingest.contract import (
    DEFAULT_CALL_DISPOSITIONS,
    KEPT_HISTORIES,
    KEPT_SNAPSHOTS,
    TABLES,
    Table,
)
from orchestration.ingest.delivered import DELIVERED_TABLES, keep_hashes
from orchestration.ingest.delivery import Delivery, LoadError, Unreadable, python_rows
from orchestration.ingest.forgotten import FORGOTTEN_LISTS, take_out
from orchestration.ingest.history import KeptHistory, attached, fresh_versions, transaction, version_columns
from orchestration.ingest.summary import LOADED, NOT_DELIVERED, LoadSummary, TableSummary
from orchestration.ingest.unchanged import (
    Reading,
    code_mark,
    comparable_tables,
    unchanged_tables,
    use_rejects_again,
    write_readings,
)
from orchestration.ingest.values import instant, literal, quoted
from orchestration.settings import PROJECT_ROOT, WEEK_STARTS, Settings

NO_PORTAL = "default"  # the portal of a source without an account table
# What a build does not say about itself: secrets, and where it was written.
_UNSAID_SETTINGS = {
    *("postgres_url", "on_failure", "data_dir", "hubspot_token"),
    *("viewer_host", "viewer_port", "viewer_user_header", "viewer_access_file"),
    *("memory_limit", "full_refresh"),
}


def load_rows(
    connection: duckdb.DuckDBPyConnection,
    tables: Mapping[str, Iterable[Mapping[str, object]]],
    settings: Settings,
    *,
    now: datetime,
    history_path: Path | str,
    fill_required: bool = False,
) -> LoadSummary:
    """Load rows of Python values, by contract table; a table that is no key is not delivered."""
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

    `now` is the instant of the load. Rejects are written to `<rejects_dir>/<load_id>.csv` as well.
    `fill_required` takes required tables and columns that are missing for empty ones (tests).
    `on_table` hears of each table once it is read. The session's time zone is UTC from here on.

    Raises LoadError, which names every problem found; `raw_hubspot` is as it was then.
    """
    step = _LoadStep(connection, delivery, settings, now.astimezone(UTC), fill_required)
    return step.run(history_path, rejects_dir, on_table)


class _LoadStep:
    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        delivery: Delivery,
        settings: Settings,
        now: datetime,
        fill_required: bool,
    ) -> None:
        self.connection = connection
        self.delivery = delivery
        self.settings = settings
        self.now = now
        self.fill_required = fill_required
        self.load_id = load_id(now)
        self.problems = list(delivery.problems)
        self.notes = list(delivery.notes)
        self.accepted: dict[str, Accepted] = {}
        self.summaries: dict[str, TableSummary] = {}
        self.fresh: dict[str, str] = {}
        """Of delivered histories, the relation of the versions that kept history did not know."""
        self.version_marks: dict[str, tuple] = {}
        """Of delivered histories, what kept history had before."""
        self.known: Mapping[str, str] = {}
        """The tables of which rows that come as before need not be read, with the mark of their columns."""

    def execute(self, sql: str, parameters: Mapping[str, object] | None = None):
        return self.connection.execute(sql, parameters or {})

    def run(
        self, history_path: Path | str, rejects_dir: Path | None, on_table: Callable[[TableSummary], None]
    ) -> LoadSummary:
        begin = time.monotonic()
        self.execute("set TimeZone = 'UTC'")
        create_reject_tables(self.connection)
        try:
            self.read_tables(on_table, history_path)
            self.read_account()
            self.judge_tables()
            if self.problems:
                raise LoadError(self.problems)
            rejects_path = self.write(history_path, rejects_dir)
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

    def read_tables(self, on_table: Callable[[TableSummary], None], history_path: Path | str) -> None:
        """Accept every delivered table; collect what makes the load impossible."""
        self.read_portal(on_table)
        self.marks = {
            name: f"{offer.mark} {code_mark()} {self.settings.max_reject_share}"
            for name, offer in self.delivery.tables.items()
            if offer.mark
        }
        unchanged = {}
        if self.follows_own_load() and not self.settings.full_refresh:
            owner = self.settings.source, self.portal_id
            unchanged = unchanged_tables(self.connection, self.marks, history_path, *owner)
            if self.was_loaded_by_this_code():
                says_deletions = self.delivery.says_deletions
                self.known = comparable_tables(self.connection, history_path, *owner, says_deletions)
        for name in TABLES:
            if name in unchanged:
                self.take_over(name, unchanged[name], on_table)
            elif name in self.delivery.tables:
                self.read_table(name, on_table)
            else:
                self.summaries[name] = TableSummary(name, NOT_DELIVERED)
        self.summaries = {name: self.summaries[name] for name in TABLES if name in self.summaries}
        unknown = sorted(set(self.delivery.tables) - set(TABLES))
        self.problems += [f"{name}: no table of the contract (raw_tables.md)" for name in unknown]
        if self.delivery.tables and not self.fill_required:
            self.problems += [
                f"{name}: this table is required and missing {self.delivery.place}".strip()
                for name, table in TABLES.items()
                if table.required and name not in self.delivery.tables
            ]
        if not self.delivery.tables and not self.problems:
            self.problems.append(f"no table at all was found {self.delivery.place}".strip())

    def read_table(self, name: str, on_table: Callable[[TableSummary], None]) -> None:
        if name in self.accepted:
            return
        begin, offer, table = time.monotonic(), self.delivery.tables[name], TABLES[name]
        try:
            accepted = accept(
                self.connection,
                table,
                offer,
                self.load_id,
                fill_required=self.fill_required,
                known_mark=self.known.get(name),
            )
        except (Unreadable, duckdb.Error) as error:
            problem = f"{offer.place or name}: {_first_line(error)}"
            if problem not in self.problems:
                self.problems.append(problem)
            return
        self.take(accepted, sum(accepted.rejected_values.values()), time.monotonic() - begin, on_table)

    def take_over(self, name: str, reading: Reading, on_table: Callable[[TableSummary], None]) -> None:
        """A table that would be read as it was read before stays as it is."""
        begin = time.monotonic()
        columns = self.execute(
            "select column_name from raw_hubspot._available_columns where table_name = $name", {"name": name}
        ).fetchall()
        delivered = [column for (column,) in columns]
        accepted = Accepted(
            TABLES[name],
            custom=[column for column in delivered if column not in TABLES[name].columns],
            delivered=delivered,
            offered=reading.offered,
            rejected=reading.rejected,
            newest_row=reading.newest_row,
            is_unchanged=True,
        )
        rejected_values = use_rejects_again(self.connection, name, self.load_id)
        self.take(accepted, rejected_values, time.monotonic() - begin, on_table)

    def take(
        self,
        accepted: Accepted,
        rejected_values: int,
        seconds: float,
        on_table: Callable[[TableSummary], None],
    ) -> None:
        name = accepted.table.name
        self.accepted[name] = accepted
        if accepted.table.history_of and accepted.custom:
            self.notes.append(f"{name}: left out, no part of a history: {', '.join(accepted.custom)}")
        numbers = accepted.offered, accepted.loaded, accepted.rejected
        self.summaries[name] = TableSummary(name, LOADED, *numbers, rejected_values, seconds)
        on_table(self.summaries[name])

    # --- the account ---

    def read_portal(self, on_table: Callable[[TableSummary], None]) -> None:
        """Whose data it is: tables of another portal's load are nobody's unchanged ones."""
        self.portal_id = self.delivery.portal_id or NO_PORTAL
        if not self.delivery.portal_id and "account" in self.delivery.tables:
            self.read_table("account", on_table)
            if "account" in self.accepted:
                found = self.execute("select portal_id from accepted_account").fetchall()
                self.portal_id = (found and found[0][0]) or NO_PORTAL

    def read_account(self) -> None:
        """The account's settings, where a setting of the run beats the account table (§5), and the
        instants of the run (H12)."""
        account: dict[str, object] = {
            "portal_id": NO_PORTAL,
            "time_zone": "UTC",
            "company_currency": "USD",
            "fiscal_year_start_month": 1,
            "week_starts_on": "monday",
        }
        if "account" in self.accepted:
            rows = self.execute(
                f"select {', '.join(account)} from {self.accepted['account'].relation}"
            ).fetchall()
            if len(rows) > 1:
                self.problems.append(f"account: one row is expected, and there are {len(rows)}")
            for row in rows:
                given = dict(zip(account, row, strict=True))
                account |= {name: value for name, value in given.items() if value not in (None, "")}
        elif not self.delivery.portal_id:
            self.notes.append(
                f"no account table: portal {NO_PORTAL!r}, UTC, USD unless settings say otherwise"
            )
        settings = {
            "portal_id": self.delivery.portal_id,
            "time_zone": self.settings.time_zone,
            "company_currency": self.settings.currency,
            "fiscal_year_start_month": self.settings.fiscal_year_start_month,
            "week_starts_on": self.settings.week_starts_on,
        }
        account |= {name: value for name, value in settings.items() if value is not None}
        account["week_starts_on"] = str(account["week_starts_on"]).lower()
        self.judge_account(account)
        self.portal_id = account.pop("portal_id")
        self.account = account
        newest = max((a.newest_row for a in self.accepted.values() if a.newest_row), default=None)
        self.read_until = self.delivery.read_until or newest or self.now
        self.run_ts = self.settings.run_ts or self.read_until

    def judge_account(self, account: Mapping[str, object]) -> None:
        """K5(a): an unknown time zone, and other values that no build can work with."""
        wrong = {}
        try:
            ZoneInfo(account["time_zone"])
        except (ZoneInfoNotFoundError, ValueError, OSError):
            wrong["time_zone"] = "a name of the tz database, such as Europe/Berlin"
        if not 1 <= account["fiscal_year_start_month"] <= 12:
            wrong["fiscal_year_start_month"] = "a month from 1 to 12"
        if account["week_starts_on"] not in WEEK_STARTS:
            wrong["week_starts_on"] = f"one of {', '.join(WEEK_STARTS)}"
        self.problems += [
            f"account: {name} is {account[name]!r}, not {wanted}; "
            f"correct it or set SALES_REPORTS_{name.upper()}"
            for name, wanted in wrong.items()
        ]

    # --- thresholds ---

    def judge_tables(self) -> None:
        """K5(c): too much turned away; a required table empty, or fallen by more than half."""
        before = self.loaded_before()
        for name, accepted in self.accepted.items():
            too_many = [] if accepted.is_unchanged else list(self.shares_rejected(accepted))
            self.problems += too_many
            if too_many or not TABLES[name].required or self.settings.accept_drop:
                continue
            if not accepted.loaded:
                what = "has no rows"
            elif accepted.loaded * 2 < before.get(name, 0):
                what = f"has {accepted.loaded:,} rows, and the last load had {before[name]:,}"
            else:
                continue
            self.problems.append(f"{name}: {what}; if that is right, set SALES_REPORTS_ACCEPT_DROP=1 once")

    def shares_rejected(self, accepted: Accepted) -> Iterator[str]:
        """What is wrong where more of the rows, or of a column's values, is rejected than allowed."""
        allowed, name = self.settings.max_reject_share, accepted.table.name
        if accepted.rejected > allowed * accepted.offered:
            yield f"{name}: {accepted.rejected:,} of {accepted.offered:,} rows rejected" + self.examples(
                "rejected_rows",
                "'row ' || row_number || ' ' || reason",
                f"table_name = {literal(name)}",
            )
        for column, count in accepted.rejected_values.items():
            filled = accepted.filled[column]
            if count > allowed * filled:
                yield f"{name}.{column}: {count:,} of {filled:,} values rejected" + self.examples(
                    "rejected_values",
                    "coalesce(record_id, '') || ' ' || raw_text || ' (' || reason || ')'",
                    f"table_name = {literal(name)} and column_name = {literal(column)}",
                )

    def examples(self, rejects: str, words: str, where: str) -> str:
        found = self.execute(f"select {words} from {rejects} where {where} limit 3").fetchall()
        shown = "; ".join(" ".join(str(text)[:120].split()) for (text,) in found)
        return (
            f", more than SALES_REPORTS_MAX_REJECT_SHARE={self.settings.max_reject_share:g} allows; "
            f"correct the source or allow more. First ones: {shown}"
        )

    # --- what was there before ---

    def has_raw(self, table: str) -> bool:
        return bool(
            self.execute(
                "select 1 from duckdb_tables() where database_name = current_database() "
                f"and schema_name = 'raw_hubspot' and table_name = {literal(table)}"
            ).fetchone()
        )

    def follows_own_load(self) -> bool:
        """Whether the raw tables that are there come from the same source and portal."""
        if not self.has_raw("_run"):
            return False
        # DuckDB takes no rows of ours in while a result is open, and it is until its end was seen.
        (owner,) = self.execute("select source, portal_id from raw_hubspot._run").fetchall()
        return owner == (self.settings.source, self.portal_id)

    def was_loaded_by_this_code(self) -> bool:
        """Whether raw histories may stay as they are: they were typed as today, and nobody doubts them."""
        is_known = self.execute(
            "select 1 from duckdb_columns() where database_name = current_database() "
            "and schema_name = 'raw_hubspot' and table_name = '_run' and column_name = 'loader_code'"
        ).fetchone()
        if not is_known or self.settings.full_refresh:
            return False
        return self.execute("select loader_code from raw_hubspot._run").fetchall() == [(code_mark(),)]

    def load_before(self) -> tuple[str, datetime]:
        """The load that the raw tables come from, and its run_ts."""
        return self.execute("select load_id, run_ts from raw_hubspot._run").fetchone()

    def loaded_before(self) -> dict[str, int]:
        """Rows per table that the last load accepted."""
        if not self.follows_own_load():
            return {}
        return dict(
            self.execute(
                "select table_name, loaded from raw_hubspot._sync_log "
                "semi join raw_hubspot._run using (load_id)"
            ).fetchall()
        )

    # --- writing ---

    def write(self, history_path: Path | str, rejects_dir: Path | None) -> Path | None:
        """Add to kept history, then replace `raw_hubspot`; the path of the file of rejects."""
        try:
            with attached(self.connection, history_path):
                history = KeptHistory(self.connection, self.settings.source, self.portal_id)
                self.leave_out(history.forgotten())
                # Order says nothing in a table; keeping it would write most rows twice.
                self.execute("set preserve_insertion_order = false")
                with transaction(self.connection):
                    self.keep(history)
                with transaction(self.connection):
                    self.replace_raw(history)
                    return self.write_rejects(rejects_dir)
        except (OSError, duckdb.OperationalError, duckdb.FatalException) as error:
            raise LoadError([f"writing failed: {_first_line(error)}"]) from error
        finally:
            self.execute("reset preserve_insertion_order")

    def leave_out(self, forgotten: Sequence[tuple[str, str]]) -> None:
        """People who were forgotten count as not offered; no text of rejects is kept where they were."""
        if not forgotten:
            return
        relations = {name: accepted.relation for name, accepted in self.read_anew().items()}
        for name, gone in take_out(self.connection, relations, forgotten).items():
            accepted, its = self.accepted[name], f"table_name = {literal(name)}"
            # A record's id in rejects is its key, the parts parted by a slash.
            people = "(select list(id) from forgotten_people)"
            theirs = f"{its} and list_has_any(string_split(record_id, '/'), {people})"
            (rejected,) = self.execute(f"delete from rejected_rows where {theirs}").fetchone()
            self.execute(f"delete from rejected_values where {theirs}")
            self.execute(f"update rejected_rows set raw = null where {its}")
            self.execute(f"update rejected_values set raw_text = null where {its}")
            accepted.offered -= gone + rejected
            accepted.rejected -= rejected
            self.summaries[name] = replace(
                self.summaries[name],
                offered=accepted.offered,
                loaded=accepted.loaded,
                rejected=accepted.rejected,
            )

    def read_anew(self) -> dict[str, Accepted]:
        """The delivered tables that were read."""
        return {name: accepted for name, accepted in self.accepted.items() if not accepted.is_unchanged}

    def keep(self, history: KeptHistory) -> None:
        for name, accepted in self.read_anew().items():
            if name in KEPT_HISTORIES:
                self.version_marks[name] = history.version_mark(accepted.table)
                self.fresh[name] = history.add_versions(accepted, self.now)
            elif name in KEPT_SNAPSHOTS:
                history.add_states(accepted, self.now)

    def replace_raw(self, history: KeptHistory) -> None:
        """All tables of `raw_hubspot`, and what of them has changed since the load before."""
        self.execute("create schema if not exists raw_hubspot")
        follows = self.follows_own_load()
        self.is_typed_alike = follows and self.was_loaded_by_this_code()
        changes = Changes(self.connection, compares=follows)
        unchanged = self.accepted.keys() - self.read_anew().keys()
        for name, table in TABLES.items():
            if name in unchanged:
                continue
            if name in KEPT_HISTORIES:
                self.replace_history(table, history, changes)
            elif name in KEPT_SNAPSHOTS:
                changes.replace_by_query(name, self.kept_rows(table, history))
            elif name in self.accepted:
                complete = table.is_object and not self.delivery.says_deletions
                changes.replace(
                    table,
                    self.accepted[name].relation,
                    self.delivered_columns(table),
                    deleted_at=instant(self.now) if complete else None,
                    is_partial=self.accepted[name].is_partial,
                    only_adds=self.accepted[name].only_adds,
                )
            elif name == "call_dispositions":
                changes.replace_by_query(name, self.default_call_dispositions())
            else:
                nothing = _typed_columns(table, dict.fromkeys(table.columns, "null"))
                changes.replace_by_query(name, f"select {nothing} where false")
        self.replace_own_tables(history, changes, follows)
        changes.write()
        self.keep_hashes(history)

    def keep_hashes(self, history: KeptHistory) -> None:
        """What was delivered, where the next load may go by it: nothing was turned away or left out."""
        clean = {
            name: accepted
            for name, accepted in self.read_anew().items()
            if accepted.mark and not accepted.rejected and not accepted.rejected_values
        }
        unchanged = self.accepted.keys() - self.read_anew().keys()
        if history.forgotten():
            clean, unchanged = {}, set()
        keep_hashes(
            self.connection,
            {name: accepted.mark for name, accepted in clean.items()},
            [name for name, accepted in clean.items() if accepted.is_partial],
            unchanged,
            self.delivery.says_deletions,
        )

    def delivered_columns(self, table: Table) -> dict[str, str]:
        """The columns of a table of this load; a missing `_loaded_at` is its instant (H12)."""
        columns = [*table.columns, *self.accepted[table.name].custom]
        return {column: quoted(column) for column in columns} | {
            "_loaded_at": f"coalesce(_loaded_at, {instant(self.now)})"
        }

    def kept_rows(self, table: Table, history: KeptHistory) -> str:
        """Query of the rows as delivered, else as they last were, and of those once seen and gone (K2)."""
        if table.name in self.accepted:
            columns = self.delivered_columns(table).items()
            listed = ", ".join(f"{value} as {quoted(column)}" for column, value in columns)
            there = f"select {listed} from {self.accepted[table.name].relation}"
        else:
            there = history.current_states(table)
        return f"{there} union all by name {history.gone_states(table)}"

    def replace_history(self, table: Table, history: KeptHistory, changes: Changes) -> None:
        """All versions ever seen: the text, and the value in its own type (H10)."""
        columns = [*table.columns, *values.version_values(table)]
        fresh, (known, until) = self.fresh.get(table.name), self.version_marks.get(table.name, (None, None))
        if fresh is None:
            known, until = history.version_mark(table)
        else:
            kept = version_columns(self.now) | {column: column for column in columns[-2:]}
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
                f"select {_typed_columns(table)}, {typed} from ({history.versions(table)}) as versions",
            )

    def default_call_dispositions(self) -> str:
        """Query of HubSpot's six call outcomes, which every account has."""
        rows = ", ".join(f"({literal(k)}, {literal(v)})" for k, v in DEFAULT_CALL_DISPOSITIONS.items())
        columns = _typed_columns(
            TABLES["call_dispositions"], {"deleted": "false", "_loaded_at": instant(self.now)}
        )
        return f"select {columns} from (values {rows}) as defaults (id, label)"

    def replace_own_tables(self, history: KeptHistory, changes: Changes, follows: bool) -> None:
        """The tables with an underscore: what is known about this load and kept beside it."""
        for name, rows in {
            "_rejected_rows": "select * from rejected_rows",
            "_rejected_values": "select * from rejected_values",
            "_history_gaps": history.gaps(),
            "_available_columns": self.available_columns(),
        }.items():
            changes.replace_by_query(name, rows)
        changes.replace_by_days("_stored_snapshots", history.stored_snapshots(), "snapshot_date")
        readings = {
            name: Reading(accepted.offered, accepted.rejected, accepted.newest_row)
            for name, accepted in self.accepted.items()
        }
        write_readings(self.connection, self.marks, readings, len(history.forgotten()))
        before = self.load_before() if follows else (None, None)
        self.write_sync_log(follows)
        self.write_run(*before)

    def available_columns(self) -> str:
        """Query of the delivered columns, whatever they hold (K11)."""
        rows = ", ".join(
            f"({literal(name)}, {literal(column)})"
            for name, accepted in self.accepted.items()
            for column in accepted.delivered
        )
        return f"select * from (values {rows}) as available (table_name, column_name)"

    def write_sync_log(self, follows: bool) -> None:
        """A row per table and load of this source and portal."""
        if not (follows and self.has_raw("_sync_log")):
            self.execute(
                "create or replace table raw_hubspot._sync_log (load_id varchar, table_name varchar, "
                "started_at timestamptz, read_until timestamptz, offered bigint, loaded bigint, "
                "rejected bigint, status varchar)"
            )
        load = literal(self.load_id)
        self.execute(f"delete from raw_hubspot._sync_log where load_id = {load}")
        instants = f"{instant(self.now)}, {instant(self.read_until)}"
        rows = ", ".join(
            f"({load}, {literal(t.name)}, {instants}, "
            f"{t.offered}, {t.loaded}, {t.rejected}, {literal(t.status)})"
            for t in self.summaries.values()
        )
        self.execute(f"insert into raw_hubspot._sync_log values {rows}")

    def write_run(self, follows_load_id: str | None, follows_run_ts: datetime | None) -> None:
        """The one row that says what this build is made of, and which load's tables it was compared with."""
        settings = {k: v for k, v in asdict(self.settings).items() if k not in _UNSAID_SETTINGS}
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
                "load_id": self.load_id,
                "follows_load_id": follows_load_id,
                "follows_run_ts": follows_run_ts,
                "source": self.settings.source,
                "portal_id": self.portal_id,
                "run_ts": self.run_ts,
                **self.account,
                "include_personal_data": self.settings.include_personal_data,
                "read_until": self.read_until,
                "loaded_at": self.now,
                "settings": json.dumps(settings, default=str, sort_keys=True),
                "loader_code": code_mark(),
                "project_version": project_version(),
            },
        )

    def write_rejects(self, rejects_dir: Path | None) -> Path | None:
        """All rejects of the load in one CSV file, for people to look through; None without any."""
        rejects = "(select * from rejected_rows union all by name select * from rejected_values) as rejects"
        (count,) = self.execute(f"select count(*) from {rejects}").fetchone()
        if rejects_dir is None or not count:
            return None
        rejects_dir.mkdir(parents=True, exist_ok=True)
        path = rejects_dir / f"{self.load_id}.csv"
        self.execute(
            f"copy (select table_name, row_number, record_id, column_name, reason, "
            f"coalesce(raw_text, raw) as raw from {rejects}) to {literal(str(path))} (format csv, header)"
        )
        return path

    def drop_temporary_tables(self) -> None:
        relations = [accepted.relation for accepted in self.read_anew().values()]
        fresh = [fresh_versions(TABLES[name]) for name in KEPT_HISTORIES]
        others = (
            "rejected_rows",
            "rejected_values",
            *FORGOTTEN_LISTS,
            *CHANGES_TABLES,
            *DELIVERED_TABLES,
        )
        for name in (*relations, *fresh, *others):
            self.execute(f"drop table if exists temp.{name}")


def load_id(now: datetime) -> str:
    """The name of the load at an instant, and of the build made of it; they sort by time."""
    return f"{now.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}"


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


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
