"""What the tests of the load step share: a smallest CRM, a data folder to load it into, its raw rows.

Belongs here: nothing that says what a load should do.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from orchestration.ingest.load import LoadSummary, load, load_rows
from orchestration.ingest.sources import read_source
from orchestration.settings import Settings

DAY_1 = datetime(2026, 3, 1, 6, tzinfo=UTC)
Row = dict[str, object]


def at(text: str) -> datetime:
    """'2026-03-01 12:00' as an instant in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def deal(id_: str | None, **columns: object) -> Row:
    required = {"dealname": f"Deal {id_}", "pipeline": "default", "dealstage": "new"}
    return {"id": id_, **required, "createdate": at("2026-01-01"), **columns}


def version(object_id: str | None, name: str, value: str | None, timestamp: object, **columns) -> Row:
    return {"object_id": object_id, "name": name, "value": value, "timestamp": timestamp, **columns}


def versions(object_id: str, name: str, numbers: range) -> list[Row]:
    """Version n of a property: the text n, at n o'clock counted from 2026-01-01."""
    start = at("2026-01-01")
    return [version(object_id, name, str(n), start + timedelta(hours=n)) for n in numbers]


def stage(id_: str, **columns: object) -> Row:
    key = {"object_type": "deal", "pipeline_id": "default", "id": id_}
    return {**key, "label": id_.title(), "display_order": 1, "probability": "0.5", **columns}


def crm(**tables: list[Row] | None) -> dict[str, list[Row]]:
    """The smallest CRM that can be loaded, with these tables instead; None leaves one out."""
    smallest = {
        "deals": [deal("1"), deal("2")],
        "deal_property_history": [version("1", "dealstage", "new", at("2026-01-01"))],
        "pipelines": [{"object_type": "deal", "id": "default", "label": "Sales"}],
        "pipeline_stages": [stage("new"), stage("won", probability="1")],
        "owners": [{"id": "7", "first_name": "Ada"}],
    }
    return {name: rows for name, rows in (smallest | tables).items() if rows is not None}


class DataFolder:
    """A data folder with a build database, open from the first load on until `close`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.history = path / "history.duckdb"
        self.rejects = path / "rejects"
        self._open: duckdb.DuckDBPyConnection | None = None

    @property
    def build(self) -> duckdb.DuckDBPyConnection:
        if self._open is None:
            self._open = duckdb.connect(self.path / "build.duckdb", config={"threads": 1})
        return self._open

    def close(self) -> None:
        """Let go of the build database, for another process."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def load(self, tables: dict[str, list[Row]], now: datetime = DAY_1, **settings) -> LoadSummary:
        """Load rows of Python values, by default with any share of rejects."""
        chosen = Settings(**{"source": "test", "max_reject_share": 1.0} | settings)
        return load_rows(self.build, tables, chosen, now=now, history_path=self.history)

    def load_files(self, files: Path, now: datetime = DAY_1, **settings) -> LoadSummary:
        """Load a folder of files as a run would."""
        chosen = Settings(**{"source": "files", "files_dir": files} | settings)
        return load(
            self.build,
            read_source(chosen, now),
            chosen,
            now=now,
            history_path=self.history,
            rejects_dir=self.rejects,
        )

    def rows(self, query: str) -> list[tuple]:
        """Rows of a query over the build database, instants in UTC; raw tables go by bare names."""
        self.build.execute("set TimeZone = 'UTC'")
        self.build.execute("set search_path = 'raw_hubspot'")
        rows = self.build.execute(query).fetchall()
        self.build.execute("reset search_path")
        return [
            tuple(v.astimezone(UTC) if isinstance(v, datetime) and v.tzinfo else v for v in row)
            for row in rows
        ]

    def value(self, query: str) -> object:
        ((value,),) = self.rows(query)
        return value

    def raw_tables(self) -> dict[str, list[str]]:
        """Every raw table with all of its rows, to compare two states."""
        names = self.build.execute(
            "select table_name from duckdb_tables() where schema_name = 'raw_hubspot'"
        ).fetchall()
        return {name: sorted(map(str, self.rows(f"from {name}"))) for (name,) in names}

    def kept_rows(self, table: str) -> list[tuple]:
        """All rows of a table of kept history."""
        if not self.history.exists():
            return []
        with duckdb.connect(self.history) as connection:
            return connection.execute(f"from {table}").fetchall()
