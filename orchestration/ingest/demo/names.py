"""What people, companies and things are called, and what people write into free-text fields.

Belongs here: words, and the oddities of real text: emoji, quotes, line breaks, one loss reason in
many spellings. Everything is invented. When something happens is not this module's business.
"""

from __future__ import annotations

import re
import unicodedata
from random import Random

_FIRST = {
    "americas": (
        "Olivia Liam Emma Noah Ava James Sophia Lucas Mia Ethan Harper Mason Ella Logan Camila "
        "Daniel Layla Owen Zoe Caleb Nora Isaac Hazel Julian Ruth Victor Teresa Hector Denise Earl"
    ).split(),
    "emea": (
        "Anna Lukas Sofie Jan Clara Matthias Ingrid Pieter Elif Søren Chloé Hugo Saoirse Oscar "
        "Freya Björn Lotte Andrzej Marta Giulia Paulo Inês Kerstin Tobias Eilidh Rhys Maud Emre"
    ).split(),
}
_LAST = {
    "americas": (
        "Carter Nguyen Brooks Delgado Freeman Hughes Kowalski Lopez Mitchell Osborne Patel Quinn "
        "Ramirez Sullivan Turner Underwood Vargas Walsh Young Zimmerman O'Neil Abbott Crane Dixon"
    ).split(),
    "emea": (
        "Schneider Jansen Andersen Moreau Keller Lindqvist Novak Rossi Müller Byrne Haugen Çelik "
        "Wójcik Visser Marchetti Hansen Becker Dubois MacLeod Evans Virtanen Costa Peeters Wagner"
    ).split(),
}
_STEMS = (
    "Alder Apex Beacon Birch Blue Bright Cedar Clear Cobalt Copper Crest Delta Eagle Ember Falcon "
    "Fern Forge Granite Harbor Hawk Iron Juniper Keystone Lake Maple Meridian Mill North Oak Onyx "
    "Orchard Pine Quarry Ridge River Rock Sable Silver Slate Spring Steel Stone Summit Terra "
    "Timber Valley Vista West Willow Wolf"
).split()
_TAILS = ("field works brook line gate bridge point water tech metal grove crest land port chem dale").split()
_SUFFIXES = {
    "americas": ("Inc.", "Manufacturing", "Industries", "LLC", "Foods", "Water", "Energy", "Labs"),
    "emea": ("GmbH", "AG", "B.V.", "Ltd", "Oy", "S.A.", "& Söhne KG", "A/S"),
}
_ODD_COMPANIES = (
    'The "Good" Water Co.',
    "O'Hara & Sons",
    "🚀 Launchpad Brewing",
    "Größe & Maß Prüftechnik",
    "Line One\nLine Two Logistics",
    "Comma, Semicolon; & Co",
    "東京計測 (Tokyo Keisoku)",
    "Café “L’Écluse” 💧",
)
INDUSTRIES = (
    "MACHINERY",
    "FOOD_PRODUCTION",
    "CHEMICALS",
    "UTILITIES",
    "PHARMACEUTICALS",
    "OIL_ENERGY",
    "AUTOMOTIVE",
    "BUILDING_MATERIALS",
)
_COUNTRIES = {
    "americas": ("United States", "United States", "United States", "Canada", "Mexico"),
    "emea": ("Germany", "Germany", "Netherlands", "United Kingdom", "Ireland", "Sweden", "France"),
}
_PRODUCTS = (
    "flow sensors",
    "pressure gauges",
    "calibration bench",
    "level monitoring",
    "gas analysers",
    "site licence",
    "retrofit kit",
    "data loggers",
)

# Loss reasons by how often they are the true one; each is written as people write: many spellings.
_LOSS_REASONS = (
    (0.27, ("Price", "price", "Price ", "PRICE", "Too expensive", "Price")),
    (0.22, ("No budget", "no budget", "No  budget", "No Budget")),
    (0.19, ("Competitor", "competitor", "Lost to competitor", "Competitor")),
    (0.16, ("Timing", "timing", "Timing", "Bad timing")),
    (0.10, ("No decision", "no decision", "No decision")),
    (0.06, ("Missing feature", "missing feature", "Missing Feature")),
)
CALL_TITLES = ("Call with {}", "Follow-up call: {}", "Intro call {}", "Check-in with {}")
MEETING_TITLES = {
    "Discovery": "Discovery: {}",
    "Demo": "Demo for {}",
    "Negotiation": "Terms with {}",
    "Review": "Usage review {}",
}
TASK_SUBJECTS = (
    "Send quote to {}",
    "Call back {}",
    "Prepare demo for {}",
    "Check references for {}",
    "Follow up with {} 📞",
    'Ask {} for the "final" spec',
)
EMAIL_SUBJECTS = (
    "Our call today, {}",
    "Quote for {}",
    "Re: your question",
    "Data sheets for {}",
    "Next steps",
    "Quick question, {}",
)


def person(rng: Random, region: str) -> tuple[str, str]:
    """First and last name."""
    first, last = rng.choice(_FIRST[region]), rng.choice(_LAST[region])
    odd = rng.random()
    if odd < 0.006:
        first = f'{first} "{first[:3]}"'
    elif odd < 0.012:
        last = f"{last} 🌟"
    return first, last


def company(rng: Random, region: str) -> str:
    if rng.random() < 0.015:
        return rng.choice(_ODD_COMPANIES)
    name = rng.choice(_STEMS) + rng.choice(_TAILS)
    return f"{name} {rng.choice(_SUFFIXES[region])}"


def country(rng: Random, region: str) -> str:
    return rng.choice(_COUNTRIES[region])


def deal(rng: Random, company_name: str) -> str:
    odd = rng.random()
    if odd < 0.004:
        return f"🔥 {company_name} – MUST WIN"
    if odd < 0.007:
        return f"{company_name}\n(second attempt)"
    if odd < 0.009:
        return f'"{company_name}" trial; see note, please'
    return f"{company_name} – {rng.choice(_PRODUCTS)}"


def slug(text: str) -> str:
    """Lower-case letters and digits only, for domains and addresses."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "", plain.lower()) or "company"


def loss_reason(rng: Random) -> str | None:
    """What stands in "closed lost reason": mostly one reason, sometimes two, sometimes nothing."""
    if rng.random() < 0.12:
        return rng.choice((None, None, ""))
    reason = _one_reason(rng)
    if rng.random() < 0.04:
        return f"{reason};{_one_reason(rng)}"
    return reason


def _one_reason(rng: Random) -> str:
    (spellings,) = rng.choices(
        [spellings for _, spellings in _LOSS_REASONS], [share for share, _ in _LOSS_REASONS]
    )
    # The first spelling is the usual one.
    return spellings[0] if rng.random() < 0.7 else rng.choice(spellings)


def won_reason(rng: Random) -> str | None:
    return rng.choice((None, None, "Accuracy", "Service", "Price", "Reference customer"))
