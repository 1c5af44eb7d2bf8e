"""Python runs this first where the folder is on PYTHONPATH: it notes where the process wants to connect.

Belongs here: the viewer's server under test, seen from inside. A line per address that is not of this
machine goes to the file that VIEWER_WATCH names; the tests want the file to be there, and empty.
"""

import os
import sys


def _note(event: str, arguments: tuple) -> None:
    if event == "socket.getaddrinfo":
        host = arguments[0]
    elif event in ("socket.connect", "socket.sendto"):
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) else None  # a text is a Unix socket
    else:
        return
    host = host.decode() if isinstance(host, bytes) else host
    if host not in (None, "", "localhost", "127.0.0.1", "::1", "0.0.0.0"):
        with open(os.environ["VIEWER_WATCH"], "a") as file:  # noqa: PTH123 - before anything is imported
            file.write(f"{event} {arguments!r}\n")


if "VIEWER_WATCH" in os.environ:
    open(os.environ["VIEWER_WATCH"], "a").close()  # noqa: PTH123
    sys.addaudithook(_note)
