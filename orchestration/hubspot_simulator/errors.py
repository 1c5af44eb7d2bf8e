"""HubSpot's error answers.

Belongs here: the bodies by status. Sources: developers.hubspot.com, "Error handling" and "API usage
guidelines" (429 bodies with policyName), "Scopes" (403), and the SDK's models Error and ErrorDetail.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count

import orjson
from starlette.responses import Response

_numbers = count(1)


def json_response(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(orjson.dumps(body), status, headers, media_type="application/json")


def _body(message: str, category: str, **more: object) -> dict[str, object]:
    return {
        "status": "error",
        "message": message,
        "correlationId": f"00000000-0000-4000-8000-{next(_numbers):012d}",
        "category": category,
        **more,
    }


class ApiError(Exception):
    """An answer that is an error; raised by handlers, sent as it is."""

    def __init__(self, status: int, body: object, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status)
        self.status, self.body, self.headers = status, body, headers

    def response(self) -> Response:
        return json_response(self.body, self.status, self.headers)


def bad_request(message: str, **context: list[str]) -> ApiError:
    more = {"context": context} if context else {}
    return ApiError(400, _body(message, "VALIDATION_ERROR", **more))


def not_found(message: str = "resource not found") -> ApiError:
    return ApiError(404, _body(message, "OBJECT_NOT_FOUND"))


def method_not_allowed() -> ApiError:
    return ApiError(405, _body("Method Not Allowed", "METHOD_NOT_ALLOWED"))


def wrong_token() -> ApiError:
    return ApiError(
        401,
        _body(
            "Authentication credentials not found. This API supports OAuth 2.0 authentication",
            "INVALID_AUTHENTICATION",
        ),
    )


def expired_token() -> ApiError:
    return ApiError(401, _body("The OAuth token used to make this call expired.", "EXPIRED_AUTHENTICATION"))


def missing_scopes(*scopes: str) -> ApiError:
    """403 with the scopes under context.missingScopes (issue 4; the SDK's ErrorDetail example)."""
    context = {"missingScopes": list(scopes)}
    return ApiError(
        403,
        _body(
            "This app hasn't been granted all required scopes to make this call.",
            "MISSING_SCOPES",
            context=context,
            errors=[{"message": "One or more of the following scopes are required.", "context": context}],
        ),
    )


def too_many(policy: str, retry_after: int | None = None) -> ApiError:
    """429 of a policy: SECONDLY, TEN_SECONDLY_ROLLING or DAILY."""
    body = _body(f"You have reached your {policy.lower()} limit.", "RATE_LIMITS")
    body |= {"errorType": "RATE_LIMIT", "policyName": policy, "groupName": f"publicapi:{policy.lower()}"}
    return ApiError(429, body, {} if retry_after is None else {"Retry-After": str(retry_after)})


def server_error(status: int) -> ApiError:
    return ApiError(status, _body("internal error", "INTERNAL_ERROR"))
