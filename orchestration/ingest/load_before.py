"""The load that `raw_hubspot` comes from, before it is replaced.

Belongs here: what it says of itself, and whether a new load may go on from it.
"""

from __future__ import annotations

from datetime import datetime

import duckdb

from orchestration.ingest.unchanged import code_mark
from orchestration.ingest.values import literal


class LoadBefore:
    """What stands in `raw_hubspot` of the connection's default database."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, source: str, portal_id: str) -> None:
        self._connection = connection
        self._owner = source, portal_id

    def has(self, table: str) -> bool:
        """Whether there is a raw table of this name."""
        return bool(
            self._rows(
                "select 1 from duckdb_tables() where database_name = current_database() "
                f"and schema_name = 'raw_hubspot' and table_name = {literal(table)}"
            )
        )

    def is_own(self) -> bool:
        """Whether the raw tables come from the same source and portal."""
        if not self.has("_run"):
            return False
        # DuckDB takes no rows of ours in while a result is open, and it is until its end was seen.
        (owner,) = self._rows("select source, portal_id from raw_hubspot._run")
        return owner == self._owner

    def is_of_this_code(self) -> bool:
        """Whether the raw tables were written by the code that is running now."""
        is_known = self._rows(
            "select 1 from duckdb_columns() where database_name = current_database() "
            "and schema_name = 'raw_hubspot' and table_name = '_run' and column_name = 'loader_code'"
        )
        return bool(is_known) and self._rows("select loader_code from raw_hubspot._run") == [(code_mark(),)]

    def id_and_run_ts(self) -> tuple[str, datetime]:
        """The load's id, and the instant for which it was made."""
        (found,) = self._rows("select load_id, run_ts from raw_hubspot._run")
        return found

    def rows_loaded(self) -> dict[str, int]:
        """Rows per table that it accepted; none if it was another account's."""
        if not self.is_own():
            return {}
        return dict(
            self._rows(
                "select table_name, loaded from raw_hubspot._sync_log "
                "semi join raw_hubspot._run using (load_id)"
            )
        )

    def delivered_columns(self, table: str) -> list[str]:
        """The columns of a table that were delivered."""
        return [
            column
            for (column,) in self._rows(
                f"select column_name from raw_hubspot._available_columns where table_name = {literal(table)}"
            )
        ]

    def _rows(self, sql: str) -> list[tuple]:
        return self._connection.execute(sql).fetchall()
