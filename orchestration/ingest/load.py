"""The load step: one delivery becomes `raw_hubspot` (K6), the same way for every source.

Belongs here: what makes a load possible or not (K5), and the order of its steps. Reading is the
source's business, types and keys are `accept.py`'s, the history file is `history.py`'s, the tables
that are written `raw_hubspot.py`'s.

Everything is read and judged before anything is changed. Then kept history is added to, which may
happen twice without harm, and then all of `raw_hubspot` is replaced in one transaction. A kill at
any point leaves the old tables or the new ones, and nothing to clean up.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from orchestration.ingest.accept import Accepted, accept, create_reject_tables
from orchestration.ingest.account import NO_PORTAL, Account, account_of
from orchestration.ingest.changes import CHANGES_TABLES
from orchestration.ingest.contract import KEPT_HISTORIES, TABLES
from orchestration.ingest.delivered import DELIVERED_TABLES
from orchestration.ingest.delivery import Delivery, LoadError, Unreadable, python_rows
from orchestration.ingest.forgotten import FORGOTTEN_LISTS, take_out
from orchestration.ingest.history import KeptHistory, attached, fresh_versions, transaction
from orchestration.ingest.load_before import LoadBefore
from orchestration.ingest.raw_hubspot import RawTables, ReadDelivery
from orchestration.ingest.summary import LOADED, NOT_DELIVERED, LoadSummary, TableSummary
from orchestration.ingest.unchanged import (
    Reading,
    code_mark,
    comparable_tables,
    unchanged_tables,
    use_rejects_again,
)
from orchestration.ingest.values import literal
from orchestration.settings import Settings


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
            portal_id=self.account.portal_id,
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
        owner = self.settings.source, self.portal_id
        self.before = LoadBefore(self.connection, *owner)
        if self.before.is_own() and not self.settings.full_refresh:
            unchanged = unchanged_tables(self.connection, self.marks, history_path, *owner)
            if self.before.is_of_this_code():
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
        delivered = self.before.delivered_columns(name)
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
        """The account's settings (§5), and the instants of the run (H12)."""
        rows: list[dict[str, object]] = []
        if "account" in self.accepted:
            names = [field.name for field in fields(Account)]
            found = self.execute(f"select {', '.join(names)} from {self.accepted['account'].relation}")
            rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
        elif not self.delivery.portal_id:
            self.notes.append(
                f"no account table: portal {NO_PORTAL!r}, UTC, USD unless settings say otherwise"
            )
        self.account, problems = account_of(rows, self.settings, self.delivery.portal_id)
        self.problems += problems
        newest = max((a.newest_row for a in self.accepted.values() if a.newest_row), default=None)
        self.read_until = self.delivery.read_until or newest or self.now
        self.run_ts = self.settings.run_ts or self.read_until

    # --- thresholds ---

    def judge_tables(self) -> None:
        """K5(c): too much turned away; a required table empty, or fallen by more than half."""
        before = self.before.rows_loaded()
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
        self.judge_custom_properties()

    def judge_custom_properties(self) -> None:
        """The models read the properties of deals that a setting names: they have to be there."""
        if "deals" not in self.accepted:
            return
        brought = {name.lower() for name in [*TABLES["deals"].columns, *self.accepted["deals"].custom]}
        missing = [name for name in self.settings.custom_properties if name.lower() not in brought]
        if missing:
            self.problems.append(
                f"deals: no column {', '.join(missing)}, which SALES_REPORTS_CUSTOM_PROPERTIES names; "
                "have the source bring it, or take it out of the setting"
            )

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

    # --- writing ---

    def write(self, history_path: Path | str, rejects_dir: Path | None) -> Path | None:
        """Add to kept history, then replace `raw_hubspot`; the path of the file of rejects."""
        read = ReadDelivery(
            load_id=self.load_id,
            now=self.now,
            read_until=self.read_until,
            run_ts=self.run_ts,
            settings=self.settings,
            account=self.account,
            says_deletions=self.delivery.says_deletions,
            accepted=self.accepted,
            summaries=self.summaries,
            marks=self.marks,
        )
        try:
            with attached(self.connection, history_path):
                history = KeptHistory(self.connection, self.settings.source, self.account.portal_id)
                self.leave_out(read, history.forgotten())
                raw = RawTables(self.connection, read, history, self.before)
                # Order says nothing in a table; keeping it would write most rows twice.
                self.execute("set preserve_insertion_order = false")
                with transaction(self.connection):
                    raw.keep()
                with transaction(self.connection):
                    raw.replace()
                    return self.write_rejects(rejects_dir)
        except (OSError, duckdb.OperationalError, duckdb.FatalException) as error:
            raise LoadError([f"writing failed: {_first_line(error)}"]) from error
        finally:
            self.execute("reset preserve_insertion_order")

    def leave_out(self, read: ReadDelivery, forgotten: Sequence[tuple[str, str]]) -> None:
        """People who were forgotten count as not offered; no text of rejects is kept where they were."""
        if not forgotten:
            return
        relations = {name: accepted.relation for name, accepted in read.anew.items()}
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
        relations = [accepted.relation for accepted in self.accepted.values() if not accepted.is_unchanged]
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


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
