"""A HubSpot account to try things on: an ASGI app that behaves like HubSpot's API, on loopback only.

Belongs here: a stateful CRM (`crm.py`), how it is filled (`loading.py` from raw tables, `synthetic.py`
with many deals), and HubSpot's API over it (`app.py`, `objects_api.py`, `settings_api.py`, `search.py`,
`errors.py`), with its limits (`limits.py`) and everything that may go wrong (`faults.py`). Both API
versions, 2026-09 and v3, are served with the same shapes. `python -m orchestration.hubspot_simulator`
starts it on the demo company. Nothing of the project that reads HubSpot may import from here.
"""

from .app import TOKEN, Simulator
from .clock import Clock
from .crm import Crm, NoSuchRecord, Record, Version
from .faults import Fault, Faults
from .limits import Limits
from .loading import crm_from_tables
from .server import running

__all__ = [
    "TOKEN",
    "Clock",
    "Crm",
    "Fault",
    "Faults",
    "Limits",
    "NoSuchRecord",
    "Record",
    "Simulator",
    "Version",
    "crm_from_tables",
    "running",
]
