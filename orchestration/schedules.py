"""When the job runs by itself.

Belongs here: the one job and its daily schedule. `make serve` runs it without a UI; the README has a
line for cron as well.
"""

from __future__ import annotations

import dagster as dg

from orchestration.settings import Settings

JOB_NAME = "sales_reports"
DAILY = "0 5 * * *"  # after the night in the account, before people come to work


def sales_reports_job() -> dg.UnresolvedAssetJobDefinition:
    """Everything, from raw tables to the published database."""
    return dg.define_asset_job(
        JOB_NAME,
        selection=dg.AssetSelection.all(),
        executor_def=dg.in_process_executor,
        description="Load, build, prove, publish.",
    )


def daily_schedule(settings: Settings, job: dg.UnresolvedAssetJobDefinition) -> dg.ScheduleDefinition:
    """Every day at five, in the time zone of the settings (UTC where none is set)."""
    return dg.ScheduleDefinition(
        job=job,
        cron_schedule=DAILY,
        execution_timezone=settings.time_zone or "UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
