"""Programs of .venv-spark: dbt, and a Spark session that runs single statements.

Belongs here: their settings and environment, what they are told and what they say. Both end when this
process does, however it ends: their input is a pipe from here. What is built and published belongs to
`spark.py` and `spark_publication.py`.

Without SALES_REPORTS_SPARK_URL, Spark runs inside such a program, by the settings in <data>/spark/conf,
by which readers find it too. With it, the programs are clients of a server (Spark Connect or Thrift),
whose settings are its own.
"""

from __future__ import annotations

import fcntl
import json
import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import duckdb

from orchestration.dbt_invocation import Outcome, listen
from orchestration.ingest.values import literal
from orchestration.settings import (
    PROJECT_ROOT,
    SPARK_PYTHON,
    Settings,
    environment_without_secrets,
    memory_in_mib,
)

_DBT = PROJECT_ROOT / "orchestration" / "dbt_invocation.py"
_WORKER = Path(__file__).with_name("spark_worker.py")
# -P: the folder of these modules has names, such as lock, that others know for something else.
_INTERPRETER = (str(SPARK_PYTHON), "-P", "-W", "ignore")
_WITHOUT_DATABASE = ("parse",)
# Plans of many steps are read by recursion, hence the stack; a build compiles much code, hence its room.
_JAVA_OPTIONS = (
    "-Duser.timezone=UTC -Xss4m -XX:+UseParallelGC -XX:ReservedCodeCacheSize=512m "
    "-Dderby.stream.error.file=/dev/null"
)
BREAKING_RULE = "org.apache.spark.sql.catalyst.optimizer.RemoveRedundantAliases"
# A Thrift server says what it does, the code of the error and its class before Spark's own words.
_OF_THRIFT = re.compile(r"([\w.$]+: )?Error running query: (\[[\w.]+\] )?[\w.$]+: ")
_CAUSE = re.compile(r"Caused by: [\w.$]+: ?")
_PORTS = {"sc": 15002, "thrift": 10000}  # where the address names none
_KNOCKED_FOR = 10  # seconds
_ENDING = 30  # seconds in which a session that was closed has let go of the metastore, also on a busy machine
_TAIL = 2000  # characters of the log that are read for the reason why a program ended
_QUIET = """\
# Written by every run (orchestration/engines/spark_process.py).
rootLogger.level = error
rootLogger.appenderRef.stderr.ref = stderr
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %p %c{1}: %m%n
# The same errors once more, for machines.
logger.context.name = SQLQueryContextLogger
logger.context.level = off
"""


class SparkError(RuntimeError):
    """Spark refused a statement, or could not start; the message is Spark's, without Java's traces."""


@dataclass(frozen=True)
class Rows:
    """What a statement gives."""

    columns: list[str]
    rows: list[tuple[Any, ...]]


# --- dbt ------------------------------------------------------------------------------------------


def invoke_dbt(
    settings: Settings, command: Sequence[str], hear: Callable[[Mapping[str, Any]], None]
) -> Outcome:
    """Run a command of dbt as `dbt_invocation.invoke` does, in .venv-spark."""
    has_own_session = not settings.spark_url and command[0] not in _WITHOUT_DATABASE
    request = {"command": list(command), "project": "", "environment": {}, "has_own_session": has_own_session}

    def hear_without_traces(event: Mapping[str, Any]) -> None:
        event["info"]["msg"] = without_traces(event["info"].get("msg", ""))
        hear(event)

    with _program(settings, str(_DBT)) as process:
        _tell(process, request)
        outcome = listen(process.stdout, hear_without_traces)
    if outcome is None:
        return Outcome(False, f"dbt has ended without a word. {_last_words(settings)}")
    nodes = [replace(node, message=without_traces(node.message)) for node in outcome.nodes]
    return Outcome(outcome.success, without_traces(outcome.problem), nodes)


# --- single statements ----------------------------------------------------------------------------


