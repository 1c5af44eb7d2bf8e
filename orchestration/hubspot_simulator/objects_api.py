"""The endpoints of CRM objects: list, read, batch read, search, create, update, archive, merge.

Belongs here: requests and answers about records, the same for both API versions. Limits: page ≤ 100,
≤ 50 with propertiesWithHistory; batch read ≤ 100 ids, ≤ 50 with history; 207 where some ids are
missing (developers.hubspot.com, "CRM API | Deals" and "Error handling"; issue 4).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress

from starlette.requests import Request
from starlette.responses import Response

from .crm import Crm, NoSuchRecord, Objects, Record, Version
from .errors import bad_request, json_response, not_found
from .search import BadSearch, search
from .vocabulary import OBJECT_TYPES, SINGULAR

_PAGE, _PAGE_WITH_HISTORY = 100, 50


def object_type(request: Request) -> str:
    """The plural name of the object type in the path. Raises 400 as HubSpot does."""
    name = request.path_params["object_type"]
    if name not in OBJECT_TYPES:
        raise bad_request(f"Unable to infer object type from: {name}")
    return OBJECT_TYPES[name]


def _names(request: Request, parameter: str) -> list[str]:
    """A list parameter: repeated, or one text with commas."""
    values = request.query_params.getlist(parameter)
    return [name for value in values for name in value.split(",") if name]


def page_limit(request: Request, most: int) -> int:
    """The page size that is asked for. Raises 400 beyond `most`."""
    text = request.query_params.get("limit", "10")
    if not text.isdigit() or not 1 <= int(text) <= most:
        raise bad_request(f"Invalid limit {text}: it must be from 1 to {most}")
    return int(text)


class Shape:
    """How a record is answered: which properties and histories were asked for.

    A property that was asked for and is empty is null, one that the account does not have and one
    that was not asked for are absent; id and dates always come (developers.hubspot.com, "Deals").
    """

    def __init__(self, objects: Objects, properties: Sequence[str], history: Sequence[str] = ()) -> None:
        defaults = ("createdate", objects.modified, "hs_object_id")
        known = objects.property_names
        self.names = [name for name in dict.fromkeys((*defaults, *properties, *history)) if name in known]
        self.history = [name for name in dict.fromkeys(history) if name in known]

    def of(self, record: Record) -> dict[str, object]:
        """The answer for a record."""
        values = record.properties
        answer: dict[str, object] = {
            "id": record.id,
            "properties": {name: values.get(name) for name in self.names},
            "createdAt": record.created_at,
            "updatedAt": record.updated_at,
            "archived": record.archived_at is not None,
        }
        if record.archived_at is not None:
            answer["archivedAt"] = record.archived_at
        if self.history:
            history = record.history
            answer["propertiesWithHistory"] = {
                name: [_version(version) for version in reversed(history.get(name, ()))]
                for name in self.history
            }
        return answer


def _version(version: Version) -> dict[str, object]:
    """HubSpot leaves out the parts that a version does not have."""
    value, timestamp, source_type, source_id, user_id = version
    answer: dict[str, object] = {"value": value, "timestamp": timestamp, "sourceType": source_type}
    if source_id is not None:
        answer["sourceId"] = source_id
    if user_id is not None:
        answer["updatedByUserId"] = int(user_id)
    return answer


class ObjectsApi:
    """Handlers over one account. Each takes a request and its body, and returns the answer.

    `overlap` is asked for each page of a list how many records of the page before it repeats: what
    happens when records change while somebody pages (faults.py).
    """

    def __init__(self, crm: Crm, overlap: Callable[[], int] = lambda: 0) -> None:
        self.crm = crm
        self.overlap = overlap

    def list(self, request: Request, body: object) -> Response:
        objects = self.crm.of(object_type(request))
        history = _names(request, "propertiesWithHistory")
        limit = page_limit(request, _PAGE_WITH_HISTORY if history else _PAGE)
        archived = request.query_params.get("archived", "false").lower() == "true"
        after = request.query_params.get("after")
        if after is not None and not after.isdigit():
            raise bad_request(f"Invalid after {after}")
        shape = Shape(objects, _names(request, "properties"), history)
        page: list[Record] = []
        more = False
        for record in objects.after(after):
            if not (self.crm.in_bin(record) if archived else record.archived_at is None):
                continue
            if len(page) == limit:
                more = True
                break
            page.append(record)
        answer: dict[str, object] = {"results": [shape.of(record) for record in page]}
        if more:
            back = min(self.overlap(), len(page) - 1)
            answer["paging"] = _paging(request, page[len(page) - 1 - back].id)
        return json_response(answer)

    def read(self, request: Request, body: object) -> Response:
        objects = self.crm.of(object_type(request))
        archived = request.query_params.get("archived", "false").lower() == "true"
        shape = Shape(objects, _names(request, "properties"), _names(request, "propertiesWithHistory"))
        record = self._visible(objects, request.path_params["record_id"], archived)
        if record is None:
            raise not_found()
        return json_response(shape.of(record))

    def batch_read(self, request: Request, body: object) -> Response:
        objects = self.crm.of(object_type(request))
        body = body_mapping(body)
        history = _texts(body, "propertiesWithHistory")
        ids = _ids(body, _PAGE_WITH_HISTORY if history else _PAGE)
        archived = request.query_params.get("archived", "false").lower() == "true"
        shape = Shape(objects, _texts(body, "properties"), history)
        found: dict[str, Record] = {}
        missing = []
        for record_id in ids:
            record = self._visible(objects, record_id, archived)
            if record is None:
                missing.append(record_id)
            else:
                found[record.id] = record
        return self.batch([shape.of(record) for record in found.values()], missing, objects.name)

    def search(self, request: Request, body: object) -> Response:
        name = object_type(request)
        objects = self.crm.of(name)
        body = body_mapping(body)
        try:
            total, ids = search(self.crm, name, body)
        except BadSearch as error:
            raise bad_request(str(error)) from error
        shape = Shape(objects, _texts(body, "properties"))
        # What was deleted or merged a moment ago is still found, with what the index knows of it.
        answer = {"total": total, "results": [_found(objects, shape, record_id) for record_id in ids]}
        start = int(body.get("after") or 0)
        if start + len(ids) < total and ids:
            answer["paging"] = {"next": {"after": str(start + len(ids))}}
        return json_response(answer)

    def create(self, request: Request, body: object) -> Response:
        name = object_type(request)
        if body_mapping(body).get("associations"):
            raise bad_request("the simulator associates records by Crm.associate only")
        record = self.crm.create(name, _values(body), source_type="INTEGRATION")
        return json_response(Shape(self.crm.of(name), list(_values(body))).of(record), 201)

    def update(self, request: Request, body: object) -> Response:
        name = object_type(request)
        values = _values(body)
        try:
            record = self.crm.update(
                name, request.path_params["record_id"], values, source_type="INTEGRATION"
            )
        except NoSuchRecord:
            raise not_found() from None
        return json_response(Shape(self.crm.of(name), list(values)).of(record))

    def archive(self, request: Request, body: object) -> Response:
        """204 also for what is not there (developers.hubspot.com, "Deals": delete)."""
        with suppress(NoSuchRecord):
            self.crm.archive(object_type(request), request.path_params["record_id"])
        return Response(status_code=204)

    def merge(self, request: Request, body: object) -> Response:
        name, body = object_type(request), body_mapping(body)
        try:
            record = self.crm.merge(name, str(body["primaryObjectId"]), str(body["objectIdToMerge"]))
        except (KeyError, NoSuchRecord):
            raise bad_request("both records must be there") from None
        return json_response(Shape(self.crm.of(name), ()).of(record))

    def gdpr_delete(self, request: Request, body: object) -> Response:
        try:
            self.crm.delete(object_type(request), str(body_mapping(body).get("objectId")))
        except NoSuchRecord:
            raise not_found() from None
        return Response(status_code=204)

    def deal_splits(self, request: Request, body: object) -> Response:
        """Splits by the ids of their deals; a deal without splits is answered with none."""
        by_deal: dict[str, list[Record]] = {}
        objects = self.crm.of("deal_splits")
        for record in objects.live().values():
            by_deal.setdefault(record.properties["deal_id"] or "", []).append(record)
        shape = Shape(objects, ("hs_deal_split_percentage", "hubspot_owner_id"))
        results = []
        missing = []
        for deal_id in _ids(body_mapping(body), _PAGE):
            if deal_id in by_deal:
                results.append({"id": deal_id, "splits": [shape.of(record) for record in by_deal[deal_id]]})
            elif self._visible(self.crm.of("deals"), deal_id, archived=False) is None:
                missing.append(deal_id)
        return self.batch(results, missing, "deals")

    def batch(self, results: list[object], missing: Iterable[str], name: str) -> Response:
        """A batch answer: 200, or 207 with an error that names the ids that are not there."""
        now = self.crm.clock.now_text()
        answer: dict[str, object] = {
            "status": "COMPLETE",
            "results": results,
            "startedAt": now,
            "completedAt": now,
        }
        if not (missing := list(missing)):
            return json_response(answer)
        answer["numErrors"] = 1
        answer["errors"] = [
            {
                "status": "error",
                "category": "OBJECT_NOT_FOUND",
                "message": f"Could not get some {SINGULAR[name].upper()} objects, they may be deleted or "
                "not exist. Check that ids are valid.",
                "context": {"ids": missing},
                "errors": [],
                "links": {},
            }
        ]
        return json_response(answer, 207)

    def _visible(self, objects: Objects, record_id: str, archived: bool) -> Record | None:
        record = objects.find(record_id)
        if record is None:
            return None
        return record if (self.crm.in_bin(record) if archived else record.archived_at is None) else None


def _found(objects: Objects, shape: Shape, record_id: str) -> dict[str, object]:
    """A search result: what the index knows of a record, which may be gone by now."""
    seen = objects.index[record_id]
    record = objects.records.get(record_id) or objects.find(record_id)
    created = record.created_at if record else str(seen.get("createdate"))
    ghost = Record(record_id, created, str(seen.get(objects.modified)), seen)
    return shape.of(ghost)


def _paging(request: Request, after: str) -> dict[str, object]:
    link = str(request.url.include_query_params(after=after))
    return {"next": {"after": after, "link": link}}


def body_mapping(body: object) -> Mapping[str, object]:
    """A request body that must be a JSON object. Raises 400."""
    if not isinstance(body, dict):
        raise bad_request("Invalid input JSON: an object is needed")
    return body


def _texts(body: Mapping[str, object], name: str) -> list[str]:
    values = body.get(name) or []
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise bad_request(f"Invalid input JSON: {name} must be a list of texts")
    return values


def _ids(body: Mapping[str, object], most: int) -> list[str]:
    inputs = body.get("inputs")
    if not isinstance(inputs, list) or not all(isinstance(item, dict) and "id" in item for item in inputs):
        raise bad_request("Invalid input JSON: inputs must be a list of objects with an id")
    if len(inputs) > most:
        raise bad_request(f"Invalid input JSON: inputs must have at most {most} items")
    return [str(item["id"]) for item in inputs]


def _values(body: object) -> dict[str, str | None]:
    values = body_mapping(body).get("properties")
    if not isinstance(values, dict):
        raise bad_request("Invalid input JSON: properties must be an object")
    return {name: None if value is None else str(value) for name, value in values.items()}
