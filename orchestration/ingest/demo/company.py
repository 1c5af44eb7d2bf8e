"""The company itself: people, teams, pipelines, what it sells to whom, exchange rates.

Belongs here: everything that is set up rather than lived through, with the numbers that make reps,
segments and pipelines differ, and the tables that hold it: account, owners, teams, owner_teams,
pipelines, pipeline_stages, call_dispositions, exchange_rates, sequences, conversation_channels.

The company: an American maker of measuring instruments with a second sales office in Europe, moved to
this CRM in December 2024, fiscal year from February, New York time, US dollars; Europe sells in euros.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cache
from random import Random

from . import clock
from .crm import Crm

PORTAL_ID = "48810274"
CURRENCY = "USD"
FISCAL_YEAR_START = 2
FIRST_FISCAL_YEAR = 2024
"""Calendar year in which the fiscal year of the opening began."""

UNKNOWN_OWNER = "70009999"
"""An owner deleted from HubSpot for good: records still carry the id, the owners API no longer does."""
TRAINEE_USER = "8800999"
"""A user without an owner: answers chats and has a goal, but owns nothing (P8)."""


def _day(year: int, month: int, day: int) -> int:
    return date(year, month, day).toordinal()


@dataclass(frozen=True)
class Stage:
    """One pipeline stage. `days` is the median stay, `passing` the share that gets further."""

    id: str
    label: str
    probability: float
    days: float = 0
    passing: float = 0
    category: str = "PIPELINE"


@dataclass(frozen=True)
class Pipeline:
    id: str
    label: str
    stages: tuple[Stage, ...]
    """The open stages in order."""
    won: tuple[Stage, ...]
    lost: tuple[Stage, ...]


NEW_BUSINESS = Pipeline(
    "default",
    "New Business",
    (
        Stage("appointmentscheduled", "Discovery", 0.1, 6, 0.64),
        Stage("qualifiedtobuy", "Qualified", 0.25, 9, 0.69),
        Stage("presentationscheduled", "Demo", 0.45, 9, 0.74, "BEST_CASE"),
        Stage("decisionmakerboughtin", "Proposal", 0.6, 13, 0.78, "BEST_CASE"),
        Stage("contractsent", "Negotiation", 0.8, 8, 0.84, "COMMIT"),
    ),
    (Stage("closedwon", "Closed won", 1, category="CLOSED"),),
    (Stage("closedlost", "Closed lost", 0, category="OMIT"),),
)
RENEWALS = Pipeline(
    "renewals",
    "Renewals & Expansion",
    (
        Stage("ren_due", "Renewal due", 0.5, 16, 0.96),
        Stage("ren_review", "Usage review", 0.7, 14, 0.95, "BEST_CASE"),
        Stage("ren_negotiation", "Negotiation", 0.85, 9, 0.95, "COMMIT"),
    ),
    (
        Stage("ren_won", "Renewed", 1, category="CLOSED"),
        Stage("ren_upsell", "Renewed with upsell", 1, category="CLOSED"),
    ),
    (
        Stage("ren_churned", "Churned", 0, category="OMIT"),
        Stage("ren_downgraded", "Downgraded to free plan", 0, category="OMIT"),
    ),
)
CHANNEL = Pipeline(
    "81204417",
    "Channel Partners",
    (
        Stage("178201301", "Registered", 0.15, 8, 0.72),
        Stage("178201302", "Qualified", 0.3, 12, 0.7),
        Stage("178201303", "Proposal", 0.55, 15, 0.72, "BEST_CASE"),
        # The same stage id as in New Business: copied settings do that.
        Stage("contractsent", "Negotiation", 0.75, 11, 0.8, "COMMIT"),
    ),
    (Stage("178201305", "Closed won", 1, category="CLOSED"),),
    (Stage("178201306", "Closed lost", 0, category="OMIT"),),
)
PIPELINES = {pipeline.id: pipeline for pipeline in (NEW_BUSINESS, RENEWALS, CHANNEL)}

# Once a step of New Business; deleted from the settings, it still stands in history.
DELETED_STAGE = Stage("170553120", "Technical review", 0.5, 11, 1, "BEST_CASE")
DELETED_STAGE_ON = _day(2025, 7, 15)
# Archived: still configured, no longer a step.
ARCHIVED_STAGE = Stage("170553999", "On hold", 0.15, 25, 1)
ARCHIVED_STAGE_ON = _day(2026, 3, 2)

_STAGES = {
    (pipeline.id, stage.id): stage
    for pipeline in PIPELINES.values()
    for stage in (*pipeline.stages, *pipeline.won, *pipeline.lost)
} | {(NEW_BUSINESS.id, stage.id): stage for stage in (DELETED_STAGE, ARCHIVED_STAGE)}


def stage(pipeline_id: str, stage_id: str) -> Stage:
    """Any stage that a deal was ever in."""
    return _STAGES[pipeline_id, stage_id]


@dataclass(frozen=True)
class Segment:
    """A kind of business: its pipeline, share of new deals, deal sizes (dollars) and pace."""

    pipeline: Pipeline
    share: float
    median: float
    spread: float
    pace: float
    odds: float


SEGMENTS = {
    "commercial": Segment(NEW_BUSINESS, 0.45, 9_500, 0.75, 0.9, 1.0),
    "enterprise": Segment(NEW_BUSINESS, 0.1, 42_000, 0.7, 1.2, 0.95),
    "emea": Segment(NEW_BUSINESS, 0.25, 14_000, 0.75, 1.1, 1.0),
    "channel": Segment(CHANNEL, 0.1, 12_000, 0.85, 1.15, 1.0),
    "renewals": Segment(RENEWALS, 0.1, 15_000, 0.65, 1.0, 1.0),
}


@dataclass(frozen=True)
class Rep:
    """One person who sells, and how: all numbers are relative to an average rep.

    `skill` multiplies the odds of getting a deal further, `pace` the days it takes, `activity` the
    number of activities; `optimism` below 1 dates deals too early; `push` is the chance to re-date a
    deal in time; `response` the median hours to the first answer; `quota` dollars a month (at 2,500
    deals in two years).
    """

    owner_id: str
    user_id: str
    first: str
    last: str
    team: str | None
    deals: dict[str, float]
    skill: float
    pace: float
    activity: float
    optimism: float
    push: float
    response: float
    quota: int
    currency: str = CURRENCY
    joined: int = 0
    left: int | None = None
    extra_teams: tuple[str, ...] = field(default=())

    @property
    def email(self) -> str:
        name = f"{self.first}.{self.last}".lower().replace(" ", "").replace("ö", "oe")
        return f"{name}@northfield.example"

    def works_on(self, day: int) -> bool:
        return self.joined <= day and (self.left is None or day < self.left)


def _rep(number: int, name: str, team: str | None, deals: dict[str, float], *traits, **more) -> Rep:
    first, last = name.split(" ", 1)
    return Rep(f"7000{1000 + number}", f"8800{100 + number}", first, last, team, deals, *traits, **more)


#        skill  pace  activity  optimism  push  response  quota
REPS = (
    _rep(1, "Grace Holloway", "110", {"enterprise": 0.5, "commercial": 0.1},
         1.2, 1.0, 0.7, 0.9, 0.75, 4.0, 56_000),
    _rep(2, "Marcus Bell", "111", {"commercial": 1.0},
         1.0, 0.85, 1.5, 0.85, 0.85, 0.9, 54_000),
    _rep(3, "Priya Raman", "111", {"commercial": 0.8, "enterprise": 0.1},
         1.5, 0.95, 1.25, 1.15, 0.8, 1.3, 62_000, extra_teams=("112",)),
    _rep(4, "Tyler Okafor", "111", {"commercial": 0.7},
         0.8, 1.2, 1.2, 0.55, 0.75, 2.6, 25_000, joined=_day(2026, 3, 2)),
    _rep(5, "Dana Whitfield", "112", {"enterprise": 1.0},
         1.05, 1.0, 1.0, 0.7, 0.9, 3.2, 92_000),
    _rep(6, "Katharina Vogel", "121", {"emea": 1.0},
         1.25, 1.0, 1.0, 1.3, 0.85, 2.0, 56_000, currency="EUR"),
    _rep(7, "Jonas de Wit", "121", {"emea": 0.8},
         0.75, 1.1, 0.8, 0.45, 0.95, 6.0, 34_000, currency="EUR"),
    _rep(8, "Aoife Brennan", "122", {"emea": 0.8},
         1.05, 0.95, 1.1, 0.8, 0.6, 1.6, 46_000, currency="EUR"),
    _rep(9, "Sam Rivera", "200", {"renewals": 1.0},
         1.1, 1.0, 0.8, 1.2, 0.5, 3.0, 145_000, extra_teams=("111",)),
    _rep(10, "Nadia Haddad", None, {"channel": 1.0},
         1.0, 1.1, 0.7, 0.75, 0.55, 5.0, 43_000),
    _rep(11, "Luis Ortega", "112", {"enterprise": 0.8},
         0.9, 1.2, 0.8, 0.7, 0.6, 5.0, 50_000, left=_day(2025, 1, 31)),
    _rep(12, "Erik Lindström", "122", {"emea": 0.9},
         0.85, 1.1, 0.7, 0.7, 0.5, 5.0, 30_000, currency="EUR", left=_day(2025, 9, 12)),
    _rep(13, "Megan Doyle", "111", {"commercial": 0.8},
         0.9, 0.95, 1.0, 0.75, 0.7, 2.0, 36_000, left=_day(2026, 2, 20)),
)  # fmt: skip
REP_BY_OWNER = {rep.owner_id: rep for rep in REPS}

# Three levels: the roots, the regions, and the teams of America and Europe. (id, name, parent)
TEAMS = (
    ("100", "Sales", None),
    ("110", "Americas", "100"),
    ("111", "Americas Commercial", "110"),
    ("112", "Americas Enterprise", "110"),
    ("120", "EMEA", "100"),
    ("121", "DACH & Benelux", "120"),
    ("122", "UK & Nordics", "120"),
    ("200", "Customer Success", None),
)

LEAD_PIPELINE = "lead-pipeline-id"
LEAD_STAGES = (
    ("new-stage-id", "New", False),
    ("attempting-stage-id", "Attempting", False),
    ("connected-stage-id", "Connected", False),
    ("qualified-stage-id", "Qualified", True),
    ("unqualified-stage-id", "Disqualified", True),
)

CALLBACK_OUTCOME = "3b1f2a64-95c7-4f0e-8a55-0d7f5f0c7a11"
INTERESTED_OUTCOME = "c7d2e9b0-3f14-4d6a-9e21-6a40d1f3b852"
FORGOTTEN_OUTCOME = "e05c8f9a-71b3-4c2d-b6de-2f9a84c1d307"
"""A deleted outcome that the account no longer lists at all."""
DISPOSITIONS = (
    ("9d9162e7-6cf3-4944-bf63-4dff82258764", "Busy", False),
    ("f240bbac-87c9-4f6e-bf70-924b57d47db7", "Connected", False),
    ("a4c4c377-d246-4b32-a13b-75a56a4cd0ff", "Left live message", False),
    ("b2cf5968-551e-4856-9783-52b3da59a7d0", "Left voicemail", False),
    ("73a0d17f-1163-4015-bdd5-ec830791da20", "No answer", False),
    ("17b47fee-58de-441e-a44c-c6300d46f273", "Wrong number", False),
    (INTERESTED_OUTCOME, "Interested – follow up", False),
    (CALLBACK_OUTCOME, "Callback promised", True),
)
OUTCOMES_CLEANED_ON = _day(2025, 9, 1)
"""From here on nobody uses the deleted outcomes."""
OUTCOMES = {label: outcome_id for outcome_id, label, _ in DISPOSITIONS}

LIVE_CHAT, MESSENGER, TEAM_EMAIL, WHATSAPP = "1000", "1001", "1002", "1007"
CHANNELS = (
    (LIVE_CHAT, "Website chat", "LIVE_CHAT"),
    (MESSENGER, "Facebook Messenger", "FB_MESSENGER"),
    (TEAM_EMAIL, "Team e-mail", "other"),
    (WHATSAPP, "WhatsApp", "other"),
)

SEQUENCES = (
    ("230110", "Inbound follow-up"),
    ("230111", "Outbound: plant managers"),
    ("230112", "Trade fair follow-up"),
    ("230113", "Win-back"),
)

# The level around which a currency's quarterly rate to the dollar moves.
RATE_LEVELS = {"EUR": 1.1, "GBP": 1.28}


def _quarters_since_opening(instant: int) -> int:
    local = date.fromordinal(clock.day_of(instant))
    return max(0, (local.year * 12 + local.month - (2024 * 12 + 11)) // 3)


def quarter_instant(quarter: int) -> int:
    """When the rates of a fiscal quarter since the opening are entered."""
    return clock.at(clock.month_start(clock.OPENED, quarter * 3), 6)


@cache
def _rate(seed: int, currency: str, quarter: int) -> Decimal:
    level = RATE_LEVELS[currency]
    before = _rate(seed, currency, quarter - 1) if quarter else Decimal(str(level))
    drift = (level - float(before)) * 0.3 + Random(f"{seed}:rate:{currency}:{quarter}").gauss(0, 0.025)
    return round(before + Decimal(str(round(drift, 4))), 4)


def rate_at(seed: int, currency: str, instant: int) -> Decimal:
    """Dollars for one unit of a currency, as set in the account at an instant."""
    if currency == CURRENCY:
        return Decimal(1)
    quarter = _quarters_since_opening(instant)
    if quarter_instant(quarter) > instant:
        quarter = max(0, quarter - 1)
    return _rate(seed, currency, quarter)


def rate_instants(start: int, end: int) -> Iterator[int]:
    """When new rates are entered between two instants."""
    quarter = _quarters_since_opening(start)
    while quarter_instant(quarter) < end:
        if quarter_instant(quarter) > start:
            yield quarter_instant(quarter)
        quarter += 1


def pick_rep(rng: Random, segment: str, day: int) -> Rep:
    """Who gets a new deal or lead of a segment on a day: those who work there, by their share."""
    able = [rep for rep in REPS if segment in rep.deals and rep.works_on(day)]
    return rng.choices(able, [rep.deals[segment] for rep in able])[0]


def set_up(crm: Crm, seed: int) -> None:
    """Write all tables of this module."""
    _write_account(crm)
    _write_people(crm)
    _write_pipelines(crm)
    _write_lists(crm, seed)


def _write_account(crm: Crm) -> None:
    crm.add(
        "account",
        portal_id=PORTAL_ID,
        time_zone=clock.TIME_ZONE,
        company_currency=CURRENCY,
        fiscal_year_start_month=FISCAL_YEAR_START,
        week_starts_on="monday",
    )


def _write_people(crm: Crm) -> None:
    for rep in REPS:
        joined = clock.at(max(rep.joined, clock.OPENED), 0)
        left = None if rep.left is None else clock.at(rep.left, 18)
        if joined >= crm.end:
            continue
        archived = left is not None and left < crm.end
        crm.add(
            "owners",
            id=rep.owner_id,
            user_id=rep.user_id,
            email=rep.email,
            first_name=rep.first,
            last_name=rep.last,
            type="PERSON",
            archived=archived,
            created_at=joined,
            updated_at=left if archived else joined,
            archived_at=left if archived else None,
        )
        # Archived owners have lost their team in HubSpot's answer.
        teams = () if archived or rep.team is None else (rep.team, *rep.extra_teams)
        for team in teams:
            crm.add("owner_teams", owner_id=rep.owner_id, team_id=team, is_primary=team == rep.team)
    for team, name, parent in TEAMS:
        crm.add("teams", id=team, name=name, parent_team_id=parent, archived=False)


def _write_pipelines(crm: Crm) -> None:
    for order, pipeline in enumerate(PIPELINES.values()):
        crm.add(
            "pipelines",
            object_type="deal",
            id=pipeline.id,
            label=pipeline.label,
            display_order=order,
            archived=False,
        )
        stages = list(pipeline.stages)
        if pipeline is NEW_BUSINESS:
            if clock.at(DELETED_STAGE_ON, 0) >= crm.end:
                stages.insert(3, DELETED_STAGE)
            stages.append(ARCHIVED_STAGE)
        for position, stage in enumerate((*stages, *pipeline.won, *pipeline.lost)):
            archived = stage is ARCHIVED_STAGE and clock.at(ARCHIVED_STAGE_ON, 0) < crm.end
            crm.add(
                "pipeline_stages",
                object_type="deal",
                pipeline_id=pipeline.id,
                id=stage.id,
                label=stage.label,
                display_order=position,
                probability=Decimal(str(stage.probability)),
                is_closed=stage.probability in (0, 1),
                archived=archived,
            )
    crm.add(
        "pipelines",
        object_type="lead",
        id=LEAD_PIPELINE,
        label="Lead pipeline",
        display_order=0,
        archived=False,
    )
    for position, (stage_id, label, closed) in enumerate(LEAD_STAGES):
        crm.add(
            "pipeline_stages",
            object_type="lead",
            pipeline_id=LEAD_PIPELINE,
            id=stage_id,
            label=label,
            display_order=position,
            is_closed=closed,
            archived=False,
        )


def _write_lists(crm: Crm, seed: int) -> None:
    for outcome_id, label, deleted in DISPOSITIONS:
        crm.add("call_dispositions", id=outcome_id, label=label, deleted=deleted)
    for channel, name, kind in CHANNELS:
        crm.add("conversation_channels", id=channel, name=name, kind=kind)
    for sequence, name in SEQUENCES:
        crm.add("sequences", id=sequence, name=name)
    for currency in RATE_LEVELS:
        quarter = 0
        while quarter_instant(quarter) < crm.end:
            crm.add(
                "exchange_rates",
                from_currency=currency,
                to_currency=CURRENCY,
                effective_at=quarter_instant(quarter),
                conversion_rate=_rate(seed, currency, quarter),
            )
            quarter += 1
