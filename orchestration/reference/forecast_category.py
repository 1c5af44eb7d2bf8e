"""Report 16, forecast category: expected revenue by the category that stands on the deal."""

from decimal import Decimal

from orchestration.reference.crm import DEAL_COLUMNS, Crm, Deal, Row, group_rows, money

GRAIN = ("close_date", "forecast_category", "deal_status", *DEAL_COLUMNS)
MEASURES = ("deal_count", "total_amount", "weighted_amount", "forecast_amount", "conflict_count")


def rpt_forecast_category(crm: Crm) -> list[Row]:
    """One row per close day, stored category, present status, owner and pipeline."""
    if not crm.is_available("deals", "hs_manual_forecast_category"):  # K11
        return []
    deals = [
        {
            "close_date": deal.close_date,
            "forecast_category": deal.row["hs_manual_forecast_category"] or "(No category)",
            "deal_status": deal.status,
            **deal.filter_columns,
            "deal_count": 1,
            "total_amount": deal.amount,
            "weighted_amount": deal.weighted_amount,
            "forecast_amount": forecast_amount(deal),
            "conflict_count": int(has_conflict(deal)),
        }
        for deal in crm.closing_deals
    ]
    return group_rows(deals, GRAIN, MEASURES)


def forecast_amount(deal: Deal) -> Decimal:
    """Stored, else forecast probability × A(d), else 0 (16a); company currency, rounded (P10)."""
    stored, probability = deal.row["hs_forecast_amount"], deal.row["hs_forecast_probability"]
    if stored is not None:
        return money(stored)
    if probability is not None and deal.amount is not None:
        return money(deal.amount, probability)
    return Decimal(0)


def has_conflict(deal: Deal) -> bool:
    """(category = CLOSED) ≠ won, or lost under a category that still expects revenue (16a)."""
    category = deal.row["hs_manual_forecast_category"]
    expects_revenue = category not in ("OMIT", "CLOSED_LOST", None)
    return (category == "CLOSED") != (deal.status == "won") or (deal.status == "lost" and expects_revenue)
