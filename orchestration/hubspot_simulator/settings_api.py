"""The endpoints of everything that is no CRM object: associations, owners, pipelines, settings, chats.

Belongs here: requests and answers about lists that a person sets up, and about conversations.
Sources: developers.hubspot.com, the pages named at each handler; shapes from the SDK's models where
it has them.
"""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import Response

from .crm import Crm, Link
from .errors import bad_request, json_response, not_found
from .objects_api import body_mapping, page_limit
from .vocabulary import OBJECT_TYPES

_ASSOCIATION_INPUTS, _ASSOCIATION_PAGE = 1000, 500


class SettingsApi:
    """Handlers over one account. Each takes a request and its body, and returns the answer."""

    def __init__(self, crm: Crm) -> None:
        self.crm = crm

    def associations(self, request: Request, body: object) -> Response:
        """ "Associations v4": ≤ 1,000 inputs; beyond 500 targets the input's `after` asks for more.

        Records without associations are not among the results. `link` is deprecated there.
        """
        types = [request.path_params[name] for name in ("from_type", "to_type")]
        if unknown := [name for name in types if name not in OBJECT_TYPES]:
            raise bad_request(f"Unable to infer object type from: {unknown[0]}")
        from_type, to_type = (OBJECT_TYPES[name] for name in types)
        inputs = body_mapping(body).get("inputs")
        if not isinstance(inputs, list) or len(inputs) > _ASSOCIATION_INPUTS:
            raise bad_request(f"inputs must be a list of at most {_ASSOCIATION_INPUTS}")
        results, missing = [], []
        for item in inputs:
            from_id, start = str(item["id"]), int(item.get("after") or 0)
            targets: dict[str, list[Link]] = {}
            for link in self.crm.links(from_type, to_type, from_id):
                targets.setdefault(link.to_id, []).append(link)
            page = list(targets.items())[start : start + _ASSOCIATION_PAGE]
            if not page:
                missing.append(from_id)
                continue
            result: dict[str, object] = {
                "from": {"id": from_id},
                "to": [
                    {"toObjectId": to_id, "associationTypes": [_association_type(link) for link in links]}
                    for to_id, links in page
                ],
            }
            if start + len(page) < len(targets):
                result["paging"] = {"next": {"after": str(start + len(page)), "link": ""}}
            results.append(result)
        return self._associations_answer(results, missing)

    def _associations_answer(self, results: list[object], missing: list[str]) -> Response:
        """207 with NO_ASSOCIATIONS_FOUND for the ids that have none (seen in the wild:
        community.hubspot.com, "No associated object was found")."""
        now = self.crm.clock.now_text()
        answer: dict[str, object] = {
            "status": "COMPLETE",
            "results": results,
            "startedAt": now,
            "completedAt": now,
        }
        if not missing:
            return json_response(answer)
        answer["numErrors"] = len(missing)
        answer["errors"] = [
            {
                "status": "error",
                "category": "OBJECT_NOT_FOUND",
                "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND",
                "message": f"No associations found for object {record_id}",
                "context": {"fromObjectId": [record_id]},
                "errors": [],
                "links": {},
            }
            for record_id in missing
        ]
        return json_response(answer, 207)

    def account(self, request: Request, body: object) -> Response:
        """ "Account information API": details."""
        zone = ZoneInfo(str(self.crm.account["timeZone"]))
        offset = datetime.fromtimestamp(self.crm.clock.now() / 1000, zone).utcoffset()
        minutes = int(offset.total_seconds() // 60)
        sign = "-" if minutes < 0 else "+"
        return json_response(
            {
                **self.crm.account,
                "accountType": "STANDARD",
                "additionalCurrencies": sorted(
                    {str(rate["fromCurrencyCode"]) for rate in self.crm.exchange_rates}
                ),
                "utcOffset": f"{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}",
                "utcOffsetMilliseconds": minutes * 60_000,
                "uiDomain": "app.hubspot.com",
                "dataHostingLocation": "na1",
            }
        )

    def owners(self, request: Request, body: object) -> Response:
        """ "Owners API": live or archived ones, ≤ 500 a page, 100 if not said."""
        archived = request.query_params.get("archived", "false").lower() == "true"
        owners = [owner for owner in self.crm.owners if owner["archived"] is archived]
        return _page(request, owners, most=500, default=100)

    def pipelines(self, request: Request, body: object) -> Response:
        """ "Pipelines API": all of an object type, unpaged."""
        name = request.path_params["object_type"]
        if name not in OBJECT_TYPES:
            raise bad_request(f"Unable to infer object type from: {name}")
        return json_response({"results": self.crm.pipelines.get(OBJECT_TYPES[name], [])})

    def teams(self, request: Request, body: object) -> Response:
        """ "Settings API | Teams" (settings/teams): paged, with the parent of each."""
        teams = [{key: value for key, value in team.items() if value is not None} for team in self.crm.teams]
        return _page(request, teams, most=100, default=100)

    def user_teams(self, request: Request, body: object) -> Response:
        """ "User provisioning API": teams with their users, unpaged, without the parent."""
        answer = []
        for team in self.crm.teams:
            users: dict[bool, list[str]] = {True: [], False: []}
            for owner in self.crm.owners:
                for membership in owner.get("teams", []):
                    if membership["id"] == team["id"] and owner.get("userId"):
                        users[membership["primary"]].append(str(owner["userId"]))
            answer.append(
                {
                    "id": team["id"],
                    "name": team["name"],
                    "userIds": users[True],
                    "secondaryUserIds": users[False],
                }
            )
        return json_response({"results": answer})

    def call_dispositions(self, request: Request, body: object) -> Response:
        """ "Get call engagement dispositions" (calling/v1): a bare list."""
        return json_response(self.crm.call_dispositions)

    def exchange_rates(self, request: Request, body: object) -> Response:
        """ "Settings API | Currencies": all rates that were ever set."""
        return _page(request, self.crm.exchange_rates, most=100, default=100)

    def sequences(self, request: Request, body: object) -> Response:
        """ "Sequences API": those of a user, who must be named."""
        if not request.query_params.get("userId"):
            raise bad_request("query param userId is required")
        return _page(request, self.crm.sequences, most=100, default=20, total=True)

    def channels(self, request: Request, body: object) -> Response:
        """ "Conversations inbox & messages API": channels."""
        return _page(request, self.crm.channels, most=100, default=100, total=True)

    def threads(self, request: Request, body: object) -> Response:
        """ "Conversations inbox & messages API": threads, ≤ 500 a page, sorted by id or by the
        latest message, which `latestMessageTimestampAfter` then bounds."""
        archived = request.query_params.get("archived", "false").lower() == "true"
        since = request.query_params.get("latestMessageTimestampAfter")
        by_message = request.query_params.get("sort", "id") == "latestMessageTimestamp"
        if since and not by_message:
            raise bad_request("latestMessageTimestampAfter needs sort=latestMessageTimestamp")
        threads = [thread for thread in self.crm.threads.values() if thread["archived"] is archived]
        if by_message:
            threads = [
                thread for thread in threads if str(thread.get("latestMessageTimestamp", "")) > (since or "")
            ]
            threads.sort(key=lambda thread: str(thread.get("latestMessageTimestamp", "")))
        return _page(request, threads, most=500, default=100)

    def messages(self, request: Request, body: object) -> Response:
        thread = request.path_params["thread_id"]
        if thread not in self.crm.threads:
            raise not_found()
        return _page(request, self.crm.messages.get(thread, []), most=500, default=100)


def _association_type(link: Link) -> dict[str, object]:
    """A link without a type id has HubSpot's unlabelled one, whose number does not matter here."""
    return {"category": "HUBSPOT_DEFINED", "typeId": int(link.type_id or 0), "label": link.label}


def _page(
    request: Request, rows: list[dict[str, object]], *, most: int, default: int, total: bool = False
) -> Response:
    """A page of a list; `after` is opaque to callers and, here, a position."""
    limit = page_limit(request, most) if "limit" in request.query_params else default
    after = request.query_params.get("after") or "0"
    if not after.isdigit():
        raise bad_request(f"Invalid after {after}")
    end = int(after) + limit
    answer: dict[str, object] = {"total": len(rows)} if total else {}
    answer["results"] = rows[int(after) : end]
    if end < len(rows):
        link = str(request.url.include_query_params(after=end))
        answer["paging"] = {"next": {"after": str(end), "link": link}}
    return json_response(answer)
