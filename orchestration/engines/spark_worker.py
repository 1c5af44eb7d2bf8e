"""One Spark session for many statements: each a line of JSON in, its answer a line of JSON out.

A line in is the statement, and the seconds after which it is given up (null: never).

Runs in .venv-spark, started by `spark_process.py` with the server's address on the command line, or ''.
Belongs here: a session, a client of Spark Connect or of a Thrift server, each as something that runs
statements; and values as JSON. Nothing of the project can be imported here.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

Run = Callable[[str], tuple[list[str], list[Any]]]
"""A statement's columns and rows. Raises what Spark raises."""
Cancel = Callable[[], Any]
"""Ends what is running; the statement raises then."""
_GRACE = 3  # seconds for a session that has nothing to do to end well


def main() -> None:
    # Whatever else is printed, by Java for one, is no answer.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    lines: queue.Queue[str | None] = queue.Queue()
    threading.Thread(target=_read, args=[lines], daemon=True).start()
    connection = None
    while line := lines.get():
        statement, seconds = json.loads(line)
        is_done = threading.Event()
        try:
            run, cancel = connection = connection or _connect(sys.argv[1])
            if seconds:
                threading.Thread(target=_give_up, args=[is_done, seconds, cancel], daemon=True).start()
            columns, rows = run(statement)
            answer = {"columns": columns, "rows": [list(row) for row in rows]}
        except Exception as error:
            answer = {"error": str(error) or type(error).__name__}
        finally:
            is_done.set()
        print(json.dumps(answer, default=_plain), file=answers, flush=True)


def _give_up(is_done: threading.Event, seconds: float, cancel: Cancel) -> None:
    """Cancel what is not done in time, again and again: what is being planned has no job to cancel yet."""
    if not is_done.wait(seconds):
        while not is_done.wait(1):
            cancel()


def _read(lines: queue.Queue[str | None]) -> None:
    """Pass the lines on. They end with whoever has started this: then a statement under way ends too."""
    for line in sys.stdin:
        lines.put(line)
    lines.put(None)
    time.sleep(_GRACE)
    os._exit(1)


def _connect(url: str) -> tuple[Run, Cancel]:
    if url.startswith("thrift:"):
        from pyhive import hive

        address = urlsplit(url)
        cursor = hive.connect(host=address.hostname, port=address.port or 10000).cursor()
        cursor.execute("set spark.sql.session.timeZone = UTC")
        return lambda statement: _by_cursor(cursor, statement), cursor.cancel
    from pyspark.sql import SparkSession

    builder = SparkSession.builder
    session = builder.remote(url).getOrCreate() if url else builder.enableHiveSupport().getOrCreate()
    session.conf.set("spark.sql.session.timeZone", "UTC")

    def run(statement: str) -> tuple[list[str], list[Any]]:
        found = session.sql(statement)
        return found.columns, found.collect()

    return run, session.interruptAll if url else session.sparkContext.cancelAllJobs


def _by_cursor(cursor: Any, statement: str) -> tuple[list[str], list[Any]]:
    cursor.execute(statement)
    if cursor.description is None:
        return [], []
    return [column[0] for column in cursor.description], cursor.fetchall()


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return {"instant": value.isoformat()}
    if isinstance(value, date):
        return {"date": value.isoformat()}
    if isinstance(value, Decimal):
        return {"decimal": str(value)}
    raise TypeError(f"a {type(value).__name__} in an answer")


main()
