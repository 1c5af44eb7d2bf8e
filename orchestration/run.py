"""`make run`: one run of the job in this process, with progress, a summary and an exit code.

Belongs here: what a person sees of a run. Exit code 0: published; 1: not, with one message on stderr
that says why and what to do; 130: interrupted. Whatever happens, readers keep a complete build.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import shutil
import sys
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import duckdb

from orchestration import data_folder, dbt_runs
from orchestration.checks import carried
from orchestration.engines import engine_of
from orchestration.lock import RunUnderWay, only_run
from orchestration.run_log import ConsoleLog, RunLog, tell_failure
from orchestration.settings import Settings, load_settings, on_failure_command, set_tool_environment

if TYPE_CHECKING:  # Dagster takes seconds to import
    from dagster import ExecuteInProcessResult
    from dagster._utils.error import SerializableErrorInfo

    from orchestration.ingest.hubspot import SyncSummary

DAGSTER_CONFIG = """\
# Written by every run (orchestration/run.py).
telemetry:
  enabled: false
freshness:
  enabled: true
# Runs start at once: the data folder's lock lets only one work, and a queue would wait for dead ones.
run_coordinator:
  module: dagster._core.run_coordinator
  class: DefaultRunCoordinator
# A run says what it does in its events; capturing its output costs processes and files.
compute_logs:
  module: dagster._core.storage.noop_compute_log_manager
  class: NoOpComputeLogManager
event_log_storage:
  module: orchestration.event_log
  class: EventLog
  config:
    base_dir: {events}
"""


INTERRUPTED = 130
_OUT_OF_MEMORY = "Out of Memory Error"  # DuckDB's, whatever stands before it


class RunFailed(RuntimeError):
    """The run ended without a publication; the message says why."""


def main() -> int:
    """Run the job. Returns the exit code."""
    begin = time.monotonic()
    settings: Settings | None = None
    try:
        settings = load_settings()
        set_tool_environment(settings)
        data_folder.prepare(settings)
        with only_run(settings.lock_path, datetime.now(UTC)):
            log = ConsoleLog()
            run_job(settings, log)
        print(summary(settings, log, time.monotonic() - begin))
    except KeyboardInterrupt:
        print("\nStopped. The published database is as it was.", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        reason = explain(error, settings)
        print(f"\nThe run failed. {reason}", file=sys.stderr)
        if not isinstance(error, RunUnderWay):
            print("The published database is as it was.", file=sys.stderr)
        tell_failure(on_failure_command(), reason)
        return 1
    return 0


def run_job(settings: Settings, log: RunLog) -> None:
    """Run Dagster's job in this process. Raises what the failing step raised."""
    with log.phase("Start") as phase:
        prepare_dagster(settings)
        _keep_quiet()
        with ThreadPoolExecutor(max_workers=1) as pool:
            # dbt reads the project where it has changed, for many seconds, while Dagster is imported.
            reading = pool.submit(_read_project, settings)
            try:
                import dagster as dg

                from orchestration.definitions import build_defs

                manifest = reading.result()
            except BaseException:
                dbt_runs.end_program()  # for which the pool would wait
                raise
        instance = dg.DagsterInstance.get()
        job = build_defs(settings=settings, manifest=manifest, log=log).get_job_def("sales_reports")
        phase.words = f"data folder {settings.data_dir}"
    with instance:
        result = job.execute_in_process(
            instance=instance,
            raise_on_error=False,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )
    if log.failure:
        raise log.failure
    if _was_interrupted(result):
        raise KeyboardInterrupt
    if not result.success or not (log.published or log.has_nothing_to_do):
        raise RunFailed(_failure_in(result))


def _read_project(settings: Settings) -> dict[str, Any]:
    manifest = dbt_runs.load_manifest(settings)
    dbt_runs.parse_ahead(settings)
    return manifest


def prepare_dagster(settings: Settings) -> None:
    """Write Dagster's own configuration into its folder."""
    settings.dagster_home.mkdir(parents=True, exist_ok=True)
    events = json.dumps(str(settings.dagster_home / "history" / "runs"))
    (settings.dagster_home / "dagster.yaml").write_text(DAGSTER_CONFIG.format(events=events))


def _keep_quiet() -> None:
    """What libraries say to developers is no news to those who run this."""
    warnings.simplefilter("ignore")
    # In a process of its own, which outlives an interrupted run and would count what is left behind.
    os.environ["PYTHONWARNINGS"] = "ignore::UserWarning:multiprocessing.resource_tracker"
    logging.getLogger("dagster").setLevel(logging.CRITICAL)
    logging.getLogger("dagster_dbt").setLevel(logging.CRITICAL)
    # Checks without a result, where a night has nothing to do: what they guard is skipped then.
    logging.getLogger("dagster._core.execution.plan.active").setLevel(logging.ERROR)


def _was_interrupted(result: ExecuteInProcessResult) -> bool:
    """Dagster turns Ctrl-C into the failure of a step."""
    return any("DagsterExecutionInterruptedError" in error.message for error in _errors_in(result))


def _failure_in(result: ExecuteInProcessResult) -> str:
    """Dagster's own words where no step of ours has failed."""
    for error in _errors_in(result):
        while error.cause:
            error = error.cause
        return error.message.strip()
    return "Dagster did not run all steps; see `make dev`."


def _errors_in(result: ExecuteInProcessResult) -> Iterator[SerializableErrorInfo]:
    for event in result.all_events:
        if error := event.is_failure and getattr(event.event_specific_data, "error", None):
            yield error


