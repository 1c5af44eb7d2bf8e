"""One Spark session for many requests: a line of JSON in, a line of JSON out. Runs in .venv-spark.

Belongs here: running SQL and dbt where tests ask for it. A session takes longer to start than most tests to
run. It is made before dbt asks for one, so that its catalog is in memory as its settings say.

    {"sql": …, "folder": …}                   the rows as Parquet in a folder; without one nothing is kept
    {"dbt": [arguments], "environment": {…}}  unique id, status, failures and message of each node
"""

from __future__ import annotations

import json
import os
import sys

from pyspark.sql import SparkSession


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever else is printed
    session = SparkSession.builder.getOrCreate()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = run_dbt(request) if "dbt" in request else run_sql(session, request)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)


def run_sql(session: SparkSession, request: dict) -> dict:
    rows = session.sql(request["sql"])
    if "folder" in request:
        rows.write.parquet(request["folder"])
    return {}


def run_dbt(request: dict) -> dict:
    from dbt.cli.main import dbtRunner

    os.environ.update(request["environment"])
    done = dbtRunner().invoke(request["dbt"])
    if done.exception:
        raise done.exception
    return {
        "nodes": [
            (result.node.unique_id, str(result.status), result.failures or 0, (result.message or "")[:400])
            for result in done.result
        ]
    }


main()
