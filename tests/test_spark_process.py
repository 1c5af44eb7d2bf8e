"""What programs of .venv-spark are told, and how what Spark says becomes a line for people; without Spark.

Belongs here: settings, environment and messages. What happens in a session shows `test_spark_publication.py`.
"""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import yaml

from orchestration.engines import spark_process
from orchestration.engines.spark_process import (
    SparkError,
    spark_session,
    suffix_of,
    without_traces,
    write_configuration,
)
from orchestration.settings import PROJECT_ROOT, Settings, memory_in_mib

ANALYSIS = """\
[TABLE_OR_VIEW_NOT_FOUND] The table or view `nowhere` cannot be found.
Verify the spelling. SQLSTATE: 42P01; line 1 pos 14;
'Project [*]
+- 'UnresolvedRelation [nowhere], [], false

JVM stacktrace:
org.apache.spark.sql.AnalysisException
\tat org.apache.spark.sql.errors.QueryCompilationErrors$.tableNotFound(QueryCompilationErrors.scala:1100)
"""
CAUSED = """\
An error occurred while calling o45.sql.
: org.apache.spark.SparkException: Job aborted.
\tat org.apache.spark.sql.errors.QueryExecutionErrors$.jobAborted(QueryExecutionErrors.scala:638)
\t... 51 more
Caused by: java.lang.RuntimeException: in between
\tat java.base/java.lang.Thread.run(Thread.java:840)
Caused by: java.io.IOException: No space left on device
\t... 9 more
"""


OF_THRIFT = """\
org.apache.hive.service.cli.HiveSQLException: Error running query: [USER_RAISED_EXCEPTION] org.apache.spark.SparkRuntimeException: [USER_RAISED_EXCEPTION] no such team
Known are Sales. SQLSTATE: P0001
\tat org.apache.spark.sql.hive.thriftserver.HiveThriftServerErrors$.runningQueryError(HiveThriftServerErrors.scala:43)
Caused by: org.apache.spark.SparkRuntimeException: [USER_RAISED_EXCEPTION] no such team
Known are Sales. SQLSTATE: P0001
\tat org.apache.spark.sql.errors.QueryExecutionErrors$.raiseError(QueryExecutionErrors.scala:3082)
"""  # noqa: E501


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (
            ANALYSIS,
            "[TABLE_OR_VIEW_NOT_FOUND] The table or view `nowhere` cannot be found. Verify the spelling. "
            "SQLSTATE: 42P01; line 1 pos 14;",
        ),
        (
            CAUSED,
            "An error occurred while calling o45.sql. : org.apache.spark.SparkException: Job aborted. "
            "Caused by: java.io.IOException: No space left on device",
        ),
        (OF_THRIFT, "[USER_RAISED_EXCEPTION] no such team Known are Sales. SQLSTATE: P0001"),
        # A message that begins in the next line.
        ("[X] No.\n\tat a.B.c(B:1)\nCaused by: org.apache.spark.Error: \n[X] No.", "[X] No."),
        (
            "Failed.\nCaused by: java.lang.StackOverflowError",
            "Failed. Caused by: java.lang.StackOverflowError",
        ),
        ("plain words\nof dbt", "plain words of dbt"),
        ("", ""),
    ],
)
def test_what_spark_says_is_told_without_traces_and_plans(said, expected):
    assert without_traces(said) == expected


@pytest.mark.parametrize(
    ("text", "mib"), [("4GB", 3814), ("4 GiB", 4096), ("6144MiB", 6144), ("1.5gib", 1536), ("2TB", 1907348)]
)
def test_amounts_of_memory(text, mib):
    assert memory_in_mib(text) == mib


def test_a_build_has_databases_of_a_name_that_spark_can_have():
    assert suffix_of("20261126T161020.630273Z") == "20261126t161020_630273z"


def test_a_session_has_what_the_settings_say(tmp_path):
    settings = Settings(
        data_dir=tmp_path, spark_cores=3, memory_limit="2GiB", spark_warehouse=Path("/shared")
    )
    settings.spark_dir.mkdir()
    write_configuration(settings)
    lines = (settings.spark_dir / "conf" / "spark-defaults.conf").read_text().splitlines()
    assert {
        "spark.master local[3]",
        "spark.driver.memory 2048m",
        "spark.sql.warehouse.dir file:///shared",
        "spark.sql.session.timeZone UTC",
    } <= set(lines)
    assert any(f"databaseName={tmp_path}/spark/metastore;" in line for line in lines)


def test_thrift_servers_are_told_what_other_sessions_are():
    profile = yaml.safe_load((PROJECT_ROOT / "profiles.yml").read_text())
    told = profile["sales_reports"]["outputs"]["spark"]["server_side_parameters"]
    others = {name: value for name, value in told.items() if name.startswith("spark.")}
    of_thrift = {name.removeprefix("set:hivevar:"): told[name] for name in told.keys() - others.keys()}
    assert of_thrift == others | {"spark.sql.ansi.enabled": "false"}  # as dbt tells the others


def test_where_nobody_answers_is_said_at_once(tmp_path):
    with socket.socket() as taken:  # and not listening
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        settings = Settings(data_dir=tmp_path, spark_url=f"sc://127.0.0.1:{port}/;token=secret")
        with pytest.raises(SparkError) as error, spark_session(settings):
            pass
    assert f"No Spark server answers at 127.0.0.1:{port}" in str(error.value)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (None, {}),
        ("sc://host:15002/;token=secret", {"SPARK_REMOTE": "sc://host:15002/;token=secret"}),
        (
            "thrift://host",
            {
                "SALES_REPORTS_DBT_SPARK_METHOD": "thrift",
                "SALES_REPORTS_DBT_SPARK_HOST": "host",
                "SALES_REPORTS_DBT_SPARK_PORT": "10000",
            },
        ),
    ],
)
def test_programs_know_where_spark_is_and_no_secret_of_others(tmp_path, monkeypatch, url, expected):
    monkeypatch.setenv("HUBSPOT_TOKEN", "pat-hunter2")
    monkeypatch.setenv("SALES_REPORTS_POSTGRES_URL", "postgresql://me:hunter2@host/db")
    monkeypatch.setenv("PGPASSWORD", "hunter2")
    settings = Settings(data_dir=tmp_path, spark_url=url, spark_warehouse=tmp_path)
    environment = spark_process._environment(settings)
    assert expected.items() <= environment.items()
    assert "SALES_REPORTS_DBT_BUILD" not in environment  # nothing has landed
    others = {name: value for name, value in environment.items() if name not in expected}
    assert not [name for name, value in environment.items() if "hunter2" in value]
    assert "SPARK_REMOTE" not in others and "SALES_REPORTS_DBT_SPARK_METHOD" not in others
