"""One command of dbt, and what comes of it as plain data.

Belongs here: calling dbt's own runner by the interpreter that runs this module. The job's does so in its
own process. dbt for Spark has an environment of its own, whose interpreter runs this module as a program,
and `engines/spark_process.py` hears it. So nothing is imported here that only one of both has.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
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


def invoke(command: Sequence[str], hear: Callable[[Mapping[str, Any]], None]) -> Outcome:
    """Run a command; `hear` gets dbt's event of each node that ends, and each error, as it comes."""
    from dbt.adapters.factory import reset_adapters
    from dbt.cli.main import dbtRunner
    from dbt_common.events.functions import msg_to_dict

    def pass_on(event: Any) -> None:
        if event.info.name in RESULT_EVENTS or event.info.level == "error":
            hear(msg_to_dict(event))

    try:
        done = dbtRunner(callbacks=[pass_on]).invoke(list(command))
    finally:
        reset_adapters()
    found = getattr(done.result, "results", None) or []
    nodes = [_node(result) for result in found if hasattr(result, "execution_time")]
    return Outcome(done.success, str(done.exception or ""), nodes)


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
    """The program: a command as JSON on the command line, lines of JSON on stdout, the outcome last."""
    # Whatever else is printed, by Java for one, is no line of ours.
    lines = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    # Its input ends with whoever started this, also by a kill; then nobody is left to build for.
    threading.Thread(target=lambda: (os.read(0, 1), os._exit(1)), daemon=True).start()
    request = json.loads(sys.argv[1])

    def say(kind: str, value: Any) -> None:
        print(json.dumps({kind: value}), file=lines, flush=True)

    if request["has_own_session"]:
        # Before dbt makes one: in memory, the catalog of a build takes no time, and nobody is kept waiting.
        from pyspark.sql import SparkSession

        SparkSession.builder.config("spark.sql.catalogImplementation", "in-memory").getOrCreate()
    say("outcome", asdict(invoke(request["command"], lambda event: say("event", event))))


if __name__ == "__main__":
    main()
