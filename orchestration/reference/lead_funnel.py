"""Report 5a, lead funnel, tab "Leads": how the team handles and converts contacts."""

from __future__ import annotations

from datetime import datetime

from orchestration.reference.crm import OWNER_COLUMNS, Crm, Deal, Row, duration_ms, group_rows
from orchestration.reference.lead_response_time import Response, responses

GRAIN = ("created_date", "source", *OWNER_COLUMNS)
MEASURES = (
    "lead_count",
    "assigned_count",
    "worked_count",
    "unworked_count",
    "with_deal_count",
    "won_count",
    "deal_before_contact_count",
    "time_to_first_engagement_ms",
    "time_to_first_engagement_count",
    "time_to_deal_ms",
    "time_to_deal_count",
    "time_to_win_ms",
    "time_to_win_count",
)


def rpt_lead_funnel(crm: Crm) -> list[Row]:
    """One row per local day of the contact's creation, source and present owner."""
    if not (crm.is_available("contacts") and crm.is_available("associations")):  # K11
        return []
    return group_rows(leads(crm), GRAIN, MEASURES)


def leads(crm: Crm) -> list[Row]:
    """What each contact adds to the report."""
    answered = responses(crm)
    deals = {deal.id: deal for deal in crm.historic_deals}
    return [
        {
            "created_date": crm.day(created_at),
            "source": contact["hs_analytics_source"] or "(No source)",  # P18
            **crm.owner(contact["hubspot_owner_id"]).columns,
            "lead_count": 1,
            **_handling(contact, answered.get(contact["id"])),
            **_conversion(created_at, [deals[i] for i in deal_ids if i in deals]),
        }
        for contact in crm.population("contacts")
        for created_at in [crm.creation_instant("contacts", contact)]
        for deal_ids in [crm.associated("contact", contact["id"], "deal")]
        if created_at is not None
    ]


def _handling(contact: Row, response: Response | None) -> Row:
    """Worked: assigned and engaged in the sense of report 6 (5a-1), timed as there (5a-2)."""
    is_assigned = contact["hubspot_owner_id"] is not None
    is_worked = response is not None and response.first is not None
    return {
        "assigned_count": int(is_assigned),
        "worked_count": int(is_worked),
        "unworked_count": int(is_assigned and not is_worked),
        "time_to_first_engagement_ms": response.response_time_ms if is_worked else 0,
        "time_to_first_engagement_count": int(is_worked),
    }


def _conversion(created_at: datetime, deals: list[Deal]) -> Row:
    """Only deals not older than the contact count as its conversion (5a-3)."""
    later = [deal for deal in deals if deal.created_at >= created_at]
    won = [deal for deal in later if deal.status == "won"]
    first_deal_at = min((deal.created_at for deal in later), default=None)
    first_win_at = min((deal.close_at for deal in won if deal.close_at), default=None)
    if first_win_at is not None and first_win_at < created_at:
        first_win_at = None
    return {
        "with_deal_count": int(bool(later)),
        "won_count": int(bool(won)),
        "deal_before_contact_count": int(len(later) < len(deals)),
        **_time_to("deal", created_at, first_deal_at),
        **_time_to("win", created_at, first_win_at),
    }


def _time_to(what: str, start: datetime, end: datetime | None) -> Row:
    return {
        f"time_to_{what}_ms": 0 if end is None else duration_ms(start, end),
        f"time_to_{what}_count": int(end is not None),
    }
