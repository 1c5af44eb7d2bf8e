"""What Dagster loads: all definitions of the project.

Belongs here: nothing but the assembly. Importing does nothing; where Dagster loads the definitions, the
manifest is read, and parsed first if it is missing or stale.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg

from orchestration import assets, schedules
from orchestration.dbt_runs import end_program, load_manifest
from orchestration.run_log import NotifyingLog, RunLog
from orchestration.settings import Settings, load_settings, set_tool_environment


def build_defs(
    *,
    settings: Settings | None = None,
    manifest: Mapping[str, Any] | None = None,
    log: RunLog | None = None,
) -> dg.Definitions:
    """The definitions for the given settings (the environment's), manifest and run log.

    Raises SettingsError for wrong settings and DbtError for a project that dbt cannot parse.
    """
    settings = settings or load_settings()
    set_tool_environment(settings)
    if manifest is None:
        manifest = load_manifest(settings)
        end_program()  # Dagster's own processes build nothing for long
    log = log or NotifyingLog(settings.on_failure)
    translator = assets.Translator()
    parts = (settings, log, manifest, translator)
    job = schedules.sales_reports_job()
    synced = [assets.landed_tables(*parts)] if settings.source == "hubspot" else []
    steps = [assets.raw_tables(*parts), assets.dbt_models(*parts), assets.published_database(*parts)]
    return dg.Definitions(
        assets=[*synced, *steps],
        asset_checks=[assets.invariant_checks(*parts)],
        jobs=[job],
        schedules=[schedules.daily_schedule(settings, job)],
        resources={assets.RUN_LOCK: assets.lock_resource(settings)},
        executor=dg.in_process_executor,
    )


@dg.definitions
def defs() -> dg.Definitions:
    """What `dagster` finds in this module. A run makes its own, with its own log."""
    return build_defs()
