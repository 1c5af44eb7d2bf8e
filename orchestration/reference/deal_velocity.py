"""Report 23, deal velocity: time from creation to close of closed deals."""

from orchestration.reference.crm import DEAL_COLUMNS, Crm, Row, duration_ms, group_rows

GRAIN = ("close_date", "deal_status", *DEAL_COLUMNS)
MEASURES = ("deal_count", "excluded_count", "days_to_close_ms")


def rpt_deal_velocity(crm: Crm) -> list[Row]:
    """One row per close day, status (won, lost), owner and pipeline."""
    deals = [
        {
            "close_date": deal.close_date,
            "deal_status": deal.status,
            **deal.filter_columns,
            "deal_count": int(deal.is_valid_cycle),
            "excluded_count": int(not deal.is_valid_cycle),
            "days_to_close_ms": (duration_ms(deal.created_at, deal.close_at) if deal.is_valid_cycle else 0),
        }
        for deal in crm.closing_deals
        if deal.status in ("won", "lost")
    ]
    return group_rows(deals, GRAIN, MEASURES)
