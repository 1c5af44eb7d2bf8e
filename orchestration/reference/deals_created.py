"""Report 4, deals created: how many deals came to be, and what they are worth today."""

from orchestration.reference.crm import DEAL_COLUMNS, Crm, Row, group_rows

GRAIN = ("created_date", *DEAL_COLUMNS)
MEASURES = ("deal_count", "deal_with_amount_count", "total_amount")


def rpt_deals_created(crm: Crm) -> list[Row]:
    """One row per local day of the creation instant (H2), owner and pipeline."""
    deals = [
        {
            "created_date": deal.created_date,
            **deal.filter_columns,
            "deal_count": 1,
            "deal_with_amount_count": int(deal.amount is not None),  # 0 is an amount (C5)
            "total_amount": deal.amount,
        }
        for deal in crm.historic_deals
    ]
    return group_rows(deals, GRAIN, MEASURES)
