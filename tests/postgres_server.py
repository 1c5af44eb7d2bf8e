"""A Postgres server for tests: one thrown away after them, or the one that the environment names.

Belongs here: finding, starting and stopping the server, and empty databases on it. What is done in
them does not belong here.

The throw-away server sorts texts as little by code point as a collation can, and its sessions begin in
another time zone than UTC: a model that does not say how it sorts, or in which zone a day is, shows
other numbers there. Nothing is synced to disk.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

URL = "SALES_REPORTS_POSTGRES_URL"
_PLACES = ("/usr/lib/postgresql/*/bin", "/usr/local/pgsql/bin", "/opt/homebrew/opt/postgresql*/bin")
_ODD_COLLATION = "und-u-ka-shifted-kn-true-kr-latn-digit"  # A between a and b, 9 before 10, Z before 1
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "jit": "off",  # compiling costs more than small tables take
    "TimeZone": "America/Havana",
}


@contextmanager
def postgres_server() -> Iterator[str]:
    """The connection string of a server on which databases can be created.

    Skips the tests where there is no Postgres; fails them where `CI` is set, which must have one.
    """
    if url := os.environ.get(URL):
        yield url
        return
    binaries = _binaries()
    if binaries is None:
        message = f"no Postgres here: install the package postgresql, or name a server in {URL}"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    with tempfile.TemporaryDirectory(prefix="sales_reports_postgres_") as folder:
        yield from _run_server(binaries, Path(folder))


@contextmanager
def database(server: str, name: str) -> Iterator[str]:
    """The connection string of a new, empty database, which is dropped afterwards."""
    drop = sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name))
    create = sql.SQL("create database {} template template0").format(sql.Identifier(name))
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(drop)
        connection.execute(create)
        try:
            yield make_conninfo(server, dbname=name)
        finally:
            connection.execute(drop)


def _binaries() -> Path | None:
    """The folder with the newest server programs of this machine."""
    found = [
        folder
        for place in _PLACES
        for folder in Path("/").glob(place.lstrip("/"))
        if (folder / "initdb").exists()
    ]
    if found:
        return max(found, key=lambda folder: [int(part) for part in folder.parts if part.isdigit()])
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


def _run_server(binaries: Path, folder: Path) -> Iterator[str]:
    # Postgres refuses to run as root; packages bring a user for it.
    as_user = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
    if as_user:
        shutil.chown(folder, "postgres", "postgres")
    data, port = folder / "data", _free_port()
    initdb = f"{binaries}/initdb --pgdata {data} --username postgres --auth trust --no-sync"
    initdb += " --encoding UTF8 --locale C.UTF-8 --locale-provider icu"
    initdb += f" --icu-locale {_ODD_COLLATION}"
    subprocess.run(initdb.split(), check=True, cwd=folder, stdout=subprocess.DEVNULL, **as_user)
    options = [f"--{name}={value}" for name, value in _SETTINGS.items()]
    command = [f"{binaries}/postgres", "-D", data, "-k", folder, "-p", str(port), *options]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, **as_user)
    try:
        _wait(binaries, port, server, folder / "log")
        yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
    finally:
        server.send_signal(signal.SIGQUIT)  # at once: nothing is worth keeping
        server.wait(30)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait(binaries: Path, port: int, server: subprocess.Popen, log: Path) -> None:
    ready = [f"{binaries}/pg_isready", "--quiet", "--host=127.0.0.1", f"--port={port}", "--timeout=1"]
    for _ in range(300):
        if server.poll() is not None:
            break
        if subprocess.run(ready).returncode == 0:
            return
        try:
            server.wait(0.1)
        except subprocess.TimeoutExpired:
            continue
    raise RuntimeError(f"Postgres did not start:\n{log.read_text()}")
