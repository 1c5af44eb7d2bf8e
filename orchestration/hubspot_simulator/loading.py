"""Raw tables become an account: the way from the contract's rows to what HubSpot would hold.

Belongs here: which column of `raw_tables.md` is what in HubSpot, and what HubSpot cannot say. The
simulator serves any CRM that can be written as raw tables, the demo's first of all.

What HubSpot's API has no words for is left out here, as it would be in a real account:

- the fiscal year and the first day of the week of the account: they are settings of the project;
- a merged-away record's own row, versions and associations: its id answers with the winner;
- a property version of NULL is served as '' (the SDK's ValueWithTimestamp requires a value);
- records archived more than 90 days ago: the bin forgets them (crm.py);
- when an owner was deactivated, and the kind of a chat channel (its id says it: 1000 live chat,
  1001 Facebook Messenger).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from random import Random

from orchestration.ingest import contract

from .clock import Clock, from_iso, iso, to_iso, to_ms
from .crm import Crm, Link, Record, Version
from .vocabulary import OBJECT_TABLES, RECORD_COLUMNS, SINGULAR

Rows = Iterable[Mapping[str, object]]

_PLURAL = {singular: plural for plural, singular in SINGULAR.items()}


def crm_from_tables(
    tables: Mapping[str, Rows],
    clock: Clock | None = None,
    *,
    calculated: float = 0.0,
    seed: int = 0,
    index_lag_ms: int = 0,
    merges_to_come: bool = False,
) -> Crm:
    """An account that holds these raw tables (rows as mappings of column names; missing ones are empty).

    `calculated` is the share of kept versions behind which HubSpot's own arithmetic writes a
    CALCULATED one with the same value, as far as the version cap leaves room: noise that a loader has
    to leave out. With `merges_to_come` the rows of merged-away records are live ones still, and
    `Crm.merge_as_planned` makes them what they are in the tables: so it is for a loader that has been
    there before the merge. Raises ValueError for an id that HubSpot could not have given (a number).
    """
    crm = Crm(clock, index_lag_ms=index_lag_ms, seed=seed)
    for name in (*OBJECT_TABLES, "deal_splits"):
        _load_objects(crm, name, tables.get(name, ()), merges_to_come)
    _put_off_merges(crm)
    for table in contract.TABLES.values():
        if table.history_of:
            _load_history(crm, table, tables.get(table.name, ()))
    if calculated:
        _add_calculated(crm, Random(seed), calculated)
    _load_associations(crm, tables.get("associations", ()))
    _load_settings(crm, tables)
    _load_conversations(crm, tables)
    crm.settle()
    return crm


def text(value: object) -> str | None:
    """A value as the text that HubSpot keeps; None stays None."""
    match value:
        case None | str():
            return value
        case bool():
            return str(value).lower()
        case Decimal():
            plain = format(value, "f")
            return plain.rstrip("0").rstrip(".") if "." in plain else plain
        case datetime():
            return to_iso(value)
    return str(value)


def _load_objects(crm: Crm, name: str, rows: Rows, merges_to_come: bool) -> None:
    objects = crm.of(name)
    rows = sorted(
        (row for row in rows if not row.get("hard_deleted_at")), key=lambda row: _number(name, row["id"])
    )
    losers = _losers(rows)
    for row in rows:
        record_id = str(row["id"])
        if record_id in losers:
            if not merges_to_come:
                continue
            crm.planned_merges.append((name, losers.pop(record_id), record_id))
        record = _record(crm, name, row)
        objects.add(record)
        objects.property_names.update(record.properties)
        if record.archived_at is None:
            objects.index[record.id] = record.properties
    objects.merged = losers
    objects.reserve(losers)


def _record(crm: Crm, name: str, row: Mapping[str, object]) -> Record:
    objects, record_id = crm.of(name), str(row["id"])
    if name == "deal_splits":
        properties = _split_properties(row)
    else:
        properties = {key: text(value) for key, value in row.items() if key not in RECORD_COLUMNS}
    created = text(row.get("created_at")) or crm.clock.now_text()
    updated = text(row.get("updated_at")) or created
    properties["hs_object_id"] = record_id
    for default, value in (("createdate", created), (objects.modified, updated)):
        properties[default] = properties.get(default) or value
    archived_at = (text(row.get("archived_at")) or updated) if row.get("archived") else None
    return Record(record_id, created, updated, properties, archived_at=archived_at)


def _losers(rows: Rows) -> dict[str, str]:
    """Whom each merged-away id answers with; tables say it on the loser, on the winner, or on both."""
    losers = {}
    for row in rows:
        if row.get("merged_into_id"):
            losers[str(row["id"])] = str(row["merged_into_id"])
        for former in _former_ids(row.get("hs_merged_object_ids")):
            if former != str(row["id"]):
                losers.setdefault(former, str(row["id"]))
    return losers


def _put_off_merges(crm: Crm) -> None:
    """Winners do not name yet whom they are to be merged with."""
    for name, winner_id, loser_id in crm.planned_merges:
        if winner := crm.of(name).records.get(winner_id):
            former = _former_ids(winner.properties.get("hs_merged_object_ids"))
            others = [other for other in former if other != loser_id]
            winner.properties["hs_merged_object_ids"] = ";".join(others) or None


def _former_ids(text: object) -> list[str]:
    return [former.strip() for former in str(text or "").split(";") if former.strip()]


def _split_properties(row: Mapping[str, object]) -> dict[str, str | None]:
    """A deal split's share is a fraction in HubSpot, and a percentage in the raw table."""
    share = row.get("percentage")
    return {
        "deal_id": text(row.get("deal_id")),
        "hubspot_owner_id": text(row.get("owner_id")),
        "hs_deal_split_percentage": None if share is None else text(Decimal(str(share)) / 100),
    }


