"""Deals: what a deal's life leaves behind, and how it stands in the tables.

Belongs here: `Deal`, and the tables deals, deal_property_history and deal_splits with the deals' own
associations. How a deal is lived is `deal_life`'s business, what people do around it `activities`'.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from . import clock, company
from .company import Rep, Stage
from .crm import Crm, Timeline, money, record_id
from .customers import Contact, Customer

# Association types of HubSpot.
_DEAL_TO_CONTACT, _DEAL_TO_COMPANY, _DECISION_MAKER = 3, 5, 38


@dataclass(slots=True)
class Stay:
    """A time in one open stage. `step` counts the pipeline's stages from 0."""

    start: int
    end: int
    stage: Stage
    step: int


@dataclass(slots=True)
class Deal:
    """What a life has left behind."""

    number: int
    id: str
    name: str
    segment: str
    customer: Customer
    born: int
    timeline: Timeline
    stays: list[Stay] = field(default_factory=list)
    reps: list[tuple[int, Rep]] = field(default_factory=list)
    first_won_at: int | None = None
    archived_at: int | None = None
    merged_at: int | None = None
    """When the duplicate that somebody had created was merged into this deal."""
    contacts: list[Contact] = field(default_factory=list)
    lost_reason: str | None = None
    won_reason: str | None = None
    forecast_probability: Decimal | None = None
    is_split: bool = False
    attributes: dict[str, str | None] = field(default_factory=dict)
    """Properties of the row that never change."""

    @property
    def entered(self) -> int:
        """Since when it is in this CRM."""
        return clock.entered(self.born)

    def rep_at(self, instant: int) -> Rep:
        rep = self.reps[0][1]
        for since, successor in self.reps:
            if since <= instant:
                rep = successor
        return rep


# --- the deal in the tables ---


def write(crm: Crm, deal: Deal) -> None:
    """Everything of a deal that is known before the end."""
    if deal.entered >= crm.end:
        return
    crm.add_record("deals", deal.entered, deal.archived_at, **_row(crm, deal))
    # One record in ten comes from a program that writes instants as epoch milliseconds (H10).
    crm.keep_history("deal_property_history", deal.id, deal.timeline, epoch_values=deal.number % 10 == 3)
    _write_associations(crm, deal)
    if deal.is_split:
        _write_splits(crm, deal)
    if deal.merged_at is not None:
        _write_duplicate(crm, deal)


def _row(crm: Crm, deal: Deal) -> dict:
    end, timeline = crm.end, deal.timeline
    now = {name: timeline.at(name, end) for name in timeline}
    stage = company.stage(now["pipeline"], now["dealstage"])
    probability = Decimal(now["hs_deal_stage_probability"])
    amount = money(now.get("amount"))
    if amount is not None and deal.number % 271 == 100:
        # A change that never reached the history (27.7, check 6).
        amount += 100
    rate = Decimal(now["hs_exchange_rate"]) if "hs_exchange_rate" in now else None
    home = None if amount is None else amount * (1 if rate is None else rate)
    is_won, is_lost = stage.probability == 1, stage.probability == 0
    changed = timeline.last_change(end)
    weighs = deal.forecast_probability is not None and home is not None
    return {
        "id": deal.id,
        "dealname": deal.name,
        "pipeline": now["pipeline"],
        "dealstage": now["dealstage"],
        "amount": amount,
        "deal_currency_code": now["deal_currency_code"],
        "amount_in_home_currency": home,
        "hs_exchange_rate": rate,
        "closedate": now.get("closedate"),
        "createdate": deal.born,
        "hs_createdate": deal.entered,
        "hs_lastmodifieddate": changed,
        "updated_at": changed,
        "hubspot_owner_id": now.get("hubspot_owner_id"),
        "hubspot_team_id": deal.rep_at(end).team,
        "closed_lost_reason": deal.lost_reason if is_lost else None,
        "closed_won_reason": deal.won_reason if is_won else None,
        "hs_deal_stage_probability": probability,
        "hs_manual_forecast_category": now.get("hs_manual_forecast_category"),
        "hs_forecast_amount": home * deal.forecast_probability if weighs else None,
        "hs_forecast_probability": deal.forecast_probability,
        "hs_is_closed_won": is_won,
        "hs_is_closed": is_won or is_lost,
        "hs_projected_amount": None if amount is None else amount * probability,
        "hs_is_deal_split": deal.is_split,
        "hs_merged_object_ids": _duplicate_id(deal)
        if deal.merged_at is not None and deal.merged_at < end
        else None,
        "hs_attributed_team_ids": deal.reps[0][1].team,
        "hs_v2_date_entered_current_stage": timeline.since("dealstage", end),
        **deal.attributes,
    }


