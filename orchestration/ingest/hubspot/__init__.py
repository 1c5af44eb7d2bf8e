"""The source `hubspot`: an account, read through HubSpot's API.

Belongs here: the entries. `sync` (API → landing database) runs first, as a step of its own, and `read`
(landing database → delivery) then hands over what it has landed. `forget` removes people from it.

Modules: `objects` (what there is), `pace`, `http` and `api` (the client), `windows` and `rows` (answers
as rows), `landing` (load packages of dlt), `night`, `records`, `related` and `sync` (what a night reads),
`delivery`.
"""

from orchestration.ingest.hubspot.delivery import read
from orchestration.ingest.hubspot.forget import forget
from orchestration.ingest.hubspot.sync import SyncStopped, SyncSummary, sync

__all__ = ["SyncStopped", "SyncSummary", "forget", "read", "sync"]
