"""What reps do with a contact before there is a deal: first engagement, follow-ups, sequences, leads.

Belongs here: how fast and by which means an owner turns to a contact (report 6), enrolments in
sequences with their e-mails (report 8a), and the tables leads and lead_property_history. How a
single activity goes is `activities`' business.
"""

from __future__ import annotations

from random import Random

from . import chats, clock, company
from .activities import About, Log, connect_rate
from .company import Rep
from .contacts import Engagement, Life
from .crm import Crm, Timeline

_COLD_CONNECT = 0.62
"""How often a stranger answers, relative to somebody with a deal."""
_ENGAGED_SHARE, _ENGAGED_AGAIN_SHARE = 0.87, 0.65
_ENROLLED_SHARE, _LEAD_SHARE = 0.16, 0.35
_LEAD_TO_CONTACT = 578


def work(crm: Crm, life: Life) -> None:
    """Everything that the owners of a contact do with it, and what HubSpot notes of it."""
    contact, customer = life.contact, life.customer
    if clock.entered(contact.born) >= crm.end:
        return
    rng = life.rng
    about = About(
        contact.first,
        [contact],
        company_id=customer.id,
        company_born=clock.entered(customer.born),
    )
    log = Log(crm, rng, about, contact.id)
    if not life.is_imported:
        for turn, (assigned, rep) in enumerate(life.assignments):
            later = life.assignments[turn + 1 :]
            _engage(crm, log, life, assigned, rep, later[0][0] if later else None)
        if life.engagements and rng.random() < _ENROLLED_SHARE:
            _enroll(log, life)
        if life.assignments and rng.random() < _LEAD_SHARE:
            _write_lead(crm, life)


# --- first engagement ---


def _engage(crm: Crm, log: Log, life: Life, assigned: int, rep: Rep, until: int | None) -> None:
    """One owner's time with a contact: the first engagement and some attempts after it."""
    rng = life.rng
    share = _ENGAGED_AGAIN_SHARE if life.engagements else _ENGAGED_SHARE
    if rng.random() >= share:
        return
    hours = rng.lognormvariate(0, 1.0) * rep.response
    at = clock.working(rng, assigned + int(hours * clock.HOUR) + clock.MINUTE)
    kind = rng.choices(("EMAIL", "CALL", "CHAT", "TASK", "MEETING_EVENT"), (42, 42, 7, 5, 4))[0]
    if kind == "CHAT":
        # Somebody is on the website right now.
        at = assigned + int(rng.uniform(0.5, 12) * clock.MINUTE)
    if until is not None and at >= until:
        return
    engagement_id, kind, description, at = _first_activity(crm, log, life, kind, assigned, at, rep)
    if until is None or at < until:
        life.engagements.append(Engagement(assigned, at, kind, engagement_id, description))
        life.timeline.put("hs_lead_status", at, "ATTEMPTED_TO_CONTACT", "AUTOMATION_PLATFORM")
    _follow_up(log, life, at, rep, until)


def _first_activity(
    crm: Crm, log: Log, life: Life, kind: str, assigned: int, at: int, rep: Rep
) -> tuple[str, str, str, int]:
    """Id, type, description and instant of the activity that counts as first engagement."""
    rng = life.rng
    if kind == "EMAIL":
        return log.email(at, rep, reply=0.2), kind, "SENT", at
    if kind == "CALL":
        return log.call(at, rep, connect_rate(rep) * _COLD_CONNECT), kind, "LOGGED_CALL", at
    if kind == "TASK":
        done = at + int(rng.uniform(0.1, 1.5) * clock.HOUR)
        return log.task(at, rep, done=done), kind, "COMPLETED", done
    if kind == "CHAT" and not life.engagements:
        start = assigned - int(rng.uniform(0.2, 2) * clock.MINUTE)
        thread_id, where = chats.write_with_contact(
            crm, rng, life.contact.id, max(start, life.contact.born), at, rep
        )
        return thread_id, "CONVERSATION_SESSION", where, at
    start = clock.later(rng, at, rng.uniform(0.5, 6))
    return log.meeting(at, start, rep, "Discovery"), "MEETING_EVENT", "SCHEDULED", start


def _follow_up(log: Log, life: Life, first: int, rep: Rep, until: int | None) -> None:
    rng = life.rng
    last = min(first + 25 * clock.DAY, until or first + 25 * clock.DAY)
    if life.first_deal is not None:
        last = min(last, life.first_deal)
    at = first
    for _ in range(int(rng.random() * 1.15 * rep.activity + 0.2)):
        at = clock.later(rng, at, 0.5 + rng.expovariate(1 / 4))
        if at >= last:
            return
        if rng.random() < 0.65:
            log.call(at, rep, connect_rate(rep) * _COLD_CONNECT)
        else:
            log.email(at, rep, reply=0.12)
        if rng.random() < 0.15:
            life.timeline.put("hs_lead_status", at, "CONNECTED", "CRM_UI")


