"""Records by id, many requests at a time, as Arrow tables: one window of ids after another.

Belongs here: the threads, what is held in memory at once, and the tables' columns and order. A window
is what one load package lands (a crash costs one window). Values stay the text that HubSpot gives; types
are the load step's business. Not what is asked (`api.py`) nor where it lands (`landing.py`).

The ids are a chain of pages and so bound by latency; the records are not. So a thread of its own follows
the chain while others read the records, in batches, all under the one limiter. Batches become Arrow in
the thread that read them, which keeps the JSON of only as many batches as there are threads.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Queue
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from orchestration.ingest.contract import VERSION_CAP
from orchestration.ingest.hubspot.api import (
    ASSOCIATION_LIMIT,
    BATCH_LIMIT,
    HISTORY_LIMIT,
    LIST_LIMIT,
    HubSpot,
    chunks,
)
from orchestration.ingest.hubspot.objects import RECORD_COLUMNS, CrmObject

THREADS = 8
"""Requests under way at once: 18.5 a second with up to 400 ms of latency each."""

HISTORY_SCHEMA = pa.schema(
    [
        ("object_id", pa.string()),
        ("name", pa.string()),
        ("value", pa.string()),
        ("timestamp", pa.string()),
        ("sequence", pa.int64()),
        ("source_type", pa.string()),
        ("source_id", pa.string()),
        ("updated_by_user_id", pa.string()),
    ]
)
ASSOCIATION_SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("from_type", "from_id", "to_type", "to_id", "type_id", "label")]
)
_CALCULATED = "CALCULATED"

Json = dict[str, Any]
Task = TypeVar("Task")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Window:
    """What became of one window of ids."""

    object_type: str
    ids: list[str]
    """The ids asked for, in their order, each once."""
    records: pa.Table
    """id, created_at, updated_at, archived, archived_at and the object's properties; text or null.
    A row per record, in the order of the ids."""
    history: pa.Table
    """HISTORY_SCHEMA, oldest version first per record and property; empty for untracked objects."""
    missing: list[str]
    """Ids that HubSpot does not know (any more)."""
    merged: dict[str, str]
    """Losers of merges and their winners; the winners are among the records."""
    unknown: frozenset[str] = frozenset()
    """Properties that the account does not have: HubSpot leaves them out of every record."""


@dataclass(frozen=True)
class AssociationWindow:
    """All associations of one window of records to one type."""

    from_type: str
    to_type: str
    ids: list[str]
    """The records asked about; one without a row has no associations."""
    rows: pa.Table
    """ASSOCIATION_SCHEMA."""


def read_windows(
    hubspot: HubSpot, crm_object: CrmObject, ids: Iterable[list[str]], *, size: int = 2000
) -> Iterator[Window]:
    """The records of all `ids` (pages of ids, as `record_ids` gives them), `size` at a time, in order.

    Later windows are being read while the caller lands one, but no more than two are held at once.
    Raises what `HubSpot` raises; nothing more is asked then.
    """
    limit = HISTORY_LIMIT if crm_object.history else BATCH_LIMIT

    def read(batch: list[str]) -> Window:
        answer = hubspot.records(crm_object.type, batch, crm_object.properties, crm_object.history)
        return _window(crm_object, batch, answer.records, answer.missing, answer.merged)

    tasks = _batches((id_ for page in ids for id_ in page), limit, size)
    yield from _in_windows(tasks, read, _joined, ahead=2 * -(-size // limit))


def list_windows(
    hubspot: HubSpot,
    crm_object: CrmObject,
    *,
    hear: Callable[[list[str]], None] = lambda ids: None,
    known: Container[str] = (),
    size: int = 2000,
) -> Iterator[Window]:
    """All live records of an object, from the list itself: for objects without history half the requests.

    `hear` is told the ids of each page, in a thread of its own; records whose ids are `known` are left
    out. Otherwise as `read_windows`.
    """

    def new_records() -> Iterator[Json]:
        for page in hubspot.listed_records(crm_object.type, crm_object.properties, crm_object.history):
            hear([str(record["id"]) for record in page])
            yield from (record for record in page if str(record["id"]) not in known)

    tasks = _batches(new_records(), LIST_LIMIT, size, key=lambda record: str(record["id"]))
    yield from _in_windows(
        tasks, lambda records: listed_window(crm_object, records), _joined, ahead=2 * -(-size // LIST_LIMIT)
    )


def read_associations(
    hubspot: HubSpot, from_type: str, to_type: str, ids: Iterable[str]
) -> Iterator[AssociationWindow]:
    """The associations of all `ids`, 1,000 records at a time, in order; read ahead as by `read_windows`."""

    def read(batch: list[str]) -> AssociationWindow:
        rows = [row for rows in hubspot.associations(from_type, to_type, batch) for row in rows]
        return AssociationWindow(from_type, to_type, batch, pa.Table.from_pylist(rows, ASSOCIATION_SCHEMA))

    tasks = (task for batch in chunks(ids, ASSOCIATION_LIMIT) for task in (batch, []))
    yield from _in_windows(tasks, read, lambda parts: parts[0], ahead=THREADS)


def listed_window(crm_object: CrmObject, records: Sequence[Json]) -> Window:
    """Records of `listed_records` or `archived_records` in the shape of a window."""
    return _window(crm_object, [str(record["id"]) for record in records], records, [], {})


def _batches(
    items: Iterable[Task], limit: int, size: int, key: Callable[[Task], str] = str
) -> Iterator[list[Task]]:
    """Batches of items, each as soon as it is full, and an empty one after every window.

    A list gives a record again when others come and go while it is paged: each is once in a window.
    """
    window: set[str] = set()
    batch: list[Task] = []
    for item in items:
        if key(item) in window:
            continue
        window.add(key(item))
        batch.append(item)
        if len(batch) == limit or len(window) == size:
            yield batch
            batch = []
        if len(window) == size:
            yield []
            window = set()
    yield from filter(None, [batch])
    yield []


# --- many at a time, in order ---------------------------------------------------------------------


def _in_windows(
    tasks: Iterable[list[Task]],
    read: Callable[[list[Task]], Result],
    join: Callable[[list[Result]], Result],
    ahead: int,
) -> Iterator[Result]:
    """`read` of each task, in threads; an empty task ends a window, whose parts are joined.

    `tasks` is drawn from in a thread of its own, up to `ahead` tasks before the caller.
    """
    parts: list[Result] = []
    with _reading(tasks, read, ahead) as results:
        for result in results:
            if result is not None:
                parts.append(result.result())
            elif parts:
                yield join(parts)
                parts = []


@contextmanager
def _reading(
    tasks: Iterable[list[Task]], read: Callable[[list[Task]], Result], ahead: int
) -> Iterator[Iterator[Future[Result] | None]]:
    """The tasks' results, in order, None for an empty task. Leaving ends the threads and what waits."""
    places = threading.Semaphore(ahead)
    stopped = threading.Event()
    queue: Queue[Future[Result] | _End | None] = Queue()
    pool = ThreadPoolExecutor(THREADS, thread_name_prefix="hubspot")

    def feed() -> None:
        error = None
        try:
            for task in tasks:
                if task:
                    places.acquire()
                if stopped.is_set():
                    return
                queue.put(pool.submit(read, task) if task else None)
        except BaseException as raised:  # to be raised where the caller is
            error = raised
        queue.put(_End(error))

    def results() -> Iterator[Future[Result] | None]:
        while not isinstance(item := queue.get(), _End):
            yield item
            if item is not None:
                places.release()
        if item.error:
            raise item.error

    feeder = threading.Thread(target=feed, name="hubspot-ids")
    feeder.start()
    try:
        yield results()
    finally:
        stopped.set()
        places.release()  # the feeder may be waiting for one
        pool.shutdown(wait=False, cancel_futures=True)
        feeder.join()
        pool.shutdown(wait=True, cancel_futures=True)


