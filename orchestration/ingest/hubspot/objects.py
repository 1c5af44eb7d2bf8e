"""Which HubSpot objects and endpoints fill which raw table, and which scopes they need.

Belongs here: what is known about HubSpot's objects, as data: names, properties to ask for, tracked
histories, the property that says when a record was modified, scopes, association pairs. Columns come
from the contract (`contract.py`), so that a property is written down once. Not how anything is read:
that is `api.py` and `windows.py`.

Sources: the HubSpot developer documentation (developers.hubspot.com/docs/api-reference; "Scope
requirements" of each guide) and the official Python SDK's models.
"""

from __future__ import annotations

from dataclasses import dataclass

from orchestration.ingest.contract import TABLES

# What an object's row has beside its properties; the API gives them outside of `properties`.
RECORD_COLUMNS = ("id", "created_at", "updated_at", "archived", "archived_at")
# What the pipeline adds itself.
_OURS = {*RECORD_COLUMNS, "merged_into_id", "hard_deleted_at", "_loaded_at"}

# How losers of a merge are found in the winner (27.6).
MERGED_IDS = "hs_merged_object_ids"
_MERGEABLE = ("deals", "contacts", "companies")


@dataclass(frozen=True)
class CrmObject:
    """An object type of HubSpot's CRM that fills an object table of the contract."""

    type: str
    """As the API's paths call it, which is also the raw table's name: "deals"."""
    name: str
    """As the contract's associations and pipelines call it: "deal"."""
    properties: tuple[str, ...]
    """Asked for by name; requested and empty comes as null, unknown ones are left out of the answer."""
    history: tuple[str, ...]
    """Properties whose versions are asked for too; empty for most objects."""
    history_table: str | None
    modified: str
    """The property that a search for changed records goes by."""
    scopes: tuple[str, ...]

    @property
    def table(self) -> str:
        return self.type


# Object type, its name in associations, the scope that reads it. Activities are read with the scope of
# contacts; e-mails need a second one for what stands in them (documentation: CRM API, Engagements).
_OBJECT_SCOPES = {
    "deals": ("deal", ("crm.objects.deals.read",)),
    "contacts": ("contact", ("crm.objects.contacts.read",)),
    "companies": ("company", ("crm.objects.companies.read",)),
    "leads": ("lead", ("crm.objects.leads.read",)),
    "calls": ("call", ("crm.objects.contacts.read",)),
    "meetings": ("meeting", ("crm.objects.contacts.read",)),
    "tasks": ("task", ("crm.objects.contacts.read",)),
    "emails": ("email", ("crm.objects.contacts.read", "sales-email-read")),
    "notes": ("note", ("crm.objects.contacts.read",)),
    "communications": ("communication", ("crm.objects.contacts.read",)),
    "goal_targets": ("goal_target", ("crm.objects.goals.read",)),
    "forecasts": ("forecast", ("crm.objects.forecasts.read",)),
}

NAMES = {type_: name for type_, (name, _) in _OBJECT_SCOPES.items()}
"""The contract's word for an object type: "deals" is "deal"."""

# Tables that have endpoints of their own, with their scopes (the guides of each API).
_OTHER_SCOPES = {
    "account": (),
    "owners": ("crm.objects.owners.read",),
    "owner_teams": ("crm.objects.owners.read",),
    "teams": ("settings.users.teams.read",),
    "pipelines": ("crm.objects.deals.read",),
    "pipeline_stages": ("crm.objects.deals.read",),
    "call_dispositions": ("crm.objects.contacts.read",),
    "exchange_rates": ("settings.currencies.read",),
    "deal_splits": ("crm.dealsplits.read_write",),
    "sequences": ("automation.sequences.read",),
    "conversation_threads": ("conversations.read",),
    "conversation_channels": ("conversations.read",),
    "conversation_messages": ("conversations.read",),
    "associations": ("crm.objects.deals.read", "crm.objects.contacts.read", "crm.objects.companies.read"),
}

SCOPES: dict[str, tuple[str, ...]] = (
    {type_: scopes for type_, (_, scopes) in _OBJECT_SCOPES.items()}
    | {table.name: _OBJECT_SCOPES[table.history_of][1] for table in TABLES.values() if table.history_of}
    | _OTHER_SCOPES
)
"""The scopes that each raw table needs."""

REQUIRED_SCOPES = tuple(sorted({scope for name in SCOPES if TABLES[name].required for scope in SCOPES[name]}))
"""Without these there is no report at all."""

OPTIONAL_SCOPES = tuple(
    sorted({scope for scopes in SCOPES.values() for scope in scopes} - {*REQUIRED_SCOPES})
)
"""Without one of these some tables are unavailable (K11)."""

PIPELINE_TYPES = ("deals", "leads")
"""Object types whose pipelines the reports use."""

ASSOCIATION_PAIRS = (
    ("deals", "contacts"),
    ("deals", "companies"),
    ("contacts", "companies"),
    *(
        (activity, to)
        for activity in ("calls", "meetings", "tasks", "emails", "notes")
        for to in ("contacts", "deals", "companies")
    ),
)
"""The pairs that the reports use (raw_tables.md): from, to."""


def modified_property(object_type: str) -> str:
    """The property that a search for changed records goes by; contacts have an older name for it."""
    return "lastmodifieddate" if object_type == "contacts" else "hs_lastmodifieddate"


def crm_objects(custom_properties: tuple[str, ...] = ()) -> dict[str, CrmObject]:
    """Every object of the CRM by its table, in the contract's order.

    `custom_properties` (a setting) are columns of deals, as in `fct_deals`.
    """
    histories = {table.history_of: table for table in TABLES.values() if table.history_of}
    objects = {}
    for type_ in (name for name in TABLES if name in _OBJECT_SCOPES):
        name, scopes = _OBJECT_SCOPES[type_]
        history = histories.get(type_)
        columns = [column for column in TABLES[type_].columns if column not in _OURS]
        merged = [MERGED_IDS] if type_ in _MERGEABLE else []
        custom = custom_properties if type_ == "deals" else ()
        objects[type_] = CrmObject(
            type=type_,
            name=name,
            properties=tuple(dict.fromkeys([*columns, *merged, *custom])),
            history=history.tracked if history else (),
            history_table=history.name if history else None,
            modified=modified_property(type_),
            scopes=scopes,
        )
    return objects
