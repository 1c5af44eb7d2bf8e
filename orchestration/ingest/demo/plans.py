"""What the company means to reach: goals of reps and teams, and what reps forecast.

Belongs here: the tables goal_targets and forecasts. How good the reps are is `company`'s business.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from random import Random

from . import clock
from .company import (
    CURRENCY,
    FIRST_FISCAL_YEAR,
    FISCAL_YEAR_START,
    RATE_LEVELS,
    REPS,
    SEGMENTS,
    TEAMS,
    TRAINEE_USER,
)
from .crm import Crm

_EPOCH_DAY = date(1970, 1, 1).toordinal()


def write(crm: Crm, seed: int, size: int) -> None:
    """Write all tables of this module. Plans grow with the demo's size."""
    _write_goals(crm, seed, size)
    _write_forecasts(crm, seed, size)


def _fiscal_years(crm: Crm) -> list[tuple[int, int]]:
    """(year by which it is called, first day) of the fiscal years whose goals are set by the end.

    Goals of a year are entered two weeks before it begins; those of the first at the opening.
    """
    years = []
    year = FIRST_FISCAL_YEAR
    while clock.at(max(date(year, 1, 18).toordinal(), clock.OPENED), 9) < crm.end:
        years.append((year + 1, date(year, FISCAL_YEAR_START, 1).toordinal()))
        year += 1
    return years


# How a year's quota is spread over its months, February first: as demand and the quarter ends go.
_QUOTA_MONTHS = (0.85, 1.0, 1.2, 0.95, 1.0, 1.2, 0.75, 0.9, 1.25, 0.95, 0.85, 1.1)


def _rounded(amount: float) -> Decimal:
    step = 500 if amount >= 5_000 else 50
    return Decimal(max(step, round(amount / step) * step))


def _write_goals(crm: Crm, seed: int, size: int) -> None:
    """Monthly revenue goals per rep, quarterly ones per team, one goal that is no revenue goal."""
    for name, first in _fiscal_years(crm):
        entered = clock.at(max(first - 14, clock.OPENED), 9)
        growth = (size / 2500) * 1.08 ** (name - 2026)
        months = [clock.month_start(first, month) for month in range(12)]
        months = [month for month in months if month >= clock.month_start(clock.OPENED)]
        revenue = {
            "hs_kpi_metric_type": "SUM",
            "hs_kpi_object_type": "DEAL",
            "hs_kpi_property_name": "amount_in_home_currency",
            "hs_kpi_time_property_name": "closedate",
        }
        for number, rep in enumerate(REPS):
            if not rep.works_on(clock.day_of(entered)) and rep.joined < first - 14:
                continue
            for month in months:
                # Known before they come: the goals of a new rep start with the first full month.
                if month <= rep.joined or (rep.left is not None and rep.left < entered):
                    continue
                # A slice deleted by hand: Aoife was away in May.
                if rep.owner_id == "70001008" and date.fromordinal(month).month == 5:
                    continue
                spread = _QUOTA_MONTHS[(date.fromordinal(month).month - FISCAL_YEAR_START) % 12]
                amount = rep.quota * growth * spread
                foreign = rep.currency != CURRENCY
                _write_goal(
                    crm,
                    f"{name}{number:02d}{date.fromordinal(month).month:02d}",
                    entered,
                    month,
                    1,
                    "monthly",
                    f"Revenue per rep FY{name % 100}",
                    f"5f1d0a52-7c1e-4b0a-9d55-00000000{name}",
                    _rounded(amount / RATE_LEVELS["EUR"] if foreign else amount),
                    user=rep.user_id,
                    currency=rep.currency,
                    **revenue,
                )
        quarters = [month for month in months if clock.quarter_end(month) == clock.month_start(month, 3) - 1]
        for team, _, _ in TEAMS:
            # Whoever is there then, and those whose hiring is planned.
            members = [
                rep
                for rep in REPS
                if _is_in(rep.team, team)
                and (rep.works_on(clock.day_of(entered)) or first <= rep.joined < first + 365)
            ]
            for quarter in quarters:
                year_part = (date.fromordinal(quarter).month - FISCAL_YEAR_START) % 12
                spread = sum(_QUOTA_MONTHS[year_part : year_part + 3])
                amount = sum(rep.quota for rep in members) * growth * spread
                _write_goal(
                    crm,
                    f"{name}{team}{year_part:02d}",
                    entered,
                    quarter,
                    3,
                    "quarterly",
                    f"Team revenue FY{name % 100}",
                    f"9ab3c7e1-20f4-4d5e-8f11-00000000{name}",
                    _rounded(amount * 0.95),
                    team=team,
                    rollup="true" if team in ("100", "110", "120") else None,
                    pipelines="default;81204417" if team == "122" else None,
                    **revenue,
                )
        for month in months:
            _write_goal(
                crm,
                f"{name}99{date.fromordinal(month).month:02d}",
                entered,
                month,
                1,
                "monthly",
                f"Meetings booked FY{name % 100}",
                f"c2e45d90-66aa-4e21-b7c3-00000000{name}",
                Decimal(12),
                user=TRAINEE_USER,
                hs_kpi_metric_type="COUNT",
                hs_kpi_object_type="MEETING_EVENT",
                hs_kpi_time_property_name="hs_createdate",
            )


