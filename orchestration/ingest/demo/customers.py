"""Who buys: companies with their people, and which of them a new deal is with.

Belongs here: the identity of companies and contacts, the installed base of before the opening, the
book from which second deals and renewals draw, and the `companies` table. How a contact lives is
`contacts`' business, how a deal goes that of `deals`.

The book only ever looks back: whom deal number n is with depends on the deals before n alone, so
the past does not change when deals are added.
"""

from __future__ import annotations

import heapq
from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import count
from random import Random

from . import clock, company, names
from .company import Rep
from .crm import Crm, record_id

# Original sources of contacts by segment; a deal inherits that of its first contact.
_SOURCES = {
    "commercial": (
        ("OFFLINE", 26), ("ORGANIC_SEARCH", 24), ("PAID_SEARCH", 17), ("DIRECT_TRAFFIC", 11),
        ("EMAIL_MARKETING", 8), ("SOCIAL_MEDIA", 4), ("PAID_SOCIAL", 5), ("AI_REFERRALS", 2),
        (None, 3),
    ),
    "enterprise": (
        ("OFFLINE", 48), ("REFERRALS", 18), ("ORGANIC_SEARCH", 14), ("OTHER_CAMPAIGNS", 10),
        ("DIRECT_TRAFFIC", 8), (None, 2),
    ),
    "emea": (
        ("OFFLINE", 38), ("ORGANIC_SEARCH", 22), ("REFERRALS", 12), ("PAID_SEARCH", 9),
        ("OTHER_CAMPAIGNS", 8), ("DIRECT_TRAFFIC", 7), ("SOCIAL_MEDIA", 3), (None, 1),
    ),
    "channel": (("OFFLINE", 45), ("REFERRALS", 40), ("DIRECT_TRAFFIC", 12), (None, 3)),
}  # fmt: skip

LEAD_TIME_DAYS = 40
"""A contact is at most this much older than its first deal."""
_REPEAT_SHARE = 0.42
_REPEAT_AFTER_DAYS = 30
_RENEWAL_AFTER_DAYS = 330
_BASE_SHARE = 0.05
"""Customers of before the opening, per deal of the demo's size."""


@dataclass(slots=True)
class Contact:
    """A person: who it is and where it came from. `key` seeds its life."""

    id: str
    key: str
    born: int
    first: str
    last: str
    email: str | None
    source: str | None
    rep: Rep


@dataclass(slots=True)
class Customer:
    """A company (without `id`: none is known), its people, and the deals that were made with it."""

    id: str | None
    name: str
    domain: str
    segment: str
    rep: Rep
    """Who brought it in."""
    born: int
    seller: Rep
    """Who sells to it now."""
    contacts: list[Contact] = field(default_factory=list)
    deals: list[tuple[int, int | None]] = field(default_factory=list)
    """(created, first won) of each deal: what moves its contacts along the lifecycle."""
    is_base: bool = False

    @property
    def region(self) -> str:
        return "emea" if self.segment == "emea" else "americas"


def source(rng: Random, segment: str) -> str | None:
    choices = _SOURCES[segment]
    return rng.choices([name for name, _ in choices], [weight for _, weight in choices])[0]


def new_contact(rng: Random, customer: Customer, contact_id: str, key: str, born: int) -> Contact:
    """A person of a company, added to it."""
    first, last = names.person(rng, customer.region)
    email = f"{names.slug(first)}.{names.slug(last)}@{customer.domain}"
    contact = Contact(
        contact_id,
        key,
        born,
        first,
        last,
        email if rng.random() < 0.97 else None,
        source(rng, customer.segment),
        customer.seller,
    )
    customer.contacts.append(contact)
    return contact


def new_customer(rng: Random, segment: str, rep: Rep, company_id: str | None, born: int) -> Customer:
    region = "emea" if segment == "emea" else "americas"
    name = names.company(rng, region)
    return Customer(company_id, name, f"{names.slug(name)}.example", segment, rep, born, rep)


