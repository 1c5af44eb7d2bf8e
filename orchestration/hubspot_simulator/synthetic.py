"""Many deals, cheaply: an account to measure a loader against.

Belongs here: deals that look right from a distance, about ten versions each, as a pure function of
their number. What happens in them makes no sense; the demo company's CRM (`orchestration/ingest/demo`)
is the one to look at.
"""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random

from .clock import Clock, iso, to_ms
from .crm import Crm, Record, Version

_FIRST_ID = 30_000_000_000
_START = to_ms(datetime(2024, 1, 1, tzinfo=UTC))
_SPAN_MS = 900 * 86_400_000
_STAGES = ("appointmentscheduled", "qualifiedtobuy", "presentationscheduled", "contractsent", "closedwon")
_OWNERS = tuple(str(70_001_000 + number) for number in range(40))


def synthetic_crm(deals: int, clock: Clock | None = None, *, seed: int = 0) -> Crm:
    """An account with this many deals, one pipeline, and 40 owners; a microsecond's work per version."""
    crm = Crm(clock)
    now = crm.clock.now_text()
    crm.account = {"portalId": 1, "timeZone": "UTC", "companyCurrency": "USD"}
    crm.owners = [
        {"id": owner, "type": "PERSON", "createdAt": now, "updatedAt": now, "archived": False}
        for owner in _OWNERS
    ]
    dates = {"createdAt": now, "updatedAt": now, "archived": False}
    stages = [
        {"id": stage, "label": stage, "displayOrder": number, "metadata": {"probability": str(number / 4)}}
        | dates
        for number, stage in enumerate(_STAGES)
    ]
    crm.pipelines["deals"] = [
        {"id": "default", "label": "Sales", "displayOrder": 0, "stages": stages} | dates
    ]
    objects, random = crm.of("deals"), Random(seed)
    for number in range(deals):
        record = _deal(random, number)
        objects.add(record)
        objects.index[record.id] = record.properties
    if deals:
        objects.property_names.update(record.properties)
    return crm


def _deal(random: Random, number: int) -> Record:
    """A deal that goes through some stages, and has its amount and close date changed on the way."""
    created = _START + int(random.random() * _SPAN_MS)
    steps = random.randrange(1, len(_STAGES) + 1)
    owner = random.choice(_OWNERS)
    amount, instant = str(random.randrange(100, 100_000)), created
    stages, amounts, dates = [], [], []
    for stage in _STAGES[:steps]:
        text = iso(instant)
        stages.append(Version(stage, text, "CRM_UI", "userId:1", "1"))
        dates.append(Version(iso(instant + 2_592_000_000), text, "CRM_UI", "userId:1", "1"))
        if random.random() < 0.5 or not amounts:
            amounts.append(Version(amount, text, "CRM_UI", "userId:1", "1"))
            amount = str(int(amount) + 100)
        instant += random.randrange(3_600_000, 864_000_000)
    first = dates[0].timestamp
    once = {"pipeline": "default", "hubspot_owner_id": owner, "deal_currency_code": "USD"}
    record_id = str(_FIRST_ID + number)
    properties = {
        "hs_object_id": record_id,
        "dealname": f"Deal {number}",
        "dealstage": stages[-1].value,
        "amount": amounts[-1].value,
        "amount_in_home_currency": amounts[-1].value,
        "closedate": dates[-1].value,
        "createdate": first,
        "hs_createdate": first,
        "hs_lastmodifieddate": dates[-1].timestamp,
        "dealtype": "newbusiness",
        "hs_is_closed_won": "true" if steps == len(_STAGES) else "false",
        **once,
    }
    history = {name: [Version(value, first, "CRM_UI", "userId:1", "1")] for name, value in once.items()}
    history |= {"dealstage": stages, "amount": amounts, "closedate": dates}
    return Record(record_id, first, dates[-1].timestamp, properties, history)
