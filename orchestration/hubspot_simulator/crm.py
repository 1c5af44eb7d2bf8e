"""The state of the simulated account and everything that may happen to its records.

Belongs here: records with their property versions, what HubSpot does to them when they are created,
changed, archived, restored, merged or deleted, and what the search index knows of it. Nothing of HTTP.

Instants are text as HubSpot writes them (`clock.iso`), property values are text or None, because
that is what HubSpot keeps. Where the rules come from:

- versions: at most 20 of a property of a deal, 45 of a contact's (knowledge base, "View record
  property history"; issue 4); a version with source type CALCULATED is HubSpot's own arithmetic.
- merging: the id of the merged-away record answers with the winner, whose `hs_merged_object_ids`
  names it, and both histories and associations are one (developers.hubspot.com/changelog,
  "Announcement: Deals now support merging": deals A and B become a new deal C; issue 4).
- archiving: 90 days in the recycle bin, from where it can be restored (knowledge base, "Restore
  deleted records"); archiving, merging and associations leave the modified date alone (issue 4).
- search: new and changed records are found only after a while (developers.hubspot.com, "Search the
  CRM": "it may take a few moments"; issue 4: up to a minute).
"""

from __future__ import annotations

import threading
from bisect import bisect_right, insort
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from random import Random
from typing import NamedTuple

from .clock import Clock, iso
from .vocabulary import MODIFIED, VERSION_CAP, default_properties

BIN_DAYS = 90
_DAY_MS = 86_400_000


class Version(NamedTuple):
    """One value of a property, from `timestamp` on."""

    value: str | None
    timestamp: str
    source_type: str
    source_id: str | None = None
    user_id: str | None = None


@dataclass(slots=True)
class Record:
    """One record. `history` holds the kept versions of each property, oldest first."""

    id: str
    created_at: str
    updated_at: str
    properties: dict[str, str | None]
    """Never changed in place: the search index may still hold the dictionary of before."""
    history: dict[str, list[Version]] = field(default_factory=dict)
    archived_at: str | None = None


class Link(NamedTuple):
    """One association, seen from the record it starts at."""

    to_id: str
    type_id: str | None
    label: str | None = None


class NoSuchRecord(KeyError):
    """There is no live record of that id."""


