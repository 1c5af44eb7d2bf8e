"""Every trap of `raw_tables.md`, and whatever else makes real CRMs hard, is in the demo, by count.

Belongs here: the traps and how to count them. The demo has to keep at least so many at its default
size, so that nobody loses one by tuning it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import pairwise

import pytest

from orchestration.ingest.contract import DEFAULT_CALL_DISPOSITIONS, TABLES, VERSION_CAP
from orchestration.ingest.demo import company
from tests.demo_rows import DAY, END, MINUTE, ZONE, Demo, day, default_demo, stage_class


def _month_end_defaults(crm: Demo) -> int:
    """First close dates on the last day of the month of creation (27.9)."""
    found = 0
    for deal_id, versions in crm.versions("closedate"):
        created = crm.deals[deal_id]["createdate"].astimezone(ZONE).date()
        first = day(versions[0]["value"])
        found += (
            first is not None and (first + DAY).day == 1 and first.replace(day=1) == created.replace(day=1)
        )
    return found


def _auto_close_dates(crm: Demo) -> int:
    """Close dates written within a minute of a change into a closed stage (12d)."""
    closings = defaultdict(list)
    for deal_id, versions in crm.versions("dealstage"):
        closings[deal_id] = [v["timestamp"] for v in versions if stage_class(v["value"]) != "open"]
    return sum(
        any(abs(version["timestamp"] - closing) <= MINUTE for closing in closings[deal_id])
        for deal_id, versions in crm.versions("closedate")
        for version in versions
    )


def _class_steps(crm: Demo, old: str, new: str) -> int:
    return sum(
        (stage_class(a["value"]), stage_class(b["value"])) == (old, new) for a, b in crm.steps("dealstage")
    )


def _stage_steps(crm: Demo, fits: Callable[[int], bool]) -> int:
    """Moves between open stages by how many positions they go."""
    position = crm.positions
    return sum(
        a["value"] in position
        and b["value"] in position
        and fits(position[b["value"]] - position[a["value"]])
        for a, b in crm.steps("dealstage")
    )


def _days_moved(crm: Demo, sign: int) -> int:
    pairs = ((day(a["value"]), day(b["value"])) for a, b in crm.steps("closedate"))
    return sum(a is not None and b is not None and (b - a).days * sign > 0 for a, b in pairs)


def _pipeline_moves(crm: Demo) -> int:
    """Pipeline and stage at one timestamp."""
    stages = {(v["object_id"], v["timestamp"]) for _, versions in crm.versions("dealstage") for v in versions}
    return sum((b["object_id"], b["timestamp"]) in stages for _, b in crm.steps("pipeline"))


def _switch_evenings(crm: Demo) -> int:
    """Closed on the evening of a change of clocks, when it is tomorrow in UTC."""
    return sum(
        local.date() != value.date() and (local + DAY).utcoffset() != (local - DAY).utcoffset()
        for row in crm.rows["deals"]
        if (value := row["closedate"]) is not None and (local := value.astimezone(ZONE))
    )


def _truncated(crm: Demo, table: str, name: str) -> int:
    cap = VERSION_CAP[TABLES[table].history_of]
    return sum(
        property_name == name and len(versions) == cap and versions[0]["sequence"] > 1
        for (_, property_name), versions in crm.histories[table].items()
    )


def _count(table: str, fits: Callable[[dict], bool]) -> Callable[[Demo], int]:
    return lambda crm: sum(bool(fits(row)) for row in crm.rows[table])


_NAMES = (
    ("deals", "dealname"),
    ("companies", "name"),
    ("contacts", "firstname"),
    ("contacts", "lastname"),
)


def _names_with(text: str) -> Callable[[Demo], int]:
    return lambda crm: sum(text in (row[column] or "") for table, column in _NAMES for row in crm.rows[table])


def _has_status(table: str, status: str) -> Callable[[Demo], int]:
    """Records that once were in a status and left it."""
    return lambda crm: sum(
        any(version["value"] == status for version in versions[:-1])
        for versions in crm.histories[table].values()
    )


def _merged(table: str) -> Callable[[Demo], int]:
    """Merged-away records whose rows are still delivered."""

    def count(crm: Demo) -> int:
        lists = (row["hs_merged_object_ids"] or "" for row in crm.rows[table])
        return len({merged for text in lists for merged in text.split(";")} & crm.ids(table))

    return count


def _stored_engagements(matching: bool) -> Callable[[Demo], int]:
    """Stored first engagements whose assignment is, or is no longer, the present one."""

    def count(crm: Demo) -> int:
        return sum(
            matching == (row["hs_sa_first_engagement_date"] - timedelta(milliseconds=took)
                         == row["hubspot_owner_assigneddate"])
            for row in crm.rows["contacts"]
            if (took := row["hs_time_to_first_engagement"]) is not None
        )  # fmt: skip

    return count


ARCHIVED_OWNERS = {rep.owner_id for rep in company.REPS if rep.left is not None}
_deals = partial(_count, "deals")
_tasks = partial(_count, "tasks")
_meetings = partial(_count, "meetings")
_calls = partial(_count, "calls")
_emails = partial(_count, "emails")
_threads = partial(_count, "conversation_threads")
_contacts = partial(_count, "contacts")
_goals = partial(_count, "goal_targets")

TRAPS: dict[str, tuple[int, Callable[[Demo], int]]] = {
    "stage skipped": (100, lambda crm: _stage_steps(crm, lambda n: n > 1)),
    "stage back": (80, lambda crm: _stage_steps(crm, lambda n: n < 0)),
    "reopened": (30, lambda crm: _class_steps(crm, "lost", "open")),
    "won, then lost": (5, lambda crm: _class_steps(crm, "won", "lost")),
    "lost, then won": (5, lambda crm: _class_steps(crm, "lost", "won")),
    "won, then won otherwise": (5, lambda crm: _class_steps(crm, "won", "won")),
    "close date pushed": (1_000, lambda crm: _days_moved(crm, 1)),
    "close date pulled": (200, lambda crm: _days_moved(crm, -1)),
    "close date cleared": (10, lambda crm: sum(not b["value"] for _, b in crm.steps("closedate"))),
    "month-end default": (500, _month_end_defaults),
    "auto close date": (2_000, _auto_close_dates),
    "close date never set": (1, _deals(lambda r: r["closedate"] is None)),
    "closed before it was created": (
        1,
        _deals(lambda r: r["hs_is_closed"] and r["closedate"] <= r["createdate"]),
    ),
    "open and overdue": (
        20,
        _deals(lambda r: not r["hs_is_closed"] and r["closedate"] and r["closedate"] < END),
    ),
    "owner changed": (
        100,
        lambda crm: sum(a["value"] != b["value"] for a, b in crm.steps("hubspot_owner_id")),
    ),
    "pipeline changed": (20, _pipeline_moves),
    "stage deleted": (
        30,
        lambda crm: sum(v["value"] == company.DELETED_STAGE.id for v in crm.rows["deal_property_history"]),
    ),
    "stage archived": (1, _count("pipeline_stages", lambda row: row["archived"])),
    "stage archived, in history": (
        30,
        lambda crm: sum(v["value"] == company.ARCHIVED_STAGE.id for v in crm.rows["deal_property_history"]),
    ),
    "one stage id, two pipelines": (
        1,
        lambda crm: sum(n > 1 for n in Counter(row["id"] for row in crm.rows["pipeline_stages"]).values()),
    ),
    "euro deals": (400, _deals(lambda r: r["deal_currency_code"] == "EUR")),
    "dollar deals": (1_500, _deals(lambda r: r["deal_currency_code"] == "USD")),
    "no rate": (3, _deals(lambda r: r["deal_currency_code"] == "EUR" and r["hs_exchange_rate"] is None)),
    "rate changed": (
        100,
        lambda crm: sum(a["value"] != b["value"] for a, b in crm.steps("hs_exchange_rate")),
    ),
    "currency changed": (5, lambda crm: sum(1 for _ in crm.steps("deal_currency_code"))),
    "no amount": (100, _deals(lambda r: r["amount"] is None)),
    "zero amount": (5, _deals(lambda r: r["amount"] == 0)),
    "negative amount": (1, _deals(lambda r: r["amount"] is not None and r["amount"] < 0)),
    "amount cleared": (5, lambda crm: sum(not b["value"] for _, b in crm.steps("amount"))),
    "amount filled in later": (
        100,
        lambda crm: sum(v[0]["timestamp"] > crm.deals[d]["hs_createdate"] for d, v in crm.versions("amount")),
    ),
    "cleared as NULL": (1, _count("deal_property_history", lambda row: row["value"] is None)),
    "cleared as ''": (1, _count("deal_property_history", lambda row: row["value"] == "")),
    "epoch milliseconds": (
        100,
        _count(
            "deal_property_history", lambda row: row["name"] == "closedate" and (row["value"] or "").isdigit()
        ),
    ),
    "no owner": (10, _deals(lambda r: r["hubspot_owner_id"] is None)),
    "unknown owner": (10, _deals(lambda r: r["hubspot_owner_id"] == company.UNKNOWN_OWNER)),
    "archived owner": (50, _deals(lambda r: r["hubspot_owner_id"] in ARCHIVED_OWNERS)),
    "archived owner, open deal": (
        1,
        _deals(lambda r: r["hubspot_owner_id"] in ARCHIVED_OWNERS and not r["hs_is_closed"]),
    ),
    "merged deals": (10, _merged("deals")),
    "merged deals, only the survivor knows": (
        5,
        lambda crm: (
            _merged("deals")(crm) - sum(row["merged_into_id"] is not None for row in crm.rows["deals"])
        ),
    ),
    "merged contacts": (10, _merged("contacts")),
    "archived deals": (10, _deals(lambda r: r["archived"])),
    "archived contacts": (5, _contacts(lambda r: r["archived"])),
    "archived calls": (5, _calls(lambda r: r["archived"])),
    "imported, back-dated": (50, _deals(lambda r: r["createdate"] < r["hs_createdate"])),
    "more amounts than kept": (5, lambda crm: _truncated(crm, "deal_property_history", "amount")),
    "more close dates than kept": (3, lambda crm: _truncated(crm, "deal_property_history", "closedate")),
    "more contact versions than kept": (
        3,
        lambda crm: _truncated(crm, "contact_property_history", "hs_lead_status"),
    ),
    "evening of a change of clocks": (5, _switch_evenings),
    "emoji": (10, lambda crm: sum(_names_with(emoji)(crm) for emoji in "🚀🔥🌟💧")),
    "quotes": (10, _names_with('"')),
    "line breaks": (5, _names_with("\n")),
    "loss reasons in several spellings": (
        3,
        lambda crm: len(
            {
                r
                for row in crm.rows["deals"]
                if (r := row["closed_lost_reason"]) and r.strip().lower() == "price"
            }
        ),
    ),
    "several loss reasons": (10, _deals(lambda r: ";" in (r["closed_lost_reason"] or ""))),
    "no loss reason": (
        30,
        _deals(lambda r: r["hs_is_closed"] and not r["hs_is_closed_won"] and not r["closed_lost_reason"]),
    ),
    "won, not in category closed": (
        5,
        _deals(lambda r: r["hs_is_closed_won"] and r["hs_manual_forecast_category"] != "CLOSED"),
    ),
    "no forecast category": (30, _deals(lambda r: r["hs_manual_forecast_category"] is None)),
    "own probability": (
        1,
        _deals(
            lambda r: (
                not r["hs_is_closed"]
                and r["hs_deal_stage_probability"] in (0, Decimal("0.05"), Decimal("0.75"))
            )
        ),
    ),
    "split deals": (10, _deals(lambda r: r["hs_is_deal_split"])),
    "task overdue": (50, _tasks(lambda r: r["hs_task_status"] != "COMPLETED" and r["hs_timestamp"] < END)),
    "task done late": (
        100,
        _tasks(
            lambda r: (
                r["hs_task_status"] == "COMPLETED"
                and r["hs_task_completion_date"]
                and r["hs_task_completion_date"] > r["hs_timestamp"]
            )
        ),
    ),
    "task reopened": (10, _has_status("task_property_history", "COMPLETED")),
    "task open, with its due date as completion date": (
        30,
        _tasks(lambda r: r["hs_task_status"] != "COMPLETED" and r["hs_task_completion_date"]),
    ),
    "task done, nobody knows when": (
        10,
        _tasks(lambda r: r["hs_task_status"] == "COMPLETED" and not r["hs_task_completion_date"]),
    ),
    "task in progress": (1, _tasks(lambda r: r["hs_task_status"] == "IN_PROGRESS")),
    "meeting past, without outcome": (
        50,
        _meetings(lambda r: r["hs_meeting_outcome"] in (None, "SCHEDULED") and r["hs_timestamp"] < END),
    ),
    "meeting to come": (3, _meetings(lambda r: r["hs_timestamp"] > END)),
    "meeting rescheduled": (50, _meetings(lambda r: r["hs_meeting_outcome"] == "RESCHEDULED")),
    "meeting outcome of the account's own": (
        50,
        _meetings(lambda r: r["hs_meeting_outcome"] == "COMPLETED - PROGRESSED"),
    ),
    "call without outcome": (50, _calls(lambda r: r["hs_call_disposition"] is None)),
    "call with an outcome of the account's own": (
        20,
        _calls(
            lambda r: r["hs_call_disposition"] and r["hs_call_disposition"] not in DEFAULT_CALL_DISPOSITIONS
        ),
    ),
    "call with a forgotten outcome": (
        5,
        _calls(lambda r: r["hs_call_disposition"] == company.FORGOTTEN_OUTCOME),
    ),
    "call without direction": (5, _calls(lambda r: r["hs_call_direction"] is None)),
    "call of unknown length": (50, _calls(lambda r: r["hs_call_duration"] is None)),
    "e-mail bounced": (20, _emails(lambda r: r["hs_email_status"] == "BOUNCED")),
    "e-mail scheduled": (1, _emails(lambda r: r["hs_email_status"] == "SCHEDULED")),
    "e-mail received": (100, _emails(lambda r: r["hs_email_direction"] == "INCOMING_EMAIL")),
    "chat on the website": (100, _threads(lambda r: r["original_channel_id"] == company.LIVE_CHAT)),
    "chat on messenger": (50, _threads(lambda r: r["original_channel_id"] == company.MESSENGER)),
    "conversation elsewhere": (
        50,
        _threads(lambda r: r["original_channel_id"] in (company.TEAM_EMAIL, company.WHATSAPP)),
    ),
    "chat spam": (5, _threads(lambda r: r["spam"])),
    "chat archived": (5, _threads(lambda r: r["archived"])),
    "chat of a user without owner": (5, _threads(lambda r: r["assigned_to"] == f"A-{company.TRAINEE_USER}")),
    "chat of nobody": (5, _threads(lambda r: r["assigned_to"] is None)),
    "stored first engagement": (1_000, _stored_engagements(True)),
    "stale first engagement": (20, _stored_engagements(False)),
    "contact without owner": (50, _contacts(lambda r: r["hubspot_owner_id"] is None)),
    "lifecycle backwards": (
        10,
        lambda crm: sum(
            a["value"] == "salesqualifiedlead" and b["value"] in ("lead", "marketingqualifiedlead")
            for (_, name), v in crm.histories["contact_property_history"].items()
            if name == "lifecyclestage"
            for a, b in pairwise(v)
        ),
    ),
    "enrolled again": (
        5,
        lambda crm: sum(
            len(v) > 1
            for (_, name), v in crm.histories["contact_property_history"].items()
            if name == "hs_latest_sequence_enrolled_date"
        ),
    ),
    "goal of a user without owner": (1, _goals(lambda r: r["hs_assignee_user_id"] == company.TRAINEE_USER)),
    "goal in another currency": (10, _goals(lambda r: r["hs_goal_target_currency_code"] == "EUR")),
    "goal that ends exclusively": (5, _goals(lambda r: r["hs_end_datetime"].time() == datetime.min.time())),
    "goal that ends inclusively": (50, _goals(lambda r: r["hs_end_datetime"].time() != datetime.min.time())),
    "association from the other side": (
        50,
        _count("associations", lambda row: (row["from_type"], row["to_type"]) == ("contact", "deal")),
    ),
    "second team": (1, _count("owner_teams", lambda row: not row["is_primary"])),
}


@pytest.mark.parametrize("trap", TRAPS)
def test_trap_is_there(trap):
    least, count = TRAPS[trap]
    assert count(default_demo()) >= least
