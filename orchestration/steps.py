"""The steps of a run, as plain functions: sync (where the source has one), load, build, prove, publish.

Belongs here: what each step calls, in which order, and what it writes into the run's log. Dagster
wraps them in `assets.py`; how they do it belongs to the modules that they call.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from orchestration import checks, data_folder, dbt_runs, plan, publish, published_catalog
from orchestration.checks.proof import prove as prove_build
from orchestration.compiled import Project
from orchestration.engines import engine_of
from orchestration.ingest.history import SNAPSHOT_COLUMNS, forgotten_in, store_snapshots
from orchestration.ingest.load import LoadSummary, TableSummary, load
from orchestration.ingest.sources import read_source
from orchestration.plan import Kind, Plan
from orchestration.report_functions import create_functions, function_nodes
from orchestration.run_log import RunLog
from orchestration.settings import Settings

if TYPE_CHECKING:  # dlt takes a second to import, and only this source needs it
    from orchestration.ingest.hubspot import SyncSummary


class ChecksFailed(RuntimeError):
    """Blocking invariants are broken, so the build must not be published."""


def sync_hubspot(settings: Settings, log: RunLog) -> SyncSummary:
    """Bring the landing database up to date with HubSpot. What it has read stays, whatever is raised.

    Raises HubSpotError: WrongToken, or SyncStopped where there is nothing complete to go on with.
    """
    from orchestration.ingest import hubspot

    with log.phase("Sync") as phase:
        data_folder.prepare(settings)
        summary = hubspot.sync(settings, hear=lambda rows, what: log.count(rows, None, what))
        # Whoever was forgotten and is still in HubSpot has been read again.
        if forgotten := forgotten_in(settings.history_path, settings.source, summary.portal_id):
            hubspot.forget(settings, forgotten)
        log.sync = summary
        phase.words = (
            f"{summary.rows:,} rows by {summary.statistics.requests:,} requests "
            f"({summary.share_of_limit:.0%} of the limit)"
        ) + (", stopped early" if summary.stopped else "")
    return summary


def load_raw(settings: Settings, log: RunLog, now: datetime) -> LoadSummary:
    """Read the source and replace the raw tables. Raises LoadError and has changed nothing then."""
    with log.phase("Load") as phase:
        data_folder.prepare(settings)
        dbt_runs.parse_ahead(settings)
        loaded: list[TableSummary] = []

        def hear(table: TableSummary) -> None:
            loaded.append(table)
            log.count(len(loaded), None, table.name)

        with closing(
            data_folder.open_build(settings.build_path, settings.memory_limit, with_marts=False)
        ) as connection:
            publish.withdraw_verdict(connection)
            summary = load(
                connection,
                read_source(settings, now),
                settings,
                now=now,
                history_path=settings.history_path,
                rejects_dir=settings.rejects_dir,
                on_table=hear,
            )
            landed = engine_of(settings).land(connection)
        log.load = summary
        phase.words = (
            f"{summary.offered:,} rows in {len(loaded)} tables, {summary.rejected:,} rejected{landed}"
        )
    return summary


def build_models(
    settings: Settings, log: RunLog, node_count: int | None = None, selection: Sequence[str] = ()
) -> Iterator[Mapping[str, Any]]:
    """Build the models and run dbt's tests; yields dbt's event of each as it ends, if there is one.

    Without a selection the plan decides whether everything is built, only what changed, or nothing.
    Raises DbtError if a model or a test failed.
    """
    with log.phase("Models") as phase:
        made = log.plan = prepare_build(settings, bool(selection))
        if made.kind is Kind.NOTHING:
            data_folder.note_check(settings, datetime.now(UTC))
            phase.words = made.reason
            return
        only_changes = made.kind is Kind.CHANGES and not selection
        build = dbt_runs.Build(settings, selection, only_changes=only_changes)
        for number, event in enumerate(build.events(), start=1):
            log.count(number, node_count, event["data"]["node_info"]["node_name"])
            yield event
        log.nodes = build.results
        engine = engine_of(settings)
        functions, manifest = function_nodes(engine.marts_manifest), dbt_runs.compiled_manifest(settings)
        with closing(data_folder.open_build(settings.build_path, settings.memory_limit)) as connection:
            fetched = engine.fetch(connection)
            if not selection:
                create_functions(connection, functions)
                published_catalog.record_tests(connection, build.results, manifest)
                publish.record_verdict(connection, "models")
        kinds = Counter(result.kind for result in build.results)
        phase.words = (
            f"{kinds['model'] + kinds['seed']} built, {kinds['test']} dbt tests passed{fetched}; "
            f"{made.kind.value}, because {made.reason}"
        )


def prepare_build(settings: Settings, is_part: bool) -> Plan:
    """Plan the build, and bring the build database and the marts into the state that it begins with."""

    def open_build(**options: bool):
        return closing(data_folder.open_build(settings.build_path, settings.memory_limit, **options))

    if is_part:
        engine_of(settings).begin_part()
    with open_build(with_marts=False) as connection:
        basis = plan.read_basis(connection)
        made = Plan(Kind.CHANGES, "asked for by hand") if is_part else plan.make_plan(connection, settings)
        if made.kind is Kind.NOTHING:
            plan.carry_basis(connection)
            return made
        plan.forget_basis(connection)
    if made.kind is Kind.EVERYTHING:
        data_folder.drop_models(settings)
        engine_of(settings).begin_build()
    elif basis and data_folder.has_marts(settings, basis["build_id"]):
        data_folder.bring_back_marts(settings, basis["build_id"])
        if is_part:  # a night leaves views of what it changed, and whoever builds a part needs them whole
            views = ["--select", "config.materialized:view", "--exclude-resource-type", "test"]
            for _ in dbt_runs.Build(settings, views).events():
                pass
    with open_build(with_marts=False) as connection:
        publish.withdraw_verdict(connection)
        if basis and made.kind is Kind.CHANGES and not is_part:
            plan.begin_night(connection, basis)
    return made


def prove(settings: Settings, log: RunLog) -> Iterator[checks.Result]:
    """Run the invariants and the proof on a sample; yields each result.

    Raises ChecksFailed if blocking ones are broken.
    """
    with log.phase("Checks") as phase:
        project = Project.from_manifest(engine_of(settings).marts_manifest)
        with closing(data_folder.open_build(settings.build_path, settings.memory_limit)) as connection:
            results = prove_build(connection, project, plan.proven_with(connection))
            checks.record_warnings(connection, results)
            broken = [result for result in results if result.blocks]
            if not broken:
                published_catalog.record_invariants(connection, results)
                publish.record_verdict(connection, "invariants")
                if publish.has_passed(connection):
                    plan.write_basis(connection, settings)
        log.invariants = results
        yield from results
        if broken:
            raise ChecksFailed(
                f"{len(broken)} of {len(results)} invariants are broken, so nothing was published: "
                + "; ".join(str(result) for result in broken[:5])
            )
        warnings = sum(not result.passed for result in results)
        phase.words = f"{len(results) - warnings} invariants hold, {warnings} warn{checks.carried(results)}"


def publish_build(settings: Settings, log: RunLog) -> publish.Published:
    """Publish the build that has passed its checks, and keep its snapshots of days that are over (K7)."""
    with log.phase("Publish") as phase:
        engine = engine_of(settings)
        shared = engine.publish()
        published = publish.publish(settings, engine.marts_manifest)
        with closing(data_folder.open_published(settings, published.path)) as connection:
            store_snapshots(
                connection,
                settings.history_path,
                days="select snapshot_date from core.dim_snapshot_dates",
                snapshots=f"select {', '.join(SNAPSHOT_COLUMNS)} from reports.rpt_historical_snapshots",
            )
        log.published = published
        phase.words = f"{len(published.row_counts)} tables, {published.function_count} functions{shared}"
    return published
