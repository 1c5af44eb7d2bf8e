"""Laws of the tables that all reports are made of: deals, their states and visits, activities.

Belongs here: what must hold of `core` whatever is reported from it: who is in, that a deal's past
is told without gap or overlap, that it agrees with the raw versions, and that the calendar and the
dimensions are whole.
"""

from __future__ import annotations

from orchestration.checks.core import crm_says_twice, deals, dimensions, visits

INVARIANTS = [
    *deals.INVARIANTS,
    *visits.INVARIANTS,
    *dimensions.INVARIANTS,
    *crm_says_twice.INVARIANTS,
]
