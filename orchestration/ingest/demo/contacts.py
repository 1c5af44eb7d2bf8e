"""A contact's life: who looks after it, and how far it comes on the way from lead to customer.

Belongs here: the tables contacts and contact_property_history, the contacts that never buy, and
merged contacts. What reps do with a contact, and what is stored of that, comes from `outreach`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from . import clock, company
from .company import Rep
from .crm import Crm, Timeline, record_id
from .customers import Contact, Customer, new_contact, new_customer

_PROSPECT_SHARE = 1.15
"""Contacts that never buy, per deal of the demo's size."""
_PROSPECT_SEGMENTS = {"commercial": 52, "emea": 27, "enterprise": 12, "channel": 9}
_CONTACT_TO_COMPANY = 1


@dataclass(slots=True)
class Engagement:
    """The first time an owner turned to a contact, as HubSpot stores it."""

    assigned: int
    at: int
    kind: str
    id: str
    description: str


@dataclass(slots=True)
class Life:
    """What a contact's life has left behind."""

    contact: Contact
    customer: Customer
    timeline: Timeline
    rng: Random
    assignments: list[tuple[int, Rep]] = field(default_factory=list)
    engagements: list[Engagement] = field(default_factory=list)
    assigned_dates: list[tuple[int, int]] = field(default_factory=list)
    """(when, value) of hubspot_owner_assigneddate, which has no history of its own."""

    @property
    def first_deal(self) -> int | None:
        return self.customer.deals[0][0] if self.customer.deals else None

    @property
    def is_imported(self) -> bool:
        return self.contact.born < clock.IMPORTED


def prospects(seed: int, size: int, last_day: int) -> Iterator[Customer]:
    """Those who never buy: each with a company of its own, known or not."""
    for number, day in clock.arrivals(f"{seed}:prospect", size * _PROSPECT_SHARE, last_day):
        rng = Random(f"{seed}:prospect:{number}")
        segment = rng.choices(list(_PROSPECT_SEGMENTS), list(_PROSPECT_SEGMENTS.values()))[0]
        born = clock.at(day, rng.triangular(6, 23.8, 13))
        rep = company.pick_rep(rng, segment, day)
        company_id = record_id("prospect company", number) if rng.random() < 0.6 else None
        customer = new_customer(rng, segment, rep, company_id, born)
        new_contact(rng, customer, record_id("prospect", number), f"prospect {number}", born)
        yield customer


def live(seed: int, contact: Contact, customer: Customer) -> Life:
    """A contact's life without the activities around it."""
    rng = Random(f"{seed}:contact:{contact.key}")
    life = Life(contact, customer, Timeline(), rng)
    _put_lifecycle(life)
    _assign(life)
    return life


# --- lifecycle ---


def _put_lifecycle(life: Life) -> None:
    rng, born = life.rng, life.contact.born
    first_deal = life.first_deal

    def put(at: int, stage: str, source: str = "AUTOMATION_PLATFORM") -> None:
        life.timeline.put("lifecyclestage", at, stage, source)

    if life.customer.is_base:
        put(born, "customer", "CRM_UI")
    elif first_deal is None:
        _put_prospect_stages(rng, born, put)
    elif born >= first_deal:
        put(born, "opportunity")
    else:
        _put_buyer_stages(rng, born, first_deal, put)
    life.timeline.put("hs_lead_status", born, "NEW", "CRM_UI")
    if first_deal is not None and not life.customer.is_base:
        if born < first_deal:
            life.timeline.put("hs_lead_status", first_deal, "OPEN_DEAL", "AUTOMATION_PLATFORM")
        wins = [won for _, won in life.customer.deals if won is not None]
        if wins:
            put(max(min(wins), born) + 2 * clock.SECOND, "customer")
    if rng.random() < 0.003:
        _put_score_noise(life)


