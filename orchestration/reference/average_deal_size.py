"""Report 20, average deal size."""

from orchestration.reference.crm import DEAL_COLUMNS, Crm, Row, group_rows

GRAIN = ("close_date", "deal_status", *DEAL_COLUMNS)
MEASURES = ("deal_count", "deal_with_amount_count", "total_amount")


def rpt_average_deal_size(crm: Crm) -> list[Row]:
    """One row per close day, present status, owner and pipeline."""
    deals = [
        {
            "close_date": deal.close_date,
            "deal_status": deal.status,
            **deal.filter_columns,
            "deal_count": 1,
            "deal_with_amount_count": int(deal.amount is not None),
            "total_amount": deal.amount,
        }
        for deal in crm.closing_deals
    ]
    return group_rows(deals, GRAIN, MEASURES)