@dataclass(frozen=True)
class _End:
    """There is no more; or this error is why."""

    error: BaseException | None


# --- JSON to Arrow --------------------------------------------------------------------------------


def _window(
    crm_object: CrmObject,
    ids: list[str],
    records: Sequence[Json],
    missing: list[str],
    merged: dict[str, str],
) -> Window:
    return Window(
        object_type=crm_object.type,
        ids=ids,
        records=_records_table(crm_object.properties, records),
        history=_history_table(crm_object, records),
        missing=missing,
        merged=merged,
        unknown=_unknown(crm_object.properties, records),
    )


def _unknown(properties: Sequence[str], records: Sequence[Json]) -> frozenset[str]:
    """Properties in no record; without a record nothing can be told."""
    values = [record.get("properties") or {} for record in records]
    return frozenset(name for name in properties if values and not any(name in some for some in values))


def _records_table(properties: Sequence[str], records: Sequence[Json]) -> pa.Table:
    columns: dict[str, list[str | None]] = {
        "id": [str(record["id"]) for record in records],
        "created_at": [record.get("createdAt") for record in records],
        "updated_at": [record.get("updatedAt") for record in records],
        "archived": ["true" if record.get("archived") else "false" for record in records],
        "archived_at": [record.get("archivedAt") for record in records],
    }
    values = [record.get("properties") or {} for record in records]
    for name in properties:
        columns[name] = [_text(some.get(name)) for some in values]
    assert [*columns][: len(RECORD_COLUMNS)] == [*RECORD_COLUMNS]
    return pa.table({name: pa.array(column, pa.string()) for name, column in columns.items()})


