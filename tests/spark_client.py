"""A run on a Spark server, up to a point at which it says `half-way` and waits to be killed.

Belongs here: what leads to that point, in a process of its own. What is seen afterwards belongs to the test.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from orchestration import dbt_runs
from orchestration.engines.spark_process import spark_session
from orchestration.engines.spark_publication import show
from orchestration.settings import PROJECT_ROOT, Settings

SELECTION = ["--select", "+build_info"]
_HALF_WAY = "half-way"


def killed_half_way(settings: Settings, *what: str) -> None:
    """Start a client of the server that `build`s or `switch`es to a build, and kill it half-way."""
    places = [str(settings.data_dir), settings.spark_url, str(settings.spark_warehouse)]
    command = [sys.executable, "-m", "tests.spark_client", *places, *what]
    with subprocess.Popen(command, cwd=PROJECT_ROOT, stdout=subprocess.PIPE, text=True) as client:
        said = client.stdout.readline().strip()
        client.kill()
    assert said == _HALF_WAY


def switch(settings: Settings, build_id: str) -> None:
    """As far as the first view."""
    with spark_session(settings) as spark:
        execute = spark.execute

        def execute_and_wait(statement: str, seconds: float | None = None):
            found = execute(statement, seconds)
            if statement.startswith("create or replace view"):
                _wait()
            return found

        spark.execute = execute_and_wait
        show(spark, build_id)


def build(settings: Settings) -> None:
    """As far as the first model."""
    for _ in dbt_runs.Build(settings, SELECTION).events():
        _wait()


def _wait() -> None:
    print(_HALF_WAY, flush=True)
    time.sleep(600)


def main(data_dir: str, url: str, warehouse: str, what: str, *arguments: str) -> None:
    settings = Settings(
        data_dir=Path(data_dir), engine="spark", spark_url=url, spark_warehouse=Path(warehouse)
    )
    {"switch": switch, "build": build}[what](settings, *arguments)


if __name__ == "__main__":
    main(*sys.argv[1:])