def _put_prospect_stages(rng: Random, born: int, put) -> None:
    if rng.random() < 0.1:
        put(born, "subscriber")
        if rng.random() < 0.5:
            return
        born = clock.later(rng, born, rng.expovariate(1 / 10))
    put(born, "lead")
    if rng.random() < 0.4:
        qualified = born + int(rng.expovariate(1 / 6) * clock.DAY) + clock.MINUTE
        put(qualified, "marketingqualifiedlead")
        if rng.random() < 0.3:
            accepted = clock.later(rng, qualified, rng.expovariate(1 / 5))
            put(accepted, "salesqualifiedlead", "CRM_UI")
            if rng.random() < 0.3:
                # Back by hand: recycled.
                put(clock.later(rng, accepted, rng.uniform(5, 40)), "lead", "CRM_UI")
    elif rng.random() < 0.04:
        put(clock.later(rng, born, rng.uniform(1, 20)), "other", "CRM_UI")


def _put_buyer_stages(rng: Random, born: int, first_deal: int, put) -> None:
    lead = born
    if rng.random() < 0.07:
        put(born, "subscriber")
        lead = born + int((first_deal - born) * 0.2)
    put(lead, "lead")
    accepted = lead + int((first_deal - lead) * rng.uniform(0.55, 0.99))
    if rng.random() < 0.62:
        qualified = lead + int((accepted - lead) * rng.uniform(0.02, 0.9))
        if rng.random() < 0.04:
            # Somebody catches up on it later: out of order.
            qualified = accepted + int((first_deal - accepted) * 0.5)
        put(qualified, "marketingqualifiedlead")
    if rng.random() < 0.86:
        put(accepted, "salesqualifiedlead", "CRM_UI")
    put(first_deal + clock.SECOND, "opportunity")


def _put_score_noise(life: Life) -> None:
    """A workflow that cannot make up its mind: more versions than HubSpot keeps."""
    when = life.contact.born
    for turn in range(life.rng.randint(46, 70)):
        when += int(life.rng.uniform(0.3, 3) * clock.DAY)
        status = ("OPEN", "IN_PROGRESS")[turn % 2]
        life.timeline.put("hs_lead_status", when, status, "AUTOMATION_PLATFORM")


# --- owners ---


def _assign(life: Life) -> None:
    """Who gets the contact, when, and who gets it after that."""
    rng, contact = life.rng, life.contact
    is_prospect = life.first_deal is None and not life.customer.is_base
    if is_prospect and rng.random() < 0.07:
        return
    rep, at = contact.rep, contact.born
    if contact.source != "OFFLINE" and not life.is_imported:
        if rng.random() < 0.7:
            at += int(rng.uniform(0.02, 20) * clock.MINUTE)  # by a workflow
        else:
            at = clock.working(rng, at + int(rng.lognormvariate(0.5, 1) * clock.HOUR))
        if life.first_deal is not None and contact.born < life.first_deal:
            at = min(at, life.first_deal)
    _assign_to(life, rep, at)
    again = rng.random()
    if again < 0.07:
        later = clock.later(rng, at, rng.expovariate(1 / 6))
        other = company.pick_rep(rng, life.customer.segment, clock.day_of(later))
        if other is not rep:
            _assign_to(life, other, later)
            if again < 0.008 and rep.left is None:
                _assign_to(life, rep, clock.later(rng, later, rng.uniform(1, 8)))
    elif again < 0.09:
        # Saved again with the same owner: HubSpot renews its date, the clock does not restart (6).
        later = clock.later(rng, at, rng.uniform(0.5, 9))
        life.timeline.put("hubspot_owner_id", later, rep.owner_id, "INTEGRATION")
        life.assigned_dates.append((later, later))
    last = life.assignments[-1][1]
    if last.left is not None and rng.random() < 0.55:
        left = clock.at(last.left, 8) + int(rng.uniform(0, 5) * clock.DAY)
        if life.assignments[-1][0] < left:
            heir = company.pick_rep(rng, life.customer.segment, clock.day_of(left))
            _assign_to(life, heir, left)


def _assign_to(life: Life, rep: Rep, at: int) -> None:
    life.timeline.put("hubspot_owner_id", at, rep.owner_id, "CRM_UI")
    life.assignments.append((at, rep))
    life.assigned_dates.append((at, at))


# --- the contact in the tables ---


