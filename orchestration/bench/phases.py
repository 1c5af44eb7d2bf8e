"""The phases of the benchmark, each in a process of its own, so that none pays for another.

Belongs here: what each phase does and in which steps it is measured. Run as `python -m
orchestration.bench.phases <phase> <files> <data folder> <result> [argument]` it does one and writes
its measurements as JSON. What they say is `results.py`'s business.
"""

from __future__ import annotations

import csv
import json
import os
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import psycopg

from orchestration import data_folder, dbt_runs, run, steps
from orchestration.bench import core_steps
from orchestration.bench.generator import generate, generated_account
from orchestration.bench.measure import Measurement, Meter, measured
from orchestration.bench.nights import changes
from orchestration.bench.numbers import Account
from orchestration.compiled import Project, build_nodes
from orchestration.engines import engine_of, on_duckdb
from orchestration.engines.spark_process import spark_session
from orchestration.ingest.values import literal, quoted
from orchestration.lock import only_run
from orchestration.run_log import ConsoleLog, Phase, RunLog
from orchestration.settings import PREFIX, PROJECT_ROOT, Settings, load_settings, set_tool_environment

QUARTER = (date(2026, 7, 1), date(2026, 10, 1))  # the account's last full one
SLOWEST_CHECKS = 25
NEEDED_ARGUMENTS = {
    "deal_funnel": ", pipelines := ['default']",
    "quota_attainment": f", goal := 'Revenue per rep {QUARTER[0].year}'",
}

Steps = Iterator[Measurement]


def generate_files(settings: Settings, deals: str) -> Steps:
    """The files of an account of so many deals."""
    with measured("generate", "files") as step:
        generate(settings.files_dir, Account(int(deals)))
    yield step


def next_night(settings: Settings, share: str) -> Steps:
    """The files of the night after, with this share of the records changed."""
    with measured("night", "files") as step:
        changes(settings.files_dir, float(share), generated_account(settings.files_dir).night + 1)
    yield step


def floor(settings: Settings) -> Steps:
    """Read every raw column that a report needs, and nothing else: nothing can be faster."""
    columns = defaultdict(list)
    with (PROJECT_ROOT / "seeds" / "report_columns.csv").open() as file:
        for row in csv.DictReader(file):
            if row["column_name"] not in columns[row["table_name"]]:
                columns[row["table_name"]].append(row["column_name"])
    for history in ("deal_property_history", "contact_property_history", "task_property_history"):
        columns[history] = ["object_id", "name", "value", "timestamp", "sequence"]
    columns["associations"] = ["from_type", "from_id", "to_type", "to_id"]
    with duckdb.connect() as connection:
        for table, needed in columns.items():
            path = settings.files_dir / f"{table}.parquet"
            if not path.exists():
                continue
            file = literal(str(path))
            found = {row[0] for row in connection.execute(f"describe from {file}").fetchall()}
            read = [column for column in {"id": None} | dict.fromkeys(needed) if column in found]
            # Counts would be answered from the file's statistics.
            seen = ", ".join(quoted(column) for column in read)
            with measured("floor", table) as step:
                step.rows, _ = connection.execute(
                    f"select count(*), bit_xor(hash({seen})) from {file}"
                ).fetchone()
            yield step


def core(settings: Settings) -> Steps:
    """The hand-written SQL of the core steps, in a database of its own."""
    path = settings.data_dir / "core_steps.duckdb"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    try:
        with closing(duckdb.connect(path)) as connection:
            connection.execute("set TimeZone = 'UTC'")
            for name, statements, table in core_steps.steps(
                settings.files_dir, generated_account(settings.files_dir)
            ):
                with measured("core", name) as step:
                    for statement in statements:
                        connection.execute(statement)
                step.rows = _count(connection, table)
                yield step
    finally:
        path.unlink(missing_ok=True)


def whole_run(settings: Settings) -> Steps:
    """What `make run` does, and what it says of its phases, nodes and checks."""
    log = MeteredLog()
    with only_run(settings.lock_path, datetime.now(UTC)):
        run.run_job(settings, log)
    yield from log.measurements
    yield from _of_load(log)
    yield from _of_nodes("run", log.nodes)
    for result in sorted(log.invariants, key=lambda result: -result.seconds)[:SLOWEST_CHECKS]:
        yield Measurement("run check", result.invariant.name, result.seconds)


class MeteredLog(ConsoleLog):
    """Measures the phases of a run."""

    def __init__(self) -> None:
        super().__init__()
        self.measurements: list[Measurement] = []

    def show_begin(self, phase: Phase) -> None:
        super().show_begin(phase)
        self._meter = Meter()

    def show_end(self, phase: Phase) -> None:
        measurement = Measurement("run", phase.name)
        self._meter.read(measurement)
        self.measurements.append(measurement)
        super().show_end(phase)


def _of_load(log: ConsoleLog) -> Steps:
    for table in log.load.tables:
        if table.offered:
            yield Measurement("run table", table.name, table.seconds, rows=table.loaded)


