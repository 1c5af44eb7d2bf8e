"""Calls, meetings, tasks, e-mails, notes and messages: how one of them goes, and those around deals.

Belongs here: the tables calls, meetings, tasks, emails, notes, communications, the histories of
meetings and tasks, and their associations; what a rep does while a deal is in a stage. What is done
before there is a deal is `outreach`'s business.

An activity's later fate (outcome, completion) is decided when it is created, and written as far as
the end of the CRM lets see.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from . import clock, company, names
from .company import OUTCOMES, Rep
from .crm import Crm, Timeline
from .customers import Contact
from .deals import Deal, Stay

# Association types of HubSpot: to contact, deal and company.
_TYPES = {
    "call": (194, 206, 182),
    "meeting": (200, 212, 188),
    "task": (204, 216, 192),
    "email": (198, 210, 186),
    "note": (202, 214, 190),
}
_MOST_ACTIVITIES = 100
"""Of one record: ids have two digits for them."""

_NOT_CONNECTED = (
    (OUTCOMES["No answer"], 44),
    (OUTCOMES["Left voicemail"], 30),
    (OUTCOMES["Left live message"], 9),
    (OUTCOMES["Busy"], 8),
    (OUTCOMES["Wrong number"], 3),
    (None, 6),
)
_CALL_TYPES = ("Intro call", "Follow-up", "Follow-up", "Closing call", None)
_ARCHIVED_SHARE = 0.008


@dataclass(slots=True)
class About:
    """The records that activities are associated with."""

    name: str
    contacts: list[Contact]
    deal: Deal | None = None
    company_id: str | None = None
    company_born: int = 0


class Log:
    """Writes activities about the same records, one after the other.

    Nothing here may draw a random number only if something lies before the end: all later draws
    would differ, and with them the past.
    """

    def __init__(self, crm: Crm, rng: Random, about: About, prefix: str) -> None:
        self._crm, self._rng, self._about = crm, rng, about
        self._prefix = prefix
        self._count = 0

    @property
    def is_full(self) -> bool:
        return self._count >= _MOST_ACTIVITIES - 4

    def call(self, at: int, rep: Rep, connect: float) -> str:
        """A call; `connect` is the chance that somebody answers."""
        rng = self._rng
        outcome, duration = _call_outcome(rng, at, connect)
        return self._write(
            "call",
            at,
            rep,
            hs_timestamp=at,
            hs_createdate=at,
            hs_call_title=self._title(names.CALL_TITLES),
            hs_call_direction=rng.choices(("OUTBOUND", "INBOUND", None), (88, 11, 1))[0],
            hs_call_disposition=outcome,
            hs_call_status=rng.choices(("COMPLETED", "NO_ANSWER", "CANCELED"), (96, 3, 1))[0],
            hs_call_duration=duration,
            hs_activity_type=rng.choice(_CALL_TYPES),
            hs_call_source=rng.choice(("INTEGRATIONS_PLATFORM", "CRM_UI", None)),
        )

    def email(self, at: int, rep: Rep, *, via: str = "CRM_UI", reply: float = 0.22) -> str:
        """An outgoing e-mail, and the answer to it, if there is one."""
        rng = self._rng
        status = rng.choices(("SENT", "BOUNCED", "FAILED", None), (955, 25, 8, 12))[0]
        sent = at
        if via == "CRM_UI" and rng.random() < 0.09:
            sent, status = clock.later(rng, at, rng.uniform(0.6, 3)), "SENT"
        answered = clock.later(rng, sent, rng.expovariate(1 / 1.5))
        is_answered = status == "SENT" and rng.random() < reply
        opens = rng.choice((0, 1, 1, 2, 3, 5)) if status == "SENT" else 0
        is_sent = sent < self._crm.end
        subject = rng.choice(names.EMAIL_SUBJECTS).format(self._about.name)
        email_id = self._write(
            "email",
            at,
            rep,
            updated_at=sent if is_sent else at,
            hs_timestamp=sent,
            hs_createdate=at,
            hs_email_direction="EMAIL" if rng.random() < 0.985 else "FORWARDED_EMAIL",
            hs_email_status=status if is_sent else "SCHEDULED",
            hs_email_subject=subject,
            hs_email_open_count=opens if is_sent else 0,
            hs_email_click_count=int(opens > 2 and is_sent),
            hs_email_reply_count=int(is_answered and answered < self._crm.end),
            hs_email_sent_via=via,
        )
        if is_answered:
            self._write(
                "email",
                answered,
                rep,
                hs_timestamp=answered,
                hs_createdate=answered,
                hs_email_direction="INCOMING_EMAIL",
                hs_email_status=None,
                hs_email_subject=f"Re: {subject}",
            )
        return email_id

    def meeting(self, booked: int, start: int, rep: Rep, kind: str) -> str:
        """A meeting and its outcome; where it is put off, the new one too (7, edge case)."""
        rng = self._rng
        end = start + rng.choice((30, 30, 45, 60, 90)) * clock.MINUTE
        meeting_id = self._next_id()
        outcomes = Timeline()
        if rng.random() < 0.9:
            outcomes.put("hs_meeting_outcome", booked, "SCHEDULED", user=rep.user_id)
        fate = rng.choices(
            ("COMPLETED", "COMPLETED - PROGRESSED", "NO_SHOW", "CANCELED", "RESCHEDULED", ""),
            (60, 8, 8, 8, 7, 9),
        )[0]
        if fate in ("CANCELED", "RESCHEDULED"):
            known = booked + int((start - booked) * rng.uniform(0.2, 0.95))
        else:
            known = end + int(rng.expovariate(1 / 6) * clock.HOUR)
        if fate:
            outcomes.put("hs_meeting_outcome", known, fate, user=rep.user_id)
        self._crm.keep_history("meeting_property_history", meeting_id, outcomes)
        self._write(
            "meeting",
            booked,
            rep,
            id=meeting_id,
            updated_at=outcomes.last_change(self._crm.end) or booked,
            hs_timestamp=start,
            hs_createdate=booked,
            hs_meeting_start_time=start if rng.random() < 0.99 else None,
            hs_meeting_end_time=end,
            hs_meeting_outcome=outcomes.at("hs_meeting_outcome", self._crm.end),
            hs_meeting_title=names.MEETING_TITLES[kind].format(self._about.name),
            hs_activity_type=kind if rng.random() < 0.9 else None,
            hs_meeting_source=rng.choice(("CRM_UI", "MEETINGS_PUBLIC", "INTEGRATION")),
        )
        if fate == "RESCHEDULED" and not self.is_full:
            self.meeting(known, clock.later(rng, start, rng.uniform(1, 9)), rep, kind)
        return meeting_id

    def task(self, created: int, rep: Rep, days: float | None = None, done: int | None = None) -> str:
        """A task that is due in so many days; `done`: completed exactly then."""
        rng = self._rng
        day = clock.day_of(created + int((rng.uniform(0.5, 8) if days is None else days) * clock.DAY))
        while not clock.is_workday(day):
            day += 1
        due = max(clock.at(day, rng.choice((8, 9, 12, 17))), created + clock.HOUR)
        task_id = self._next_id()
        statuses = _task_statuses(rng, created, due, rep, done)
        end = self._crm.end
        status = statuses.at("hs_task_status", end)
        odd = rng.random()
        if status == "COMPLETED":
            # In a few it is lost: only history knows (3a).
            completed = statuses.since("hs_task_status", end) if odd > 0.02 else None
        else:
            # While a task is open this may hold its due date (trap of report 3).
            completed = due if odd < 0.5 else None
        self._crm.keep_history("task_property_history", task_id, statuses)
        return self._write(
            "task",
            created,
            rep,
            id=task_id,
            updated_at=statuses.last_change(end) or created,
            hs_timestamp=due,
            hs_createdate=created,
            hs_task_subject=self._title(names.TASK_SUBJECTS),
            hs_task_status=status if rng.random() < 0.995 else None,
            hs_task_type=rng.choices(("TODO", "CALL", "EMAIL"), (5, 3, 2))[0],
            hs_task_priority=rng.choices(("NONE", "LOW", "MEDIUM", "HIGH"), (6, 1, 2, 1))[0],
            hs_task_completion_date=completed,
        )

    def note(self, at: int, rep: Rep) -> str:
        return self._write("note", at, rep, hs_timestamp=at)

    def message(self, at: int, rep: Rep) -> None:
        """A message over a channel that is not e-mail."""
        channel = self._rng.choices(("WHATS_APP", "LINKEDIN_MESSAGE", "SMS"), (5, 3, 2))[0]
        self._crm.add_record(
            "communications",
            at,
            id=self._next_id(),
            hs_timestamp=at,
            hubspot_owner_id=rep.owner_id,
            hs_communication_channel_type=channel,
        )

    def _next_id(self) -> str:
        self._count += 1
        return f"{self._prefix}{self._count - 1:02d}"

    def _title(self, patterns: tuple[str, ...]) -> str:
        return self._rng.choice(patterns).format(self._about.name)

    def _write(self, kind: str, at: int, rep: Rep, id: str | None = None, **row: object) -> str:
        """One row with its associations. A few have no owner, or one that is gone for good."""
        rng, about, crm = self._rng, self._about, self._crm
        activity_id = id or self._next_id()
        odd = rng.random()
        owner = rep.owner_id
        if odd < 0.008:
            owner = None
        elif odd < 0.012:
            owner = company.UNKNOWN_OWNER
        archived_at = at + 3 * clock.DAY if odd > 1 - _ARCHIVED_SHARE else None
        contacts = about.contacts
        if len(contacts) > 1 and kind != "meeting":
            contacts = [rng.choice(contacts)]
        if at < clock.IMPORTED or not crm.add_record(
            f"{kind}s", at, archived_at, id=activity_id, hubspot_owner_id=owner, **row
        ):
            return activity_id
        to_contact, to_deal, to_company = _TYPES[kind]
        this = (kind, activity_id)
        for contact in contacts:
            born = max(at, clock.entered(contact.born))
            crm.associate(born, this, ("contact", contact.id), to_contact)
        if about.deal is not None:
            born = max(at, about.deal.entered)
            crm.associate(born, this, ("deal", about.deal.id), to_deal)
        if about.company_id is not None and kind in ("meeting", "note"):
            born = max(at, about.company_born)
            crm.associate(born, this, ("company", about.company_id), to_company)
        return activity_id


def _call_outcome(rng: Random, at: int, connect: float) -> tuple[str | None, int | None]:
    """Disposition and duration in milliseconds."""
    if rng.random() >= connect:
        outcomes, weights = zip(*_NOT_CONNECTED, strict=True)
        outcome = rng.choices(outcomes, weights)[0]
        duration = rng.randrange(4_000, 55_000)
    else:
        outcome = OUTCOMES["Connected"]
        if rng.random() < 0.07:
            outcome = company.INTERESTED_OUTCOME
        elif clock.day_of(at) < company.OUTCOMES_CLEANED_ON and rng.random() < 0.08:
            outcome = rng.choice((company.CALLBACK_OUTCOME, company.FORGOTTEN_OUTCOME))
        duration = int(rng.lognormvariate(5.3, 0.8) * 1000)
    odd = rng.random()
    if odd < 0.06:
        return outcome, None
    return outcome, 0 if odd < 0.08 else duration


def _task_statuses(rng: Random, created: int, due: int, rep: Rep, done: int | None) -> Timeline:
    """Done in time, late, or never; started, put off or taken up again on the way."""
    statuses = Timeline()

    def put(at: int, status: str) -> None:
        statuses.put("hs_task_status", at, status, user=rep.user_id)

    put(created, "NOT_STARTED")
    if done is not None:
        put(done, "COMPLETED")
        return statuses
    fate = rng.choices(("in time", "late", "never"), (66, 22, 12))[0]
    if fate == "never":
        if rng.random() < 0.4:
            status = rng.choice(("WAITING", "DEFERRED", "IN_PROGRESS"))
            put(created + int((due - created) * rng.random()), status)
        return statuses
    if fate == "in time":
        done = created + int((due - created) * rng.uniform(0.15, 1))
    else:
        done = clock.working(rng, due + int((0.3 + rng.expovariate(1 / 3)) * clock.DAY))
    if rng.random() < 0.2:
        put(created + int((done - created) * rng.uniform(0.2, 0.9)), "IN_PROGRESS")
    put(done, "COMPLETED")
    if rng.random() < 0.03:
        put(clock.later(rng, done, rng.uniform(0.1, 4)), "NOT_STARTED")
        if rng.random() < 0.6:
            put(clock.later(rng, done, rng.uniform(5, 12)), "COMPLETED")
    return statuses


# --- around deals ---


def connect_rate(rep: Rep) -> float:
    """How often somebody answers a rep who calls about a deal."""
    return 0.2 + 0.09 * rep.skill


def write_for_deal(crm: Crm, seed: int, deal: Deal) -> None:
    """What people do about a deal, stage by stage."""
    if deal.born >= crm.end:
        return
    rng = Random(f"{seed}:deal activities:{deal.number}")
    customer = deal.customer
    about = About(
        customer.name.split("\n")[0],
        deal.contacts,
        deal,
        customer.id,
        clock.entered(customer.born),
    )
    log = Log(crm, rng, about, deal.id)
    for stay in deal.stays:
        if stay.start >= crm.end:
            break
        _work_in_stage(log, rng, deal, stay)


def _work_in_stage(log: Log, rng: Random, deal: Deal, stay: Stay) -> None:
    start = max(stay.start, clock.IMPORTED)
    end = stay.end if deal.archived_at is None else min(stay.end, deal.archived_at)
    if start >= end:
        return
    days = (end - start) / clock.DAY
    kind, share = _MEETINGS.get(stay.stage.label, ("", 0))
    if rng.random() < share * min(1.4, 0.55 + 0.4 * deal.rep_at(start).activity):
        when = clock.working(rng, start + int(min(days, 14) * rng.uniform(0.25, 0.85) * clock.DAY))
        booked = start + int((when - start) * rng.uniform(0, 0.4))
        log.meeting(booked, when, deal.rep_at(booked), kind)
    busy = 0.26 * deal.rep_at(start).activity * min(days, 45) ** 0.6
    for _ in range(int(busy + rng.random())):
        if log.is_full:
            break
        at = clock.working(rng, start + int((end - start) * rng.random()))
        rep = deal.rep_at(at)
        what = rng.random()
        if what < (0.36 if stay.step < 2 else 0.26):
            log.call(at, rep, connect_rate(rep))
        elif what < 0.53:
            log.email(at, rep)
        elif what < 0.78:
            log.task(at, rep)
        elif what < 0.95:
            log.note(at, rep)
        else:
            log.message(at, rep)


# The stages in which people meet: kind of meeting, and how often.
_MEETINGS = {
    "Discovery": ("Discovery", 0.35),
    "Registered": ("Discovery", 0.4),
    "Demo": ("Demo", 0.65),
    "Technical review": ("Demo", 0.4),
    "Negotiation": ("Negotiation", 0.5),
    "Usage review": ("Review", 0.7),
}
