"""A reverse proxy that has logged somebody in: it says in a header who asks, whatever the browser says.

Belongs here: as much of a proxy as the journeys with a login need. It passes bytes on between a browser
and the viewer, web sockets too, and sees one request per connection.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

from tests.browser.viewer_server import LOOPBACK

_MOST = 65_536  # bytes of a request's head


@contextmanager
def logged_in(url: str, header: str, user: str | None) -> Iterator[str]:
    """The address of a proxy before the viewer at `url` that names `user` in `header`; None names nobody."""
    target = urlsplit(url)
    with socket.create_server((LOOPBACK, 0)) as listening:
        threading.Thread(
            target=_serve, args=(listening, (target.hostname, target.port), header, user), daemon=True
        ).start()
        yield f"http://{LOOPBACK}:{listening.getsockname()[1]}"


def _serve(listening: socket.socket, target: tuple[str, int], header: str, user: str | None) -> None:
    while True:
        try:
            browser, _ = listening.accept()
        except OSError:  # the test is over
            return
        threading.Thread(target=_connection, args=(browser, target, header, user), daemon=True).start()


def _connection(browser: socket.socket, target: tuple[str, int], header: str, user: str | None) -> None:
    with browser, suppress(OSError):
        head, rest = _read_head(browser)
        if not head:
            return
        with socket.create_connection(target) as viewer:
            viewer.sendall(_with_user(head, header, user) + rest)
            back = threading.Thread(target=_pass_on, args=(viewer, browser), daemon=True)
            back.start()
            _pass_on(browser, viewer)
            back.join()


def _read_head(browser: socket.socket) -> tuple[bytes, bytes]:
    read = b""
    while b"\r\n\r\n" not in read and len(read) < _MOST:
        more = browser.recv(_MOST)
        if not more:
            return b"", b""
        read += more
    head, _, rest = read.partition(b"\r\n\r\n")
    return head, rest


def _with_user(head: bytes, header: str, user: str | None) -> bytes:
    """The head with the header of this user only, and without keeping the connection for more requests."""
    request, *lines = head.decode("latin-1").split("\r\n")
    is_upgrade = any(line.lower().startswith("upgrade:") for line in lines)
    dropped = [header.lower(), *([] if is_upgrade else ["connection"])]
    kept = [line for line in lines if line.partition(":")[0].lower() not in dropped]
    kept += [f"{header}: {user}"] if user is not None else []
    kept += [] if is_upgrade else ["Connection: close"]
    return "\r\n".join([request, *kept, "", ""]).encode("latin-1")


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while more := source.recv(_MOST):
            sink.sendall(more)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
