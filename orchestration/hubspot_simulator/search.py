"""HubSpot's search: filters, sorting, and the limits of one query.

Belongs here: what a search request means over the indexed properties. Rules: developers.hubspot.com,
"Search the CRM": up to 5 filter groups of 6 filters each and 18 in all, one sort, 200 results a page,
and 10,000 results a query, beyond which the answer is 400. Archived records are not found.
"""

from __future__ import annotations

import operator as operators
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation

from orchestration.ingest import contract

from .clock import iso, to_iso
from .crm import Crm
from .vocabulary import property_kind

MOST_RESULTS = 10_000
PAGE = 200
_GROUPS, _FILTERS, _ALL_FILTERS, _LIST = 5, 6, 18, 100

Properties = Mapping[str, str | None]
Test = Callable[[Properties], bool]


class BadSearch(ValueError):
    """The request breaks a rule of HubSpot's search; answered with 400."""


def search(crm: Crm, object_type: str, request: Mapping[str, object]) -> tuple[int, list[str]]:
    """How many records match, and the ids of the page that the request asks for, in its order.

    Raises BadSearch.
    """
    limit, start = request.get("limit", 10), _start(request.get("after"))
    if not isinstance(limit, int) or not 0 <= limit <= PAGE:
        raise BadSearch(f"limit must be at most {PAGE}")
    if start + limit > MOST_RESULTS:
        raise BadSearch(f"The requested page is beyond the {MOST_RESULTS} results that one query can return")
    found = _matching(crm, object_type, request.get("filterGroups") or [])
    name, descending = _sort(request.get("sorts") or [])
    key = _sort_key(object_type, name)
    # Ties are in the order of the ids: it must be an order at all for pages to make sense.
    found.sort(key=lambda item: int(item[0]))
    found.sort(key=lambda item: key(item[1].get(name)), reverse=descending)
    return len(found), [record_id for record_id, _ in found[start : start + limit]]


def _start(after: object) -> int:
    if after in (None, ""):
        return 0
    try:
        return int(str(after))
    except ValueError:
        raise BadSearch("after is not a value that this query returned") from None


def _sort(sorts: list[object]) -> tuple[str, bool]:
    if len(sorts) > 1:
        raise BadSearch("only one sort is allowed")
    if not sorts:
        return "hs_object_id", False
    if isinstance(sorts[0], str):
        return sorts[0].removeprefix("-"), sorts[0].startswith("-")
    return str(sorts[0]["propertyName"]), sorts[0].get("direction") == "DESCENDING"


def _sort_key(object_type: str, name: str) -> Callable[[str | None], object]:
    if property_kind(object_type, name) in (contract.DECIMAL, contract.INTEGER):
        return lambda text: (text not in (None, ""), Decimal(text) if text else Decimal(0))
    return lambda text: (text not in (None, ""), text or "")


def _matching(crm: Crm, object_type: str, groups: list[Mapping[str, object]]) -> list[tuple[str, Properties]]:
    """The records that pass all filters of any group; all records without groups."""
    counts = [len(group.get("filters") or []) for group in groups]
    if len(groups) > _GROUPS or max(counts, default=0) > _FILTERS or sum(counts) > _ALL_FILTERS:
        raise BadSearch(f"at most {_GROUPS} groups of {_FILTERS} filters, {_ALL_FILTERS} in all")
    known = crm.of(object_type).property_names
    everything = list(crm.indexed(object_type).items())
    if not groups:
        return everything
    found: dict[str, Properties] = {}
    for group in groups:
        rest = everything
        for item in group.get("filters") or []:
            test = _test(object_type, known, item)
            rest = [record for record in rest if test(record[1])]
        found.update(rest)
    return list(found.items())


def _test(object_type: str, known: set[str], item: Mapping[str, object]) -> Test:
    name, operator = str(item.get("propertyName")), item.get("operator")
    if name not in known:
        raise BadSearch(f"There was a problem with the request: property {name} does not exist")
    read = _reader(property_kind(object_type, name))
    if operator == "HAS_PROPERTY":
        return lambda properties: properties.get(name) not in (None, "")
    if operator == "NOT_HAS_PROPERTY":
        return lambda properties: properties.get(name) in (None, "")
    if operator in ("IN", "NOT_IN"):
        values = item.get("values") or []
        if not values or len(values) > _LIST:
            raise BadSearch(f"{operator} takes 1 to {_LIST} values")
        wanted = {read(str(value)) for value in values}
        inside = operator == "IN"
        return lambda properties: (
            (value := properties.get(name)) not in (None, "") and (read(value) in wanted) == inside
        )
    if item.get("value") is None:
        raise BadSearch(f"{operator} on {name} needs a value")
    bound = read(str(item["value"]))
    if operator == "BETWEEN":
        if item.get("highValue") is None:
            raise BadSearch("BETWEEN needs a highValue")
        high = read(str(item["highValue"]))
        return lambda properties: bool(value := properties.get(name)) and bound <= read(value) <= high
    if operator not in _COMPARISONS:
        raise BadSearch(f"{operator} is not an operator that the simulator knows")
    compare = _COMPARISONS[operator]
    if read is _instant or read is str:  # kept as they compare
        return lambda properties: bool(value := properties.get(name)) and compare(value, bound)
    return lambda properties: bool(value := properties.get(name)) and compare(read(value), bound)


_COMPARISONS: dict[str, Callable[[object, object], bool]] = {
    "EQ": operators.eq,
    "NEQ": operators.ne,
    "LT": operators.lt,
    "LTE": operators.le,
    "GT": operators.gt,
    "GTE": operators.ge,
}


def _reader(kind: str) -> Callable[[str], object]:
    """How texts of a property's type compare: numbers as numbers, instants as ISO text."""
    if kind == contract.INTEGER:
        return _whole
    if kind == contract.DECIMAL:
        return _decimal
    if kind == contract.INSTANT:
        return _instant
    return str


def _whole(text: str) -> object:
    try:
        return int(text)
    except ValueError:
        return _decimal(text)


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise BadSearch(f"{text} is not a number") from None


def _instant(text: str) -> str:
    """Filters may say an instant as epoch milliseconds or in ISO 8601."""
    if len(text) == 24 and text[-1] == "Z":
        return text
    if text.lstrip("-").isdigit():
        return iso(int(text))
    try:
        return to_iso(datetime.fromisoformat(text))
    except ValueError:
        raise BadSearch(f"{text} is not an instant") from None
