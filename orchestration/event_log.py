"""Dagster's event log in SQLite, without its waits.

Belongs here: one difference to Dagster's own storage, which opens a connection for every event,
waits for the disk and closes it again: over a minute for the two thousand events of a run. This one
keeps its connections open, and SQLite waits for the disk at checkpoints only. That is safe against
kills, and against power cuts up to the last moments of a run's history, never of its data.
"""

from __future__ import annotations

from collections.abc import Iterator
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

    def dispose(self) -> None:
        with self._db_lock:
            for connection in self._connections.values():
                connection.close()
            self._connections.clear()
        super().dispose()
