"""Laws of the reports that coach reps and teams (1 to 11).

Belongs here: what `reports.md` states under "Invariants" of these reports, each under the report's
name. Laws between reports stand in `across_reports.py`, laws of every mart in `universal.py`.
"""

from __future__ import annotations

from orchestration.checks.coach_reps_and_teams import activities, deals, leads, prospecting

INVARIANTS = [
    *activities.INVARIANTS,
    *prospecting.INVARIANTS,
    *leads.INVARIANTS,
    *deals.INVARIANTS,
]