def _number(table: str, record_id: object) -> int:
    try:
        return int(str(record_id))
    except ValueError:
        raise ValueError(f"{table}: the id {record_id!r} is no number, as all ids in HubSpot are") from None


def _load_history(crm: Crm, table: contract.Table, rows: Rows) -> None:
    records = crm.of(table.history_of).records
    names = crm.of(table.history_of).property_names
    order = sorted(rows, key=lambda row: (row["object_id"], row["name"], row["timestamp"], row["sequence"]))
    cap = contract.VERSION_CAP[table.history_of]
    for row in order:
        record = records.get(str(row["object_id"]))
        if record is None:
            continue
        names.add(row["name"])
        versions = record.history.setdefault(row["name"], [])
        versions.append(
            Version(
                text(row["value"]) or "",
                text(row["timestamp"]),
                row.get("source_type") or "API",
                text(row.get("source_id")),
                text(row.get("updated_by_user_id")),
            )
        )
        del versions[:-cap]


def _add_calculated(crm: Crm, random: Random, share: float) -> None:
    for objects in crm.objects.values():
        cap = contract.VERSION_CAP.get(objects.name, 20)
        for record in objects.records.values():
            for versions in record.history.values():
                position = 0
                while position < len(versions) < cap:
                    version = versions[position]
                    position += 1
                    if version.source_type != "CALCULATED" and random.random() < share:
                        later = to_ms(from_iso(version.timestamp)) + random.choice((0, 1, 1500))
                        if position < len(versions) and iso(later) > versions[position].timestamp:
                            continue
                        noise = Version(version.value, iso(later), "CALCULATED", "RollupProperties")
                        versions.insert(position, noise)
                        position += 1


def _load_associations(crm: Crm, rows: Rows) -> None:
    for row in rows:
        from_type, to_type = _PLURAL[row["from_type"]], _PLURAL[row["to_type"]]
        links = crm.associations.setdefault((from_type, to_type), {})
        links.setdefault(str(row["from_id"]), []).append(
            Link(str(row["to_id"]), text(row.get("type_id")), row.get("label"))
        )


def _load_settings(crm: Crm, tables: Mapping[str, Rows]) -> None:
    now = crm.clock.now_text()
    for row in tables.get("account", ()):
        crm.account = {
            "portalId": int(str(row["portal_id"]).split("-")[0]),
            "timeZone": row["time_zone"],
            "companyCurrency": row["company_currency"],
        }
    teams = {row["id"]: row for row in tables.get("teams", ())}
    crm.teams = [
        {"id": row["id"], "name": row["name"], "parentTeamId": row.get("parent_team_id")}
        for row in teams.values()
        if not row.get("archived")
    ]
    memberships: dict[str, list[dict]] = {}
    for row in tables.get("owner_teams", ()):
        team = teams.get(row["team_id"], {})
        memberships.setdefault(row["owner_id"], []).append(
            {"id": row["team_id"], "name": team.get("name") or "", "primary": bool(row.get("is_primary"))}
        )
    crm.owners = [_owner(row, memberships.get(row["id"], []), now) for row in tables.get("owners", ())]
    crm.owners.sort(key=lambda owner: int(owner["id"]))
    _load_pipelines(crm, tables, now)
    crm.call_dispositions = [
        {"id": row["id"], "label": row["label"], "deleted": bool(row.get("deleted"))}
        for row in tables.get("call_dispositions", ())
    ]
    crm.exchange_rates = [
        {
            "id": str(number),
            "fromCurrencyCode": row["from_currency"],
            "toCurrencyCode": row["to_currency"],
            "conversionRate": float(row["conversion_rate"]),
            "effectiveAt": text(row["effective_at"]),
            "visibleInUI": True,
            "createdAt": text(row["effective_at"]),
            "updatedAt": text(row["effective_at"]),
        }
        for number, row in enumerate(tables.get("exchange_rates", ()), 1)
    ]
    user = next((str(owner["userId"]) for owner in crm.owners if owner.get("userId")), "1")
    crm.sequences = [
        {"id": row["id"], "name": row["name"], "createdAt": now, "updatedAt": now, "userId": user}
        for row in tables.get("sequences", ())
    ]


