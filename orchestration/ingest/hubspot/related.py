"""What is no record of the CRM: settings and people, associations, deal splits, conversations.

Belongs here: which of them is read when. Small lists are read as a whole every night and replaced by what
was read. The associations of changed records are read every night, and those of one seventh of the rest
in turn, because a changed association changes no date.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import chain
from typing import Any

import pyarrow as pa

from orchestration.ingest.hubspot import rows
from orchestration.ingest.hubspot.api import chunks
from orchestration.ingest.hubspot.http import Unavailable
from orchestration.ingest.hubspot.landing import (
    ASSOCIATION_READS,
    PACKAGE,
    READS,
    SCHEMA,
    WHOLE_TABLES,
)
from orchestration.ingest.hubspot.night import LOOK_BACK, Night, instant, text_table
from orchestration.ingest.hubspot.objects import ASSOCIATION_PAIRS, NAMES, PIPELINE_TYPES
from orchestration.ingest.hubspot.records import Listed, live_ids
from orchestration.ingest.hubspot.windows import THREADS, read_associations

_TURNS = 7
_RECORDS_AT_A_TIME = 10_000
_THREADS_AT_A_TIME = 500
Json = dict[str, Any]


# --- lists that are read as a whole ---------------------------------------------------------------


def read_lists(night: Night, account: Json) -> None:
    """Read all small lists, for the next package."""
    hubspot = night.hubspot
    found: dict[str, list[Json]] = {"account": [rows.account_row(account)]}
    people: list[Json] = []  # who is both in the list of the active and in the other one is active
    with night.optional("owners", "owner_teams"):
        people = _once(("id",), chain.from_iterable(chain(hubspot.owners(False), hubspot.owners(True))))
        found["owners"] = [rows.owner_row(owner) for owner in people]
        found["owner_teams"] = _once(
            ("owner_id", "team_id"), (row for owner in people for row in rows.owner_team_rows(owner))
        )
    with night.optional("teams"):
        found["teams"] = [rows.team_row(team) for team in hubspot.teams()]
    _read_pipelines(night, found)
    with night.optional("call_dispositions"):
        found["call_dispositions"] = [rows.call_disposition_row(row) for row in hubspot.call_dispositions()]
    with night.optional("exchange_rates"):
        found["exchange_rates"] = [rows.exchange_rate_row(rate) for rate in hubspot.exchange_rates()]
    with night.optional("sequences"):
        users = [str(owner["userId"]) for owner in people if owner.get("userId")]
        found["sequences"] = [rows.sequence_row(row) for row in hubspot.sequences(users)]
    with night.optional("conversation_channels"):
        found["conversation_channels"] = [rows.channel_row(channel) for channel in hubspot.channels()]
    read = [table for table in WHOLE_TABLES if table in found or table in night.unavailable]
    night.add({name: text_table(some) for name, some in found.items()} | {READS: night.marks(read)})


def _read_pipelines(night: Night, found: dict[str, list[Json]]) -> None:
    """Pipelines and their stages. Without leads an account still has deals."""
    for object_type in PIPELINE_TYPES:
        try:
            answers = night.hubspot.pipelines(object_type)
        except Unavailable as error:
            if object_type == PIPELINE_TYPES[0]:
                night.unavailable |= dict.fromkeys(("pipelines", "pipeline_stages"), str(error))
                return
            night.notes.append(f"pipelines of {object_type} cannot be read: {error}")
            continue
        for pipeline in answers:
            found.setdefault("pipelines", []).append(rows.pipeline_row(object_type, pipeline))
            found.setdefault("pipeline_stages", []).extend(rows.stage_rows(object_type, pipeline))


def _once(key: tuple[str, ...], found: Iterable[Json]) -> list[Json]:
    unique: dict[tuple, Json] = {}
    for row in found:
        unique.setdefault(tuple(row[column] for column in key), row)
    return list(unique.values())


def read_deal_splits(night: Night) -> None:
    """The splits of the deals that are split: few, so all of them."""
    if "deals" in night.unavailable:
        night.unavailable["deal_splits"] = night.unavailable["deals"]
        return
    with night.optional("deal_splits"):
        ids: list[str] = []
        if night.landing.has("deals"):
            found = night.landing.rows(
                f"select id from {SCHEMA}.deals semi join ({live_ids(night.landing, 'deals')}) using (id) "
                "where hs_is_deal_split = 'true' order by try_cast(id as ubigint)"
            )
            ids = [id_ for (id_,) in found]
        deals = [deal for part in night.hubspot.deal_splits(ids) for deal in part]
        splits = [row for deal in deals for row in rows.split_rows(deal)]
        night.add({"deal_splits": text_table(splits), READS: night.marks(["deal_splits"])})


# --- associations ---------------------------------------------------------------------------------


def read_associations_in_turn(night: Night) -> None:
    """Read the associations of all records that are due; a package per 10,000 records."""
    turn = night.state.get("turn", 0)
    targets: dict[str, list[str]] = {}
    for from_type, to_type in ASSOCIATION_PAIRS:
        targets.setdefault(from_type, []).append(to_type)
    answered = False
    for from_type, to_types in targets.items():
        if from_type in night.unavailable or not night.landing.has(from_type):
            continue
        for ids in chunks(_due(night, from_type, turn), _RECORDS_AT_A_TIME):
            answered |= _read_associations(night, from_type, to_types, ids)
    refused = [note for note in night.notes if note.startswith("associations")]
    if refused and not answered:
        night.unavailable["associations"] = refused[0]
    else:
        night.state["turn"] = (turn + 1) % _TURNS


def _due(night: Night, from_type: str, turn: int) -> list[str]:
    """Records whose associations were not read since they were, and of the others those whose turn it is."""
    landing = night.landing
    if not landing.has(ASSOCIATION_READS):
        return [id_ for (id_,) in landing.rows(live_ids(landing, from_type))]
    found = landing.rows(
        f"""
        select r.id
        from {SCHEMA}.{from_type} as r
        semi join ({live_ids(landing, from_type)}) as live using (id)
        left join {SCHEMA}.{ASSOCIATION_READS} as a on a.from_type = $name and r.id = a.from_id
        where
            a.{PACKAGE} is null
            or a.{PACKAGE} < r.{PACKAGE}
            or (try_cast(r.id as ubigint) % {_TURNS} = $turn and a.{PACKAGE} < $first)
        """,
        name=NAMES[from_type],
        turn=turn,
        first=night.first_package,
    )
    return [id_ for (id_,) in found]


def _read_associations(night: Night, from_type: str, to_types: list[str], ids: list[str]) -> bool:
    """Land the associations of these records to all types; whether any type was answered."""
    found: list[pa.Table] = []
    for to_type in to_types:
        try:
            found += [window.rows for window in read_associations(night.hubspot, from_type, to_type, ids)]
        except Unavailable as error:
            note = f"associations of {from_type} to {to_type} cannot be read: {error}"
            if note not in night.notes:
                night.notes.append(note)
    if found:
        read = text_table([{"from_type": NAMES[from_type], "from_id": id_} for id_ in ids])
        night.commit({"associations": pa.concat_tables(found), ASSOCIATION_READS: read})
    return bool(found)


# --- conversations --------------------------------------------------------------------------------


def read_conversations(night: Night, until: datetime, refresh: bool) -> None:
    """Threads with a new message, with all that was written in them; weekly, all threads."""
    entry = night.entry("conversation_threads")
    listed = None
    if refresh or "cursor" not in entry or night.is_due(entry):
        listed = Listed(night.landing, "conversation_threads")
        pages = chain(night.hubspot.threads(), night.hubspot.threads(archived=True))
    else:
        pages = night.hubspot.threads(instant(entry["cursor"]) - LOOK_BACK)
    for part in chunks(chain.from_iterable(pages), _THREADS_AT_A_TIME):
        threads = {row["id"]: row | {"hard_deleted_at": None} for row in map(rows.thread_row, part)}
        if listed:
            listed.add(list(threads))
        messages = _messages(night, _with_news(night, threads))
        night.commit(
            {
                "conversation_threads": text_table(list(threads.values())),
                "conversation_messages": text_table(messages),
            }
        )
    if listed:
        _bury_threads(night, listed)
        entry["swept_at"] = night.started.isoformat()
    entry["cursor"] = until.isoformat()


def _with_news(night: Night, threads: dict[str, Json]) -> list[str]:
    """The threads in which something was written since they were landed."""
    known: dict[str, str] = {}
    if night.landing.has("conversation_threads"):
        known = dict(
            night.landing.rows(
                f"select id, updated_at from {SCHEMA}.conversation_threads where list_contains($ids, id)",
                ids=list(threads),
            )
        )
    return [id_ for id_, row in threads.items() if known.get(id_) != row["updated_at"]]


def _messages(night: Night, thread_ids: list[str]) -> list[Json]:
    def read(thread_id: str) -> list[Json]:
        pages = chain.from_iterable(night.hubspot.messages(thread_id))
        return list(rows.message_rows(thread_id, pages))

    pool = ThreadPoolExecutor(THREADS, thread_name_prefix="hubspot-messages")
    try:
        return list(chain.from_iterable(pool.map(read, thread_ids)))
    finally:
        pool.shutdown(cancel_futures=True)  # after an error, nothing more is asked


def _bury_threads(night: Night, listed: Listed) -> None:
    """Threads that are listed nowhere any more are deleted."""
    if not night.landing.has("conversation_threads"):
        return
    night.landing.settle()
    gone = night.landing.arrow(
        f"select * exclude ({PACKAGE}, _loaded_at) replace ($now as hard_deleted_at) "
        f"from {SCHEMA}.conversation_threads "
        f"where hard_deleted_at is null and id not in ({listed.query()})",
        now=night.clock().isoformat(),
    )
    if gone.num_rows:
        night.commit({"conversation_threads": gone})
