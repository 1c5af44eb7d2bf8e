"""HubSpot's contract as data: endpoints with their shapes, limits, and known deviations.

Belongs here: which SDK model (`hubspot-api-client`) each request and answer has, shapes written by hand
where the SDK has none, and numeric limits, each with its source; deviations, each with its reason. How
they are checked is `contract_guard.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

# --- shapes ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Shape:
    """An object's shape where the SDK has none: types by JSON name; a name with `*` is required."""

    source: str
    types: Mapping[str, str]


_PAGE = "developers.hubspot.com/docs/api-reference/"
_NEXT = {"NextPage": Shape("SDK: NextPage", {"*after": "str", "link": "str"})}
_FORWARD = _NEXT | {"ForwardPaging": Shape("SDK: ForwardPaging", {"next": "NextPage"})}


def _list_of(item: str, shape: Shape, *, total: bool = False) -> dict[str, Shape]:
    types = {"*results": f"list[{item}]", "paging": "ForwardPaging"} | ({"*total": "int"} if total else {})
    return _FORWARD | {item: shape, "": Shape(shape.source, types)}


HAND_WRITTEN: dict[str, dict[str, Shape]] = {
    "account": {
        "": Shape(
            _PAGE + "latest/account/account-information/get-account-details",
            {
                "*portalId": "int", "*timeZone": "str", "*companyCurrency": "str", "*accountType": "str",
                "*additionalCurrencies": "list[str]", "*utcOffset": "str", "*utcOffsetMilliseconds": "int",
                "*uiDomain": "str", "*dataHostingLocation": "str",
            },
        )
    },
    "teams": _list_of(
        "Team",
        Shape(
            _PAGE + "2026-09-beta/account/settings/teams/guide",
            {"*id": "str", "*name": "str", "parentTeamId": "str"},
        ),
    ),
    "exchange_rates": _list_of(
        "Rate",
        Shape(
            _PAGE + "latest/account/settings/multicurrency/exchange-rates/get-exchange-rates",
            {
                "*id": "str", "*fromCurrencyCode": "str", "*toCurrencyCode": "str",
                "*conversionRate": "float", "*effectiveAt": "datetime", "*createdAt": "datetime",
                "*updatedAt": "datetime",
                "*visibleInUI": "bool",
            },
        ),
    ),
    "sequences": _list_of(
        "Sequence",
        Shape(
            _PAGE + "latest/automation/sequences/get-sequences",
            {
                "*id": "str", "*name": "str", "*createdAt": "datetime", "*updatedAt": "datetime",
                "*userId": "str", "folderId": "str",
            },
        ),
        total=True,
    ),
    "channels": _list_of(
        "Channel",
        Shape(
            _PAGE + "2026-09-beta/conversations/conversations/channels/get-channels",
            {"*id": "str", "*name": "str"},
        ),
        total=True,
    ),
    "threads": _list_of(
        "Thread",
        Shape(
            _PAGE + "2026-09-beta/conversations/conversations/threads/get-threads",
            {
                "*id": "str", "*createdAt": "datetime", "*status": "str", "*spam": "bool",
                "*archived": "bool", "*inboxId": "str", "*originalChannelId": "str",
                "*originalChannelAccountId": "str",
                "associatedContactId": "str", "assignedTo": "str", "closedAt": "datetime",
                "latestMessageTimestamp": "datetime", "latestMessageReceivedTimestamp": "datetime",
                "latestMessageSentTimestamp": "datetime", "threadAssociations": "object",
            },
        ),
    ),
    "messages": _list_of(
        "Message",
        Shape(
            _PAGE + "2026-09-beta/conversations/conversations/messages/get-messages",
            {
                "*id": "str", "*type": "str", "*createdAt": "datetime", "*createdBy": "str",
                "*conversationsThreadId": "str", "*archived": "bool", "direction": "str",
                "senders": "list[object]", "recipients": "list[object]",
            },
        ),
    ),
    "dispositions": {
        "": Shape(
            _PAGE + "legacy/crm/activities/engagements/get-calling-v1-dispositions",
            {"*id": "str", "*label": "str", "deleted": "bool"},
        )
    },
}  # fmt: skip

# --- deviations -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Deviation:
    """Where answers, or requests that HubSpot takes, are known to differ from the SDK's models."""

    model: str
    attribute: str
    what: str
    """`null`, `null values`, `any type` or `unknown to the model`."""
    reason: str


DEVIATIONS = (
    Deviation("SimplePublicObject", "properties", "null values", "empty and asked for is null (issue 4)"),
    Deviation("SimplePublicObjectWithAssociations", "properties", "null values",
              "empty and asked for is null (issue 4)"),
    Deviation("SimplePublicObjectInput", "properties", "null values", "null clears, as '' does"),
    Deviation("AssociationSpecWithLabel", "label", "null", "unlabelled ones (Associations v4 guide)"),
    Deviation("PublicObjectSearchRequest", "sorts", "any type",
              "the model says texts, the search guide objects; HubSpot takes both"),
    Deviation("Error", "status", "unknown to the model", "every error body has it (error handling guide)"),
    Deviation("Error", "policyName", "unknown to the model", "429 (API usage guidelines)"),
    Deviation("Error", "errorType", "unknown to the model", "429 (API usage guidelines)"),
    Deviation("Error", "groupName", "unknown to the model", "429 (HGData/mk-node-hubspot#84)"),
)  # fmt: skip

