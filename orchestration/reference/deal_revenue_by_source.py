"""Report 22, deal revenue by source: won amounts by the deal's original source."""

from orchestration.reference.crm import DEAL_COLUMNS, Crm, Row, group_rows

GRAIN = ("close_date", "source", *DEAL_COLUMNS)
MEASURES = ("deal_count", "total_amount")


def rpt_deal_revenue_by_source(crm: Crm) -> list[Row]:
    """One row per close day, source, owner and pipeline; won deals only."""
    if not crm.is_available("deals", "hs_analytics_source"):  # K11
        return []
    deals = [
        {
            "close_date": deal.close_date,
            "source": deal.row["hs_analytics_source"] or "(No source)",  # 22a: as stored
            **deal.filter_columns,
            "deal_count": 1,
            "total_amount": deal.amount,
        }
        for deal in crm.closing_deals
        if deal.status == "won"
    ]
    return group_rows(deals, GRAIN, MEASURES)
