"""Where HubSpot's endpoints are, in both API versions.

Belongs here: paths as data. `{version}` is the date version ("2026-09").

Sources: developers.hubspot.com/docs/api-reference, the pages of each endpoint in its 2026-03, 2026-09,
2026-09-beta and legacy versions; the official SDK's paths.
"""

from __future__ import annotations

DATED = {
    "account": "/account-info/{version}/details",
    "owners": "/crm/owners/{version}",
    "teams": "/settings/teams/{version}",
    "user_teams": "/settings/users/{version}/teams",
    "pipelines": "/crm/pipelines/{version}",
    "objects": "/crm/objects/{version}",
    "associations": "/crm/associations/{version}",
    "exchange_rates": "/settings/currencies/{version}/exchange-rates",
    "sequences": "/automation/sequences/{version}",
    "deal_splits": "/deal-splits/{version}/batch/read",
    "threads": "/conversations/conversations/{version}/threads",
    "channels": "/conversations/conversations/{version}/channels",
    "call_dispositions": "/calling/v1/dispositions",  # there is no dated one
}
V3 = {
    "account": "/account-info/v3/details",
    "owners": "/crm/v3/owners",
    "teams": "/settings/teams/{version}",  # the only one that knows the parents of teams
    "user_teams": "/settings/v3/users/teams",
    "pipelines": "/crm/v3/pipelines",
    "objects": "/crm/v3/objects",
    "associations": "/crm/v4/associations",
    "exchange_rates": "/settings/v3/currencies/exchange-rates",
    "sequences": "/automation/v4/sequences",
    "deal_splits": "/crm/v3/objects/deals/splits/batch/read",
    "threads": "/conversations/v3/conversations/threads",
    "channels": "/conversations/v3/conversations/channels",
    "call_dispositions": "/calling/v1/dispositions",
}

MAYBE_BETA = {
    "/crm/objects/{version}/forecasts": "/crm/objects/{version}/forecasts",
    "/conversations/conversations/{version}": "/conversations/conversations/{version}/channels",
    "/settings/teams/{version}": "/settings/teams/{version}",
}
"""Beginnings of paths that the documentation knows as "2026-09-beta" only, and what to ask to find out
whether they have become a version of full standing since."""
