"""Laws of the reports on forecasts and pipelines (12 to 19).

Belongs here: what `reports.md` states under "Invariants" of these reports, each under the report's
name. Laws between reports stand in `across_reports.py`, laws of every mart in `universal.py`.
"""

from __future__ import annotations

from orchestration.checks.forecasts_and_pipelines import (
    deal_change_history,
    deal_funnel,
    deal_pipeline_waterfall,
    deal_push_rate,
    forecasts,
    historical_snapshots,
)

INVARIANTS = [
    *deal_change_history.INVARIANTS,
    *deal_funnel.INVARIANTS,
    *deal_pipeline_waterfall.INVARIANTS,
    *deal_push_rate.INVARIANTS,
    *historical_snapshots.INVARIANTS,
    *forecasts.INVARIANTS,
]
