"""Which changes of a record concern other records: the columns that rows of others are made of.

Belongs here: for each table, what the rows of its activities and of its contacts read of a record beside
themselves (models/: the population, names, what became of a deal). Finding changes is `changes.py`'s
business; who hangs on whom, and what comes of time, is the models' (`int_*_changed`).

Whatever else changes of a record concerns its own rows only. Two exceptions stand elsewhere: all columns of
an owner concern the owner's records, and all columns of an activity its contacts; the models take them so.
`tests/test_concerns.py` holds the columns against the models: no other one may move rows of others, and each
of these must.
"""

from __future__ import annotations

_POPULATION = ("createdate", "created_at", "archived", "merged_into_id", "hard_deleted_at")
"""What says whether a record counts (C10, P1)."""
_DEALS = (*_POPULATION, "hs_createdate", "hs_merged_object_ids")

CONCERNING = {
    "deals": {
        "activities": (*_DEALS, "dealname"),
        "contacts": (*_DEALS, "pipeline", "dealstage", "closedate"),
    },
    "contacts": {
        "activities": (*_POPULATION, "hs_merged_object_ids", "firstname", "lastname", "email"),
    },
    "companies": {
        "activities": (*_POPULATION, "name", "domain"),
    },
}
"""By table and by who reads them, the columns of a record that rows of others are made of."""
MADE_OF_NO_ASSOCIATION = ("deal", "company")
"""Records whose own rows stay when they are associated with others: only those of the others tell of it."""
