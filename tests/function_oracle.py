"""What the report functions should answer, computed slowly from the raw rows (`reference.crm`).

Belongs here: the whole contract of `marts.md` for a function: filters, groups, buckets, rows of
zeros, derived columns, order. One class per report function under the function's name; a further
function needs `records` (what it counts), `measures` (what it says about some of them) and, where
categories make rows, `categories`. Nothing here has seen the functions' SQL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import ClassVar

from orchestration.ingest.contract import DEFAULT_CALL_DISPOSITIONS
from orchestration.reference.crm import (
    MS_PER_DAY,
    NO_TEAM,
    NONE_ID,
    Crm,
    Deal,
    Owner,
    Row,
    Visit,
    duration_ms,
)
from orchestration.reference.deal_loss_reasons import (
    displayed_spellings,
    reason_parts,
    without_case,
)

ALL = ("all", "all")
CLASSES = {
    "won": {"won"},
    "lost": {"lost"},
    "closed": {"won", "lost"},
    "open": {"open"},
    "all": {"won", "lost", "open"},
}


# --- the question ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Request:
    """The arguments of a report function, lists by id."""

    date_from: date
    date_to: date
    group_by: str = "owner"
    owners: tuple[str, ...] | None = None
    teams: tuple[str, ...] | None = None
    pipelines: tuple[str, ...] | None = None
    include_subteams: bool = False
    bucket: str | None = None
    cumulative: bool = False
    own: dict[str, object] = field(default_factory=dict)
    """The function's own arguments."""

    @property
    def sql(self) -> str:
        """The arguments as SQL, those that are at their default left out."""
        parts = [f"date '{self.date_from}'", f"date '{self.date_to}'"]
        named = {
            "group_by": (self.group_by, "owner"),
            "owners": (self.owners, None),
            "teams": (self.teams, None),
            "pipelines": (self.pipelines, None),
            "include_subteams": (self.include_subteams, False),
            "bucket": (self.bucket, None),
            "cumulative": (self.cumulative, False),
        }
        named |= {name: (value, object()) for name, value in self.own.items()}
        parts += [f"{name} := {sql_value(v)}" for name, (v, default) in named.items() if v != default]
        return ", ".join(parts)


