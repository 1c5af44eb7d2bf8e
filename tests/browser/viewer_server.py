"""The viewer as users start it, on a free port of this machine, and watched for connections outside.

Belongs here: starting and stopping the server for browser tests. What its pages show does not.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from orchestration.settings import PROJECT_ROOT

LOOPBACK = "127.0.0.1"
START_SECONDS = 60
WATCH = Path(__file__).parent / "watch"
# Remote addresses in /proc/net/tcp and tcp6 that are this machine or nobody.
_HERE = ("0100007F", "00000000", "0" * 32, "0000000000000000FFFF00000100007F", "0" * 24 + "01000000")


@dataclass
class Server:
    """A running viewer."""

    url: str
    process: subprocess.Popen
    folder: Path
    outside: set[str] = field(default_factory=set)
    """Addresses outside that a socket of the process was connected to, as the kernel saw it."""

    def wanted_outside(self) -> str:
        """Hosts outside that Python code of the process asked for, one a line."""
        return (self.folder / "watch").read_text()

    def log(self) -> str:
        return (self.folder / "log").read_text()


@contextmanager
def viewer(data_dir: Path, folder: Path, **environment: str) -> Iterator[Server]:
    """Start the viewer on a data folder and stop it afterwards. `folder` takes its log."""
    folder.mkdir(parents=True, exist_ok=True)
    port = _free_port()
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SALES_REPORTS_")}
    settings = {
        "SALES_REPORTS_DATA_DIR": str(data_dir),
        "SALES_REPORTS_VIEWER_PORT": str(port),
        "PYTHONPATH": str(WATCH),
        "VIEWER_WATCH": str(folder / "watch"),
    }
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "orchestration.tools", "view"],
            cwd=PROJECT_ROOT,
            env=clean | settings | environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    server = Server(f"http://{LOOPBACK}:{port}", process, folder)
    done = threading.Event()
    watching = threading.Thread(target=_watch, args=(server, done), daemon=True)
    try:
        _wait_until_up(server)
        watching.start()
        yield server
    finally:
        done.set()
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind((LOOPBACK, 0))
        return found.getsockname()[1]


def _wait_until_up(server: Server) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.process.poll() is None:
        try:
            with urllib.request.urlopen(f"{server.url}/_stcore/health", timeout=1):
                return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"The viewer did not start:\n{server.log()}")


def _watch(server: Server, done: threading.Event) -> None:
    """Look at the process's sockets many times a second: native code is seen too, if it takes a moment."""
    while not done.wait(0.05):
        server.outside |= _connected_to(server.process.pid)


def _connected_to(pid: int) -> set[str]:
    """Remote addresses outside, in the kernel's hexadecimal, of a process's sockets."""
    try:
        links = [os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir()]
    except OSError:  # a descriptor was closed, or the process ended, while we looked
        return set()
    inodes = {link[8:-1] for link in links if link.startswith("socket:[")}
    found = set()
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            parts = line.split()
            address = parts[2].partition(":")[0]
            if parts[9] in inodes and address not in _HERE:
                found.add(parts[2])
    return found
