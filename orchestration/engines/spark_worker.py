"""One Spark session for many statements: each a line of JSON in, its answer a line of JSON out.

The first line in is the host and port of a Thrift server, or null. Each further one is a statement, and the
seconds after which it is given up (null: never).

Runs in .venv-spark, started by `spark_process.py`, in an environment by which Spark's own client finds a
server of Spark Connect. Belongs here: a session, a client of Spark Connect or of a Thrift server, each as
something that runs statements; and values as JSON. Nothing of the project can be imported here.
"""

from __future__ import annotations

import json
import math
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from typing import Any

Run = Callable[[str, float | None], tuple[list[str], list[Any]]]
"""A statement's columns and rows. Raises what Spark raises, TimeoutError where it takes more seconds."""
_GRACE = 3  # seconds for a session that has nothing to do to end well
_TIME_ZONE = "spark.sql.session.timeZone"


def main() -> None:
    # Whatever else is printed, by Java for one, is no answer.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    lines: queue.Queue[str | None] = queue.Queue()
    threading.Thread(target=_read, args=[lines], daemon=True).start()
    thrift_server, run = json.loads(lines.get() or "null"), None
    while line := lines.get():
        try:
            run = run or (_by_thrift(*thrift_server) if thrift_server else _by_session())
            columns, rows = run(*json.loads(line))
            answer = {"columns": columns, "rows": [list(row) for row in rows]}
        except Exception as error:
            answer = {"error": str(error) or type(error).__name__}
        print(json.dumps(answer, default=_plain), file=answers, flush=True)


def _read(lines: queue.Queue[str | None]) -> None:
    """Pass the lines on. They end with whoever has started this: then a statement under way ends too."""
    for line in sys.stdin:
        lines.put(line)
    lines.put(None)
    time.sleep(_GRACE)
    os._exit(1)


# --- a session of this process or of Spark Connect --------------------------------------------------


def _by_session() -> Run:
    from pyspark.sql import SparkSession

    is_remote = "SPARK_REMOTE" in os.environ
    builder = SparkSession.builder
    session = (builder if is_remote else builder.enableHiveSupport()).getOrCreate()
    session.conf.set(_TIME_ZONE, "UTC")
    cancel = session.interruptAll if is_remote else session.sparkContext.cancelAllJobs

    def run(statement: str, seconds: float | None) -> tuple[list[str], list[Any]]:
        with _given_up_after(seconds, cancel):
            found = session.sql(statement)
            return found.columns, found.collect()

    return run


@contextmanager
def _given_up_after(seconds: float | None, cancel: Callable[[], Any]) -> Iterator[None]:
    """Cancel what the block does if it takes longer, which raises TimeoutError then."""
    is_done, is_given_up = threading.Event(), threading.Event()

    def watch() -> None:
        if not is_done.wait(seconds):
            is_given_up.set()
            # Again and again: what is being planned has no job to cancel yet.
            while not is_done.wait(1):
                cancel()

    if seconds:
        threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    except Exception as error:
        if is_given_up.is_set():
            raise _too_late(seconds) from error
        raise
    finally:
        is_done.set()


def _too_late(seconds: float | None) -> TimeoutError:
    return TimeoutError(f"cancelled after {seconds} s")


# --- a Thrift server --------------------------------------------------------------------------------


def _by_thrift(host: str, port: int) -> Run:
    from pyhive import hive
    from TCLIService.ttypes import TOperationState

    cursor = hive.connect(host=host, port=port).cursor()
    cursor.execute(f"set {_TIME_ZONE} = UTC")
    under_way = (
        TOperationState.INITIALIZED_STATE,
        TOperationState.PENDING_STATE,
        TOperationState.RUNNING_STATE,
    )

    def run(statement: str, seconds: float | None) -> tuple[list[str], list[Any]]:
        give_up_at = time.monotonic() + (seconds or math.inf)
        try:
            cursor.execute(statement, async_=True)
        except hive.OperationalError as error:  # whose words are the whole answer, Java's traces included
            raise RuntimeError(error.args[0].status.errorMessage) from None
        # The server answers when the statement is done, or some seconds have passed.
        while (status := cursor.poll(get_progress_update=False)).operationState in under_way:
            if time.monotonic() > give_up_at:
                cursor.cancel()
                raise _too_late(seconds)
        if status.operationState != TOperationState.FINISHED_STATE:
            raise RuntimeError(status.errorMessage or "Spark does not say why it has ended the statement")
        if cursor.description is None:
            return [], []
        kinds = [kind for _, kind, *_ in cursor.description]
        rows = [
            [_of_kind(kind, value) for kind, value in zip(kinds, row, strict=True)]
            for row in cursor.fetchall()
        ]
        return [name for name, *_ in cursor.description], rows

    return run


def _of_kind(kind: str, value: Any) -> Any:
    """A value of a column. Lists and structs, which no mart has, are texts."""
    return date.fromisoformat(value) if kind == "DATE_TYPE" and value is not None else value


# --- answers ----------------------------------------------------------------------------------------


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return {"instant": value.isoformat()}
    if isinstance(value, date):
        return {"date": value.isoformat()}
    if isinstance(value, Decimal):
        return {"decimal": str(value)}
    raise TypeError(f"a {type(value).__name__} in an answer")


main()
