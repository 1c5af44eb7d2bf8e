"""Report 25, sales velocity: the parts of N · W · A / D, of deals that closed."""

from orchestration.reference.crm import DEAL_COLUMNS, Crm, Deal, Row, duration_ms, group_rows

GRAIN = ("close_date", *DEAL_COLUMNS)
MEASURES = (
    "closed_count",
    "won_count",
    "won_with_amount_count",
    "won_amount",
    "valid_won_count",
    "days_to_win_ms",
)


def rpt_sales_velocity(crm: Crm) -> list[Row]:
    """One row per close day, owner and pipeline."""
    deals = [
        {
            "close_date": deal.close_date,
            **deal.filter_columns,
            "closed_count": 1,
            **_won_parts(deal),
        }
        for deal in crm.closing_deals
        if deal.status in ("won", "lost")
    ]
    return group_rows(deals, GRAIN, MEASURES)


def _won_parts(deal: Deal) -> Row:
    if deal.status != "won":
        return {}
    return {
        "won_count": 1,
        "won_with_amount_count": int(deal.amount is not None),
        "won_amount": deal.amount,
        "valid_won_count": int(deal.is_valid_cycle),
        "days_to_win_ms": (duration_ms(deal.created_at, deal.close_at) if deal.is_valid_cycle else 0),
    }
