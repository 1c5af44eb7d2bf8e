"""Dagster's event log in SQLite, without its waits.

Belongs here: what differs from Dagster's own storage, which opens a connection for every event, looks
up the schema, waits for the disk and closes it again, for the two thousand events of a run. This one
keeps its connections open, knows the schema after the first look, and SQLite waits for the disk at
checkpoints only. That is safe against kills; a power cut may cost the last moments of a run's
history, never its data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._serdes import ConfigurableClassData
from sqlalchemy import create_engine, text
from sqlalchemy.engine import Connection
from sqlalchemy.pool import NullPool


class EventLog(SqliteEventLogStorage):
    """The same files as Dagster's own storage writes; either can go on where the other stopped."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._connections: dict[str, Connection] = {}
        self._known: set[str] = set()
        super().__init__(base_dir, inst_data)

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: dict) -> EventLog:
        return cls(inst_data=inst_data, **config_value)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock:
            if shard not in self._connections:
                self._connections[shard] = self._open(shard)
            connection = self._connections[shard]
            with connection.begin():
                yield connection

    def _open(self, shard: str) -> Connection:
        engine = create_engine(
            self.conn_string_for_shard(shard),
            poolclass=NullPool,
            connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS, "check_same_thread": False},
        )
        if shard not in self._initialized_dbs:
            self._initdb(engine)
            self._initialized_dbs.add(shard)
        connection = engine.connect()
        connection.execute(text("pragma synchronous = normal"))
        connection.commit()
        return connection

    def has_table(self, table_name: str) -> bool:
        return self._once(table_name, lambda: super(EventLog, self).has_table(table_name))

    def _has_asset_key_col_on_connection(self, conn: Connection, column_name: str) -> bool:
        look = super()._has_asset_key_col_on_connection
        return self._once(f"asset_keys.{column_name}", lambda: look(conn, column_name))

    def _once(self, what: str, look: Callable[[], bool]) -> bool:
        """Whether it is there; what has been seen is not looked up again."""
        if what not in self._known and look():
            self._known.add(what)
        return what in self._known

    def dispose(self) -> None:
        with self._db_lock:
            for connection in self._connections.values():
                connection.close()
            self._connections.clear()
        super().dispose()
