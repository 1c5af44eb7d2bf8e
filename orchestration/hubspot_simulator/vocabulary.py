"""HubSpot's names: object types, scopes and property types that the simulator must know.

Belongs here: what things are called in HubSpot's paths and messages, as data.
"""

from __future__ import annotations

from orchestration.ingest import contract

OBJECT_TABLES = (
    "deals", "contacts", "companies", "leads", "calls", "meetings", "tasks", "emails", "notes",
    "communications", "goal_targets", "forecasts",
)  # fmt: skip
"""Contract tables that are CRM objects; each is served under its own name. Deal splits have an
endpoint of their own."""

SINGULAR = {name: name.removesuffix("s") if name != "companies" else "company" for name in OBJECT_TABLES}

# Object type ids: developers.hubspot.com, "Understanding the CRM" (object type IDs).
_TYPE_IDS = {
    "0-1": "contacts", "0-2": "companies", "0-3": "deals", "0-136": "leads", "0-48": "calls",
    "0-47": "meetings", "0-27": "tasks", "0-49": "emails", "0-46": "notes", "0-18": "communications",
    "0-74": "goal_targets",
}  # fmt: skip

OBJECT_TYPES: dict[str, str] = (
    {name: name for name in OBJECT_TABLES}
    | {singular: name for name, singular in SINGULAR.items()}
    | {"goals": "goal_targets"}
    | _TYPE_IDS
)
"""Every name that a path may use, with the plural one."""

MODIFIED = {"contacts": "lastmodifieddate"}
"""The modified date where it is not `hs_lastmodifieddate` (issue 4)."""

VERSION_CAP = dict(contract.VERSION_CAP)

# What a caller needs for an object: developers.hubspot.com, "Scopes".
SCOPES = {
    name: f"crm.objects.{name}.read"
    for name in ("deals", "contacts", "companies", "leads", "goals", "forecasts", "owners")
} | {
    "goal_targets": "crm.objects.goals.read",
    "deal_splits": "crm.dealsplits.read_write",
    "forecasts": "crm.objects.forecasts.read",
    "calls": "crm.objects.contacts.read",
    "meetings": "crm.objects.contacts.read",
    "tasks": "crm.objects.contacts.read",
    "notes": "crm.objects.contacts.read",
    "communications": "crm.objects.contacts.read",
    "emails": "sales-email-read",
    "account": "oauth",
    "pipelines": "crm.objects.deals.read",
    "teams": "settings.users.teams.read",
    "call_dispositions": "crm.objects.contacts.read",
    "exchange_rates": "settings.currencies.read",
    "sequences": "automation.sequences.read",
    "conversations": "conversations.read",
}


# Columns of every object table that are no properties.
RECORD_COLUMNS = {
    "id", "created_at", "updated_at", "archived", "archived_at", "merged_into_id", "hard_deleted_at",
    "_loaded_at",
}  # fmt: skip


def default_properties(object_type: str) -> set[str]:
    """The properties that every account has, as far as the contract knows them."""
    table = contract.TABLES.get(object_type)
    columns = set(table.columns) - RECORD_COLUMNS if table else set()
    modified = MODIFIED.get(object_type, "hs_lastmodifieddate")
    return columns | {"hs_object_id", "createdate", "hs_createdate", "hs_merged_object_ids", modified}


def property_kind(object_type: str, name: str) -> str:
    """The contract's type of a property; text for one that the contract does not know."""
    if name == "hs_object_id":
        return contract.INTEGER
    if name in ("createdate", "hs_createdate", "hs_lastmodifieddate", "lastmodifieddate"):
        return contract.INSTANT
    return contract.TABLES[object_type].columns.get(name, contract.TEXT)