class Book:
    """All customers so far. Deals ask it in the order of their numbers."""

    def __init__(self, seed: int, size: int) -> None:
        self.customers: list[Customer] = []
        self._known: dict[str, list[Customer]] = {segment: [] for segment in _SOURCES}
        self._known_since: dict[str, list[int]] = {segment: [] for segment in _SOURCES}
        self._to_renew: list[tuple[int, int, Customer]] = []
        self._ticket = count()
        self._renewable: list[Customer] = []
        for number in range(round(size * _BASE_SHARE)):
            self._add_base_customer(seed, number)

    def _add_base_customer(self, seed: int, number: int) -> None:
        rng = Random(f"{seed}:base:{number}")
        segment = rng.choices(("commercial", "enterprise", "emea"), (6, 1, 3))[0]
        rep = company.pick_rep(rng, segment, clock.OPENED)
        born = clock.at(clock.OPENED - rng.randint(30, 900), clock.business_hour(rng))
        customer = new_customer(rng, segment, rep, record_id("base company", number), born)
        customer.is_base = True
        new_contact(rng, customer, record_id("base contact", number), f"base:{number}", born)
        self.customers.append(customer)
        self._await_renewal(clock.at(clock.OPENED, 0) + int(rng.random() * 365 * clock.DAY), customer)

    def _await_renewal(self, due: int, customer: Customer) -> None:
        # The ticket breaks ties: customers cannot be compared.
        heapq.heappush(self._to_renew, (due, next(self._ticket), customer))

    def buyer(self, rng: Random, segment: str, number: int, born: int) -> Customer:
        """The customer of deal `number`, created at `born`: one of the book, or a new one."""
        if segment == "renewals":
            while self._to_renew and self._to_renew[0][0] <= born:
                self._renewable.append(heapq.heappop(self._to_renew)[2])
            if self._renewable:
                return self._renewable.pop(rng.randrange(len(self._renewable)))
            segment = "commercial"
        day = clock.day_of(born)
        choices = bisect_right(self._known_since[segment], day - _REPEAT_AFTER_DAYS)
        if choices and rng.random() < _REPEAT_SHARE:
            customer = self._known[segment][rng.randrange(choices)]
            if not customer.seller.works_on(day):
                customer.seller = company.pick_rep(rng, segment, day)
            return customer
        return self._new_buyer(rng, segment, number, born)

    def _new_buyer(self, rng: Random, segment: str, number: int, born: int) -> Customer:
        """A new company with its first contact, who mostly is there some time before the deal."""
        rep = company.pick_rep(rng, segment, clock.day_of(born))
        if rng.random() < 0.05:
            met = born + int(rng.uniform(0.2, 10) * clock.DAY)
        else:
            days = min(LEAD_TIME_DAYS, rng.lognormvariate(1.9, 0.9))
            met = born - int(days * clock.DAY) + int(rng.uniform(-4, 4) * clock.HOUR)
            met = max(min(met, born - 5 * clock.MINUTE), born - LEAD_TIME_DAYS * clock.DAY)
        company_id = record_id("company", number) if rng.random() < 0.97 else None
        customer = new_customer(rng, segment, rep, company_id, min(met, born))
        new_contact(rng, customer, record_id("contact", 4 * number), f"{number}:0", met)
        self.customers.append(customer)
        return customer

    def add_people(self, rng: Random, customer: Customer, number: int, born: int) -> list[Contact]:
        """More people of the customer join deal `number`: one or two in large companies."""
        people = []
        more = rng.choices((0, 1, 2), (4, 4, 2) if customer.segment == "enterprise" else (8, 2, 0))
        for extra in range(1, more[0] + 1):
            joined = clock.later(rng, born, rng.uniform(0, 25))
            key = f"{number}:{extra}"
            contact_id = record_id("contact", 4 * number + extra)
            people.append(new_contact(rng, customer, contact_id, key, joined))
        return people

    def note_deal(self, customer: Customer, born: int, won_at: int | None) -> None:
        """Remember a deal: its customer buys again, and a won one renews a year later."""
        if not customer.deals and not customer.is_base:
            self._known[customer.segment].append(customer)
            self._known_since[customer.segment].append(clock.day_of(born))
        customer.deals.append((born, won_at))
        if won_at is not None:
            self._await_renewal(won_at + _RENEWAL_AFTER_DAYS * clock.DAY, customer)


def write(crm: Crm, customer: Customer) -> None:
    """The company's row. Its owner is the one who brought it in."""
    if customer.id is None:
        return
    rng = Random(customer.id)
    crm.add_record(
        "companies",
        clock.entered(customer.born),
        id=customer.id,
        name=customer.name,
        domain=customer.domain,
        industry=rng.choice(names.INDUSTRIES) if rng.random() < 0.9 else None,
        country=names.country(rng, customer.region),
        hubspot_owner_id=customer.rep.owner_id if rng.random() < 0.95 else None,
        createdate=customer.born,
    )
