"""What users keep: customised reports under a name, and dashboards of them.

Belongs here: who may see and change what, and the limits. A saved report is a report's name and the query
string of its address, never SQL and never numbers: what it shows is asked of the published build each
time, with the access of whoever looks.

Every method is one transaction on the file (`saved_file.py`). All raise SavedError, with a sentence for
the page, where the user may not do it, a limit is reached, or the file cannot be used.
"""

from __future__ import annotations

import sqlite3
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from orchestration.viewer.saved_file import SavedError, transaction

MAX_NAME = 80
MAX_QUERY = 8_000
MAX_REPORTS = 500
MAX_DASHBOARDS = 100
MAX_TILES = 24
WIDTHS = {"third": 4, "half": 6, "two thirds": 8, "full": 12}
"""Widths of a tile in twelfths of the page."""

# Without a login everything belongs to nobody, and whoever opens the viewer may see and change it all.
_NOBODY = ""


@dataclass(frozen=True)
class SavedReport:
    """A customised report under a name."""

    report_id: int
    name: str
    report: str
    """The report function's name, such as `deals_won_and_lost`."""
    query: str
    """The query string of the address, without `?`."""
    owner: str
    is_shared: bool
    is_own: bool
    """Whether this user may change it."""


@dataclass(frozen=True)
class Dashboard:
    """A named page of tiles."""

    dashboard_id: int
    name: str
    owner: str
    is_shared: bool
    is_own: bool


@dataclass(frozen=True)
class Tile:
    """A saved report on a dashboard. `saved` is None where its owner no longer shares it."""

    tile_id: int
    width: int
    saved: SavedReport | None