def _write_associations(crm: Crm, deal: Deal) -> None:
    this = ("deal", deal.id)
    if deal.number % 30 != 7:
        for place, contact in enumerate(deal.contacts):
            born = max(deal.entered, clock.entered(contact.born))
            crm.associate(born, this, ("contact", contact.id), _DEAL_TO_CONTACT)
            if place == 0 and deal.number % 6 == 0:
                # A label is a second type; some loaders deliver it from the other side (P14).
                other = ("contact", contact.id)
                crm.associate(born, other, this, _DECISION_MAKER, "Decision maker")
    if deal.customer.id is not None and deal.number % 40 != 9:
        born = max(deal.entered, clock.entered(deal.customer.born))
        crm.associate(born, this, ("company", deal.customer.id), _DEAL_TO_COMPANY)


def _write_splits(crm: Crm, deal: Deal) -> None:
    owner = deal.reps[0][1].owner_id
    helper = next(rep.owner_id for rep in company.REPS if rep.owner_id != owner)
    for place, (owner_id, percentage) in enumerate(((owner, 70), (helper, 30))):
        crm.add_record(
            "deal_splits",
            deal.entered + clock.DAY,
            id=record_id("deal split", 2 * deal.number + place),
            deal_id=deal.id,
            owner_id=owner_id,
            percentage=Decimal(percentage),
        )


def _duplicate_id(deal: Deal) -> str:
    return record_id("duplicate deal", deal.number)


def _write_duplicate(crm: Crm, deal: Deal) -> None:
    """The second record of one opportunity: a deal like any other until it is merged away.

    Its row stays, as other loaders' rows do (trap of raw_tables.md); only every second one says
    itself where it went, the others are named by the survivor alone.
    """
    born = deal.entered + 5 * clock.MINUTE
    if born >= crm.end:
        return
    first = {name: versions[0].value for name, versions in deal.timeline.items()}
    timeline = Timeline()
    for name in ("pipeline", "dealstage", "amount", "hubspot_owner_id", "deal_currency_code"):
        if name in first:
            timeline.put(name, born, first[name])
    is_merged = deal.merged_at < crm.end
    probability = company.stage(first["pipeline"], first["dealstage"]).probability
    crm.add_record(
        "deals",
        born,
        id=_duplicate_id(deal),
        merged_into_id=deal.id if is_merged and deal.number % 2 else None,
        dealname=deal.name,
        pipeline=first["pipeline"],
        dealstage=first["dealstage"],
        amount=money(first.get("amount")),
        deal_currency_code=first["deal_currency_code"],
        amount_in_home_currency=money(first.get("amount")),
        createdate=born,
        hs_createdate=born,
        hs_lastmodifieddate=born,
        hubspot_owner_id=first.get("hubspot_owner_id"),
        hs_deal_stage_probability=Decimal(str(probability)),
        hs_is_closed_won=probability == 1,
        hs_is_closed=probability in (0, 1),
        hs_is_deal_split=False,
    )
    crm.keep_history("deal_property_history", _duplicate_id(deal), timeline)
