"""The run as Dagster sees it: assets, asset checks and what they depend on.

Belongs here: keys, groups, dependencies, freshness and metadata. Each step is a plain function of
`steps.py`; nothing is computed here.

    hubspot_api/<table>       one asset per raw table in the landing database; with the source hubspot only
    hubspot/<table>           one asset per raw table, all filled by the one load step
    <schema>/<model>          one asset per dbt model and seed; dbt's tests are their checks
    (checks)                  one asset check per invariant, on the model that it is about
    published/sales_reports   the published database, after every blocking check
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DbtProject, dbt_assets
from dagster_dbt.asset_utils import get_subset_selection_for_context
from dagster_dbt.core.dbt_cli_event import DbtCoreCliEventMessage
from dagster_shared.record import replace

from orchestration import steps
from orchestration.checks import Result
from orchestration.checks.proof import laws
from orchestration.ingest.contract import TABLES
from orchestration.lock import only_run
from orchestration.publish import published_nodes
from orchestration.run_log import RunLog
from orchestration.settings import PROJECT_ROOT, Settings
from orchestration.table_rules import rules_of

RUN_LOCK = "run_lock"
PUBLISHED = dg.AssetKey(["published", "sales_reports"])
# The schedule is daily: later than this, a run has been missed.
FRESHNESS = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=49), warn_window=timedelta(hours=25))


class Translator(DagsterDbtTranslator):
    """dbt's nodes as assets: grouped by layer or collection, raw tables and reports with freshness."""

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str:
        return group_of(dbt_resource_props)

    def get_asset_spec(
        self, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None
    ) -> dg.AssetSpec:
        spec = super().get_asset_spec(manifest, unique_id, project)
        node = self.get_resource_props(manifest, unique_id)
        is_watched = node["resource_type"] == "source" or node["name"].startswith("rpt_")
        return spec.replace_attributes(freshness_policy=FRESHNESS) if is_watched else spec

    def get_asset_check_spec(
        self,
        asset_spec: dg.AssetSpec,
        manifest: Mapping[str, Any],
        unique_id: str,
        project: DbtProject | None,
    ) -> dg.AssetCheckSpec | None:
        spec = super().get_asset_check_spec(asset_spec, manifest, unique_id, project)
        rules = ", ".join(rules_of(self.get_resource_props(manifest, unique_id)))
        return spec and replace(spec, description=rules)


def group_of(node: Mapping[str, Any]) -> str:
    """Group of a dbt node: raw, seeds, staging, intermediate, core, or the report's collection."""
    if node["resource_type"] == "source":
        return "raw"
    if node["resource_type"] == "seed":
        return "seeds"
    _, layer, *rest = node["fqn"]  # sales_reports, marts, <collection>, …
    return rest[0] if layer == "marts" else layer


def lock_resource(settings: Settings) -> dg.ResourceDefinition:
    """The resource that holds the data folder's lock while a run lasts, whatever started the run."""

    @dg.resource
    def run_lock(context: dg.InitResourceContext) -> Iterator[None]:
        with only_run(settings.lock_path, datetime.now(UTC)):
            if context.instance is not None and context.run_id:
                end_dead_runs(context.instance, context.run_id)
            yield

    return run_lock


def end_dead_runs(instance: dg.DagsterInstance, own_run_id: str) -> None:
    """Mark runs as failed that were killed: whoever holds the lock is the only run alive."""
    under_way = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
    for run in instance.get_runs(dg.RunsFilter(statuses=under_way)):
        if run.run_id != own_run_id:
            instance.report_run_failed(run, "The process of this run ended without a word.")


def landed_tables(settings: Settings, log: RunLog, manifest: Mapping[str, Any], translator: Translator):
    """The sync with HubSpot: one asset per raw table that it lands."""
    specs = [
        dg.AssetSpec(
            _landed(name),
            group_name="hubspot_api",
            kinds={"dlt", "duckdb"},
            description=f"{name} in the landing database, as HubSpot's API gives it.",
        )
        for name in TABLES
    ]

    @dg.multi_asset(name="landed_tables", specs=specs, required_resource_keys={RUN_LOCK})
    def sync() -> Iterator[dg.MaterializeResult]:
        summary = steps.sync_hubspot(settings, log)
        of_all: dict[str, Any] = {
            "requests of the sync": summary.statistics.requests,
            "answers 429": summary.too_many,
            "share of the limit": round(summary.share_of_limit, 3),
            "seconds of the sync": round(summary.seconds, 2),
        }
        for table in summary.tables:
            own = {"rows landed": table.rows, "cursor": table.cursor, "unavailable": table.unavailable}
            known = {name: value for name, value in own.items() if value is not None}
            yield dg.MaterializeResult(asset_key=_landed(table.name), metadata=of_all | known)

    return sync


def _landed(table: str) -> dg.AssetKey:
    return dg.AssetKey(["hubspot_api", table])


