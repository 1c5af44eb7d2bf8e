"""Report 18, quota attainment: revenue that was won, beside the goals for it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from orchestration.reference.crm import (
    OWNER_COLUMNS,
    Crm,
    Deal,
    Owner,
    Row,
    duration_ms,
    id_order,
    money,
    split_list,
)

GRAIN = ("goal_id", "period_start", "period_end", "assignee_kind", *OWNER_COLUMNS)
MEASURES = (
    "target_amount",
    "actual_amount",
    "won_count",
    "cumulative_target_amount",
    "cumulative_actual_amount",
    "elapsed_share",
    "goal_name",
    "milestone",
)
DEAL_AMOUNTS = (
    "AMOUNT",
    "AMOUNT_IN_HOME_CURRENCY",
    "HS_CLOSED_AMOUNT",
    "HS_CLOSED_AMOUNT_IN_HOME_CURRENCY",
)
IS_DEAL = ("DEAL", "DEALS", "0-3")


@dataclass(frozen=True)
class Slice:
    """One assignee's target for one period of a goal."""

    goal_id: str
    goal_name: str | None
    milestone: str | None
    start: date
    end: date  # exclusive
    assignee: Owner
    teams: frozenset[str]  # whose deals count; empty: the owner's
    target: Decimal
    pipelines: tuple[str, ...]  # empty: all

    @property
    def assignee_kind(self) -> str:
        return "team" if self.teams else "owner"


def rpt_quota_attainment(crm: Crm) -> list[Row]:
    """One row per goal, assignee and period: every slice that stands, also one without a target."""
    if not crm.is_available("goal_targets"):  # K11
        return []
    won = [deal for deal in crm.closing_deals if deal.status == "won"]
    rows = []
    for schedule in _schedules(crm).values():
        cumulative_target = cumulative_actual = Decimal(0)
        for piece in schedule:  # in order of time (18c)
            deals = [deal for deal in won if _is_actual(deal, piece)]
            actual = sum((deal.amount or Decimal(0) for deal in deals), Decimal(0))
            cumulative_target += piece.target
            cumulative_actual += actual
            rows.append(
                {
                    "goal_id": piece.goal_id,
                    "period_start": piece.start,
                    "period_end": piece.end,
                    "assignee_kind": piece.assignee_kind,
                    **piece.assignee.columns,
                    "target_amount": piece.target,
                    "actual_amount": actual,
                    "won_count": len(deals),
                    "cumulative_target_amount": cumulative_target,
                    "cumulative_actual_amount": cumulative_actual,
                    "elapsed_share": elapsed_share(crm, piece.start, piece.end),
                    "goal_name": piece.goal_name,
                    "milestone": piece.milestone,
                }
            )
    return rows


def _is_actual(deal: Deal, piece: Slice) -> bool:
    """Won now, of the assignee, closed on a day of the slice, in one of its pipelines (§18)."""
    is_assignees = (
        deal.owner.team_id in piece.teams if piece.teams else deal.owner.owner_id == piece.assignee.owner_id
    )
    return (
        is_assignees
        and piece.start <= deal.close_date < piece.end
        and (not piece.pipelines or deal.pipeline_id in piece.pipelines)
    )


def elapsed_share(crm: Crm, start: date, end: date) -> float:
    """How much of the slice lies behind run_ts, from local midnight to local midnight (18d)."""
    begin, finish = crm.midnight(start), crm.midnight(end)
    share = duration_ms(begin, crm.run_ts) / duration_ms(begin, finish)
    return min(max(share, 0.0), 1.0)


# --- slices ---------------------------------------------------------------------------------------


def _schedules(crm: Crm) -> dict[tuple, list[Slice]]:
    """Slices by goal and assignee, in order of time."""
    found: dict[tuple, Slice] = {}
    rows = sorted(crm.population("goal_targets"), key=lambda row: id_order(row["id"]))
    for piece in [_slice(crm, row) for row in rows]:
        if piece is not None:
            key = (piece.goal_id, piece.assignee_kind, piece.assignee, piece.start, piece.end)
            found[key] = _together(found[key], piece) if key in found else piece
    schedules = defaultdict(list)
    for key in sorted(found, key=lambda key: key[-2:]):
        schedules[key[:3]].append(found[key])
    return schedules


