"""One Spark session for many statements: each a line of JSON in, its answer a line of JSON out.

Runs in .venv-spark, started by `spark_process.py` with the server's address on the command line, or ''.
Belongs here: a session, a client of Spark Connect or of a Thrift server, each as something that runs
statements; and values as JSON. Nothing of the project can be imported here.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

Run = Callable[[str], tuple[list[str], list[Any]]]
"""A statement's columns and rows. Raises what Spark raises."""


def main() -> None:
    # Whatever else is printed, by Java for one, is no answer.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    run = None
    for line in sys.stdin:  # which ends with whoever has started this
        try:
            run = run or _connect(sys.argv[1])
            columns, rows = run(json.loads(line))
            answer = {"columns": columns, "rows": [list(row) for row in rows]}
        except Exception as error:
            answer = {"error": str(error) or type(error).__name__}
        print(json.dumps(answer, default=_plain), file=answers, flush=True)


def _connect(url: str) -> Run:
    if url.startswith("thrift:"):
        from pyhive import hive

        address = urlsplit(url)
        cursor = hive.connect(host=address.hostname, port=address.port or 10000).cursor()
        cursor.execute("set spark.sql.session.timeZone = UTC")
        return lambda statement: _by_cursor(cursor, statement)
    from pyspark.sql import SparkSession

    builder = SparkSession.builder
    session = builder.remote(url).getOrCreate() if url else builder.enableHiveSupport().getOrCreate()
    session.conf.set("spark.sql.session.timeZone", "UTC")

    def run(statement: str) -> tuple[list[str], list[Any]]:
        found = session.sql(statement)
        return found.columns, found.collect()

    return run


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