class Objects:
    """All records of one object type: live ones, those in the bin, and ids that were merged away."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.modified = MODIFIED.get(name, "hs_lastmodifieddate")
        self.property_names = default_properties(name)
        """What the account has; values of others are not asked for in vain, they are absent."""
        self.records: dict[str, Record] = {}
        self.merged: dict[str, str] = {}
        self.index: dict[str, dict[str, str | None]] = {}
        """Properties by id as the search index sees them; behind the records by the index lag."""
        self._order: list[int] = []
        self._last = 0

    def add(self, record: Record) -> None:
        self.records[record.id] = record
        number = int(record.id)
        self._last = max(self._last, number)
        if not self._order or number > self._order[-1]:
            self._order.append(number)
        else:
            insort(self._order, number)

    def remove(self, record_id: str) -> None:
        del self.records[record_id]
        position = bisect_right(self._order, int(record_id)) - 1
        del self._order[position]

    def reserve(self, ids: Iterable[str]) -> None:
        """No new record gets an id up to these: records that are gone had them."""
        self._last = max([self._last, *(int(former) for former in ids if former.isdigit())])

    def next_id(self) -> str:
        """An id that no record has ever had."""
        return str(self._last + 1)

    def after(self, record_id: str | None) -> Iterator[Record]:
        """Records in the order of their ids, bin included, from behind an id on."""
        position = bisect_right(self._order, int(record_id)) if record_id else 0
        while position < len(self._order):
            yield self.records[str(self._order[position])]
            position += 1

    def find(self, record_id: str) -> Record | None:
        """The record that an id answers with, in the bin or not; the winner for a merged-away id."""
        while record_id in self.merged:
            record_id = self.merged[record_id]
        return self.records.get(record_id)

    def live(self) -> dict[str, Record]:
        return {key: record for key, record in self.records.items() if record.archived_at is None}


class Crm:
    """The account: objects, associations, and the lists that a person sets up (owners, pipelines …).

    `index_lag_ms` is the longest time that search stays behind; how long for each change is drawn
    from `seed`. Every method may be called from any thread.
    """

    def __init__(self, clock: Clock | None = None, *, index_lag_ms: int = 0, seed: int = 0) -> None:
        self.clock = clock or Clock()
        self.index_lag_ms = index_lag_ms
        self.lock = threading.RLock()
        self.objects: dict[str, Objects] = {}
        self.associations: dict[tuple[str, str], dict[str, list[Link]]] = {}
        self.account: dict[str, object] = {}
        self.owners: list[dict[str, object]] = []
        self.pipelines: dict[str, list[dict[str, object]]] = {}
        self.teams: list[dict[str, object]] = []
        self.call_dispositions: list[dict[str, object]] = []
        self.exchange_rates: list[dict[str, object]] = []
        self.sequences: list[dict[str, object]] = []
        self.channels: list[dict[str, object]] = []
        self.threads: dict[str, dict[str, object]] = {}
        self.messages: dict[str, list[dict[str, object]]] = {}
        self.planned_merges: list[tuple[str, str, str]] = []
        """Object type, winner and loser of the merges that `merge_as_planned` will do."""
        self._unindexed: list[tuple[int, str, str]] = []
        self._random = Random(seed)

    def of(self, object_type: str) -> Objects:
        """The records of an object type by its plural name, such as `deals`."""
        if object_type not in self.objects:
            self.objects[object_type] = Objects(object_type)
        return self.objects[object_type]

    # --- what users and integrations do ---

    def create(
        self,
        object_type: str,
        properties: Mapping[str, str | None],
        *,
        source_type: str = "CRM_UI",
        source_id: str | None = None,
        user_id: str | None = None,
    ) -> Record:
        """A new record with a first version of each property."""
        with self.lock:
            objects = self.of(object_type)
            now = self.clock.now_text()
            record = Record(
                objects.next_id(), now, now, {"createdate": now, "hs_createdate": now, objects.modified: now}
            )
            objects.add(record)
            self._write(objects, record, properties, Version(None, now, source_type, source_id, user_id))
            return record

    def update(
        self,
        object_type: str,
        record_id: str,
        changes: Mapping[str, str | None],
        *,
        source_type: str = "CRM_UI",
        source_id: str | None = None,
        user_id: str | None = None,
    ) -> Record:
        """New values for a live record; `''` clears one. A value that is the same makes no version.

        Raises NoSuchRecord. CALCULATED as source type is HubSpot's own arithmetic: a version is
        written even where nothing changes, and the modified date moves.
        """
        with self.lock:
            objects, record = self.of(object_type), self._live(object_type, record_id)
            changed = {
                name: value
                for name, value in changes.items()
                if source_type == "CALCULATED" or (value or "") != (record.properties.get(name) or "")
            }
            if changed:
                now = self.clock.now_text()
                version = Version(None, now, source_type, source_id, user_id)
                self._write(objects, record, changed, version)
            return record

    def archive(self, object_type: str, record_id: str) -> None:
        """Into the recycle bin. The modified date stays. Raises NoSuchRecord."""
        with self.lock:
            record = self._live(object_type, record_id)
            record.archived_at = self.clock.now_text()
            self._index_later(object_type, record.id)

    def restore(self, object_type: str, record_id: str) -> None:
        """Out of the recycle bin, as if nothing had happened. Raises NoSuchRecord."""
        with self.lock:
            record = self.of(object_type).records.get(record_id)
            if record is None or record.archived_at is None:
                raise NoSuchRecord(record_id)
            record.archived_at = None
            self._index_later(object_type, record.id)

    def delete(self, object_type: str, record_id: str) -> None:
        """Gone for good, from the bin too, with all of its associations (GDPR). Raises NoSuchRecord."""
        with self.lock:
            objects = self.of(object_type)
            if record_id not in objects.records:
                raise NoSuchRecord(record_id)
            objects.remove(record_id)
            objects.merged = {old: new for old, new in objects.merged.items() if new != record_id}
            self._index_later(object_type, record_id)
            self._drop_links(object_type, record_id)

    def merge(self, object_type: str, winner_id: str, loser_id: str, *, into_new: bool = False) -> Record:
        """The loser becomes part of the winner: its id, its versions and its associations.

        The winner's values stay where it has some, else the loser's are taken. With `into_new` both
        become one record with an id of its own, as HubSpot does with all objects but contacts.
        Raises NoSuchRecord.
        """
        with self.lock:
            objects = self.of(object_type)
            winner, loser = self._live(object_type, winner_id), self._live(object_type, loser_id)
            if winner is loser:
                raise NoSuchRecord(loser_id)
            gone = [loser.id, *_former_ids(loser)]
            if into_new:
                gone = [winner.id, *gone]
            gone = list(dict.fromkeys([*_former_ids(winner), *gone]))
            filled = {name: value for name, value in winner.properties.items() if value not in (None, "")}
            winner.properties = {**loser.properties, **filled, "hs_merged_object_ids": ";".join(gone)}
            self._merge_history(objects, winner, loser)
            former = [loser.id]
            if into_new:
                former.append(winner.id)
                objects.remove(winner.id)
                winner = replace(winner, id=objects.next_id())
                objects.add(winner)
            winner.properties["hs_object_id"] = winner.id
            objects.remove(loser.id)
            for old in former:
                objects.merged[old] = winner.id
                self._move_links(object_type, old, winner.id)
                self._index_later(object_type, old)
            self._index_later(object_type, winner.id)
            return winner

    def merge_as_planned(self) -> None:
        """The merges that `loading` has put off: the losers go, the winners already are as they will be,
        but for naming them."""
        with self.lock:
            for object_type, winner_id, loser_id in self.planned_merges:
                objects = self.of(object_type)
                objects.remove(loser_id)
                objects.merged[loser_id] = winner_id
                self._drop_links(object_type, loser_id)
                self._index_later(object_type, loser_id)
                if winner := objects.records.get(winner_id):
                    former = winner.properties.get("hs_merged_object_ids")
                    ids = f"{former};{loser_id}" if former else loser_id
                    winner.properties = {**winner.properties, "hs_merged_object_ids": ids}
                    self._index_later(object_type, winner_id)
            self.planned_merges = []

    def associate(
        self,
        from_type: str,
        from_id: str,
        to_type: str,
        to_id: str,
        type_id: str | None,
        label: str | None = None,
    ) -> None:
        """A link from one record to another; the modified dates stay."""
        with self.lock:
            links = self.associations.setdefault((from_type, to_type), {}).setdefault(from_id, [])
            link = Link(to_id, type_id, label)
            if link not in links:
                links.append(link)

    def dissociate(self, from_type: str, from_id: str, to_type: str, to_id: str) -> None:
        """No link of any type is left between the two, in this direction."""
        with self.lock:
            links = self.associations.get((from_type, to_type), {})
            links[from_id] = [link for link in links.get(from_id, []) if link.to_id != to_id]

    # --- what is seen ---

    def links(self, from_type: str, to_type: str, from_id: str) -> list[Link]:
        """The associations of a live record with live records."""
        if not self._is_live(from_type, from_id):
            return []
        found = self.associations.get((from_type, to_type), {}).get(from_id, [])
        return [link for link in found if self._is_live(to_type, link.to_id)]

    def indexed(self, object_type: str) -> dict[str, dict[str, str | None]]:
        """Properties by id, as search finds them now."""
        self._catch_up()
        return self.of(object_type).index

    def in_bin(self, record: Record) -> bool:
        """Whether an archived record can still be listed and restored."""
        if record.archived_at is None:
            return False
        return record.archived_at > iso(self.clock.now() - BIN_DAYS * _DAY_MS)

    def settle(self) -> None:
        """Search has caught up with everything, whatever its lag."""
        with self.lock:
            self._unindexed = [(0, *rest) for _, *rest in self._unindexed]
            self._catch_up()

    # --- inside ---

    def _live(self, object_type: str, record_id: str) -> Record:
        record = self.of(object_type).find(record_id)
        if record is None or record.archived_at is not None:
            raise NoSuchRecord(record_id)
        return record

    def _is_live(self, object_type: str, record_id: str) -> bool:
        if object_type not in self.objects:
            return True
        record = self.objects[object_type].records.get(record_id)
        return record is not None and record.archived_at is None

    def _write(
        self, objects: Objects, record: Record, changes: Mapping[str, str | None], like: Version
    ) -> None:
        """Set values, append a version of each, and move the modified date."""
        cap = VERSION_CAP.get(objects.name, 20)
        for name, value in changes.items():
            versions = record.history.setdefault(name, [])
            versions.append(like._replace(value="" if value is None else value))
            del versions[:-cap]
        objects.property_names.update(changes)
        record.properties = {
            **record.properties,
            **changes,
            "hs_object_id": record.id,
            objects.modified: like.timestamp,
        }
        record.updated_at = like.timestamp
        self._index_later(objects.name, record.id)

    def _merge_history(self, objects: Objects, winner: Record, loser: Record) -> None:
        """Both histories in one, in time order; the present value is the newest version."""
        cap = VERSION_CAP.get(objects.name, 20)
        for name, versions in loser.history.items():
            own = winner.history.get(name, [])
            both = sorted([*versions, *own], key=lambda version: version.timestamp)
            present = winner.properties.get(name) or ""
            if (both[-1].value or "") != present:
                both.append(Version(present, self.clock.now_text(), "MERGE_OBJECTS"))
            winner.history[name] = both[-cap:]

    def _move_links(self, object_type: str, old: str, new: str) -> None:
        for (from_type, to_type), links in self.associations.items():
            if from_type == object_type and old in links:
                links[new] = list(dict.fromkeys([*links.get(new, []), *links.pop(old)]))
            if to_type == object_type:
                for from_id, found in links.items():
                    if any(link.to_id == old for link in found):
                        moved = [link._replace(to_id=new) if link.to_id == old else link for link in found]
                        links[from_id] = list(dict.fromkeys(moved))

    def _drop_links(self, object_type: str, record_id: str) -> None:
        for (from_type, to_type), links in self.associations.items():
            if from_type == object_type:
                links.pop(record_id, None)
            if to_type == object_type:
                for from_id, found in links.items():
                    if any(link.to_id == record_id for link in found):
                        links[from_id] = [link for link in found if link.to_id != record_id]

    def _index_later(self, object_type: str, record_id: str) -> None:
        lag = self._random.randint(0, self.index_lag_ms) if self.index_lag_ms else 0
        self._unindexed.append((self.clock.now() + lag, object_type, record_id))

    def _catch_up(self) -> None:
        """Bring the index up to the changes that are due."""
        now, waiting = self.clock.now(), []
        for due, object_type, record_id in self._unindexed:
            if due > now:
                waiting.append((due, object_type, record_id))
                continue
            objects = self.objects[object_type]
            record = objects.records.get(record_id)
            if record is None or record.archived_at is not None:
                objects.index.pop(record_id, None)
            else:
                objects.index[record_id] = record.properties
        self._unindexed = waiting


def _former_ids(record: Record) -> list[str]:
    return [former for former in (record.properties.get("hs_merged_object_ids") or "").split(";") if former]
