"""The viewer's own small SQLite database: its schema, its migrations, and transactions.

Belongs here: how the file is made, brought to the newest schema and shared. It lies in the data folder
beside the builds and outlives them. Every transaction opens the file and closes it again, so that any
number of sessions and processes may work at once. What the rows mean is `saved.py`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

_MIGRATIONS = (
    """
    create table report (
        report_id integer primary key,
        owner text not null,
        name text not null,
        name_key text not null,
        report text not null,
        query text not null,
        is_shared integer not null check (is_shared in (0, 1)),
        changed_at text not null,
        unique (owner, name_key)
    );
    create table dashboard (
        dashboard_id integer primary key,
        owner text not null,
        name text not null,
        name_key text not null,
        is_shared integer not null check (is_shared in (0, 1)),
        changed_at text not null,
        unique (owner, name_key)
    );
    create table tile (
        tile_id integer primary key,
        dashboard_id integer not null references dashboard on delete cascade,
        report_id integer not null references report on delete cascade,
        position integer not null,
        width integer not null check (width between 1 and 12)
    );
    create index tile_by_dashboard on tile (dashboard_id, position);
    create index tile_by_report on tile (report_id);
    """,
)
"""One script per schema version; only ever append. `pragma user_version` counts those that have run."""


class SavedError(ValueError):
    """What was asked for cannot be done; the message says why and what to do."""


@contextmanager
def transaction(path: Path) -> Iterator[sqlite3.Connection]:
    """One transaction that takes its turn at once: what it has read is not changed under it.

    Makes the file if there is none. Raises SavedError, with a sentence for the page, if it cannot be used.
    """
    try:
        with closing(_open(path)) as connection:
            connection.execute("begin immediate")
            try:
                yield connection
            except BaseException:
                connection.rollback()
                raise
            connection.commit()
    except (sqlite3.Error, OSError) as error:
        raise SavedError(
            f"Saved reports and dashboards cannot be read or kept: {error} ({path}). "
            "If the file is damaged, move it away; a new one is made."
        ) from error


def _open(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, timeout=10, isolation_level=None)
    try:
        connection.row_factory = sqlite3.Row
        connection.execute("pragma foreign_keys = on")
        (version,) = connection.execute("pragma user_version").fetchone()
        if version != len(_MIGRATIONS):
            _migrate(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("pragma journal_mode = wal")
    connection.execute("begin immediate")
    # Asked again, now that nobody else can be at it.
    (version,) = connection.execute("pragma user_version").fetchone()
    if version > len(_MIGRATIONS):
        connection.rollback()
        raise SavedError(
            f"{path} was written by a newer version of the viewer (schema {version}, this one knows "
            f"{len(_MIGRATIONS)}). Start the newer version, or move the file away."
        )
    for script in _MIGRATIONS[version:]:
        # Not executescript, which would commit first.
        for statement in filter(str.strip, script.split(";")):
            connection.execute(statement)
    connection.execute(f"pragma user_version = {len(_MIGRATIONS)}")
    connection.commit()