def _is_in(team: str | None, ancestor: str) -> bool:
    parents = {child: parent for child, _, parent in TEAMS}
    while team is not None and team != ancestor:
        team = parents[team]
    return team == ancestor


def _write_goal(
    crm: Crm,
    goal_id: str,
    entered: int,
    first: int,
    months: int,
    milestone: str,
    name: str,
    goal: str,
    amount: Decimal,
    *,
    user: str | None = None,
    team: str | None = None,
    currency: str = CURRENCY,
    rollup: str | None = None,
    pipelines: str | None = None,
    **kpi: str,
) -> None:
    """One slice. Its bounds are UTC midnights that mean calendar days; December ends exclusively."""
    end = (clock.month_start(first, months) - _EPOCH_DAY) * clock.DAY
    inclusive = date.fromordinal(clock.month_start(first, months) - 1).month != 12
    crm.add_record(
        "goal_targets",
        entered,
        id=f"33{goal_id}",
        hs_goal_name=name,
        hs_target_amount=amount,
        hs_start_datetime=(first - _EPOCH_DAY) * clock.DAY,
        hs_end_datetime=end - 1 if inclusive else end,
        hs_milestone=milestone,
        hs_assignee_user_id=user,
        hs_assignee_team_id=team,
        hs_pipeline_ids=pipelines,
        hs_group_correlation_uuid=goal,
        hs_goal_target_group_id=f"{goal}:{user or team}",
        hs_goal_target_currency_code=currency,
        hs_kpi_is_team_rollup=rollup,
        **kpi,
    )


def _write_forecasts(crm: Crm, seed: int, size: int) -> None:
    """What each rep says at the start of a month will come in that month, per main pipeline."""
    month = clock.month_start(clock.GO_LIVE)
    while clock.at(month, 9) < crm.end:
        for rep in REPS:
            if rep.works_on(month):
                rng = Random(f"{seed}:forecast:{rep.owner_id}:{month}")
                segment = max(rep.deals, key=rep.deals.get)
                crm.add_record(
                    "forecasts",
                    clock.at(month, 9 + rng.random()),
                    id=f"61{month}{rep.owner_id[-2:]}",
                    hubspot_owner_id=rep.owner_id,
                    hs_amount=_rounded(rep.quota * size / 2500 * rng.uniform(0.7, 1.3)),
                    hs_deal_pipeline_id=SEGMENTS[segment].pipeline.id,
                    hs_forecast_start_date=clock.at(month, 0),
                    hs_forecast_end_date=clock.at(clock.month_start(month, 1), 0),
                    hs_team_id=rep.team,
                )
        month = clock.month_start(month, 1)
