"""Report 19, weighted pipeline forecast: amount × probability."""

from orchestration.reference.crm import DEAL_COLUMNS, STAGE_COLUMNS, Crm, Row, group_rows

GRAIN = ("close_date", *STAGE_COLUMNS, "deal_status", *DEAL_COLUMNS)
MEASURES = ("deal_count", "total_amount", "weighted_amount")


def rpt_weighted_pipeline_forecast(crm: Crm) -> list[Row]:
    """One row per close day, present stage and status, owner and pipeline."""
    deals = [
        {
            "close_date": deal.close_date,
            **deal.stage.columns,
            "deal_status": deal.status,
            **deal.filter_columns,
            "deal_count": 1,
            "total_amount": deal.amount,
            "weighted_amount": deal.weighted_amount,
        }
        for deal in crm.closing_deals
    ]
    return group_rows(deals, GRAIN, MEASURES)
