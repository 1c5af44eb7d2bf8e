"""The shapes of HubSpot's answers: results, pages, partial batches, associations.

Belongs here: what is read out of an answer's JSON, as pure functions. Not who asks (`api.py`), and not
errors with a status of their own (`http.py`).

Sources: the SDK's models (CollectionResponse…, BatchResponse…WithErrors, StandardError); issue 4.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from orchestration.ingest.hubspot.http import HubSpotError
from orchestration.ingest.hubspot.objects import MERGED_IDS, NAMES

Json = dict[str, Any]


def results(answer: Any) -> list[Json]:
    results = answer.get("results") if isinstance(answer, dict) else None
    if not isinstance(results, list):
        raise HubSpotError("HubSpot's answer has no results in it, though its status says so")
    return results


def next_page(answer: Json) -> str | None:
    following = (answer.get("paging") or {}).get("next") or {}
    after = following.get("after")
    return str(after) if after else None


def batch_errors(answer: Json, key: str) -> tuple[set[str], bool]:
    """From the errors of a partial batch: the ids that are not there, and whether others failed."""
    absent: set[str] = set()
    failed = False
    for error in answer.get("errors") or []:
        if error.get("category") != "OBJECT_NOT_FOUND":
            failed = True
            continue
        ids = (error.get("context") or {}).get(key) or []
        absent |= {str(id_) for id_ in (ids if isinstance(ids, list) else [ids])}
    return absent, failed


def first_words(answer: Json) -> str:
    return "; ".join(str(error.get("message", ""))[:100] for error in (answer.get("errors") or [])[:1])


def merged_ids(records: Iterable[Json]) -> dict[str, str]:
    """Losers and winners, as the winners list them (`;` between)."""
    return {
        loser.strip(): str(record["id"])
        for record in records
        for loser in ((record.get("properties") or {}).get(MERGED_IDS) or "").split(";")
        if loser.strip()
    }


def association_rows(from_type: str, to_type: str, result: Json) -> list[Json]:
    return [
        {
            "from_type": NAMES[from_type],
            "from_id": str(result["from"]["id"]),
            "to_type": NAMES[to_type],
            "to_id": str(target["toObjectId"]),
            "type_id": str(kind["typeId"]),
            "label": kind.get("label"),
        }
        for target in result.get("to") or []
        for kind in target.get("associationTypes") or []
    ]