def explain(error: BaseException, settings: Settings | None) -> str:
    """One message for a person: what happened, and what to do where that is known."""
    text = str(error).strip() or type(error).__name__
    if is_disk_full(error):
        folder = settings.data_dir if settings else "the data folder"
        free = shutil.disk_usage(folder).free // 2**20 if settings and settings.data_dir.exists() else 0
        return f"The disk that holds {folder} is full ({free} MiB free). Make room and run again."
    if settings and any(_OUT_OF_MEMORY in str(one) for one in _causes(error)):
        what, _, _ = text.partition(_OUT_OF_MEMORY)
        return (
            f"{what}more memory was needed than DuckDB may take, which is {settings.memory_limit}. "
            "Raise SALES_REPORTS_MEMORY_LIMIT, as far as this machine has memory to spare, and run again."
        )
    if isinstance(error, OSError):
        return f"{type(error).__name__}: {text}"
    return text


def is_disk_full(error: BaseException) -> bool:
    """Whether an error, or what caused it, says that no space is left."""
    return any(
        (isinstance(one, OSError) and one.errno in (errno.ENOSPC, errno.EDQUOT))
        or any(words in str(one) for words in ("No space left on device", "disk is full"))
        for one in _causes(error)
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


# --- summary --------------------------------------------------------------------------------------


def summary(settings: Settings, log: RunLog, seconds: float) -> str:
    """What a run did, for the person who started it."""
    return "\n".join(["", *_summary_lines(settings, log, seconds)])


def _summary_lines(settings: Settings, log: RunLog, seconds: float) -> Iterator[str]:
    load, published = log.load, log.published
    if log.sync:
        yield from _sync_lines(log.sync)
    yield f"Rows in     {load.offered:,} in {sum(t.offered > 0 for t in load.tables)} tables"
    rejects = f"{load.rejected:,} rows and {load.rejected_values:,} values"
    yield f"Rejected    {rejects}" + (f", listed in {load.rejects_path}" if load.rejects_path else "")
    for note in load.notes:
        yield f"Note        {note}"
    yield ""
    if published is None:
        yield f"Reports     stay as they are: {log.plan.reason}"
        yield f"Seconds     {_seconds(log, seconds)}"
        yield f"Database    {settings.published_link}"
        yield from _queries_to_try(settings.published_link)
        return
    yield "Reports     rows"
    for name, count in published.row_counts.items():
        if name.startswith("reports.rpt_"):
            yield f"  {name.removeprefix('reports.'):<42} {count:>9,}"
    yield ""
    tests = [node for node in log.nodes if node.kind == "test"]
    test_warnings = [node for node in tests if node.status == "warn"]
    passed = len(tests) - len(test_warnings)
    broken = [result for result in log.invariants if not result.passed]
    held = len(log.invariants) - len(broken)
    of_a_night = carried(log.invariants)
    yield f"Checks      {passed + held} passed ({passed} dbt tests, {held} invariants{of_a_night})"
    for node in test_warnings:
        yield f"  warning: {node}"
    for result in broken:
        yield f"  warning: {result.invariant.name}: {result.violation_count:,} (in reports.rpt_data_quality)"
    yield ""
    yield f"Seconds     {_seconds(log, seconds)}"
    if address := engine_of(settings).address:
        yield f"Readers     {address}"
    yield f"Database    {published.link}"
    yield f"            build {published.path.stem}; earlier ones: `make rollback`"
    yield from _queries_to_try(published.path)


def _seconds(log: RunLog, seconds: float) -> str:
    phases = ", ".join(f"{phase.name.lower()} {phase.seconds:.1f}" for phase in log.phases)
    return f"{seconds:.1f}: {phases}"


def _sync_lines(sync: SyncSummary) -> Iterator[str]:
    statistics = sync.statistics
    yield (
        f"HubSpot     account {sync.portal_id}: {statistics.requests:,} requests in {sync.seconds:.1f} s "
        f"({sync.share_of_limit:.0%} of the limit), {sync.too_many:,} answered 429, {sync.rows:,} rows read"
    )
    unavailable = [table.name for table in sync.tables if table.unavailable]
    if unavailable:
        yield f"  not available: {', '.join(unavailable)}"
    for note in sync.notes:
        yield f"Note        {note}"
    if sync.stopped:
        yield f"Note        {sync.stopped}"
        yield f"            What was there is published, complete up to {sync.read_until:%Y-%m-%d %H:%M} UTC"


def _queries_to_try(database: os.PathLike) -> Iterator[str]:
    yield ""
    yield "Try"
    for query in example_queries(database):
        yield f"  {query}"


def example_queries(database: os.PathLike | str) -> list[str]:
    """Three queries that show something: over the last twelve months in which deals were won."""
    with duckdb.connect(database, read_only=True) as connection:
        (last,) = connection.execute(
            "select max(close_date) from core.fct_deals, core.build_info "
            "where deal_status = 'won' and close_date <= cast(run_ts as date)"
        ).fetchone()
    last = last or date(2026, 1, 1)
    end = date(last.year + last.month // 12, last.month % 12 + 1, 1)
    days = f"date '{end.replace(year=end.year - 1)}', date '{end}'"
    return [
        f"from reports.deals_won_and_lost({days});",
        f"from reports.average_deal_size({days}, group_by := 'team', bucket := 'quarter');",
        "select report, issue, row_count from reports.rpt_data_quality order by row_count desc;",
    ]


if __name__ == "__main__":
    code = main()
    if code == INTERRUPTED:
        # dbt's threads may still be at work and would be torn down with noise.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
