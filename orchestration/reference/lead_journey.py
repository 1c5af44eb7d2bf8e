"""Report 5b, lead funnel, tab "Lead journey": contacts through the lifecycle stages, in order."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

from orchestration.reference.crm import OWNER_COLUMNS, Crm, Row, duration_ms, group_rows, split_list
from orchestration.reference.deal_funnel import walk

GRAIN = ("created_date", "stage_position", "stage_id", "stage_label", "is_optional", *OWNER_COLUMNS)
MEASURES = (
    "contact_count",
    "advanced_count",
    "skipped_count",
    "still_here_count",
    "time_to_next_ms",
    "time_to_next_count",
)
JourneyStage = tuple[str, str, bool]  # id, label, optional
Entry = tuple[str, datetime]  # stage, entered at


def rpt_lead_journey(crm: Crm) -> list[Row]:
    """One row per local day of the contact's creation, stage of the journey and present owner."""
    is_available = crm.is_available("contacts") and crm.is_available("contact_property_history")
    if not is_available:  # K11
        return []
    return journey(crm, crm.settings.lead_journey_stages)


def journey(crm: Crm, stages: tuple[JourneyStage, ...]) -> list[Row]:
    """The report over any ordered list of stages."""
    return group_rows(journeys(crm, stages), GRAIN, MEASURES)


def journeys(crm: Crm, stages: tuple[JourneyStage, ...]) -> list[Row]:
    """What each contact adds to each stage; the first is required whatever it says."""
    stages = tuple((*stage[:2], stage[2] and i > 0) for i, stage in enumerate(stages))
    all_entries = _entries_by_original_id(crm)
    merged = _merged_ids(crm)
    rows = []
    for contact in crm.population("contacts"):
        created_at = crm.creation_instant("contacts", contact)
        if created_at is None:
            continue
        entries = [
            entry
            for original_id in _original_ids(merged, contact["id"])
            for entry in all_entries.get(original_id, [])
        ]
        for position, stage in enumerate(_measures(contact, stages, entries), start=1):
            rows.append(
                {
                    "created_date": crm.day(created_at),
                    "stage_position": position,
                    **crm.owner(contact["hubspot_owner_id"]).columns,
                    **stage,
                }
            )
    return rows


def _measures(contact: Row, stages: tuple[JourneyStage, ...], entries: list[Entry]) -> list[Row]:
    """What one contact adds to each stage."""
    optional = [is_optional for _, _, is_optional in stages]
    used = walk([[at for stage, at in entries if stage == id_] for id_, _, _ in stages], optional)
    found = []
    for i, (stage_id, label, is_optional) in enumerate(stages):
        is_counted = used[i] is not None
        next_at = _next_entry(used, optional, i)
        is_advanced = is_counted and next_at is not None
        time_ms = duration_ms(used[i], next_at) if is_advanced else -1
        found.append(
            {
                "stage_id": stage_id,
                "stage_label": label,
                "is_optional": is_optional,
                "contact_count": int(is_counted),
                "advanced_count": int(is_advanced),
                "skipped_count": int(not is_counted and any(used[i + 1 :])),
                "still_here_count": int(is_counted and contact["lifecyclestage"] == stage_id),
                "time_to_next_ms": max(time_ms, 0),
                "time_to_next_count": int(time_ms >= 0),  # 5b-3: optional stages may run backward
            }
        )
    return found


def _next_entry(used: list[datetime | None], optional: list[bool], position: int) -> datetime | None:
    """The entry at the first counted stage up to and including the next required one."""
    for entry, is_optional in zip(used[position + 1 :], optional[position + 1 :], strict=True):
        if entry is not None:
            return entry
        if not is_optional:
            return None
    return None


# --- entries --------------------------------------------------------------------------------------


def _entries_by_original_id(crm: Crm) -> dict[str, list[Entry]]:
    """Entries of every contact id that has a row or a version of lifecyclestage (P2)."""
    rows = {row["id"]: row for row in crm.rows("contacts")}
    ids = rows.keys() | {row["object_id"] for row in crm.rows("contact_property_history")}
    return {id_: _entries(crm, id_, rows.get(id_)) for id_ in ids}


def _entries(crm: Crm, original_id: str, row: Row | None) -> list[Entry]:
    """Each version of lifecyclestage enters its stage, the first one too; without any, the present
    value from the creation on (5b-4). Nothing at or after run_ts (H1)."""
    versions = crm.distinct_versions("contact_property_history", original_id, "lifecyclestage")
    if versions:
        return [(v.value, v.timestamp) for v in versions if v.value is not None]
    created_at = row and crm.creation_instant("contacts", row)
    if not created_at or created_at >= crm.run_ts or row["lifecyclestage"] is None:
        return []
    return [(row["lifecyclestage"], created_at)]


def _merged_ids(crm: Crm) -> dict[str, set[str]]:
    """Ids merged into each contact: from its list, or from the merged record's own column (P1)."""
    merged = defaultdict(set)
    for row in crm.rows("contacts"):
        merged[row["id"]] |= set(split_list(row["hs_merged_object_ids"]))
        if row["merged_into_id"]:
            merged[row["merged_into_id"]].add(row["id"])
    return merged


def _original_ids(merged: dict[str, set[str]], contact_id: str) -> set[str]:
    """The contact's own id and those of all contacts merged into it, directly or through others."""
    found, new = set(), {contact_id}
    while new:
        found |= new
        new = {former for survivor in new for former in merged.get(survivor, ())} - found
    return found
