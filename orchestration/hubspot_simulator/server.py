"""The simulator on a port of this machine.

Belongs here: starting and stopping uvicorn. It binds to loopback and nothing else: the simulator has
no protection against strangers.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import uvicorn

from .app import Simulator

HOST = "127.0.0.1"


def _server(app) -> uvicorn.Server:
    return uvicorn.Server(
        uvicorn.Config(app, log_level="critical", access_log=False, lifespan="off", ws="none")
    )


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError:
        listener.close()
        raise
    return listener


@contextmanager
def running(app: Simulator, port: int = 0) -> Iterator[str]:
    """Serve in a thread while the block runs; gives the address. Port 0 is any free one."""
    listener = _listen(port)
    server = _server(app)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        while not server.started:
            if not thread.is_alive():
                raise RuntimeError("the simulator did not start")
            time.sleep(0.005)
        yield f"http://{HOST}:{listener.getsockname()[1]}"
    finally:
        server.should_exit = server.force_exit = True
        thread.join(timeout=10)
        listener.close()


def serve(app: Simulator, port: int, ready=lambda url: None) -> None:
    """Serve until interrupted. `ready` hears the address. Raises OSError if the port is taken."""
    listener = _listen(port)
    ready(f"http://{HOST}:{listener.getsockname()[1]}")
    with suppress(KeyboardInterrupt):  # uvicorn raises it again when it has stopped
        _server(app).run(sockets=[listener])