def _of_nodes(phase: str, nodes: Sequence[dbt_runs.NodeResult]) -> Steps:
    """Seconds of models while others run beside them; of tests only the sum."""
    for node in nodes:
        if node.kind != "test":
            yield Measurement(f"{phase} model", node.name, node.seconds)
    tests = [node.seconds for node in nodes if node.kind == "test"]
    yield Measurement(f"{phase} tests", "all, one after another", sum(tests), rows=len(tests))


def dbt_alone(settings: Settings) -> Steps:
    """`dbt build` on the raw tables that a run has loaded, without Dagster."""
    data_folder.drop_models(settings)
    build = dbt_runs.Build(settings)
    with measured("dbt", "build") as step:
        for _ in build.events():
            pass
    yield step
    yield from _of_nodes("dbt", build.results)


def sql_alone(settings: Settings) -> Steps:
    """The SQL that dbt compiled, statement by statement in one connection: what each model costs."""
    project = Project.from_manifest(dbt_runs.compiled_manifest(settings))
    data_folder.drop_models(settings)
    with closing(data_folder.open_build(settings.build_path, settings.memory_limit)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        for node in project.nodes.values():
            with measured("sql", node.name) as step:
                build_nodes(connection, [node])
            if node.statement.startswith("create table"):
                step.rows = _count(connection, f'"{node.schema}"."{node.name}"')
            yield step


def functions(settings: Settings) -> Steps:
    """Every report function for one quarter, by owner, on the published database."""
    first, end = QUARTER
    with duckdb.connect(settings.published_link, read_only=True) as connection:
        names = connection.execute(
            "select function_name from duckdb_functions() where schema_name = 'reports' "
            "and function_type = 'table_macro' and parameters[1] = 'date_from' order by function_name"
        ).fetchall()
        for (name,) in names:
            needed = NEEDED_ARGUMENTS.get(name, "")
            call = f"from reports.{name}(date '{first}', date '{end}'{needed})"
            # Kept in the database: a million rows take Python longer than the answer takes DuckDB.
            answer = f"create or replace temp table answer as {call}"
            # Once for the file's pages and the catalogue, as with whoever looks at a second report.
            connection.execute(answer)
            with measured("function", name) as step:
                (step.rows,) = connection.execute(answer).fetchone()
            yield step


def build_on_engine(settings: Settings) -> Steps:
    """A whole build by the engine of the settings: what engines do each in their own way.

    Rows are judged and marts are proven in DuckDB whatever the engine is.
    """
    with measured("engine", "load and judge, in DuckDB") as step:
        steps.load_raw(on_duckdb(settings), RunLog(), datetime.now(UTC))
    yield step
    engine = engine_of(settings)
    with measured("engine", "start") as step:
        _first_answer(settings)
    yield step
    with measured("engine", "land") as step, closing(_opened(settings, with_marts=False)) as connection:
        engine.land(connection)
    yield step
    for dialect in {on_duckdb(settings), settings}:
        dbt_runs.load_manifest(dialect)  # parsing is the same on each
    steps.prepare_build(settings, is_part=False)
    build = dbt_runs.Build(settings)
    with measured("engine", "models and dbt tests") as step:
        for _ in build.events():
            pass
    step.rows = len(build.results)
    yield step
    with measured("engine", "fetch marts") as step, closing(_opened(settings)) as connection:
        engine.fetch(connection)
    yield step


def _opened(settings: Settings, **options: bool) -> duckdb.DuckDBPyConnection:
    return data_folder.open_build(settings.build_path, settings.memory_limit, **options)


def _first_answer(settings: Settings) -> None:
    """A session of the engine, from nothing to its first answer."""
    if settings.engine == "spark":
        with spark_session(settings) as spark:
            spark.execute("select 1")
    elif settings.engine == "postgres":
        with psycopg.connect(settings.postgres_url) as server:
            server.execute("select 1")
    else:
        with duckdb.connect() as connection:
            connection.execute("select 1")


PHASES: dict[str, Callable[..., Steps]] = {
    "generate": generate_files,
    "night": next_night,
    "floor": floor,
    "core": core,
    "run": whole_run,
    "dbt": dbt_alone,
    "sql": sql_alone,
    "functions": functions,
    "engine": build_on_engine,
}


def _count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    return connection.execute(f"select count(*) from {table}").fetchone()[0]


def main(phase: str, files: str, data: str, result: str, *arguments: str) -> None:
    """Run one phase and write its measurements."""
    places = {"SOURCE": "files", "FILES_DIR": files, "DATA_DIR": data}
    settings = load_settings(os.environ | {f"{PREFIX}{name}": value for name, value in places.items()})
    set_tool_environment(settings)
    measurements = [asdict(step) for step in PHASES[phase](settings, *arguments)]
    Path(result).write_text(json.dumps(measurements))


if __name__ == "__main__":
    main(*sys.argv[1:])
