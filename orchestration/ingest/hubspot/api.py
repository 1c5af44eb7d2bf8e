"""HubSpot's endpoints as plain functions: one per question that the sync has.

Belongs here: parameters, paging, limits per request, and what becomes of each id that is asked for.
Records come as HubSpot gives them, as JSON; what they are in the contract's words is `rows.py`. Not paths
(`paths.py`), shapes of answers (`answers.py`), retries and errors (`http.py`) or threads (`windows.py`):
a function here asks one thing after another and may be called from many threads at once.

Sources: developers.hubspot.com/docs/api-reference, the guide of each API; issue 4.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import httpx

from orchestration.ingest.hubspot.answers import (
    Json,
    association_rows,
    batch_errors,
    first_words,
    merged_ids,
    next_page,
    results,
)
from orchestration.ingest.hubspot.http import Http, HubSpotError, NotFound, Refused, Statistics, Unavailable
from orchestration.ingest.hubspot.objects import SCOPES, modified_property
from orchestration.ingest.hubspot.paths import DATED, MAYBE_BETA, V3
from orchestration.settings import HUBSPOT_API_VERSIONS, Settings

DATE_VERSION = HUBSPOT_API_VERSIONS[0]
Item = TypeVar("Item")

# Limits per request, each as documented in the guide of its API.
LIST_LIMIT = 100
BATCH_LIMIT = 100
HISTORY_LIMIT = 50  # for lists and batches with propertiesWithHistory
SEARCH_LIMIT = 200
ASSOCIATION_LIMIT = 1000  # changelog of 2025-02-10
OWNER_LIMIT = 500
THREAD_LIMIT = 500
SPLIT_LIMIT = 100

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SINGLE_TRIES = 5
"""How often a record is asked for by itself while HubSpot answers with an error about it."""


@dataclass(frozen=True)
class Batch:
    """What became of the ids that were asked for. Every one of them is in exactly one of the three."""

    records: list[Json]
    """In the order of the ids; a winner that was not asked for stands where its loser was asked for."""
    missing: list[str] = field(default_factory=list)
    """Ids that HubSpot does not know (any more), or that are in the recycling bin."""
    merged: dict[str, str] = field(default_factory=dict)
    """Losers of merges and the winner that HubSpot answers with."""


class HubSpot:
    """HubSpot's API for one account. A context manager; thread-safe.

    Every function raises HubSpotError or one of its kinds (`http.py`): WrongToken, QuotaReached,
    Unavailable. `sleep` and `clock` are for tests, `transport` stands for the network.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._http = Http(settings, sleep=sleep, clock=clock, transport=transport)
        self._paths = V3 if settings.hubspot_api_version == "v3" else DATED
        self._versions: dict[str, str] = {}
        self._sleep = sleep

    def __enter__(self) -> HubSpot:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    @property
    def statistics(self) -> Statistics:
        return self._http.statistics

    # --- settings of the account ------------------------------------------------------------------

    def account(self) -> Json:
        """portalId, timeZone, companyCurrency and more."""
        return self._http.get(self._path("account"))

    def owners(self, archived: bool) -> Iterator[list[Json]]:
        """Owners with their teams; the inactive ones come only with `archived`."""
        params = {"archived": _flag(archived), "limit": OWNER_LIMIT}
        return self._pages(self._path("owners"), params, "owners")

    def teams(self) -> list[Json]:
        """Teams, with parentTeamId where the account has the teams API, a beta; else without."""
        try:
            # HubSpot leaves out the parent of a team that has none.
            return [{"parentTeamId": None, **team} for team in self._all("teams")]
        except Unavailable as error:
            if error.scopes:
                raise
            return self._all("user_teams")

    def pipelines(self, object_type: str) -> list[Json]:
        """Pipelines with their stages, unpaged."""
        with _unavailable(object_type):
            return results(self._http.get(self._path("pipelines", object_type)))

    def call_dispositions(self) -> list[Json]:
        """Call outcomes: id, label, deleted. A plain list; version 1 is the only one there is."""
        with _unavailable("call_dispositions"):
            answer = self._http.get(self._path("call_dispositions"))
        return answer if isinstance(answer, list) else results(answer)

    def exchange_rates(self) -> list[Json]:
        """Every rate with the instant since which it holds."""
        return self._all("exchange_rates")

    def sequences(self, user_ids: Iterable[str]) -> list[Json]:
        """The sequences that these users can see, each once, by id: HubSpot lists them per user.

        A user without a sales seat is refused and has none. Raises Unavailable where all are.
        """
        found: dict[str, Json] = {}
        refusal = None
        answered = False
        for user_id in user_ids:
            try:
                for page in self._pages(
                    self._path("sequences"), {"userId": user_id, "limit": LIST_LIMIT}, None
                ):
                    found |= {str(sequence["id"]): sequence for sequence in page}
                answered = True
            except Unavailable as error:
                if error.scopes:
                    raise
                refusal = error
            except (NotFound, Refused) as error:
                refusal = error
        if refusal and not answered:
            raise Unavailable(str(refusal))
        return [found[key] for key in sorted(found)]

    # --- records ----------------------------------------------------------------------------------

    def record_ids(self, object_type: str, archived: bool = False) -> Iterator[list[str]]:
        """All ids, page after page. A record that comes or goes meanwhile may or may not be there.

        Pages are a chain (each names the next) and so are as slow as the way to HubSpot is long;
        hence only ids here, and the records by `records`, many at a time.
        """
        params = {"limit": LIST_LIMIT, "properties": "hs_object_id", "archived": _flag(archived)}
        for page in self._pages(self._path("objects", object_type), params, object_type):
            yield [str(record["id"]) for record in page]

    def listed_records(
        self,
        object_type: str,
        properties: Sequence[str],
        history: Sequence[str] = (),
        archived: bool = False,
    ) -> Iterator[list[Json]]:
        """All records, page after page, as slow as `record_ids` but with everything in it.

        The right way for objects without history: a page brings as many as a batch would, and the day's
        requests are limited too.
        """
        params = {
            "limit": HISTORY_LIMIT if history else LIST_LIMIT,
            "archived": _flag(archived),
            "properties": ",".join(properties),
        }
        if history:
            params["propertiesWithHistory"] = ",".join(history)
        for page in self._pages(self._path("objects", object_type), params, object_type):
            self.statistics.count(rows=len(page))
            yield page

    def archived_records(
        self, object_type: str, properties: Sequence[str], history: Sequence[str] = ()
    ) -> Iterator[list[Json]]:
        """Records in the recycling bin (90 days), with archivedAt."""
        return self.listed_records(object_type, properties, history, archived=True)

    def records(
        self, object_type: str, ids: Sequence[str], properties: Sequence[str], history: Sequence[str] = ()
    ) -> Batch:
        """The records of up to 100 ids, 50 with history, each property's versions newest first."""
        if len(ids) > (HISTORY_LIMIT if history else BATCH_LIMIT):
            raise ValueError(f"{len(ids)} ids are more than HubSpot takes at a time")
        body = {"properties": list(properties), "propertiesWithHistory": list(history)}
        asked = list(dict.fromkeys(ids))
        answer = self._read_batch(object_type, asked, body)
        found = {str(record["id"]): record for record in results(answer)}
        missing, _ = batch_errors(answer, "ids")
        merged = merged_ids(found.values())
        # Who is not accounted for was merged, could not be read for a moment, or is gone: HubSpot says
        # which when asked about it alone.
        for id_ in asked:
            if id_ in found or id_ in missing or id_ in merged:
                continue
            record = self._single(object_type, id_, body)
            if record is None:
                missing.add(id_)
                continue
            answered = str(record["id"])
            found.setdefault(answered, record)
            if answered != id_:
                merged[id_] = answered
        gone = [id_ for id_ in asked if id_ not in found]
        order = dict.fromkeys(id_ if id_ in found else merged.get(id_) for id_ in asked)
        batch = Batch(
            records=[found[id_] for id_ in order if id_],
            missing=[id_ for id_ in gone if id_ not in merged],
            merged={id_: merged[id_] for id_ in gone if id_ in merged},
        )
        self.statistics.count(rows=len(batch.records))
        return batch

    def changed_ids(self, object_type: str, since: datetime, until: datetime) -> Iterator[list[str]]:
        """Ids of the records modified in [since, until), ascending, without a duplicate.

        The window is frozen and the pages go by id, so a page never shifts under its reader, and there is
        no end at the 10,000 of a search: every page is the first one of a query of its own. A record
        that is modified again meanwhile leaves this window and is in the next, whose `since` is not later
        than this `until`; one that the index learns of late is in it too, as long as the windows overlap
        by more than the index lags (and the clocks differ).
        """
        modified = modified_property(object_type)
        last = 0
        while True:
            filters = [
                _filter(modified, "GTE", _milliseconds(since)),
                _filter(modified, "LT", _milliseconds(until)),
                _filter("hs_object_id", "GT", str(last)),
            ]
            body = {
                "filterGroups": [{"filters": filters}],
                "sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
                "properties": ["hs_object_id"],
                "limit": SEARCH_LIMIT,
            }
            with _unavailable(object_type):
                answer = self._http.post(self._path("objects", object_type) + "/search", body, search=True)
            # An index in motion may give an id again, or out of order.
            ids = sorted({number for record in results(answer) if (number := int(record["id"])) > last})
            if ids:
                last = ids[-1]
                yield [str(number) for number in ids]
            if not next_page(answer):
                return
            if not ids:
                raise HubSpotError(f"HubSpot's search for {object_type} gives page after page the same")

    # --- what belongs to records ------------------------------------------------------------------

    def associations(self, from_type: str, to_type: str, ids: Iterable[str]) -> Iterator[list[Json]]:
        """All associations of these records, as the contract's rows; a list per 1,000 ids, maybe empty.

        Types are object types ("deals"); in the rows they are the contract's names ("deal"). Two records
        may be associated in several ways: a row per type.
        """
        path = self._path("associations", f"{from_type}/{to_type}/batch/read")
        for chunk in chunks(ids, ASSOCIATION_LIMIT):
            rows: list[Json] = []
            inputs: list[Json] = [{"id": id_} for id_ in chunk]
            tries = 0
            while inputs:
                answer = self._http.post(path, {"inputs": inputs})
                again: list[Json] = []
                for result in results(answer):
                    rows += association_rows(from_type, to_type, result)
                    if after := next_page(result):  # more than 500 targets
                        again.append({"id": str(result["from"]["id"]), "after": after})
                failed = self._failed_associations(answer, inputs)
                tries = tries + 1 if failed else 0
                if tries >= _SINGLE_TRIES:
                    raise HubSpotError(
                        f"HubSpot cannot say the associations {from_type} to {to_type} of {len(failed)} "
                        f"records ({first_words(answer)})"
                    )
                if failed:
                    self._sleep(tries)
                inputs = again + failed
            self.statistics.count(rows=len(rows))
            yield rows

    def deal_splits(self, deal_ids: Iterable[str]) -> Iterator[list[Json]]:
        """The splits of these deals, a list per 100 deals: {"id": deal, "splits": [records]}."""
        for chunk in chunks(deal_ids, SPLIT_LIMIT):
            with _unavailable("deal_splits"):
                answer = self._http.post(
                    self._path("deal_splits"), {"inputs": [{"id": id_} for id_ in chunk]}
                )
            yield results(answer)

    # --- conversations ----------------------------------------------------------------------------

    def channels(self) -> list[Json]:
        return self._all("channels")

    def threads(self, since: datetime | None = None, archived: bool = False) -> Iterator[list[Json]]:
        """Conversation threads; with `since`, those with a message after it.

        A thread that was only closed, assigned or archived since then is not among those.
        """
        params: Json = {"limit": THREAD_LIMIT, "archived": _flag(archived)}
        if since:
            params |= {
                "sort": "latestMessageTimestamp",
                "latestMessageTimestampAfter": since.isoformat().replace("+00:00", "Z"),
            }
        return self._pages(self._path("threads"), params, "conversation_threads")

    def messages(self, thread_id: str) -> Iterator[list[Json]]:
        """What was written in a thread, and what happened to it (`type`). A thread that is gone has none."""
        try:
            yield from self._pages(
                self._path("threads", f"{thread_id}/messages"), {"limit": LIST_LIMIT}, None
            )
        except NotFound:
            return

    # --- how they are asked -----------------------------------------------------------------------

    def _path(self, endpoint: str, rest: str = "") -> str:
        path = self._paths[endpoint] + (f"/{rest}" if rest else "")
        version = DATE_VERSION
        for beginning in MAYBE_BETA:
            if path.startswith(beginning):
                version = self._dated_version(beginning)
        return path.replace("{version}", version)

    def _dated_version(self, beginning: str) -> str:
        """The date version, or its beta where HubSpot does not know it; asked once."""
        if beginning not in self._versions:
            version = DATE_VERSION
            try:
                self._http.get(MAYBE_BETA[beginning].replace("{version}", version), {"limit": 1})
            except NotFound:
                version += "-beta"
            except (Refused, Unavailable):
                pass  # it is there, and says so itself when it is really asked
            self._versions[beginning] = version
        return self._versions[beginning]

    def _all(self, endpoint: str) -> list[Json]:
        table = {"channels": "conversation_channels", "user_teams": "teams"}.get(endpoint, endpoint)
        return [item for page in self._pages(self._path(endpoint), {}, table) for item in page]

    def _pages(self, path: str, params: Json, table: str | None = None) -> Iterator[list[Json]]:
        """Page after page of a list; `after` is absent on the last one.

        With `table`, the first page says whether the account has such a thing at all.
        """
        after: str | None = None
        while True:
            with _unavailable(table) if table and not after else nullcontext():
                answer = self._http.get(path, {**params, "after": after} if after else params)
            yield results(answer)
            following = next_page(answer)
            if not following:
                return
            if following == after:
                raise HubSpotError(f"HubSpot's list {path} gives page after page the same")
            after = following

    def _read_batch(self, object_type: str, ids: Sequence[str], body: Json) -> Json:
        path = self._path("objects", object_type) + "/batch/read"
        return self._http.post(path, {**body, "inputs": [{"id": id_} for id_ in ids]})

    def _single(self, object_type: str, id_: str, body: Json) -> Json | None:
        """A record by itself; None if there is none. Its id differs if it was merged away."""
        answer: Json = {}
        for number in range(_SINGLE_TRIES):
            if number:
                self._sleep(number)
            answer = self._read_batch(object_type, [id_], body)
            if found := results(answer):
                return found[0]
            _, failed = batch_errors(answer, "ids")
            if not failed:
                return None
        raise HubSpotError(f"HubSpot cannot read {object_type} {id_} ({first_words(answer)})")

    @staticmethod
    def _failed_associations(answer: Json, inputs: list[Json]) -> list[Json]:
        """The inputs that HubSpot could not answer for; having no associations is an answer."""
        none, failed = batch_errors(answer, "fromObjectId")
        if not failed:
            return []
        answered = none | {str(result["from"]["id"]) for result in results(answer)}
        return [item for item in inputs if item["id"] not in answered]


@contextmanager
def _unavailable(table: str) -> Iterator[None]:
    """What HubSpot does not find or understand is, in a request that is right, not there in the account."""
    try:
        yield
    except (NotFound, Refused) as error:
        what, scopes = table.replace("_", " "), ", ".join(SCOPES[table])
        raise Unavailable(f"{error}. The account seems to have no {what} (scopes: {scopes})") from None


def chunks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Lists of `size` items, the last one shorter."""
    chunk: list[Item] = []
    for item in items:
        chunk.append(item)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _milliseconds(instant: datetime) -> str:
    """How searches write instants."""
    return str((instant - _EPOCH) // timedelta(milliseconds=1))


def _filter(name: str, operator: str, value: str) -> Json:
    return {"propertyName": name, "operator": operator, "value": value}