# Answers of 5xx are not checked at all: gateways answer too, and issue 4 says to decide by status.

# --- endpoints ------------------------------------------------------------------------------------

_VERSION = r"(?P<dated>2026-09(-beta)?)"
OBJECT_MODELS = {
    "deals": "crm.deals", "contacts": "crm.contacts", "companies": "crm.companies",
    "leads": "crm.objects.leads", "calls": "crm.objects.calls", "meetings": "crm.objects.meetings",
    "tasks": "crm.objects.tasks", "emails": "crm.objects.emails", "notes": "crm.objects.notes",
    "communications": "crm.objects.communications", "goal_targets": "crm.objects.goals",
    "forecasts": "crm.objects",
}  # fmt: skip


@dataclass(frozen=True)
class Endpoint:
    """A path of both versions, and the shapes of what goes in and out by status."""

    name: str
    method: str
    paths: tuple[str, ...]
    models: str = ""
    """SDK module; empty for hand-written shapes; `{type}` for the object type's own."""
    request: str = ""
    responses: Mapping[int, str] = field(default_factory=dict)
    is_bare_list: bool = False

    def match(self, method: str, path: str) -> dict[str, str] | None:
        if method != self.method:
            return None
        for pattern in self.paths:
            if found := re.fullmatch(pattern, path.rstrip("/")):
                return {key: value or "" for key, value in found.groupdict().items()}
        return None


def _objects(rest: str) -> tuple[str, ...]:
    return (rf"/crm/objects/{_VERSION}/{rest}", f"/crm/v3/objects/{rest}")


_TYPE, _ID = "(?P<type>[a-z_]+)", "(?P<id>[0-9]+)"
_RECORD = "SimplePublicObjectWithAssociations"
ENDPOINTS = (
    Endpoint("splits", "POST",
             (rf"/deal-splits/{_VERSION}/batch/read", "/crm/v3/objects/deals/splits/batch/read"),
             "crm.objects.deal_splits", "BatchInputPublicObjectId",
             {200: "BatchResponseDealToDealSplits", 207: "BatchResponseDealToDealSplitsWithErrors"}),
    Endpoint("batch", "POST", _objects(f"{_TYPE}/batch/read"), "{type}", "BatchReadInputSimplePublicObjectId",
             {200: "BatchResponseSimplePublicObject", 207: "BatchResponseSimplePublicObjectWithErrors"}),
    Endpoint("search", "POST", _objects(f"{_TYPE}/search"), "{type}", "PublicObjectSearchRequest",
             {200: "CollectionResponseWithTotalSimplePublicObjectForwardPaging"}),
    Endpoint("merge", "POST", _objects(f"{_TYPE}/merge"), "{type}", "PublicMergeInput",
             {200: "SimplePublicObject"}),
    Endpoint("gdpr", "POST", _objects(f"{_TYPE}/gdpr-delete"), "crm.contacts", "PublicGdprDeleteInput"),
    Endpoint("list", "GET", _objects(_TYPE), "{type}", "",
             {200: "CollectionResponseSimplePublicObjectWithAssociationsForwardPaging"}),
    Endpoint("create", "POST", _objects(_TYPE), "{type}", "SimplePublicObjectInputForCreate",
             {201: "SimplePublicObject"}),
    Endpoint("read", "GET", _objects(f"{_TYPE}/{_ID}"), "{type}", "", {200: _RECORD}),
    Endpoint("update", "PATCH", _objects(f"{_TYPE}/{_ID}"), "{type}", "SimplePublicObjectInput",
             {200: "SimplePublicObject"}),
    Endpoint("archive", "DELETE", _objects(f"{_TYPE}/{_ID}"), "{type}"),
    Endpoint("associations", "POST",
             (rf"/crm/associations/{_VERSION}/(?P<from>[a-z_]+)/(?P<to>[a-z_]+)/batch/read",
              "/crm/v4/associations/(?P<from>[a-z_]+)/(?P<to>[a-z_]+)/batch/read"),
             "crm.associations.v4", "BatchInputPublicFetchAssociationsBatchRequest",
             {200: "BatchResponsePublicAssociationMultiWithLabel",
              207: "BatchResponsePublicAssociationMultiWithLabelWithErrors"}),
    Endpoint("owners", "GET", (rf"/crm/owners/{_VERSION}", "/crm/v3/owners"), "crm.owners", "",
             {200: "CollectionResponsePublicOwnerForwardPaging"}),
    Endpoint("pipelines", "GET", (rf"/crm/pipelines/{_VERSION}/{_TYPE}", f"/crm/v3/pipelines/{_TYPE}"),
             "crm.pipelines", "", {200: "CollectionResponsePipelineNoPaging"}),
    Endpoint("user_teams", "GET", (rf"/settings/users/{_VERSION}/teams", "/settings/v3/users/teams"),
             "settings.users", "", {200: "CollectionResponsePublicTeamNoPaging"}),
    Endpoint("account", "GET", (rf"/account-info/{_VERSION}/details", "/account-info/v3/details")),
    Endpoint("teams", "GET", (rf"/settings/teams/{_VERSION}",)),
    Endpoint("dispositions", "GET", ("/calling/v1/dispositions",), is_bare_list=True),
    Endpoint("exchange_rates", "GET", (rf"/settings/currencies/{_VERSION}/exchange-rates",
                                       "/settings/v3/currencies/exchange-rates")),
    Endpoint("sequences", "GET", (rf"/automation/sequences/{_VERSION}", "/automation/v4/sequences")),
    Endpoint("channels", "GET", (rf"/conversations/conversations/{_VERSION}/channels",
                                 "/conversations/v3/conversations/channels")),
    Endpoint("threads", "GET", (rf"/conversations/conversations/{_VERSION}/threads",
                                "/conversations/v3/conversations/threads")),
    Endpoint("messages", "GET", (rf"/conversations/conversations/{_VERSION}/threads/[^/]+/messages",
                                 "/conversations/v3/conversations/threads/[^/]+/messages")),
)  # fmt: skip

