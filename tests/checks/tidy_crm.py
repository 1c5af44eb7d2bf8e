"""A small company whose CRM is in order: everything that two places say agrees.

Belongs here: rows on which every invariant holds, warnings too, and on which each has something to
lose when an error is planted. Traps do not belong here: they are `crm_generator`'s.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from orchestration.ingest.contract import DEFAULT_CALL_DISPOSITIONS

CONNECTED = next(guid for guid, label in DEFAULT_CALL_DISPOSITIONS.items() if label == "Connected")
SETTINGS = {
    "run_ts": datetime(2026, 7, 1, 10, tzinfo=UTC),
    "time_zone": "Europe/Berlin",
    "company_currency": "EUR",
}
PROBABILITY = {"new": "0.2", "talk": "0.5", "won": "1", "lost": "0", "start": "0.3", "won2": "1"}
PIPELINES = {"default": ("new", "talk", "won", "lost"), "second": ("start", "won2")}
TRACKED = (
    "pipeline",
    "dealstage",
    "amount",
    "closedate",
    "hubspot_owner_id",
    "hs_manual_forecast_category",
)


def tidy_crm() -> dict[str, list[dict]]:
    """The raw tables."""
    tables = _account() | _activities() | _contacts() | _chats() | _goals()
    tables |= {"deals": [], "deal_property_history": []}
    for deal, versions in _deals():
        tables["deals"].append(deal)
        tables["deal_property_history"] += versions
    return tables


def at(month: int, day: int, hour: int = 12) -> datetime:
    """An instant of 2026."""
    return datetime(2026, month, day, hour, tzinfo=UTC)


def _account() -> dict[str, list[dict]]:
    return {
        "account": [{"portal_id": "tidy", "time_zone": "Europe/Berlin", "company_currency": "EUR"}],
        "owners": [
            {"id": "1", "user_id": "11", "first_name": "Ann", "last_name": "Lee", "archived": False},
            {"id": "2", "user_id": "12", "first_name": "Bob", "last_name": "Ray", "archived": False},
            {"id": "3", "user_id": "13", "email": "cy@x.org", "archived": True},
        ],
        "teams": [
            {"id": "10", "name": "EMEA", "parent_team_id": None},
            {"id": "20", "name": "DACH", "parent_team_id": "10"},
        ],
        "owner_teams": [
            {"owner_id": "1", "team_id": "10", "is_primary": True},
            {"owner_id": "2", "team_id": "20", "is_primary": True},
        ],
        "pipelines": [
            {"object_type": "deal", "id": name, "label": name.title(), "archived": False}
            for name in PIPELINES
        ],
        "pipeline_stages": [
            {"object_type": "deal", "pipeline_id": pipeline, "id": stage, "label": stage.title()}
            | {"display_order": order, "probability": Decimal(PROBABILITY[stage]), "archived": False}
            for pipeline, stages in PIPELINES.items()
            for order, stage in enumerate(stages)
        ],
        "call_dispositions": [
            {"id": guid, "label": label, "deleted": False}
            for guid, label in DEFAULT_CALL_DISPOSITIONS.items()
        ],
    }


# --- deals ----------------------------------------------------------------------------------------


def _deals():
    first = {"pipeline": "default", "dealstage": "new", "hubspot_owner_id": "1"}
    second = first | {"pipeline": "second", "dealstage": "start", "hubspot_owner_id": "2"}
    yield _deal(
        "d1",
        (at(3, 2), first | {"amount": "100", "closedate": at(4, 30)}),
        (at(3, 10), {"dealstage": "talk", "hs_manual_forecast_category": "COMMIT"}),
        (at(4, 5), {"dealstage": "won", "closedate": at(4, 5), "hs_manual_forecast_category": "CLOSED"}),
        hs_analytics_source="OFFLINE",
    )
    yield _deal(
        "d2",
        (at(3, 3), first | {"amount": "50", "closedate": at(5, 15)}),
        (at(4, 6), {"dealstage": "lost", "closedate": at(4, 6)}),
        closed_lost_reason="Price",
    )
    yield _deal(  # to and fro, handed over, pushed twice and raised
        "d3",
        (at(4, 1), first | {"amount": "70", "closedate": at(5, 20)}),
        (at(4, 10), {"dealstage": "talk"}),
        (at(4, 20), {"dealstage": "new", "hubspot_owner_id": "2"}),
        (at(5, 1), {"dealstage": "talk", "closedate": at(6, 20), "amount": "90"}),
        (at(6, 1), {"closedate": at(7, 20)}),
    )
    yield _deal(
        "d4",
        (at(3, 20), second | {"closedate": at(4, 5)}),
        (at(4, 5), {"dealstage": "won2", "hs_manual_forecast_category": "CLOSED"}),
        hs_analytics_source="PAID_SOCIAL",
    )
    yield _deal(  # reopened and lost again
        "d5",
        (at(3, 21), second | {"pipeline": "default", "dealstage": "talk", "amount": "30"}),
        (at(4, 2), {"dealstage": "lost", "closedate": at(4, 2)}),
        (at(5, 2), {"dealstage": "talk"}),
        (at(6, 2), {"dealstage": "lost", "closedate": at(6, 2)}),
        closed_lost_reason="Price; Timing",
    )
    yield _deal("d6", (at(6, 5), first | {"hubspot_owner_id": None, "amount": "10"}))
    yield _deal(
        "d7",
        (at(5, 5), first | {"amount": "15", "closedate": at(9, 1)}),
        (at(5, 9), {"pipeline": "second", "dealstage": "start", "closedate": at(8, 1)}),
        (at(6, 9), {"amount": "12"}),
    )
    yield _deal(
        "d8",
        (at(2, 1), first | {"amount": "200", "closedate": at(6, 30)}),
        (at(6, 20), {"dealstage": "won", "closedate": at(6, 20), "hs_manual_forecast_category": "CLOSED"}),
        deal_currency_code="USD",
        hs_exchange_rate=Decimal("0.9"),
        hs_analytics_source="OFFLINE",
    )
    yield _deal(
        "d9",
        (at(4, 7), second | {"amount": "5", "pipeline": "default", "dealstage": "talk"}),
        (at(5, 7), {"dealstage": "lost", "closedate": at(5, 7)}),
    )


def _deal(id_: str, *steps: tuple[datetime, dict], **columns) -> tuple[dict, list[dict]]:
    """A deal row and its versions: each step sets properties at an instant."""
    now = dict.fromkeys(TRACKED)
    versions = []
    for moment, values in steps:
        now |= values
        versions += [
            {"object_id": id_, "name": name, "value": _text(value), "timestamp": moment}
            | {"source_type": "CRM_UI", "updated_by_user_id": "11"}
            for name, value in values.items()
        ]
    created = steps[0][0]
    row = now | {
        "id": id_,
        "dealname": f"Deal {id_}",
        "createdate": created,
        "created_at": created,
        "archived": False,
        "amount": Decimal(now["amount"]) if now["amount"] else None,
        "hs_is_closed_won": PROBABILITY[now["dealstage"]] == "1",
        "hs_is_closed": PROBABILITY[now["dealstage"]] in ("0", "1"),
        "hs_v2_date_entered_current_stage": max(when for when, values in steps if "dealstage" in values),
        "deal_currency_code": "EUR",
        "hs_exchange_rate": None,
        "hs_analytics_source": None,
        "closed_lost_reason": None,
    }
    return row | columns, versions


def _text(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value


# --- activities, contacts, chats, goals -----------------------------------------------------------


def _record(id_: str, created: datetime, **columns) -> dict:
    return {"id": id_, "created_at": created, "updated_at": created, "archived": False} | columns


def _activity(id_: str, when: datetime, owner: str, **columns) -> dict:
    return _record(id_, when, hs_createdate=when, hs_timestamp=when, hubspot_owner_id=owner, **columns)


def _activities() -> dict[str, list[dict]]:
    day = timedelta(days=1)
    meetings = [
        ("m1", at(4, 2), "1", "COMPLETED", "Demo"),
        ("m2", at(4, 3), "1", "NO_SHOW", "Intro"),
        ("m3", at(5, 4), "2", "CANCELED", "Demo"),
        ("m4", at(5, 6), "2", "COMPLETED", None),
    ]
    tasks = [
        ("t1", at(3, 5), "1", "COMPLETED", at(3, 4)),
        ("t2", at(3, 9), "2", "COMPLETED", at(3, 12)),
        ("t3", at(6, 9), "2", "NOT_STARTED", None),
        ("t4", at(7, 3), "1", "WAITING", None),
    ]
    return {
        "calls": [
            _activity("c1", at(3, 2), "1", hs_call_direction="OUTBOUND", hs_call_duration=60_000)
            | {"hs_call_disposition": CONNECTED, "hs_call_title": "First call"},
            _activity("c2", at(3, 2), "1", hs_call_direction="OUTBOUND", hs_call_duration=None),
            _activity("c3", at(3, 3), "2", hs_call_direction="INBOUND", hs_call_duration=30_000)
            | {"hs_call_disposition": CONNECTED},
            _activity("c4", at(5, 3), "2", hs_call_direction="OUTBOUND", hs_call_duration=0)
            | {"hs_call_disposition": "gone"},
        ],
        "meetings": [
            _activity(id_, start, owner, hs_meeting_start_time=start, hs_meeting_outcome=outcome)
            | {"hs_activity_type": kind, "hs_createdate": start - 2 * day, "hs_meeting_title": id_}
            for id_, start, owner, outcome, kind in meetings
        ],
        "tasks": [
            _activity(id_, due, owner, hs_task_status=status, hs_task_completion_date=completed)
            | {"hs_createdate": due - 3 * day, "hs_task_type": "TODO", "hs_task_subject": id_}
            for id_, due, owner, status, completed in tasks
        ],
        "emails": [
            _activity("e1", at(3, 4), "1", hs_email_direction="EMAIL", hs_email_status="SENT")
            | {"hs_email_reply_count": 1},
            _activity("e2", at(3, 6), "2", hs_email_direction="EMAIL", hs_email_status="BOUNCED"),
            _activity("e3", at(3, 7), "2", hs_email_direction="INCOMING_EMAIL", hs_email_status="SENT"),
        ],
        "notes": [_activity("n1", at(3, 8), "1")],
    }


def _contacts() -> dict[str, list[dict]]:
    people = [("k1", at(3, 1), "1"), ("k2", at(3, 2), "2"), ("k3", at(6, 3), None)]
    paths = {
        "k1": [("lead", at(3, 1)), ("marketingqualifiedlead", at(3, 5)), ("customer", at(4, 5))],
        "k2": [("lead", at(3, 2)), ("salesqualifiedlead", at(3, 20)), ("opportunity", at(4, 9))],
        "k3": [("lead", at(6, 3))],
    }
    sequence = {"hs_latest_sequence_enrolled": "81", "hs_latest_sequence_enrolled_date": at(4, 3)}
    contacts, history = [], []
    for id_, created, owner in people:
        values = [("lifecyclestage", stage, moment) for stage, moment in paths[id_]]
        if owner:
            values.append(("hubspot_owner_id", owner, created))
        if id_ == "k1":
            values += [(name, value, at(4, 3)) for name, value in sequence.items()]
        history += [
            {"object_id": id_, "name": name, "value": _text(value), "timestamp": moment}
            for name, value, moment in values
        ]
        contacts.append(
            _record(id_, created, createdate=created, hubspot_owner_id=owner, firstname=id_)
            | {"hubspot_owner_assigneddate": created if owner else None}
            | {"lifecyclestage": paths[id_][-1][0], "hs_analytics_source": "OFFLINE"}
            | (sequence if id_ == "k1" else {})
        )
    pairs = [
        ("deal", "d1", "contact", "k1"),
        ("deal", "d3", "contact", "k2"),
        ("call", "c1", "contact", "k1"),
        ("call", "c3", "contact", "k2"),
        ("email", "e1", "contact", "k1"),
        ("email", "e2", "contact", "k2"),
        ("meeting", "m1", "contact", "k1"),
        ("task", "t1", "contact", "k1"),
        ("deal", "d1", "company", "o1"),
        ("call", "c1", "company", "o1"),
    ]
    ends = ("from_type", "from_id", "to_type", "to_id")
    return {
        "contacts": contacts,
        "contact_property_history": history,
        "companies": [_record("o1", at(1, 5), name="Acme")],
        "associations": [dict(zip(ends, pair, strict=True)) | {"type_id": "1"} for pair in pairs],
        "sequences": [{"id": "81", "name": "Warm up"}],
    }


def _chats() -> dict[str, list[dict]]:
    return {
        "conversation_channels": [
            {"id": "1", "name": "Chat", "kind": "LIVE_CHAT"},
            {"id": "2", "name": "FB", "kind": "FB_MESSENGER"},
        ],
        "conversation_threads": [
            _record("h1", at(3, 4), status="CLOSED", original_channel_id="1", assigned_to="A-11")
            | {"associated_contact_id": "k1", "spam": False},
            _record("h2", at(3, 5), status="OPEN", original_channel_id="2", assigned_to="A-12")
            | {"associated_contact_id": "k2", "spam": False},
            _record("h3", at(5, 5), status="OPEN", original_channel_id="1", assigned_to=None)
            | {"associated_contact_id": None, "spam": False},
        ],
        "conversation_messages": [
            {"thread_id": "h1", "id": "1", "created_at": at(3, 4, 13), "sender": "A-11"},
        ],
    }


def _goals() -> dict[str, list[dict]]:
    slices = [(4, "50"), (5, "50"), (6, "60")]
    return {
        "goal_targets": [
            _record(f"g{user}{month}", at(1, 2), hs_goal_name="Revenue", hs_milestone="monthly")
            | {"hs_target_amount": Decimal(target), "hs_assignee_user_id": user}
            | {"hs_start_datetime": at(month, 1, 0), "hs_end_datetime": at(month + 1, 1, 0)}
            | {"hs_group_correlation_uuid": "goal"}
            for user in ("11", "12")
            for month, target in slices
        ]
    }