def write(crm: Crm, life: Life) -> None:
    """Everything of a contact that is known before the end."""
    contact, timeline, end = life.contact, life.timeline, crm.end
    entered = clock.entered(contact.born)
    if entered >= end:
        return
    rng = Random(contact.id)
    timeline.settle()
    if life.is_imported:
        timeline.import_before(clock.IMPORTED)
    archived_at = entered + 30 * clock.DAY if rng.random() < 0.006 else None
    if archived_at is not None:
        timeline.forget_from(archived_at)
    is_merged = contact.id.endswith("77") and entered + 5 * clock.DAY < end
    crm.add_record(
        "contacts",
        entered,
        archived_at,
        id=contact.id,
        updated_at=timeline.last_change(end),
        lastmodifieddate=timeline.last_change(end),
        createdate=contact.born,
        email=contact.email,
        firstname=contact.first,
        lastname=contact.last,
        associatedcompanyid=life.customer.id,
        hs_analytics_source=contact.source,
        hs_merged_object_ids=_duplicate_id(contact) if is_merged else None,
        **{name: timeline.at(name, end) for name in _KEPT},
        **_stored_engagement(rng, life, end),
    )
    # One record in ten comes from a program that writes instants as epoch milliseconds (H10).
    crm.keep_history("contact_property_history", contact.id, timeline, epoch_values=contact.id.endswith("3"))
    if life.customer.id is not None:
        born = max(entered, clock.entered(life.customer.born))
        this, to = ("contact", contact.id), ("company", life.customer.id)
        crm.associate(born, this, to, _CONTACT_TO_COMPANY)
    if contact.id.endswith("77"):
        _write_duplicate(crm, contact, entered + clock.DAY, is_merged)


_KEPT = (
    "lifecyclestage",
    "hs_lead_status",
    "hubspot_owner_id",
    "hs_latest_sequence_enrolled",
    "hs_latest_sequence_enrolled_date",
    "hs_latest_sequence_finished_date",
    "hs_latest_sequence_unenrolled_date",
)


def _stored_engagement(rng: Random, life: Life, end: int) -> dict[str, object]:
    """HubSpot's own answer to report 6: mostly right, sometimes stale, sometimes missing."""
    dates = [value for when, value in life.assigned_dates if when < end]
    row: dict[str, object] = {"hubspot_owner_assigneddate": max(dates, default=None)}
    if life.is_imported and dates:
        row["hubspot_owner_assigneddate"] = max(max(dates), clock.IMPORTED)
    known = [engagement for engagement in life.engagements if engagement.at < end]
    odd = rng.random()
    if not known or odd < 0.15:
        return row
    # An engagement of an earlier owner stays stored until the new one does something.
    engagement = known[-1]
    took = engagement.at - engagement.assigned
    if odd < 0.18:
        took += 40 * clock.MINUTE  # HubSpot's clock and ours do not agree
    row |= {
        "hs_sa_first_engagement_date": engagement.assigned + took,
        "hs_sa_first_engagement_object_type": engagement.kind,
        "hs_sa_first_engagement_descr": engagement.description,
        "hs_first_engagement_object_id": engagement.id,
        "hs_time_to_first_engagement": took,
    }
    return row


def _duplicate_id(contact: Contact) -> str:
    return record_id("duplicate contact", int(contact.id) % 5_000_000_000)


def _write_duplicate(crm: Crm, contact: Contact, born: int, is_merged: bool) -> None:
    """The second record of one person, until it is merged into the first; its row stays."""
    timeline = Timeline()
    timeline.put("lifecyclestage", born, "lead", "AUTOMATION_PLATFORM")
    if crm.add_record(
        "contacts",
        born,
        id=_duplicate_id(contact),
        merged_into_id=contact.id if is_merged and int(contact.id) // 100 % 2 else None,
        createdate=born,
        lastmodifieddate=born,
        email=None,
        firstname=contact.first,
        lastname=contact.last,
        lifecyclestage="lead",
        hs_analytics_source=contact.source,
    ):
        crm.keep_history("contact_property_history", _duplicate_id(contact), timeline)
