"""One command of dbt, and what comes of it as plain data.

Belongs here: calling dbt's own runner by the interpreter that runs this module, as a program: a run's own
one, which `dbt_program.py` starts and hears, or that of dbt for Spark, by `engines/spark_process.py`. So
nothing is imported here that only one of both has.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

RESULT_EVENTS = {"LogModelResult", "LogSeedResult", "LogTestResult"}


@dataclass(frozen=True)
class Node:
    """dbt's result of one node."""

    unique_id: str
    name: str
    kind: str
    """model, seed, test …"""
    status: str
    message: str
    failures: int
    seconds: float
    test_metadata: Mapping[str, Any] | None = None
    """Of a generic test: its name and arguments, as the manifest has them."""
    rows: list[list[Any]] = field(default_factory=list)
    """What `dbt show` gives."""


@dataclass(frozen=True)
class Outcome:
    """How a command ended; nodes only where it ran some."""

    success: bool
    problem: str
    """What dbt itself has failed by, if by anything."""
    nodes: list[Node] = field(default_factory=list)


def listen(lines: Iterable[str], hear: Callable[[Mapping[str, Any]], None]) -> Outcome | None:
    """Hear what a program (`main`) says of one command; None if it ended before the outcome."""
    for line in lines:
        if not line.endswith("\n"):
            break  # it ended over it
        said = json.loads(line)
        if event := said.get("event"):
            hear(event)
        else:
            outcome = said["outcome"]
            return Outcome(**outcome | {"nodes": [Node(**node) for node in outcome["nodes"]]})
    return None


def invoke(
    command: Sequence[str], hear: Callable[[Mapping[str, Any]], None], parsed: Any = None
) -> tuple[Outcome, Any]:
    """Run a command; `hear` gets dbt's event of each node that ends, and each error, as it comes.

    `parsed` is the project as a command `parse` gave it, for one other command, which else parses it itself.
    Gives the outcome, and after `parse` the project. Leaves no connection to DuckDB open.
    """
    from dbt.adapters.factory import reset_adapters
    from dbt.cli.main import dbtRunner
    from dbt_common.events.functions import msg_to_dict

    def pass_on(event: Any) -> None:
        if event.info.name in RESULT_EVENTS or event.info.level == "error":
            hear(msg_to_dict(event))

    try:
        done = dbtRunner(manifest=parsed, callbacks=[pass_on]).invoke(list(command))
    finally:
        reset_adapters()
        if duckdb := sys.modules.get("dbt.adapters.duckdb.connections"):
            duckdb.DuckDBConnectionManager.close_all_connections()  # others open the build database after us
    found = getattr(done.result, "results", None) or []
    nodes = [_node(result) for result in found if hasattr(result, "execution_time")]
    outcome = Outcome(done.success, str(done.exception or ""), nodes)
    return outcome, done.result if command[0] == "parse" and done.success else None


def _node(result: Any) -> Node:
    table = getattr(result, "agate_table", None)
    metadata = getattr(result.node, "test_metadata", None)
    return Node(
        unique_id=result.node.unique_id,
        name=result.node.name,
        kind=str(result.node.resource_type),
        status=str(result.status),
        message=result.message or "",
        failures=result.failures or 0,
        seconds=result.execution_time,
        test_metadata=metadata.to_dict() if metadata else None,
        rows=[[_plain(value) for value in row] for row in table.rows] if table else [],
    )


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, (str, bool, int)) else str(value)


def main() -> None:
    """The program: commands as lines of JSON on stdin; on stdout such lines, each command's outcome last."""
    # Whatever else is printed, by Java for one, is no line of ours.
    lines = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    requests: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_read, args=[requests], daemon=True).start()

    one_at_a_time = threading.Lock()  # dbt's threads speak at once

    def say(kind: str, value: Any) -> None:
        line = json.dumps({kind: value}) + "\n"
        with one_at_a_time:
            lines.write(line)
            lines.flush()

    parsed: Any = None
    project = ""
    environment: Mapping[str, str] = {}
    while True:
        request = json.loads(requests.get())
        for name in environment.keys() - request["environment"].keys():
            os.environ.pop(name, None)
        environment = request["environment"]
        os.environ.update(environment)
        if request["has_own_session"]:
            # Before dbt makes one: in memory, a build's catalog takes no time, and nobody is kept waiting.
            from pyspark.sql import SparkSession

            SparkSession.builder.config("spark.sql.catalogImplementation", "in-memory").getOrCreate()
        command = request["command"]
        known = parsed if command[0] != "parse" and request["project"] == project else None
        # A command changes what it is given, so it is given once.
        outcome, parsed = invoke(command, lambda event: say("event", event), known)
        project = request["project"]
        say("outcome", asdict(outcome))


def _read(requests: queue.Queue[str]) -> None:
    """Pass the lines on. They end with whoever started this, also by a kill; then nobody is left to build
    for."""
    for line in sys.stdin:
        requests.put(line)
    os._exit(0)


if __name__ == "__main__":
    main()