def _together(first: Slice, second: Slice) -> Slice:
    """Two targets of one assignee for the same days of one goal: one slice, of all pipelines that
    either names, so that no deal counts twice."""
    is_all = not first.pipelines or not second.pipelines
    return replace(
        first,
        target=first.target + second.target,
        pipelines=() if is_all else first.pipelines + second.pipelines,
        teams=first.teams | second.teams,
    )


def _slice(crm: Crm, row: Row) -> Slice | None:
    """The slice of one target row; None if it is none of this report."""
    period = period_of(row)
    if period is None or not is_revenue_goal(row):
        return None
    user_id, team_id = row["hs_assignee_user_id"], row["hs_assignee_team_id"]
    if user_id is not None:  # 18c: the user decides where both stand
        assignee, teams = crm.owner_of_user(user_id), frozenset()
        if _has_left(crm, assignee.owner_id, period[0]):
            return None
    elif team_id is not None:  # K14: a team's rows belong to no owner
        nobody = crm.owner(None)
        assignee = Owner(nobody.owner_id, nobody.owner_name, *crm.team(team_id))
        teams = frozenset({team_id})
        if (row["hs_kpi_is_team_rollup"] or "").lower() == "true":  # 18b
            teams |= crm.teams_below(team_id)
    else:
        return None  # data quality
    return Slice(
        goal_id=row["hs_group_correlation_uuid"] or row["id"],  # 18a
        goal_name=row["hs_goal_name"],
        milestone=row["hs_milestone"],
        start=period[0],
        end=period[1],
        assignee=assignee,
        teams=teams,
        target=money(row["hs_target_amount"] or Decimal(0), _rate(crm, row)),
        pipelines=tuple(split_list(row["hs_pipeline_ids"])),
    )


def period_of(row: Row) -> tuple[date, date] | None:
    """The calendar days that a slice's instants mean, not shifted to any time zone.

    An end at 00:00 is exclusive, any other time lies on the last day. No days, no slice.
    """
    start, end = row["hs_start_datetime"], row["hs_end_datetime"]
    if start is None or end is None:
        return None
    start, end = start.astimezone(UTC), end.astimezone(UTC)
    days = start.date(), end.date() + timedelta(days=end.time() != time())
    return days if days[0] < days[1] else None


def is_revenue_goal(row: Row) -> bool:
    """Nothing in hs_kpi_* says that the goal is not the sum of a deal amount by close date (K14)."""
    says = {
        "hs_kpi_metric_type": ("SUM",),
        "hs_kpi_object_type": IS_DEAL,
        "hs_kpi_property_name": DEAL_AMOUNTS,
        "hs_kpi_time_property_name": ("CLOSEDATE",),
    }
    return all(row[column] is None or row[column].upper() in allowed for column, allowed in says.items())


def _has_left(crm: Crm, owner_id: str, period_start: date) -> bool:
    """A deactivated owner has no slices that begin after the day of deactivation (18c).

    Where the source does not say when, it was seen by this load for the first time (K14).
    """
    for row in crm.rows("owners"):
        if row["id"] == owner_id and row["archived"]:
            return period_start > crm.day(row["archived_at"] or crm.run_ts)
    return False


def has_no_rate(crm: Crm, row: Row) -> bool:
    """Whether a target is in another currency that has no rate to the company's (18d)."""
    currency = row["hs_goal_target_currency_code"]
    return currency not in (None, crm.settings.company_currency) and not _rates(crm, row)


def _rate(crm: Crm, row: Row) -> Decimal:
    """Latest rate of the target's currency to the company's; 1 without any (18d)."""
    rates = _rates(crm, row)
    return max(rates)[1] if rates else Decimal(1)


def _rates(crm: Crm, row: Row) -> list[tuple[datetime, Decimal]]:
    currency = row["hs_goal_target_currency_code"]
    return [
        (rate["effective_at"], rate["conversion_rate"])
        for rate in crm.rows("exchange_rates")
        if rate["from_currency"] == currency
        and rate["to_currency"] == crm.settings.company_currency
        and currency != crm.settings.company_currency
        and rate["effective_at"] <= crm.run_ts
        and rate["conversion_rate"] is not None
    ]