class SparkSession:
    """A session in which what readers find is written: the metastore, not the catalog of a build."""

    def __init__(self, process: subprocess.Popen, settings: Settings) -> None:
        self._process, self._settings = process, settings

    def execute(self, statement: str, seconds: float | None = None) -> Rows:
        """Run a statement, for so many seconds at most.

        Raises SparkError if Spark refuses it, has ended or was not done by then.
        """
        _tell(self._process, [statement, seconds])
        line = self._process.stdout.readline()
        if not line:
            raise SparkError(f"Spark has ended. {_last_words(self._settings)}")
        answer = json.loads(line, object_hook=_value)
        if "error" in answer:
            raise SparkError(without_traces(answer["error"]))
        return Rows(answer["columns"], [tuple(row) for row in answer["rows"]])


@contextmanager
def spark_session(settings: Settings) -> Iterator[SparkSession]:
    """A session that ends with the block.

    Raises SparkError where no server answers, or another program keeps the metastore.
    """
    if settings.spark_url:
        _knock(*_address(settings.spark_url))
    else:
        wait_for_metastore(settings)
    is_thrift = (settings.spark_url or "").startswith("thrift:")
    with _program(settings, str(_WORKER)) as process:
        _tell(process, list(_address(settings.spark_url)) if is_thrift else None)
        yield SparkSession(process, settings)


def _tell(process: subprocess.Popen, what: Any) -> None:
    with suppress(BrokenPipeError):  # it has ended then, which its answer tells
        print(json.dumps(what), file=process.stdin, flush=True)


def _knock(host: str, port: int) -> None:
    """Raise SparkError unless somebody answers: Spark's own client tries for ten minutes."""
    try:
        socket.create_connection((host, port), _KNOCKED_FOR).close()
    except OSError as error:
        raise SparkError(
            f"No Spark server answers at {host}:{port} ({error}); start it, or mend SALES_REPORTS_SPARK_URL."
        ) from None


def wait_for_metastore(settings: Settings) -> None:
    """Wait until nobody has the local metastore open. Raises SparkError if somebody keeps it.

    Derby holds a lock on a file of it. Hive would try for most of a minute, and not say what for.
    """
    metastore, deadline = settings.spark_dir / "metastore", time.monotonic() + _ENDING
    while _is_open(metastore / "dbex.lck"):
        if time.monotonic() > deadline:
            raise SparkError(
                f"Another program has {metastore} open, such as a reader's session; close it and run again."
            )
        time.sleep(0.1)


def _is_open(lock: Path) -> bool:
    try:
        with lock.open("r+") as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _value(found: dict[str, Any]) -> Any:
    """A value that JSON has no type for, as `spark_worker.py` writes it."""
    match list(found.items()):
        case [("date", text)]:
            return date.fromisoformat(text)
        case [("instant", text)]:
            return datetime.fromisoformat(text).replace(tzinfo=UTC)
        case [("decimal", text)]:
            return Decimal(text)
    return found


# --- both -----------------------------------------------------------------------------------------


@contextmanager
def _program(settings: Settings, *arguments: str) -> Iterator[subprocess.Popen]:
    settings.spark_dir.mkdir(parents=True, exist_ok=True)
    write_configuration(settings)
    with _log(settings).open("w") as log:
        process = subprocess.Popen(
            [*_INTERPRETER, *arguments],
            cwd=settings.spark_dir,  # where Spark and dbt may leave what they like
            env=_environment(settings),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,  # Ctrl-C is for the run, which ends it
        )
        with process:
            try:
                yield process
                process.stdin.close()
            except BaseException:
                process.kill()
                raise


def _log(settings: Settings) -> Path:
    return settings.spark_dir / "spark.log"


def _last_words(settings: Settings) -> str:
    words = without_traces(_log(settings).read_text(errors="replace")[-_TAIL:])
    return f"{words} ({_log(settings)})"


def _environment(settings: Settings) -> dict[str, str]:
    own = {
        "SPARK_CONF_DIR": str(_configuration_dir(settings)),
        "TZ": "UTC",
        # Java reads names of files by it, and a timer's programs have none.
        "LC_ALL": "C.UTF-8",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DO_NOT_TRACK": "1",
        "SALES_REPORTS_DBT_SPARK_RAW": location_of(raw_dir(settings)),
    }
    if build := landed_build(settings):
        own["SALES_REPORTS_DBT_BUILD"] = suffix_of(build)
    url = settings.spark_url or ""
    if url.startswith("sc:"):
        own["SPARK_REMOTE"] = url
    elif url.startswith("thrift:"):
        host, port = _address(url)
        own |= {
            "SALES_REPORTS_DBT_SPARK_METHOD": "thrift",
            "SALES_REPORTS_DBT_SPARK_HOST": host,
            "SALES_REPORTS_DBT_SPARK_PORT": str(port),
        }
    return environment_without_secrets() | own