# --- sequences ---


def _enroll(log: Log, life: Life) -> None:
    """A series of e-mails in the rep's name, until it ends or somebody answers."""
    rng = life.rng
    at, rep = life.engagements[-1].at, life.assignments[-1][1]
    for _ in range(1 if rng.random() < 0.9 else 2):
        at = clock.later(rng, at, rng.uniform(0, 3))
        if not rep.works_on(clock.day_of(at)):
            return
        at = _run_sequence(log, life, at, rep) + int(rng.uniform(30, 90) * clock.DAY)


def _run_sequence(log: Log, life: Life, start: int, rep: Rep) -> int:
    """One enrolment; returns when it was over."""
    rng, timeline = life.rng, life.timeline

    def put(name: str, when: int, value: object) -> None:
        timeline.put(f"hs_latest_sequence_{name}", when, value, "SEQUENCES", rep.user_id)

    weights = (5, 3, 1, 1) if life.contact.source != "OFFLINE" else (1, 5, 3, 1)
    sequence_id = rng.choices([sequence for sequence, _ in company.SEQUENCES], weights)[0]
    put("enrolled", start, sequence_id)
    put("enrolled_date", start, start)
    at = start
    steps = rng.randint(2, 4)
    for step in range(steps):
        if step:
            at = clock.later(rng, at, rng.uniform(2, 4))
        answers = rng.random() < 0.07 * rep.skill**0.5
        log.email(at, rep, via="SEQUENCES", reply=1.0 if answers else 0.0)
        if answers:
            at = clock.later(rng, at, rng.uniform(0.1, 2))
            put("unenrolled_date", at, at)
            if rng.random() < 0.55:
                log.meeting(at, clock.later(rng, at, rng.uniform(2, 9)), rep, "Discovery")
            return at
        if rng.random() < 0.035:
            at += int(rng.uniform(0.2, 2) * clock.DAY)
            put("unenrolled_date", at, at)
            return at
    at += 2 * clock.DAY
    put("finished_date", at, at)
    return at


# --- leads ---


def _write_lead(crm: Crm, life: Life) -> None:
    """The lead record that sales works on, in the lead pipeline."""
    rng = Random(f"lead:{life.contact.id}")
    born, rep = life.assignments[0]
    lead_id = f"4{life.contact.id}"
    timeline = Timeline()
    new, attempting, connected, qualified, unqualified = (stage for stage, _, _ in company.LEAD_STAGES)
    timeline.put("hs_pipeline_stage", born, new, "AUTOMATION_PLATFORM")
    timeline.put("hubspot_owner_id", born, rep.owner_id, "AUTOMATION_PLATFORM")
    first = life.engagements[0].at if life.engagements else None
    if first is not None:
        timeline.put("hs_pipeline_stage", first, attempting, "AUTOMATION_PLATFORM")
        if life.first_deal is not None and life.first_deal > first:
            between = first + int((life.first_deal - first) * rng.uniform(0.2, 0.9))
            timeline.put("hs_pipeline_stage", between, connected, "CRM_UI")
            timeline.put("hs_pipeline_stage", life.first_deal, qualified, "CRM_UI")
        elif rng.random() < 0.75:
            ended = clock.later(rng, first, rng.uniform(4, 45))
            timeline.put("hs_pipeline_stage", ended, unqualified, "CRM_UI")
    for at, successor in life.assignments[1:]:
        timeline.put("hubspot_owner_id", at, successor.owner_id)
    timeline.settle()
    is_reached = first is not None and first < crm.end
    if crm.add_record(
        "leads",
        born,
        id=lead_id,
        updated_at=timeline.last_change(crm.end),
        hs_lead_name=f"{life.contact.first} {life.contact.last}",
        hs_pipeline=company.LEAD_PIPELINE,
        hs_pipeline_stage=timeline.at("hs_pipeline_stage", crm.end),
        hubspot_owner_id=timeline.at("hubspot_owner_id", crm.end),
        hs_createdate=born,
        hs_lead_first_outreach_date=first if is_reached else None,
        hs_lead_time_to_first_outreach=first - born if is_reached else None,
    ):
        crm.keep_history("lead_property_history", lead_id, timeline)
        crm.associate(
            max(born, clock.entered(life.contact.born)),
            ("lead", lead_id),
            ("contact", life.contact.id),
            _LEAD_TO_CONTACT,
        )
