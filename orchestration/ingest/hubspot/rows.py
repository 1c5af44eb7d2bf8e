"""HubSpot's JSON in the contract's words: one function per raw table that is no object of the CRM.

Belongs here: which field of an answer is which column. Values stay what HubSpot gives (text, numbers,
booleans, null); types are the load step's business. Records of the CRM become Arrow in `windows.py`.

Sources: the response schemas in developers.hubspot.com/docs/api-reference of each endpoint (`api.py`)
and the models of the official SDK (PublicOwner, PublicTeam, Pipeline, PipelineStage).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from orchestration.ingest.hubspot.objects import NAMES

Json = dict[str, Any]

# The channels that reports tell apart, by the ids that HubSpot gives them in every account
# (developers.hubspot.com/docs, Conversations guide: "original channel ID").
_CHANNEL_KINDS = {"1000": "LIVE_CHAT", "1001": "FB_MESSENGER"}
OTHER_CHANNEL = "other"


def account_row(account: Json) -> Json:
    """`account`. HubSpot does not tell the fiscal year and the first day of the week: settings do."""
    return {
        "portal_id": str(account["portalId"]),
        "time_zone": account["timeZone"],
        "company_currency": account["companyCurrency"],
    }


def owner_row(owner: Json) -> Json:
    """`owners`. An inactive owner's user is told as userIdIncludingInactive only (27.2).

    HubSpot does not say when an owner was deactivated; it is the last thing that happens to one.
    """
    user_id = owner.get("userIdIncludingInactive", owner.get("userId"))
    return {
        "id": str(owner["id"]),
        "user_id": None if user_id is None else str(user_id),
        "email": owner.get("email"),
        "first_name": owner.get("firstName"),
        "last_name": owner.get("lastName"),
        "type": owner.get("type"),
        "archived": bool(owner.get("archived")),
        "created_at": owner.get("createdAt"),
        "updated_at": owner.get("updatedAt"),
        "archived_at": owner.get("updatedAt") if owner.get("archived") else None,
    }


def owner_team_rows(owner: Json) -> list[Json]:
    """`owner_teams`."""
    return [
        {"owner_id": str(owner["id"]), "team_id": str(team["id"]), "is_primary": bool(team.get("primary"))}
        for team in owner.get("teams") or []
    ]


def team_row(team: Json) -> Json:
    """`teams`. Without parentTeamId in the answer the column is absent, not empty (K11)."""
    row = {"id": str(team["id"]), "name": team["name"], "archived": bool(team.get("archived"))}
    if "parentTeamId" in team:
        row["parent_team_id"] = None if team["parentTeamId"] is None else str(team["parentTeamId"])
    return row


def pipeline_row(object_type: str, pipeline: Json) -> Json:
    """`pipelines`; `object_type` as in the paths ("deals")."""
    return {
        "object_type": NAMES[object_type],
        "id": str(pipeline["id"]),
        "label": pipeline["label"],
        "display_order": pipeline.get("displayOrder"),
        "archived": bool(pipeline.get("archived")),
    }


def stage_rows(object_type: str, pipeline: Json) -> list[Json]:
    """`pipeline_stages` of a pipeline. Probability and isClosed are text in the stage's metadata."""
    return [
        {
            "object_type": NAMES[object_type],
            "pipeline_id": str(pipeline["id"]),
            "id": str(stage["id"]),
            "label": stage["label"],
            "display_order": stage.get("displayOrder"),
            "probability": (stage.get("metadata") or {}).get("probability"),
            "is_closed": (stage.get("metadata") or {}).get("isClosed"),
            "archived": bool(stage.get("archived")),
        }
        for stage in pipeline.get("stages") or []
    ]


def call_disposition_row(disposition: Json) -> Json:
    """`call_dispositions`."""
    return {
        "id": str(disposition["id"]),
        "label": disposition.get("label"),
        "deleted": bool(disposition.get("deleted")),
    }


def exchange_rate_row(rate: Json) -> Json:
    """`exchange_rates`."""
    return {
        "from_currency": rate["fromCurrencyCode"],
        "to_currency": rate["toCurrencyCode"],
        "effective_at": rate["effectiveAt"],
        "conversion_rate": rate["conversionRate"],
    }


def sequence_row(sequence: Json) -> Json:
    """`sequences`."""
    return {"id": str(sequence["id"]), "name": sequence.get("name")}


def channel_row(channel: Json) -> Json:
    """`conversation_channels`."""
    id_ = str(channel["id"])
    return {"id": id_, "name": channel.get("name"), "kind": _CHANNEL_KINDS.get(id_, OTHER_CHANNEL)}


def thread_row(thread: Json) -> Json:
    """`conversation_threads`."""
    return {
        "id": str(thread["id"]),
        "created_at": thread["createdAt"],
        "updated_at": thread.get("latestMessageTimestamp") or thread["createdAt"],
        "closed_at": thread.get("closedAt"),
        "status": thread.get("status"),
        "original_channel_id": thread.get("originalChannelId"),
        "assigned_to": thread.get("assignedTo"),
        "associated_contact_id": thread.get("associatedContactId"),
        "spam": bool(thread.get("spam")),
        "archived": bool(thread.get("archived")),
    }


def message_rows(thread_id: str, messages: Iterable[Json]) -> Iterator[Json]:
    """`conversation_messages`: what was said, not comments, assignments and changes of status."""
    for message in messages:
        if message.get("type") == "MESSAGE":
            senders = message.get("senders") or [{}]
            yield {
                "thread_id": str(thread_id),
                "id": str(message["id"]),
                "created_at": message["createdAt"],
                "direction": message.get("direction"),
                "sender": senders[0].get("actorId") or message.get("createdBy"),
            }


def split_rows(deal: Json) -> list[Json]:
    """`deal_splits` of a deal. HubSpot gives a share of 1, the raw table a percentage."""
    return [
        {
            "id": str(split["id"]),
            "created_at": split.get("createdAt"),
            "updated_at": split.get("updatedAt"),
            "archived": bool(split.get("archived")),
            "deal_id": str(deal["id"]),
            "owner_id": (split.get("properties") or {}).get("hubspot_owner_id"),
            "percentage": _percent((split.get("properties") or {}).get("hs_deal_split_percentage")),
        }
        for split in deal.get("splits") or []
    ]


def _percent(share: str | None) -> str | None:
    """A share of 1 as a percentage. What is no number stays, for the load step to reject."""
    try:
        return None if share is None else format(Decimal(share) * 100, "f")
    except ArithmeticError:
        return share