# --- limits ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Call:
    """A request as it came in."""

    endpoint: Endpoint
    path: Mapping[str, str]
    query: Mapping[str, list[str]]
    body: object

    def number(self, name: str, default: int) -> int:
        text = self.query.get(name, [str(default)])[-1]
        return int(text) if text.isdigit() else -1

    def listed(self, name: str) -> list[str]:
        if isinstance(self.body, dict):
            return list(self.body.get(name) or [])
        return [part for text in self.query.get(name, []) for part in text.split(",") if part]

    @property
    def inputs(self) -> int:
        return len(self.body.get("inputs") or []) if isinstance(self.body, dict) else 0

    @property
    def filters(self) -> list[int]:
        groups = self.body.get("filterGroups") or [] if isinstance(self.body, dict) else []
        return [len(group.get("filters") or []) for group in groups]


@dataclass(frozen=True)
class Limit:
    """A number that a request may not exceed."""

    endpoint: str
    words: str
    source: str
    holds: Callable[[Call], bool]


_GUIDE = "developers.hubspot.com/docs/api-reference/latest/crm/"
LIMITS = (
    Limit("list", "1 to 100 records a page", _GUIDE + "objects/deals/guide",
          lambda call: 1 <= call.number("limit", 10) <= 100),
    Limit("list", "at most 50 records a page with propertiesWithHistory", "issue 4",
          lambda call: not call.listed("propertiesWithHistory") or call.number("limit", 10) <= 50),
    Limit("batch", "at most 100 ids", _GUIDE + "objects/deals/guide", lambda call: call.inputs <= 100),
    Limit("batch", "at most 50 ids with propertiesWithHistory", "issue 4",
          lambda call: not call.listed("propertiesWithHistory") or call.inputs <= 50),
    Limit("splits", "at most 100 deals", _GUIDE + "objects/deal-splits/guide",
          lambda call: call.inputs <= 100),
    Limit("associations", "at most 1,000 ids", _GUIDE + "associations/associate-records/guide",
          lambda call: call.inputs <= 1000),
    Limit("search", "at most 200 records a page", _GUIDE + "search-the-crm",
          lambda call: 0 <= int(call.body.get("limit") or 10) <= 200),
    Limit("search", "at most 10,000 results a query", _GUIDE + "search-the-crm",
          lambda call: int(call.body.get("after") or 0) + int(call.body.get("limit") or 10) <= 10_000),
    Limit("search", "at most 5 groups of 6 filters, 18 in all", _GUIDE + "search-the-crm",
          lambda call: len(call.filters) <= 5
          and max(call.filters, default=0) <= 6 and sum(call.filters) <= 18),
    Limit("search", "one sort", _GUIDE + "search-the-crm",
          lambda call: len(call.body.get("sorts") or []) <= 1),
    Limit("owners", "1 to 500 owners a page", _GUIDE + "owners/guide",
          lambda call: 1 <= call.number("limit", 100) <= 500),
    Limit("threads", "1 to 500 threads a page", _PAGE + "conversations-conversations-v3/guide",
          lambda call: 1 <= call.number("limit", 100) <= 500),
    Limit("sequences", "a user's sequences only", _PAGE + "latest/automation/sequences/get-sequences",
          lambda call: bool(call.query.get("userId"))),
)  # fmt: skip