def sql_value(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return f"[{', '.join(sql_value(element) for element in value)}]::varchar[]"
    return "'" + str(value).replace("'", "''") + "'"


# --- the parts of an answer -----------------------------------------------------------------------


@dataclass(frozen=True)
class Record:
    """One record that a report counts: its day, whose it is, its categories, what is measured."""

    day: date
    owner: Owner
    pipeline_id: str | None
    subject: object
    categories: tuple = ()


@dataclass(frozen=True)
class Bucket:
    start: date
    first_day: date
    end_day: date


@dataclass(frozen=True)
class Group:
    id: str
    label: str
    parent_team_id: str | None = None
    depth: int | None = None


class TeamTree:
    """Parents and descendants of teams; cycles and unknown parents are roots (27.2)."""

    def __init__(self, crm: Crm) -> None:
        self.crm = crm
        self.parents = {id_: row["parent_team_id"] for id_, row in crm.teams.items()}

    def parent(self, team_id: str) -> str | None:
        parent = self.parents.get(team_id)
        return None if parent not in self.parents or self.is_in_cycle(team_id) else parent

    def is_in_cycle(self, team_id: str) -> bool:
        seen, above = set(), self.parents.get(team_id)
        while above in self.parents and above not in seen:
            if above == team_id:
                return True
            seen.add(above)
            above = self.parents[above]
        return False

    def path(self, team_id: str) -> list[str]:
        """The team and all above it, itself first."""
        found = [team_id]
        while (above := self.parent(found[-1])) is not None:
            found.append(above)
        return found

    def group(self, team_id: str) -> Group:
        id_and_name = (NONE_ID, NO_TEAM) if team_id == NONE_ID else self.crm.team(team_id)
        return Group(*id_and_name, self.parent(team_id), len(self.path(team_id)) - 1)


def buckets(crm: Crm, request: Request) -> list[Bucket]:
    """The buckets of the range, in order; without `bucket` the whole range is one."""
    if request.bucket is None:
        return [Bucket(request.date_from, request.date_from, request.date_to)]
    days: dict[date, list[date]] = {}
    day = request.date_from
    while day < request.date_to:
        days.setdefault(crm.period_start(request.bucket, day), []).append(day)
        day += timedelta(days=1)
    return [
        Bucket(
            start,
            request.date_from if request.cumulative else inside[0],
            inside[-1] + timedelta(days=1),
        )
        for start, inside in sorted(days.items())
    ]


# --- one function ---------------------------------------------------------------------------------


class Oracle:
    """The answer of one report function. Subclasses say what it counts."""

    report: str
    categories: tuple[str, ...] = ()
    """Columns that make rows of their own within a group."""
    group_categories: ClassVar[dict[str, int]] = {}
    """Further groupings: name → place in the categories."""
    needs: tuple[str, ...] = ()
    """Raw tables and columns without which there is no answer (K11)."""

    def __init__(self, crm: Crm, **own: object) -> None:
        self.crm = crm
        self.own = own
        self.teams = TeamTree(crm)

    # what a subclass says

    def records(self) -> Iterator[Record]:
        """Every record that the function may count, whatever its day."""
        raise NotImplementedError

    def measures(self, records: list[Record], whole: list[Record]) -> Row:
        """The columns that some records give; `whole` are those that shares are of."""
        raise NotImplementedError

    def fixed_categories(self) -> Iterable[tuple]:
        """The categories that `none` always has."""
        return [] if self.categories else [()]

    def category_order(self, row: Row) -> tuple:
        """The order of rows within a group and bucket."""
        return ()

    # the contract

    def answer(self, request: Request) -> list[Row]:
        """The rows, in their order."""
        if not all(self.crm.is_available(*need.split(".")) for need in self.needs):
            return []
        asked = [(record, groups) for record in self.records() if (groups := self.groups(record, request))]
        in_range = [(r, g) for r, g in asked if request.date_from <= r.day < request.date_to]
        spine = {
            (group, key)
            for record, groups in in_range
            for group in groups
            for key in self.row_keys(record, group, in_range)
        }
        if request.group_by == "none":
            spine |= {(Group(*ALL), key) for key in self.fixed_categories()}
        spans = buckets(self.crm, request)
        rows = [self.row(request, asked, group, key, bucket) for group, key in spine for bucket in spans]
        return self.ordered(request, rows, spans)

    def row_keys(self, record: Record, group: Group, in_range: list) -> list[tuple]:
        return [record.categories]

    def row(self, request: Request, asked: list, group: Group, key: tuple, bucket: Bucket) -> Row:
        in_bucket = [(r, groups) for r, groups in asked if bucket.first_day <= r.day < bucket.end_day]
        of_group = [r for r, groups in in_bucket if group in groups]
        whole = [r for r, _ in in_bucket] if request.group_by in self.group_categories else of_group
        previous = self.previous(request, asked, group, bucket)
        place = {"group_id": group.id, "group_label": group.label}
        if request.group_by == "team" and request.include_subteams:
            place |= {"parent_team_id": group.parent_team_id, "depth": group.depth}
        if request.bucket:
            place["bucket_start"] = bucket.start
        return (
            place
            | dict(zip(self.categories, key, strict=True))
            | self.measures([r for r in of_group if r.categories == key], whole)
            | previous
        )

    def previous(self, request: Request, asked: list, group: Group, bucket: Bucket) -> Row:
        """Columns about the range before."""
        return {}

    def groups(self, record: Record, request: Request) -> list[Group]:
        """The groups that a record counts in; none if a filter leaves it out."""
        owner, path = record.owner, self.teams.path(record.owner.team_id)
        if request.owners is not None and owner.owner_id not in request.owners:
            return []
        if request.pipelines is not None and record.pipeline_id not in request.pipelines:
            return []
        if not self.is_asked_team(owner.team_id, request):
            return []
        if request.group_by == "owner":
            return [Group(owner.owner_id, owner.owner_name)]
        if request.group_by == "team":
            teams = path if request.include_subteams else path[:1]
            return [self.teams.group(team) for team in teams if self.is_asked_team(team, request)]
        if request.group_by == "pipeline":
            return [Group(record.pipeline_id, self.crm.pipeline_label(record.pipeline_id))]
        if request.group_by in self.group_categories:
            name = record.categories[self.group_categories[request.group_by]]
            return [Group(name, name)]
        return [Group(*ALL)]

    def is_asked_team(self, team_id: str, request: Request) -> bool:
        if request.teams is None:
            return True
        above = self.teams.path(team_id) if request.include_subteams else [team_id]
        return any(team in request.teams for team in above)

    def ordered(self, request: Request, rows: list[Row], spans: list[Bucket]) -> list[Row]:
        """Groups by their first measure, largest first, then by label and id; buckets in their order."""
        if not rows:
            return rows
        totals: dict[str, object] = {}
        for row in rows:
            if request.cumulative and request.bucket and row["bucket_start"] != spans[-1].start:
                continue
            totals[row["group_id"]] = totals.get(row["group_id"], 0) + self.weight(row)
        return sorted(
            rows,
            key=lambda row: (
                -totals[row["group_id"]],
                row["group_label"],
                row["group_id"],
                row.get("bucket_start", date.min),
                *self.category_order(row),
            ),
        )

    def weight(self, row: Row) -> Decimal | int:
        """What a row adds to the place of its group: the first measure."""
        return row[next(name for name in row if name.endswith("_count"))]


# --- arithmetic -----------------------------------------------------------------------------------


def ratio(numerator: object, denominator: object) -> float | None:
    """C7: from unrounded sums; NULL without a denominator."""
    return float(Fraction(numerator) / Fraction(denominator)) if denominator else None


def total(values: Iterable[Decimal | int | None]) -> Decimal | int:
    return sum((value for value in values if value is not None), 0)


def mean(values: Iterable[Decimal | int]) -> float | None:
    values = list(values)
    return ratio(total(values), len(values))


def quantile(values: Iterable[Decimal | int], share: Fraction) -> float | None:
    """Continuous (linear) percentile (K13)."""
    ordered = sorted(Fraction(value) for value in values)
    if not ordered:
        return None
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return float(ordered[low] + (ordered[high] - ordered[low]) * (place - low))


def median(values: Iterable[Decimal | int]) -> float | None:
    return quantile(values, Fraction(1, 2))


# --- the functions --------------------------------------------------------------------------------


class CallOutcomes(Oracle):
    report = "rpt_call_outcomes"
    categories = ("call_direction", "call_outcome_id", "call_outcome")
    needs = ("calls",)

    def records(self) -> Iterator[Record]:
        for row in self.crm.population("calls"):
            direction = row["hs_call_direction"] or "(No direction)"
            outcome = self.crm.call_outcome(row["hs_call_disposition"])
            if row["hs_timestamp"] is not None and self.is_asked(direction, outcome[0]):
                owner = self.crm.owner(row["hubspot_owner_id"])
                day = self.crm.day(row["hs_timestamp"])
                yield Record(day, owner, None, row["hs_call_duration"], (direction, *outcome))

    def is_asked(self, direction: str, outcome_id: str) -> bool:
        asked_direction, outcomes = self.own.get("direction"), self.own.get("outcomes")
        return asked_direction in (None, direction) and (outcomes is None or outcome_id in outcomes)

    def fixed_categories(self) -> Iterable[tuple]:
        offered = [self.crm.call_outcome(id_) for id_ in self.offered_outcomes()]
        return [
            (direction, *outcome)
            for direction in ("INBOUND", "OUTBOUND", "(No direction)")
            for outcome in offered
            if self.is_asked(direction, outcome[0])
        ]

    def offered_outcomes(self) -> list[str | None]:
        """Those of the account today, and those asked for by name; no outcome is one."""
        rows = self.crm.rows("call_dispositions")
        if self.own.get("outcomes") is not None:
            return [None if id_ == "none" else id_ for id_ in self.own["outcomes"]]
        if not self.crm.is_available("call_dispositions"):
            return [*DEFAULT_CALL_DISPOSITIONS, None]
        return [row["id"] for row in rows if not row["deleted"] and row["label"]] + [None]

    def measures(self, records: list[Record], whole: list[Record]) -> Row:
        durations = [record.subject for record in records if record.subject is not None]
        return {
            "call_count": len(records),
            "timed_call_count": len(durations),
            "total_duration_ms": total(durations),
            "call_share": ratio(len(records), len(whole)),
            "average_duration_ms": mean(durations),
        }

    def category_order(self, row: Row) -> tuple:
        return -row["call_count"], row["call_outcome"], row["call_outcome_id"], row["call_direction"]


class DealOracle(Oracle):
    """Reports of deals by close date, present owner and pipeline."""

    default_status = "won"

    def records(self) -> Iterator[Record]:
        statuses = CLASSES[self.own.get("status", self.default_status)]
        for deal in self.crm.closing_deals:
            if deal.status in statuses:
                yield from self.of_deal(deal)

    def of_deal(self, deal: Deal) -> Iterator[Record]:
        yield Record(deal.close_date, deal.owner, deal.pipeline_id, deal)


class AverageDealSize(DealOracle):
    report = "rpt_average_deal_size"

    def measures(self, records: list[Record], whole: list[Record]) -> Row:
        amounts = [record.subject.amount for record in records if record.subject.amount is not None]
        return {
            "deal_count": len(records),
            "deal_with_amount_count": len(amounts),
            "total_amount": total(amounts),
            "average_amount": mean(amounts),
            "median_amount": median(amounts),
        }


class DealsCreated(Oracle):
    report = "rpt_deals_created"

    def records(self) -> Iterator[Record]:
        for deal in self.crm.deals:
            owner, day = deal.owner, deal.created_date
            if self.own.get("created_basis") == "hs_createdate":
                day = self.crm.day(deal.row["hs_createdate"] or deal.row["created_at"])
            if self.own.get("owner_basis") == "as_of" and deal.created_at is not None:
                owner = self.crm.owner(deal.state_after(deal.created_at).owner_id)
            if day is not None:
                yield Record(day, owner, deal.pipeline_id, deal)

    def measures(self, records: list[Record], whole: list[Record]) -> Row:
        amounts = [record.subject.amount for record in records if record.subject.amount is not None]
        return {
            "deal_count": len(records),
            "deal_with_amount_count": len(amounts),
            "total_amount": total(amounts),
            "average_amount": mean(amounts),
        }


class DealLossReasons(DealOracle):
    report = "rpt_deal_loss_reasons"
    default_status = "lost"
    categories = ("loss_reason",)
    group_categories: ClassVar = {"loss_reason": 0}
    needs = ("deals.closed_lost_reason",)

    def of_deal(self, deal: Deal) -> Iterator[Record]:
        spellings = displayed_spellings(self.crm)
        for reason in {spellings[without_case(part)] for part in reason_parts(deal)}:
            yield Record(deal.close_date, deal.owner, deal.pipeline_id, deal, (reason,))

    def measures(self, records: list[Record], whole: list[Record]) -> Row:
        return {
            "deal_count": len(records),
            "total_amount": total(record.subject.amount for record in records),
            "deal_share": ratio(len(records), len({record.subject.id for record in whole})),
        }

    def category_order(self, row: Row) -> tuple:
        return -row["deal_count"], row["loss_reason"]


class DealRevenueBySource(DealOracle):
    report = "rpt_deal_revenue_by_source"
    categories = ("source",)
    group_categories: ClassVar = {"source": 0}
    needs = ("deals.hs_analytics_source",)

    def of_deal(self, deal: Deal) -> Iterator[Record]:
        source = deal.row["hs_analytics_source"] or "(No source)"
        yield Record(deal.close_date, deal.owner, deal.pipeline_id, deal, (source,))

    def measures(self, records: list[Record], whole: list[Record]) -> Row:
        revenue = total(record.subject.amount for record in records)
        return {
            "deal_count": len(records),
            "total_amount": revenue,
            "amount_share": ratio(revenue, total(record.subject.amount for record in whole)),
        }

    def category_order(self, row: Row) -> tuple:
        return -row["deal_count"], row["source"]


class DealVelocity(DealOracle):
    report = "rpt_deal_velocity"
    default_status = "closed"

    def measures(self, records: list[Record], whole: list[Record]) -> Row:
        valid = [record.subject for record in records if record.subject.is_valid_cycle]
        cycles = [duration_ms(deal.created_at, deal.close_at) for deal in valid]
        counted = cycles
        if self.own.get("avg_basis") == "days_to_close":
            counted = [cycle // MS_PER_DAY * MS_PER_DAY for cycle in cycles]
        days = [Fraction(cycle, MS_PER_DAY) for cycle in counted]
        return {
            "deal_count": len(valid),
            "excluded_count": len(records) - len(valid),
            "days_to_close_ms": sum(cycles),
            "average_days_to_close": mean(days),
            "median_days_to_close": median(days),
            "p90_days_to_close": quantile(days, Fraction(9, 10)),
        }


class DealsWonAndLost(DealOracle):
    report = "rpt_deals_won_and_lost"
    default_status = "closed"

    def of_deal(self, deal: Deal) -> Iterator[Record]:
        owner = deal.owner
        if self.own.get("owner_basis") == "as_of":
            owner = self.owner_at_close(deal)
        yield Record(deal.close_date, owner, deal.pipeline_id, deal)

    def owner_at_close(self, deal: Deal) -> Owner:
        """The owner when the deal entered its present class (27.2); unless its history ends in another."""
        if deal.created_at is None:
            return deal.owner
        instant, status = deal.class_changes[-1]
        if status != deal.status:
            return deal.owner
        return self.crm.owner(deal.state_after(instant).owner_id)

    def measures(self, records: list[Record], whole: list[Record]) -> Row:
        won = [record.subject for record in records if record.subject.status == "won"]
        lost = [record.subject for record in records if record.subject.status == "lost"]
        won_amount, lost_amount = (total(deal.amount for deal in deals) for deals in (won, lost))
        return {
            "won_count": len(won),
            "lost_count": len(lost),
            "won_amount": won_amount,
            "lost_amount": lost_amount,
            "win_rate": ratio(len(won), len(won) + len(lost)),
            "win_rate_amount": ratio(won_amount, won_amount + lost_amount),
        }


class SalesVelocity(Oracle):
    report = "rpt_sales_velocity"

    def records(self) -> Iterator[Record]:
        if self.own.get("cohort") == "created":
            for deal in self.crm.historic_deals:
                yield Record(deal.created_date, deal.owner, deal.pipeline_id, deal)
        else:
            for deal in self.crm.closing_deals:
                if deal.status != "open":
                    yield Record(deal.close_date, deal.owner, deal.pipeline_id, deal)

    def measures(self, records: list[Record], whole: list[Record]) -> Row:
        deals = [record.subject for record in records]
        won = [deal for deal in deals if deal.status == "won"]
        amounts = [deal.amount for deal in won if deal.amount is not None]
        cycles = [duration_ms(deal.created_at, deal.close_at) for deal in won if deal.is_valid_cycle]
        days = Fraction(sum(cycles), MS_PER_DAY * len(cycles)) if cycles else None
        average = Fraction(total(amounts)) / len(amounts) if amounts else None
        is_defined = days is not None and average is not None
        return {
            "closed_count": sum(deal.status != "open" for deal in deals),
            "won_count": len(won),
            "won_with_amount_count": len(amounts),
            "won_amount": total(amounts),
            "valid_won_count": len(cycles),
            "days_to_win_ms": sum(cycles),
            "opportunity_count": len(deals),
            "win_rate": ratio(len(won), len(deals)),
            "average_won_amount": None if average is None else float(average),
            "average_days_to_win": None if days is None else float(days),
            # N · W · A / D
            "velocity": float(len(won) * average / days) if is_defined else None,
            "velocity_observed": None if days is None else float(Fraction(total(amounts)) / days),
        }

    def previous(self, request: Request, asked: list, group: Group, bucket: Bucket) -> Row:
        length = request.date_to - request.date_from
        before = [
            record
            for record, groups in asked
            if bucket.first_day <= record.day + length < bucket.end_day and group in groups
        ]
        names = ("win_rate", "average_won_amount", "average_days_to_win", "velocity", "velocity_observed")
        measured = self.measures(before, before)
        return {f"previous_{name}": measured[name] for name in names}


@dataclass(frozen=True)
class Part:
    """The part of a deal's visits to one stage that falls to one owner."""

    deal: Deal
    visits: tuple[Visit, ...]
    total_ms: int
    latest_ms: int | None
    is_still_here: bool


def merged(parts: list[Part]) -> Part:
    latest = [part.latest_ms for part in parts if part.latest_ms is not None]
    return Part(
        parts[0].deal,
        tuple({id(visit): visit for part in parts for visit in part.visits}.values()),
        sum(part.total_ms for part in parts),
        sum(latest) if latest else None,
        any(part.is_still_here for part in parts),
    )


class TimeInDealStage(Oracle):
    report = "rpt_time_in_deal_stage"
    categories = ("pipeline_id", "pipeline_label", "stage_id", "stage_label", "stage_position")

    def records(self) -> Iterator[Record]:
        statuses = CLASSES[self.own.get("status", "all")]
        for deal in self.crm.historic_deals:
            if deal.close_date is not None and deal.status in statuses:
                for stage_key in {visit.stage.key: None for visit in self.visits(deal)}:
                    yield from self.of_stage(deal, stage_key)

    def visits(self, deal: Deal) -> list[Visit]:
        visits = [
            visit
            for visit in deal.visits
            if visit.stage.pipeline_id == deal.pipeline_id and visit.stage.status == "open"
        ]
        if self.own.get("open_visit") == "exclude":
            visits = [visit for visit in visits if visit.exited_at is not None]
        return visits

    def of_stage(self, deal: Deal, stage_key: tuple) -> Iterator[Record]:
        visits = [visit for visit in self.visits(deal) if visit.stage.key == stage_key]
        shares = [self.owners_of(deal, visit) for visit in visits]
        stage = visits[-1].stage
        key = (
            deal.pipeline_id,
            self.crm.pipeline_label(deal.pipeline_id),
            stage.stage_id,
            stage.label,
            stage.position,
        )
        for owner in {owner: None for share in shares for owner in share}:
            held = [(visit, share) for visit, share in zip(visits, shares, strict=True) if owner in share]
            last_owner = list(shares[-1])[-1]
            part = Part(
                deal,
                tuple(visit for visit, _ in held),
                sum(share[owner] for _, share in held),
                shares[-1].get(owner),
                visits[-1] == deal.visits[-1] and owner == last_owner,
            )
            yield Record(deal.close_date, owner, deal.pipeline_id, part, key)

    def owners_of(self, deal: Deal, visit: Visit) -> dict[Owner, int]:
        """Milliseconds of a visit by owner, the one at its end last (C6, as_of)."""
        if self.own.get("owner_basis") != "as_of":
            return {deal.owner: visit.duration_ms}
        left = visit.exited_at or self.crm.run_ts
        cuts = [instant for instant in deal.change_instants if visit.entered_at < instant < left]
        edges = [visit.entered_at, *cuts, left]
        found: dict[Owner, int] = {}
        for start, end in pairwise(edges):
            owner = self.crm.owner(self.owner_after(deal, start))
            before = found.pop(owner, 0)
            found[owner] = before + duration_ms(start, end)
        return found

    def owner_after(self, deal: Deal, instant: datetime) -> str | None:
        """The owner just after an instant; before the creation the first one (H8)."""
        return deal.state_after(max(instant, deal.created_at)).owner_id

    def row_keys(self, record: Record, group: Group, in_range: list) -> list[tuple]:
        """All steps of the pipelines that the group has been in, and the stages beside them that any
        group has been in."""
        visited = [r.categories for r, _ in in_range if r.pipeline_id == record.pipeline_id]
        return [*visited, *self.steps(record.pipeline_id)]

    def steps(self, pipeline_id: str) -> list[tuple]:
        stages = [self.crm.stage(pipeline_id, stage_id) for stage_id in self.crm.open_stages(pipeline_id)]
        label = self.crm.pipeline_label(pipeline_id)
        return [(pipeline_id, label, stage.stage_id, stage.label, stage.position) for stage in stages]

    def fixed_categories(self) -> Iterable[tuple]:
        rows = [row for row in self.crm.rows("pipelines") if row["object_type"] == "deal"]
        asked = self.own.get("pipelines")
        return [
            step
            for row in rows
            if (row["id"] in asked if asked is not None else not row["archived"])
            for step in self.steps(row["id"])
        ]

    def answer(self, request: Request) -> list[Row]:
        self.own["pipelines"] = request.pipelines
        return super().answer(request)

    def measures(self, records: list[Record], whole: list[Record]) -> Row:
        # Owners of one group may share a deal: it is one deal there.
        by_deal: dict[str, list[Part]] = {}
        for record in records:
            by_deal.setdefault(record.subject.deal.id, []).append(record.subject)
        parts = [merged(parts) for parts in by_deal.values()]
        is_latest = self.own.get("measure") == "latest"
        times = [part.latest_ms if is_latest else part.total_ms for part in parts]
        times = [time for time in times if time is not None]
        return {
            "deal_count": len(parts),
            "visit_count": sum(len(part.visits) for part in parts),
            "total_time_ms": sum(part.total_ms for part in parts),
            "latest_time_ms": total(part.latest_ms for part in parts),
            "still_in_stage_count": sum(part.is_still_here for part in parts),
            "average_time_ms": mean(times),
            "median_time_ms": median(times),
        }

    def category_order(self, row: Row) -> tuple:
        position = row["stage_position"]
        return (
            row["pipeline_label"],
            row["pipeline_id"],
            position is None,
            position or 0,
            row["stage_id"],
        )


ORACLES: dict[str, Callable[..., Oracle]] = {
    oracle.report.removeprefix("rpt_"): oracle
    for oracle in (
        CallOutcomes,
        DealsCreated,
        TimeInDealStage,
        AverageDealSize,
        DealLossReasons,
        DealRevenueBySource,
        DealVelocity,
        DealsWonAndLost,
        SalesVelocity,
    )
}