def _address(url: str) -> tuple[str, int]:
    """Host and port of a server."""
    parts = urlsplit(url)
    return parts.hostname, parts.port or _PORTS[parts.scheme]


def _configuration_dir(settings: Settings) -> Path:
    return settings.spark_dir / "conf"


def write_configuration(settings: Settings) -> None:
    """Write what makes a session that finds the reports: for the programs here, and for readers."""
    folder = settings.spark_dir
    configuration = {
        "spark.master": f"local[{settings.spark_cores}]",
        "spark.driver.memory": f"{memory_in_mib(settings.memory_limit)}m",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.extraJavaOptions": _JAVA_OPTIONS,
        "spark.hadoop.javax.jdo.option.ConnectionURL": (
            f"jdbc:derby:;databaseName={folder / 'metastore'};create=true"
        ),
        "spark.local.dir": folder / "scratch",
        "spark.sql.warehouse.dir": location_of(settings.spark_warehouse_dir),
        "spark.sql.shuffle.partitions": settings.spark_cores,
        "spark.sql.session.timeZone": "UTC",
        # The steps of all leads of an account are walked through by recursion.
        "spark.sql.cteRecursionRowLimit": -1,
        # Spark 4.3 takes aliases away that the report functions' plans need, and then refuses the plan.
        "spark.sql.optimizer.excludedRules": BREAKING_RULE,
        # Others read an instant as such only where it is one.
        "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
        "spark.sql.parquet.compression.codec": "zstd",
        "spark.ui.enabled": "false",
        # Kept with their plans for pages that nobody opens.
        "spark.sql.ui.retainedExecutions": 1,
        "spark.ui.retainedJobs": 1,
        "spark.ui.retainedStages": 1,
        "spark.ui.showConsoleProgress": "false",
    }
    _configuration_dir(settings).mkdir(exist_ok=True)
    lines = [f"{name} {value}\n" for name, value in configuration.items()]
    (_configuration_dir(settings) / "spark-defaults.conf").write_text(
        "# Written by every run (orchestration/engines/spark_process.py).\n" + "".join(lines)
    )
    (_configuration_dir(settings) / "log4j2.properties").write_text(_QUIET)


def raw_dir(settings: Settings) -> Path:
    """Where the raw tables of the next build lie, a folder of Parquet each."""
    return settings.spark_warehouse_dir / "raw"


def landed_build(settings: Settings) -> str | None:
    """The build that the landed raw tables are for; None before any have landed."""
    run = raw_dir(settings) / "_run" / "rows.parquet"
    if not run.exists():
        return None
    with duckdb.connect() as connection:
        (build_id,) = connection.execute(f"select build_id from {literal(str(run))}").fetchone()
    return build_id


def location_of(folder: Path) -> str:
    """The address of a folder as Spark takes it, which knows no %20: every character is what it is."""
    return f"file://{folder}"


def suffix_of(build_id: str) -> str:
    """What the databases of a build end in; Spark's names are small letters, digits and underscores."""
    return re.sub("[^a-z0-9]", "_", build_id.lower())


def without_traces(text: str) -> str:
    """What Spark or Java says, without traces and plans, in one line: its first words, and the last cause
    unless they say it."""
    lines = [line.strip() for line in _OF_THRIFT.sub("", text).splitlines()]
    lines = [line for line in lines if line and not re.match(r"at [\w.$/<>]+\(|\.\.\. \d+ more", line)]
    causes = [line for line in lines if line.startswith("Caused by: ")][-1:]
    told: list[str] = []
    for line in lines:
        if re.match(r"('|\+- |:- |JVM stacktrace|== |Caused by: )", line):
            break
        told.append(line)
    words = " ".join(told)
    return " ".join([words, *(cause for cause in causes if _CAUSE.sub("", cause) not in words)]).strip()