def _history_table(crm_object: CrmObject, records: Sequence[Json]) -> pa.Table:
    columns: list[list[Any]] = [[] for _ in HISTORY_SCHEMA]
    cap = VERSION_CAP.get(crm_object.type)
    for record in records:
        histories = record.get("propertiesWithHistory") or {}
        for name in crm_object.history:
            for row in _versions(str(record["id"]), name, histories.get(name) or [], cap):
                for column, value in zip(columns, row, strict=True):
                    column.append(value)
    arrays = [pa.array(column, kind.type) for column, kind in zip(columns, HISTORY_SCHEMA, strict=True)]
    return pa.Table.from_arrays(arrays, schema=HISTORY_SCHEMA)


def _versions(object_id: str, name: str, newest_first: list[Json], cap: int | None) -> Iterator[tuple]:
    """A property's versions, oldest first, each with its number among those of its instant (H9).

    Noise is left out: what HubSpot has calculated without a change of the value. (Where it does change
    the value, as for a deal's probability, it is the only version there is.) A list as long as HubSpot
    ever gives stays whole: its length alone says that older versions are cut off (K3).
    """
    whole = cap is not None and len(newest_first) >= cap
    before: Json | None = None
    number = 0
    for version in reversed(newest_first):
        value = _text(version.get("value"))
        calculated = version.get("sourceType") == _CALCULATED
        is_noise = calculated and before is not None and (_text(before.get("value")) or "") == (value or "")
        timestamp = version.get("timestamp")
        if is_noise and not whole:
            continue
        number = number + 1 if before is not None and before.get("timestamp") == timestamp else 0
        before = version
        yield (
            object_id,
            name,
            value,
            timestamp,
            number,
            version.get("sourceType"),
            _text(version.get("sourceId")),
            _text(version.get("updatedByUserId")),
        )


def _text(value: object) -> str | None:
    """HubSpot's values are text or null; what comes as another JSON type is taken as JSON writes it."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _joined(parts: list[Window]) -> Window:
    """Batches as one window. A winner of a merge may have been read twice; the first one counts."""
    seen: set[str] = set()
    records, history = [], []
    for part in parts:
        ids = part.records["id"].to_pylist()
        if again := pa.array([id_ for id_ in ids if id_ in seen], pa.string()):
            records.append(part.records.filter(pc.invert(pc.is_in(part.records["id"], again))))
            history.append(part.history.filter(pc.invert(pc.is_in(part.history["object_id"], again))))
        else:
            records.append(part.records)
            history.append(part.history)
        seen.update(ids)
    all_ = frozenset().union(*(part.unknown for part in parts))
    return Window(
        object_type=parts[0].object_type,
        ids=[id_ for part in parts for id_ in part.ids],
        records=pa.concat_tables(records).combine_chunks(),
        history=pa.concat_tables(history).combine_chunks(),
        missing=[id_ for part in parts for id_ in part.missing],
        merged={loser: winner for part in parts for loser, winner in part.merged.items()},
        unknown=frozenset.intersection(*(part.unknown for part in parts if part.records.num_rows), all_),
    )