@dataclass(frozen=True)
class Saved:
    """What one user sees of the database `path`; `user` is None where there is no login."""

    path: Path
    user: str | None = None

    # --- reports ---

    def reports(self) -> list[SavedReport]:
        """Own and shared saved reports by name."""
        with transaction(self.path) as connection:
            rows = connection.execute(
                f"select * from report where {_VISIBLE} order by name_key, owner", self._me
            )
            return [self._report(row) for row in rows]

    def report(self, report_id: int) -> SavedReport:
        """One saved report. Raises SavedError if it is gone or not for this user."""
        with transaction(self.path) as connection:
            return self._report(self._visible(connection, "report", report_id))

    def save_report(self, name: str, report: str, query: str, *, replace: bool = False) -> SavedReport:
        """Keep a report with its query string under a name that is unique for this user.

        A name that is taken is an error unless `replace`, which changes what is behind the name on
        every dashboard.
        """
        name = _clean_name(name)
        query = query.removeprefix("?")
        if not report.isidentifier() or len(report) > MAX_NAME:
            raise SavedError(f"{report[:MAX_NAME]!r} is no name of a report.")
        if len(query) > MAX_QUERY:
            raise SavedError(
                f"This view has {len(query):,} letters of filters, more than the {MAX_QUERY:,} that can be "
                "saved. Choose teams instead of many single reps."
            )
        with transaction(self.path) as connection:
            taken = connection.execute(
                "select report_id from report where owner = ? and name_key = ?", (self._owner, _key(name))
            ).fetchone()
            if taken and not replace:
                raise SavedError(f"You have a saved report named “{name}” already. Choose another name.")
            if taken:
                report_id = taken["report_id"]
                connection.execute(
                    "update report set name = ?, report = ?, query = ?, changed_at = ? where report_id = ?",
                    (name, report, query, _now(), report_id),
                )
            else:
                self._room(connection, "report", MAX_REPORTS, "saved reports")
                report_id = connection.execute(
                    "insert into report (owner, name, name_key, report, query, is_shared, changed_at)"
                    " values (?, ?, ?, ?, ?, 0, ?)",
                    (self._owner, name, _key(name), report, query, _now()),
                ).lastrowid
            return self._report(self._visible(connection, "report", report_id))

    def rename_report(self, report_id: int, name: str) -> None:
        self._rename("report", report_id, name, "saved report")

    def share_report(self, report_id: int, is_shared: bool) -> None:
        """Let all users see it, or only its owner. Access to rows is the looker's own either way."""
        self._share("report", report_id, is_shared)

    def remove_report(self, report_id: int) -> None:
        """Forget a saved report; its tiles go with it (`dashboards_with` tells which)."""
        self._remove("report", report_id)

    def dashboards_with(self, report_id: int) -> list[Dashboard]:
        """The dashboards that show a saved report and that this user sees."""
        with transaction(self.path) as connection:
            rows = connection.execute(
                f"select * from dashboard where {_VISIBLE} and dashboard_id in"
                " (select dashboard_id from tile where report_id = :report_id) order by name_key",
                {**self._me, "report_id": report_id},
            )
            return [self._dashboard(row) for row in rows]

    # --- dashboards ---

    def dashboards(self) -> list[Dashboard]:
        """Own and shared dashboards by name."""
        with transaction(self.path) as connection:
            rows = connection.execute(
                f"select * from dashboard where {_VISIBLE} order by name_key, owner", self._me
            )
            return [self._dashboard(row) for row in rows]

    def dashboard(self, dashboard_id: int) -> Dashboard:
        """One dashboard. Raises SavedError if it is gone or not for this user."""
        with transaction(self.path) as connection:
            return self._dashboard(self._visible(connection, "dashboard", dashboard_id))

    def create_dashboard(self, name: str) -> Dashboard:
        name = _clean_name(name)
        with transaction(self.path) as connection:
            self._free(connection, "dashboard", name, "dashboard")
            self._room(connection, "dashboard", MAX_DASHBOARDS, "dashboards")
            dashboard_id = connection.execute(
                "insert into dashboard (owner, name, name_key, is_shared, changed_at) values (?, ?, ?, 0, ?)",
                (self._owner, name, _key(name), _now()),
            ).lastrowid
            return self._dashboard(self._visible(connection, "dashboard", dashboard_id))

    def rename_dashboard(self, dashboard_id: int, name: str) -> None:
        self._rename("dashboard", dashboard_id, name, "dashboard")

    def share_dashboard(self, dashboard_id: int, is_shared: bool) -> None:
        """Let all users see a dashboard, with those of its owner's reports that stand on it."""
        self._share("dashboard", dashboard_id, is_shared)

    def remove_dashboard(self, dashboard_id: int) -> None:
        """Forget a dashboard and its tiles; the saved reports stay."""
        self._remove("dashboard", dashboard_id)

    # --- tiles ---

    def tiles(self, dashboard_id: int) -> list[Tile]:
        """The tiles of a dashboard in their order."""
        with transaction(self.path) as connection:
            board = self._visible(connection, "dashboard", dashboard_id)
            rows = connection.execute(
                "select * from tile join report using (report_id) where dashboard_id = ? order by position",
                (dashboard_id,),
            )
            return [
                Tile(row["tile_id"], row["width"], self._report(row) if self._may_see(row, board) else None)
                for row in rows
            ]

    def add_tile(self, dashboard_id: int, report_id: int, width: int = WIDTHS["half"]) -> None:
        """Put a saved report at the end of a dashboard."""
        with transaction(self.path) as connection:
            self._own(connection, "dashboard", dashboard_id)
            self._visible(connection, "report", report_id)
            (count, last) = connection.execute(
                "select count(*), coalesce(max(position), 0) from tile where dashboard_id = ?",
                (dashboard_id,),
            ).fetchone()
            if count >= MAX_TILES:
                raise SavedError(f"A dashboard has at most {MAX_TILES} tiles. Remove one, or begin another.")
            connection.execute(
                "insert into tile (dashboard_id, report_id, position, width) values (?, ?, ?, ?)",
                (dashboard_id, report_id, last + 1, _width(width)),
            )

    def arrange(self, dashboard_id: int, tile_ids: Sequence[int]) -> None:
        """Put the tiles of a dashboard in this order.

        Tiles that another session has removed meanwhile are passed over; those that it has added come
        last.
        """
        with transaction(self.path) as connection:
            self._own(connection, "dashboard", dashboard_id)
            present = [
                row["tile_id"]
                for row in connection.execute(
                    "select tile_id from tile where dashboard_id = ? order by position", (dashboard_id,)
                )
            ]
            wanted = [tile_id for tile_id in dict.fromkeys(tile_ids) if tile_id in present]
            order = wanted + [tile_id for tile_id in present if tile_id not in wanted]
            connection.executemany(
                "update tile set position = ? where tile_id = ?",
                [(position, tile_id) for position, tile_id in enumerate(order, start=1)],
            )

    def resize_tile(self, tile_id: int, width: int) -> None:
        """Set a tile's width in twelfths of the page."""
        with transaction(self.path) as connection:
            self._own_tile(connection, tile_id)
            connection.execute("update tile set width = ? where tile_id = ?", (_width(width), tile_id))

    def remove_tile(self, tile_id: int) -> None:
        """Take a tile off its dashboard; the saved report stays."""
        with transaction(self.path) as connection:
            self._own_tile(connection, tile_id)
            connection.execute("delete from tile where tile_id = ?", (tile_id,))

    # --- who may what ---

    @property
    def _owner(self) -> str:
        return self.user or _NOBODY

    @property
    def _me(self) -> dict[str, object]:
        return {"me": self._owner, "everything": self.user is None}

    def _is_own(self, row: sqlite3.Row) -> bool:
        return self.user is None or row["owner"] == self.user

    def _may_see(self, report: sqlite3.Row, board: sqlite3.Row) -> bool:
        """Own, shared, or on a dashboard of the report's owner that this user may see."""
        return self._is_own(report) or report["is_shared"] or report["owner"] in (_NOBODY, board["owner"])

    def _visible(self, connection: sqlite3.Connection, table: str, key: int) -> sqlite3.Row:
        row = connection.execute(
            f"select * from {table} where {table}_id = :key and {_VISIBLE}", {**self._me, "key": key}
        ).fetchone()
        if row is None:
            what = "saved report" if table == "report" else table
            # The same words for "gone" and "somebody else's": nobody learns what others keep.
            raise SavedError(f"This {what} no longer exists, or is not shared with you.")
        return row

    def _own(self, connection: sqlite3.Connection, table: str, key: int) -> sqlite3.Row:
        row = self._visible(connection, table, key)
        if not self._is_own(row):
            owner = row["owner"] or "the time before logins"
            raise SavedError(f"“{row['name']}” belongs to {owner}; only the owner can change it.")
        return row

    def _own_tile(self, connection: sqlite3.Connection, tile_id: int) -> None:
        tile = connection.execute("select dashboard_id from tile where tile_id = ?", (tile_id,)).fetchone()
        if tile is None:
            raise SavedError("This tile is not on the dashboard any more.")
        self._own(connection, "dashboard", tile["dashboard_id"])

    # --- what reports and dashboards have in common ---

    def _rename(self, table: str, key: int, name: str, what: str) -> None:
        name = _clean_name(name)
        with transaction(self.path) as connection:
            row = self._own(connection, table, key)
            if _key(name) != row["name_key"]:
                self._free(connection, table, name, what, row["owner"])
            connection.execute(
                f"update {table} set name = ?, name_key = ?, changed_at = ? where {table}_id = ?",
                (name, _key(name), _now(), key),
            )

    def _share(self, table: str, key: int, is_shared: bool) -> None:
        with transaction(self.path) as connection:
            self._own(connection, table, key)
            connection.execute(
                f"update {table} set is_shared = ?, changed_at = ? where {table}_id = ?",
                (int(is_shared), _now(), key),
            )

    def _remove(self, table: str, key: int) -> None:
        with transaction(self.path) as connection:
            self._own(connection, table, key)
            connection.execute(f"delete from {table} where {table}_id = ?", (key,))

    def _free(
        self, connection: sqlite3.Connection, table: str, name: str, what: str, owner: str | None = None
    ) -> None:
        taken = connection.execute(
            f"select 1 from {table} where owner = ? and name_key = ?",
            (self._owner if owner is None else owner, _key(name)),
        ).fetchone()
        if taken:
            raise SavedError(f"There is a {what} named “{name}” already. Choose another name.")

    def _room(self, connection: sqlite3.Connection, table: str, most: int, what: str) -> None:
        (count,) = connection.execute(
            f"select count(*) from {table} where owner = ?", (self._owner,)
        ).fetchone()
        if count >= most:
            raise SavedError(f"You have {count} {what}, the most there can be. Remove one first.")

    def _report(self, row: sqlite3.Row) -> SavedReport:
        return SavedReport(
            row["report_id"],
            row["name"],
            row["report"],
            row["query"],
            row["owner"],
            bool(row["is_shared"]),
            self._is_own(row),
        )

    def _dashboard(self, row: sqlite3.Row) -> Dashboard:
        return Dashboard(
            row["dashboard_id"], row["name"], row["owner"], bool(row["is_shared"]), self._is_own(row)
        )


# Visible: own, shared, or from the time before there was a login.
_VISIBLE = f"(owner in (:me, '{_NOBODY}') or is_shared or :everything)"


def _clean_name(name: str) -> str:
    """A name on one line, without what cannot be seen. Raises SavedError if it is empty or too long."""
    name = " ".join(unicodedata.normalize("NFC", name).split())
    if not name:
        raise SavedError("Give it a name.")
    if len(name) > MAX_NAME:
        raise SavedError(f"A name has at most {MAX_NAME} letters; this one has {len(name)}.")
    if any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in name):
        raise SavedError("The name has letters that cannot be shown. Choose another.")
    return name


def _key(name: str) -> str:
    """What makes two names the same: `Pipeline` and `pipeline` are."""
    return unicodedata.normalize("NFKC", name).casefold()


def _width(width: int) -> int:
    if width not in WIDTHS.values():
        raise SavedError(f"A tile's width is one of {', '.join(WIDTHS)}.")
    return width


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