def raw_tables(settings: Settings, log: RunLog, manifest: Mapping[str, Any], translator: Translator):
    """The load step: one asset per raw table."""
    keys = {source["identifier"]: translator.get_asset_key(source) for source in manifest["sources"].values()}
    specs = [_own(translator.get_asset_spec(manifest, unique_id, None)) for unique_id in manifest["sources"]]
    if settings.source == "hubspot":
        landed = {keys[name]: _landed(name) for name in TABLES}
        specs = [
            spec.replace_attributes(deps=[landed[spec.key]]) if spec.key in landed else spec for spec in specs
        ]

    @dg.multi_asset(name="raw_tables", specs=specs, required_resource_keys={RUN_LOCK})
    def load() -> Iterator[dg.MaterializeResult]:
        summary = steps.load_raw(settings, log, datetime.now(UTC))
        tables = {table.name: table for table in summary.tables}
        for name, key in keys.items():
            metadata: dict[str, Any] = {"seconds of the load": round(summary.seconds, 2)}
            if name in tables:
                table = tables[name]
                metadata |= {
                    "dagster/row_count": table.loaded,
                    "offered": table.offered,
                    "rejected": table.rejected,
                    "rejected values": table.rejected_values,
                    "status": table.status,
                    "seconds": round(table.seconds, 2),
                }
            yield dg.MaterializeResult(asset_key=key, metadata=metadata)

    return load


def _own(spec: dg.AssetSpec) -> dg.AssetSpec:
    """A source of dbt's as an asset that we make ourselves."""
    metadata = {key: value for key, value in spec.metadata.items() if not key.startswith("dagster_dbt")}
    return spec.replace_attributes(metadata=metadata, kinds={"duckdb"}, skippable=False)


def dbt_models(settings: Settings, log: RunLog, manifest: Mapping[str, Any], translator: Translator):
    """The models and seeds, with dbt's tests as their asset checks."""
    project = DbtProject(PROJECT_ROOT, target_path=settings.dbt_target_dir, target=settings.engine)
    kinds = ("model", "seed", "test")
    node_count = sum(node["resource_type"] in kinds for node in manifest["nodes"].values())

    @dbt_assets(
        manifest=manifest,
        project=project,
        dagster_dbt_translator=translator,
        name="models",
        required_resource_keys={RUN_LOCK},
    )
    def models(context: dg.AssetExecutionContext):
        selection, indirect = get_subset_selection_for_context(
            context, manifest, "fqn:*", None, None, translator, None
        )
        is_part = selection != ["--select", "fqn:*"]
        arguments = [*selection, "--indirect-selection", indirect or "eager"] if is_part else []
        for event in steps.build_models(settings, log, node_count, arguments):
            yield from DbtCoreCliEventMessage(event, {}).to_default_asset_events(
                manifest, translator, context, project=project
            )

    return models


def invariant_checks(settings: Settings, log: RunLog, manifest: Mapping[str, Any], translator: Translator):
    """The invariants and the proof on a sample, each an asset check on the model that it is about."""
    keys = {
        node["name"]: translator.get_asset_key(node)
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model"
    }
    specs = [
        dg.AssetCheckSpec(
            name=invariant.name,
            asset=keys[invariant.report],
            description=invariant.words,
            blocking=invariant.blocking,
        )
        for invariant in laws(keys)
    ]

    @dg.multi_asset_check(name="invariants", specs=specs, required_resource_keys={RUN_LOCK})
    def prove() -> Iterator[dg.AssetCheckResult]:
        for result in steps.prove(settings, log):
            yield _check_result(result, keys)

    return prove


def _check_result(result: Result, keys: Mapping[str, dg.AssetKey]) -> dg.AssetCheckResult:
    invariant = result.invariant
    severity = dg.AssetCheckSeverity.ERROR if invariant.blocking else dg.AssetCheckSeverity.WARN
    metadata: dict[str, Any] = {
        "violations": result.violation_count,
        "seconds": round(result.seconds, 3),
        "proven": result.proof,
    }
    if not result.passed:
        metadata["first"] = str(result)
    return dg.AssetCheckResult(
        passed=result.passed,
        asset_key=keys[invariant.report],
        check_name=invariant.name,
        severity=severity,
        metadata=metadata,
    )


def published_database(settings: Settings, log: RunLog, manifest: Mapping[str, Any], translator: Translator):
    """The published database: core and the reports, with the report functions."""
    marts = [translator.get_asset_key(node) for node in published_nodes(manifest)]

    @dg.asset(
        key=PUBLISHED,
        deps=marts,
        group_name="published",
        kinds={"duckdb"},
        freshness_policy=FRESHNESS,
        required_resource_keys={RUN_LOCK},
        description="The database that readers open: schemas core and reports, and the report functions.",
    )
    def publish() -> dg.MaterializeResult:
        published = steps.publish_build(settings, log)
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": sum(published.row_counts.values()),
                "file": str(published.path),
                "tables": len(published.row_counts),
                "functions": published.function_count,
                "removed builds": [path.name for path in published.removed],
            }
        )

    return publish