def _owner(row: Mapping[str, object], teams: list[dict], now: str) -> dict[str, object]:
    """Deactivated users keep their number only as `userIdIncludingInactive`."""
    user = row.get("user_id")
    user = None if user is None else int(user)
    archived = bool(row.get("archived"))
    created = text(row.get("created_at")) or now
    owner = {
        "id": row["id"],
        "email": row.get("email"),
        "type": row.get("type") or "PERSON",
        "firstName": row.get("first_name"),
        "lastName": row.get("last_name"),
        "userId": None if archived else user,
        "userIdIncludingInactive": user,
        "createdAt": created,
        "updatedAt": text(row.get("updated_at")) or created,
        "archived": archived,
        "teams": teams,
    }
    # HubSpot leaves out what it does not have.
    return {key: value for key, value in owner.items() if value not in (None, [])}


def _load_pipelines(crm: Crm, tables: Mapping[str, Rows], now: str) -> None:
    stages: dict[tuple[str, str], list[dict]] = {}
    for row in tables.get("pipeline_stages", ()):
        probability, closed = row.get("probability"), row.get("is_closed")
        metadata = {"isClosed": text(bool(closed))} if closed is not None else {}
        if probability is not None:
            metadata["probability"] = text(probability)
        stages.setdefault((row["object_type"], row["pipeline_id"]), []).append(
            _pipeline_part(row, now)
            | {"metadata": metadata, "writePermissions": "CRM_PERMISSIONS_ENFORCEMENT"}
        )
    for row in tables.get("pipelines", ()):
        crm.pipelines.setdefault(_PLURAL[row["object_type"]], []).append(
            _pipeline_part(row, now) | {"stages": stages.get((row["object_type"], row["id"]), [])}
        )


def _pipeline_part(row: Mapping[str, object], now: str) -> dict[str, object]:
    archived = bool(row.get("archived"))
    part = {
        "id": row["id"],
        "label": row["label"],
        "displayOrder": int(row.get("display_order") or 0),
        "archived": archived,
        "createdAt": now,
        "updatedAt": now,
    }
    return part | ({"archivedAt": now} if archived else {})


def _load_conversations(crm: Crm, tables: Mapping[str, Rows]) -> None:
    crm.channels = [{"id": row["id"], "name": row["name"]} for row in tables.get("conversation_channels", ())]
    latest: dict[str, str] = {}
    for row in tables.get("conversation_messages", ()):
        created = text(row["created_at"])
        thread = row["thread_id"]
        latest[thread] = max(latest.get(thread, ""), created)
        crm.messages.setdefault(thread, []).append(
            {
                "id": row["id"],
                "type": "MESSAGE",
                "conversationsThreadId": thread,
                "createdAt": created,
                "createdBy": row["sender"],
                "senders": [{"actorId": row["sender"]}],
                "recipients": [],
                "direction": row["direction"],
                "archived": False,
            }
        )
    for row in sorted(tables.get("conversation_threads", ()), key=lambda row: int(row["id"])):
        thread = {
            "id": row["id"],
            "createdAt": text(row["created_at"]),
            "closedAt": text(row.get("closed_at")),
            "status": row["status"],
            "originalChannelId": row["original_channel_id"],
            "originalChannelAccountId": row["original_channel_id"],
            "inboxId": "1",
            "latestMessageTimestamp": latest.get(row["id"]),
            "assignedTo": row.get("assigned_to"),
            "associatedContactId": row.get("associated_contact_id"),
            "spam": bool(row.get("spam")),
            "archived": bool(row.get("archived")),
        }
        crm.threads[row["id"]] = {key: value for key, value in thread.items() if value is not None}
