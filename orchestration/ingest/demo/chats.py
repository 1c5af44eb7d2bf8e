"""Conversations: the chats of people who become contacts, and those of everybody else.

Belongs here: the tables conversation_threads and conversation_messages. Whether a contact comes by
chat is `outreach`'s decision.
"""

from __future__ import annotations

from random import Random

from . import clock, company
from .company import Rep
from .crm import Crm, record_id

_BOT = "B-31415"
_ANONYMOUS_SHARE = 0.22
"""Conversations with strangers, per deal of the demo's size."""


def write_anonymous(crm: Crm, seed: int, size: int) -> None:
    """Conversations that no contact is known of: visitors, spam, other channels."""
    last_day = clock.day_of(crm.end)
    for number, day in clock.arrivals(f"{seed}:chat", size * _ANONYMOUS_SHARE, last_day):
        rng = Random(f"{seed}:chat:{number}")
        start = clock.at(day, rng.triangular(6, 23.8, 13))
        if start < clock.IMPORTED:
            continue
        channel = rng.choices(
            (company.LIVE_CHAT, company.MESSENGER, company.TEAM_EMAIL, company.WHATSAPP),
            (58, 22, 14, 6),
        )[0]
        segment = rng.choices(("commercial", "emea", "enterprise"), (60, 30, 10))[0]
        rep = company.pick_rep(rng, segment, day)
        agent = f"A-{rep.user_id}"
        by = rng.random()
        if by < 0.1:
            agent = _BOT
        elif by < 0.18:
            agent = f"A-{company.TRAINEE_USER}"
        elif by < 0.24:
            agent = None
        answered = start + int(rng.lognormvariate(0.6, 0.9) * clock.MINUTE)
        thread_id = record_id("anonymous thread", number)
        _write(crm, rng, thread_id, start, answered, channel, agent)


def write_with_contact(
    crm: Crm, rng: Random, contact_id: str, start: int, answered: int, rep: Rep
) -> tuple[str, str]:
    """A chat with a contact that a rep answers. Returns the thread's id and the kind of chat."""
    channel, kind = rng.choices(
        ((company.LIVE_CHAT, "LIVE_CHAT"), (company.MESSENGER, "FB_MESSENGER")), (75, 25)
    )[0]
    thread_id = f"7{contact_id}"
    _write(crm, rng, thread_id, start, answered, channel, f"A-{rep.user_id}", contact_id)
    return thread_id, kind


def _write(
    crm: Crm,
    rng: Random,
    thread_id: str,
    start: int,
    answered: int,
    channel: str,
    agent: str | None,
    contact_id: str | None = None,
) -> None:
    """One thread with its messages, as far as the end lets see."""
    visitor = f"V-{contact_id or thread_id}"
    end = crm.end
    messages = [(start, "INCOMING", visitor)]
    if contact_id is None and rng.random() < 0.3:
        messages.append((start + 2 * clock.SECOND, "OUTGOING", _BOT))
    when = start
    if agent is not None:
        when = max(answered, start + 3 * clock.SECOND)
        messages.append((when, "OUTGOING", agent))
        for turn in range(rng.randint(0, 5)):
            when += int(rng.expovariate(1 / 3) * clock.MINUTE) + clock.SECOND
            messages.append((when, "INCOMING", visitor) if turn % 2 == 0 else (when, "OUTGOING", agent))
    closed = when + int(rng.expovariate(1 / 9) * clock.HOUR) if rng.random() < 0.93 else None
    is_closed = closed is not None and closed < end
    is_assigned = agent is not None and messages[-1][0] > start and answered < end
    spam = contact_id is None and rng.random() < 0.05
    archived_at = start + 2 * clock.DAY if contact_id is None and rng.random() < 0.03 else None
    is_there = crm.add_record(
        "conversation_threads",
        start,
        archived_at,
        id=thread_id,
        closed_at=closed if is_closed else None,
        updated_at=closed if is_closed else max(at for at, _, _ in messages if at < end or at == start),
        status="CLOSED" if is_closed else "OPEN",
        original_channel_id=channel,
        assigned_to=agent if is_assigned else None,
        associated_contact_id=contact_id,
        spam=spam,
    )
    if not is_there:
        return
    for number, (at, direction, sender) in enumerate(messages):
        if at < end:
            crm.add(
                "conversation_messages",
                thread_id=thread_id,
                id=f"{thread_id}-{number}",
                created_at=at,
                direction=direction,
                sender=sender,
            )
