"""Spark for tests: one session in a process of .venv-spark, whose tables are Parquet that DuckDB reads.

Belongs here: starting the session for tables of a few rows, and asking it. What is built in it does not
belong here.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration.engines.spark_process import BREAKING_RULE, location_of
from orchestration.settings import PROJECT_ROOT

PYTHON = PROJECT_ROOT / ".venv-spark" / "bin" / "python"
PROCESS = PROJECT_ROOT / "tests" / "spark_process.py"
# For tables of a few rows: nothing is compiled that runs once, and one task does what many would share.
_SETTINGS = {
    "spark.master": "local[2]",
    "spark.driver.memory": "3g",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    # A build fills the 48 MB for compiled code that the quick compiler has without being told, and then ends.
    "spark.driver.extraJavaOptions": "-Duser.timezone=UTC -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xss4m "
    "-XX:ReservedCodeCacheSize=512m",
    "spark.ui.enabled": "false",
    # It keeps plans for a page that nobody opens: they are large, and many.
    "spark.sql.ui.retainedExecutions": "1",
    "spark.ui.retainedJobs": "1",
    "spark.ui.retainedStages": "1",
    "spark.sql.maxPlanStringLength": "1000",
    "spark.ui.showConsoleProgress": "false",
    "spark.default.parallelism": "1",
    "spark.sql.shuffle.partitions": "1",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.catalogImplementation": "in-memory",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.optimizer.excludedRules": BREAKING_RULE,
    # Others read an instant as such only where it is one.
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
}
_QUIET = """\
rootLogger.level = error
rootLogger.appenderRef.stderr.ref = stderr
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %p %c{1}: %m%n
"""


class SparkError(Exception):
    """What Spark or dbt says."""


class Spark:
    """A session of its own warehouse in `folder`."""

    def __init__(self, process: subprocess.Popen, folder: Path) -> None:
        self._process = process
        self.folder = folder

    def execute(self, sql: str) -> None:
        """Run a statement. Raises SparkError."""
        self._ask({"sql": sql})

    def parquet(self, sql: str, name: str) -> str:
        """The rows of a query as DuckDB reads them from Parquet: a table function. Raises SparkError."""
        self._ask({"sql": sql, "folder": str(self.folder / "answers" / name)})
        return f"read_parquet('{self.folder}/answers/{name}/*.parquet')"

    def dbt(self, *arguments: str, build: str, raw: Path) -> dict[str, tuple[str, int, str]]:
        """Run a command of dbt: the status of each node, the rows that it complains of, and what it says.

        `raw` is the folder of raw tables (`land`), `build` the suffix of the schemas of marts.
        Raises SparkError if dbt cannot run at all.
        """
        places = ["--project-dir", PROJECT_ROOT, "--profiles-dir", PROJECT_ROOT, "--log-path", self.folder]
        options = ["--target", "spark", "--target-path", self.folder / "target", "--quiet", *places]
        answer = self._ask(
            {
                "dbt": [*arguments, *map(str, options)],
                "environment": {
                    "SALES_REPORTS_DBT_SPARK_RAW": location_of(raw),
                    "SALES_REPORTS_DBT_BUILD": build,
                    "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
                },
            }
        )
        return {node: (status, failures, message) for node, status, failures, message in answer["nodes"]}

    def table(self, schema: str, name: str) -> str:
        """A table of the warehouse as DuckDB reads it: a table function."""
        return f"read_parquet('{self.folder}/warehouse/{schema}.db/{name}/*.parquet')"

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        print(json.dumps(request), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            raise SparkError("Spark has ended: " + (self.folder / "log").read_text()[-4000:])
        answer = json.loads(line)
        if "error" in answer:
            raise SparkError(answer["error"])
        return answer


@contextmanager
def spark_session(folder: Path) -> Iterator[Spark]:
    """A session that ends with the block.

    Skips the tests where Spark or Java is missing; fails them where `CI` is set, which must have both.
    """
    if not PYTHON.exists() or not shutil.which("java"):
        message = "no Spark here: needs a Java 17, and `make spark`"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    settings = _SETTINGS | {"spark.sql.warehouse.dir": location_of(folder / "warehouse")}
    (folder / "spark-defaults.conf").write_text(
        "".join(f"{key} {value}\n" for key, value in settings.items())
    )
    (folder / "log4j2.properties").write_text(_QUIET)
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [str(PYTHON), "-W", "ignore", str(PROCESS)],
            env=os.environ | {"SPARK_CONF_DIR": str(folder)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        with process:  # it ends where its input does
            yield Spark(process, folder)


def land(connection: duckdb.DuckDBPyConnection, folder: Path) -> Path:
    """Write the raw tables of a build as Spark finds them, a folder of Parquet each; their folder."""
    tables = connection.execute("select table_name from duckdb_tables() where schema_name = 'raw_hubspot'")
    for (table,) in tables.fetchall():
        (folder / table).mkdir(parents=True)
        connection.execute(
            f"copy raw_hubspot.\"{table}\" to '{folder}/{table}/rows.parquet' (format parquet)"
        )
    return folder
