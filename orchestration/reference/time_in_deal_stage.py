"""Report 11, time spent in deal stage, of the deals that close in a range."""

from orchestration.reference.crm import DEAL_COLUMNS, STAGE_COLUMNS, Crm, Deal, Row, group_rows

GRAIN = ("close_date", "deal_status", *STAGE_COLUMNS, "stage_position", *DEAL_COLUMNS)
MEASURES = (
    "deal_count",
    "visit_count",
    "total_time_ms",
    "latest_time_ms",
    "still_in_stage_count",
)


def rpt_time_in_deal_stage(crm: Crm) -> list[Row]:
    """One row per close day, present status, visited stage, owner and pipeline."""
    rows = [
        row for deal in crm.historic_deals if deal.close_date is not None for row in _visited_stages(deal)
    ]
    return group_rows(rows, GRAIN, MEASURES)


def _visited_stages(deal: Deal) -> list[Row]:
    """One row per visited stage of the present pipeline, closed ones left out (11b)."""
    visits = [
        visit
        for visit in deal.visits
        if visit.stage.pipeline_id == deal.pipeline_id and visit.stage.status == "open"
    ]
    stages = {visit.stage.key: visit.stage for visit in visits}
    return [
        {
            "close_date": deal.close_date,
            "deal_status": deal.status,
            **stage.columns,
            "stage_position": stage.position,
            **deal.filter_columns,
            "deal_count": 1,
            "visit_count": len(durations),
            "total_time_ms": sum(durations),
            "latest_time_ms": durations[-1],
            "still_in_stage_count": int(deal.visits[-1].stage.key == stage.key),
        }
        for stage in stages.values()
        for durations in [[v.duration_ms for v in visits if v.stage.key == stage.key]]
    ]
