"""Report 24, deals won and lost."""

from orchestration.reference.crm import DEAL_COLUMNS, Crm, Row, group_rows

GRAIN = ("close_date", *DEAL_COLUMNS)
MEASURES = ("won_count", "lost_count", "won_amount", "lost_amount")


def rpt_deals_won_and_lost(crm: Crm) -> list[Row]:
    """One row per close day, owner and pipeline; class by the present stage (C4)."""
    deals = [
        {
            "close_date": deal.close_date,
            **deal.filter_columns,
            f"{deal.status}_count": 1,
            f"{deal.status}_amount": deal.amount,
        }
        for deal in crm.closing_deals
        if deal.status in ("won", "lost")
    ]
    return group_rows(deals, GRAIN, MEASURES)
