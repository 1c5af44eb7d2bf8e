"""A Spark server for tests, of Spark's own jars: Spark Connect or Thrift, thrown away after them.

Belongs here: starting and stopping the server. What is done on it does not belong here.

Its own settings are what another's may be: its sessions begin in another time zone than UTC, and it writes
instants in another way than the project reads them.
"""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestration.engines.spark_process import write_configuration
from orchestration.settings import SPARK_PYTHON, Settings

_CLASSES = {
    "sc": "org.apache.spark.sql.connect.service.SparkConnectServer",
    "thrift": "org.apache.spark.sql.hive.thriftserver.HiveThriftServer2",
}
_PATIENCE = 120  # seconds for a start
# For tables of a few rows: nothing is compiled that runs once.
_JAVA_OPTIONS = "-Duser.timezone=America/Havana -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xss4m"
_SETTINGS = {
    "spark.driver.extraJavaOptions": f"{_JAVA_OPTIONS} -XX:ReservedCodeCacheSize=512m",
    "spark.sql.session.timeZone": "America/Havana",
    "spark.sql.parquet.outputTimestampType": "INT96",
    "spark.sql.shuffle.partitions": "1",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.connect.grpc.binding.address": "127.0.0.1",
}


@contextmanager
def spark_server(kind: str, folder: Path, memory: str = "2GB") -> Iterator[str]:
    """The address of a server with a metastore of its own in `folder`; `kind` is the address' scheme."""
    settings = Settings(data_dir=folder, engine="spark", memory_limit=memory, spark_cores=1)
    settings.spark_dir.mkdir(parents=True)
    write_configuration(settings)
    port = _free_port()
    own = _SETTINGS | {"spark.connect.grpc.binding.port": str(port)}
    options = [word for name, value in own.items() for word in ("--conf", f"{name}={value}")]
    of_thrift = [
        *("--hiveconf", f"hive.server2.thrift.port={port}"),
        *("--hiveconf", "hive.server2.thrift.bind.host=127.0.0.1"),
    ]
    (submit,) = (SPARK_PYTHON.parent.parent / "lib").glob("python3*/site-packages/pyspark/bin/spark-submit")
    command = [submit, "--class", _CLASSES[kind], *options, "spark-internal"]
    with (folder / "server.log").open("w") as log:
        server = subprocess.Popen(
            [*command, *of_thrift] if kind == "thrift" else command,
            cwd=folder,
            env=os.environ | {"SPARK_CONF_DIR": str(settings.spark_dir / "conf")},
            stdout=log,
            stderr=log,
        )
    try:
        _wait(port, server, folder / "server.log")
        yield f"{kind}://127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait(port: int, server: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while server.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"Spark's server did not start:\n{log.read_text()}")
