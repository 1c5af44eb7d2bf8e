"""A CRM as raw rows, and the notions that every report's reference computation shares.

Rows are plain dicts with Python types: str, Decimal, int, bool, date, aware datetime (UTC). Money
is an exact Decimal, durations are whole milliseconds, local days `date`s in the account time zone.
Everything is computed from the rows of `raw_tables.md` by the rules of `decisions.md`; nothing is
read from staging or core.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation
from functools import cached_property
from zoneinfo import ZoneInfo

from orchestration.ingest.contract import (
    DEFAULT_CALL_DISPOSITIONS,
    KEPT_HISTORIES,
    TABLES,
    VERSION_CAP,
)

Row = dict[str, object]
Stretch = tuple[datetime | None, datetime]  # (from, to]; None = from the beginning
RejectedRow = tuple[str, int, str | None]  # table, row number in the load from 1, record id

NONE_ID = "none"
UNASSIGNED, NO_TEAM = "(Unassigned)", "(No team)"
OWNER_COLUMNS = ("owner_id", "owner_name", "team_id", "team_name")
DEAL_COLUMNS = (*OWNER_COLUMNS, "pipeline_id", "pipeline_label")
STAGE_COLUMNS = ("stage_id", "stage_label")
MS_PER_DAY = 86_400_000  # C9: a day of duration is this many ms, never a calendar day

# Values of property histories are text (H10). These are the names whose values are not.
NUMBER_PROPERTIES = frozenset({"amount", "hs_exchange_rate", "hs_deal_stage_probability"})
INSTANT_PROPERTIES = frozenset(
    {
        "closedate",
        "hs_latest_sequence_enrolled_date",
        "hs_latest_sequence_finished_date",
        "hs_latest_sequence_unenrolled_date",
    }
)
# The properties whose versions make up a deal's state.
STATE_PROPERTIES = (
    "pipeline",
    "dealstage",
    "amount",
    "closedate",
    "hubspot_owner_id",
    "hs_manual_forecast_category",
    "hs_deal_stage_probability",
)

_EXACT = Context(prec=100)
_CENT = Decimal("0.01")
CALENDAR_YEARS = 100
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_INSTANT, _LAST_INSTANT = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)
_ISO_INSTANT = re.compile(
    r"[0-9]{4}(-[0-9]{2}){2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?(Z|[+-][0-9]{2}(:?[0-9]{2})?)?)?"
)  # of ISO 8601's shapes those that HubSpot and most tools write; Python knows more, such as week dates
_ASCII_BLANKS = " \t\n\r"
_BLANKS = _ASCII_BLANKS + "\u00a0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u202f\u205f\u3000"


# --- values ---------------------------------------------------------------------------------------


def money(value: Decimal | None, factor: Decimal | int = 1) -> Decimal | None:
    """`value` × `factor`, rounded once to cents, half away from zero (P10). None stays None."""
    if value is None:
        return None
    return _EXACT.multiply(value, Decimal(factor)).quantize(_CENT, ROUND_HALF_UP, _EXACT)


def probability_of(stage: Stage, deal_probability: Decimal | None) -> Decimal:
    """Won 1, lost 0; open: the deal's if not NULL and >= 0, else the stage's, else 0 (17d, 19a)."""
    if stage.status != "open":
        return Decimal(stage.status == "won")
    if deal_probability is not None and deal_probability >= 0:
        return min(deal_probability, Decimal(1))
    return stage.probability or Decimal(0)


def epoch_ms(instant: datetime) -> int:
    """Whole milliseconds since 1970, rounded down (C9)."""
    return (instant - _EPOCH) // timedelta(milliseconds=1)


def duration_ms(start: datetime, end: datetime) -> int:
    """Milliseconds from `start` to `end` (C9)."""
    return epoch_ms(end) - epoch_ms(start)


def parse_number(text: str | None) -> Decimal | None:
    """The number in a property version's text; None if cleared or uncastable (H10)."""
    text = (text or "").strip(_ASCII_BLANKS)
    # Decimal knows other scripts' digits and blanks, and an underscore anywhere.
    if not text.isascii() or re.search("(?<![0-9])_|_(?![0-9])", text):
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number) < 10**28 else None


def parse_instant(text: str | None) -> datetime | None:
    """The instant in a property version's text, ISO-8601 or epoch ms; else None (H10)."""
    text = (text or "").strip(_ASCII_BLANKS)
    try:
        if re.fullmatch(r"-?[0-9]+", text):
            instant = _EPOCH + timedelta(milliseconds=int(text))
        elif _ISO_INSTANT.fullmatch(text):
            instant = datetime.fromisoformat(text)
        else:
            return None
        instant = (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return instant if _FIRST_INSTANT <= instant <= _LAST_INSTANT else None


def parse_value(name: str, text: str | None) -> object:
    """A property version's value in its own type: '' and NULL = cleared, text trimmed (H10)."""
    if name in NUMBER_PROPERTIES:
        return parse_number(text)
    if name in INSTANT_PROPERTIES:
        return parse_instant(text)
    return trimmed(text) or None


def trimmed(text: str | None) -> str:
    """A text without outer blanks: Unicode's spaces, tabs and ends of lines."""
    return (text or "").strip(_BLANKS)


def split_list(text: str | None) -> list[str]:
    """Parts of a `;` list, trimmed, empty ones dropped."""
    return [trimmed(part) for part in (text or "").split(";") if trimmed(part)]


def id_order(record_id: str) -> tuple:
    """Sort key for ids: numeric ids in numeric order, before all others (6c)."""
    return (0, int(record_id), "") if record_id.isascii() and record_id.isdigit() else (1, 0, record_id)


def group_rows(rows: Iterable[Row], grain: Iterable[str], measures: Iterable[str]) -> list[Row]:
    """Sum `measures` by `grain`. Rows whose measures are all zero are left out (P13)."""
    grain, measures = list(grain), list(measures)
    totals: dict[tuple, dict] = {}
    for row in rows:
        key = tuple(row[column] for column in grain)
        total = totals.setdefault(key, dict.fromkeys(measures, 0))
        for measure in measures:
            total[measure] += row.get(measure) or 0
    return [
        dict(zip(grain, key, strict=True)) | total for key, total in totals.items() if any(total.values())
    ]


# --- what a CRM consists of -----------------------------------------------------------------------


@dataclass(frozen=True)
class RunSettings:
    """What a build is told from outside: one frozen run_ts, the account's settings, variables."""

    run_ts: datetime
    time_zone: str = "UTC"
    company_currency: str = "USD"
    fiscal_year_start_month: int = 1
    week_starts_on: str = "monday"
    include_personal_data: bool = False
    completed_meeting_outcomes: tuple[str, ...] = ()
    connected_outcomes: tuple[str, ...] = ()
    automated_email_sources: tuple[str, ...] = ()
    snapshot_daily_days: int = 92
    snapshot_weekly_days: int = 731
    amount_band_edges: tuple[int, ...] = (1_000, 5_000, 10_000, 50_000)
    business_hours: tuple[tuple[int, time, time], ...] = tuple(  # ISO weekday, opens, closes (K16)
        (weekday, time(9), time(17)) for weekday in range(1, 6)
    )
    lead_journey_stages: tuple[tuple[str, str, bool], ...] = (  # id, label, optional (5b-1)
        ("lead", "Lead", False),
        ("marketingqualifiedlead", "Marketing Qualified Lead", True),
        ("salesqualifiedlead", "Sales Qualified Lead", False),
        ("opportunity", "Opportunity", False),
        ("customer", "Customer", False),
    )


@dataclass(frozen=True)
class Version:
    """One version of one property, its value already in its own type."""

    timestamp: datetime
    sequence: int
    value: object
    source_type: str | None = None
    source_id: str | None = None
    updated_by_user_id: str | None = None


@dataclass(frozen=True)
class Owner:
    """An owner with label and main team, as the filter columns of the marts show it (P6, P7)."""

    owner_id: str
    owner_name: str
    team_id: str
    team_name: str

    @property
    def columns(self) -> Row:
        return {
            "owner_id": self.owner_id,
            "owner_name": self.owner_name,
            "team_id": self.team_id,
            "team_name": self.team_name,
        }


@dataclass(frozen=True)
class Stage:
    """A resolved (pipeline, stage) pair (P3): `pipeline_id` owns the stage, if any does."""

    pipeline_id: str
    stage_id: str
    label: str
    stage_class: str  # open, won, lost, unknown
    position: int | None = None
    probability: Decimal | None = None

    @property
    def key(self) -> tuple[str, str]:
        return self.pipeline_id, self.stage_id

    @property
    def columns(self) -> Row:
        return {"stage_id": self.stage_id, "stage_label": self.label}

    @property
    def status(self) -> str:
        """open, won or lost; an unknown class counts as open (P4)."""
        return self.stage_class if self.stage_class in ("won", "lost") else "open"


@dataclass(frozen=True)
class State:
    """What a deal was at one instant."""

    pipeline_id: str
    stage: Stage
    amount: Decimal | None  # deal currency
    company_amount: Decimal | None  # at the deal's present rate, rounded (P9, P10, P11)
    close_at: datetime | None
    close_date: date | None
    owner_id: str | None
    forecast_category: str | None
    probability: Decimal | None

    @property
    def status(self) -> str:
        return self.stage.status


@dataclass(frozen=True)
class StageEntry:
    """A deal's stage from one version of dealstage (or of pipeline alone) on."""

    timestamp: datetime
    stage: Stage
    stage_id: str | None  # as the version has it
    version: Version
    is_pipeline_only: bool


@dataclass(frozen=True)
class Visit:
    """A maximal run of versions with one resolved (pipeline, stage) pair (11b)."""

    stage: Stage
    entered_at: datetime
    exited_at: datetime | None  # None: still there at run_ts
    duration_ms: int  # open visits to run_ts


class Crm:
    """All raw rows of one account with the settings of one run.

    `tables` maps table name to rows; a table that is no key was not delivered. `gaps` are rows of
    `_history_gaps` (K3); None = decide truncation here, from the versions of this one load (H4).
    `available` are the delivered (table, column) pairs; None = what the rows themselves show.
    `merged_away` adds ids per table that records outside of `tables` list as merged.
    `rejected_rows` are the (table, row number, record id) and `rejected_values` the (table, column,
    record id) that the load step turned away (K6); None = what the rows themselves show.
    """

    def __init__(
        self,
        tables: Mapping[str, list[Row]],
        settings: RunSettings,
        *,
        gaps: list[Row] | None = None,
        available: set[tuple[str, str]] | None = None,
        merged_away: Mapping[str, set[str]] | None = None,
        rejected_rows: list[RejectedRow] | None = None,
        rejected_values: set[tuple[str, str, str]] | None = None,
    ) -> None:
        self.settings = settings
        self.run_ts = settings.run_ts
        self.zone = ZoneInfo(settings.time_zone)
        self._available = _shown_columns(tables) if available is None else available
        self._gaps = gaps
        self._merged_outside = merged_away or {}
        found = {name: _accepted_rows(name, rows) for name, rows in tables.items()}
        self._tables = {name: accepted for name, (accepted, _) in found.items()}
        self.rejected_rows = (
            [row for _, rejected in found.values() for row in rejected]
            if rejected_rows is None
            else rejected_rows
        )
        self._rejected_values = rejected_values or set()
        self._stages: dict[tuple, Stage] = {}
        self._populations: dict[str, list[Row]] = {}
        self._by_id: dict[str, dict[str, Row]] = {}
        self._histories: dict[str, dict[tuple[str, str], list[Version]]] = {}
        self._retained_times: dict[str, dict[tuple[str, str], list[datetime]]] = {}
        self._ids: dict[str, set[str]] = {}

    @classmethod
    def from_duckdb(cls, connection, *, restrict: Mapping[str, str] | None = None, **variables) -> Crm:
        """The CRM in `raw_hubspot` of a build (an open connection whose default is that database).

        `restrict` maps object tables to an SQL predicate, to read only a sample of their records
        (histories follow); the whole is never restricted otherwise. `variables` are the build
        variables of RunSettings that differ from their defaults.
        """
        from orchestration.reference.raw import read_crm  # needs this module

        return read_crm(cls, connection, restrict or {}, variables)

    # --- rows and availability ---

    def rows(self, table: str) -> list[Row]:
        """All loaded rows of a table, every contract column present, '' already None (P18)."""
        return self._tables.get(table, [])

    def is_available(self, table: str, column: str | None = None) -> bool:
        """Whether the source delivered the table (or its column), rows or not (K11)."""
        if column is None:
            return any(known == table for known, _ in self._available)
        return (table, column) in self._available

    @cached_property
    def rejected_values(self) -> set[tuple[str, str, str]]:
        """(table, column, record id) of values not of their type; of a history, the property (H10)."""
        uncastable = {
            (history, row["name"], row["object_id"])
            for history in KEPT_HISTORIES
            for row in self.rows(history)
            if trimmed(row["value"]) and parse_value(row["name"], row["value"]) is None
        }
        return self._rejected_values | uncastable

    # --- time ---

    def day(self, instant: datetime | None) -> date | None:
        """Local calendar date of an instant (C3)."""
        return None if instant is None else instant.astimezone(self.zone).date()

    def midnight(self, day: date) -> datetime:
        """First instant of a local day, in UTC (H13)."""
        return self.instant(day, time())

    def instant(self, day: date, clock: time) -> datetime:
        """When the local clock first shows a time of a day, in UTC.

        fold=0 is the first of two equal times. A time that does not exist is read on the clock
        before the change: midnight is then the change itself, the first instant of the day.
        """
        return datetime.combine(day, clock, tzinfo=self.zone).astimezone(UTC)

    @property
    def today(self) -> date:
        return self.day(self.run_ts)

    @property
    def first_day(self) -> date:
        """The calendar reaches 100 years back, and 100 years ahead of the run's year."""
        return date(self.today.year - CALENDAR_YEARS, 1, 1)

    @property
    def last_day(self) -> date:
        return date(self.today.year + CALENDAR_YEARS, 12, 31)

    def period_start(self, grain: str, day: date) -> date:
        """First day of the month, fiscal quarter or year, or week that holds `day` (K12)."""
        if grain == "day":
            return day
        if grain == "week":
            first_weekday = 6 if self.settings.week_starts_on == "sunday" else 0
            return day - timedelta(days=(day.weekday() - first_weekday) % 7)
        length = {"month": 1, "quarter": 3, "year": 12}[grain]
        # Months since some fiscal year's first month; floor to a multiple of the period's length.
        offset = 0 if grain == "month" else self.settings.fiscal_year_start_month - 1
        months = day.year * 12 + day.month - 1 - offset
        first = months - months % length + offset
        return date(first // 12, first % 12 + 1, 1)

    def period_end(self, grain: str, start: date) -> date:
        """First day after the period of `grain` that starts on `start`."""
        if grain == "day":
            return start + timedelta(days=1)
        if grain == "week":
            return start + timedelta(days=7)
        months = start.year * 12 + start.month - 1 + {"month": 1, "quarter": 3, "year": 12}[grain]
        return date(months // 12, months % 12 + 1, 1)

    # --- population ---

    def creation_instant(self, table: str, row: Row) -> datetime | None:
        """When a record came to be (H2): what is stored, else its first property version."""
        for column in ("createdate", "hs_createdate", "created_at"):
            if row.get(column) is not None:
                return row[column]
        if table in ("deals", "contacts"):
            return min(self._version_timestamps(table).get(row["id"], ()), default=None)
        return None

    def _version_timestamps(self, table: str) -> dict[str, list[datetime]]:
        found = defaultdict(list)
        for (object_id, _), versions in self._history(_history_table(table)).items():
            found[object_id] += [version.timestamp for version in versions]
        return found

    def merged_away(self, table: str) -> set[str]:
        """Ids that another record of the table lists as merged into it, archived ones too (P1)."""
        merged = set(self._merged_outside.get(table, ()))
        for row in self.rows(table):
            merged |= set(split_list(row.get("hs_merged_object_ids"))) - {row["id"]}
        return merged

    def population(self, table: str) -> list[Row]:
        """The records that count (C10, P1): live, not merged away, created before run_ts (H1)."""
        if table not in self._populations:
            merged = self.merged_away(table)
            self._populations[table] = [row for row in self.rows(table) if self._counts(table, row, merged)]
        return self._populations[table]

    def _counts(self, table: str, row: Row, merged: set[str]) -> bool:
        if row.get("archived") or row.get("hard_deleted_at") or row.get("merged_into_id"):
            return False
        created_at = self.creation_instant(table, row)
        return row["id"] not in merged and (created_at is None or created_at < self.run_ts)

    def population_by_id(self, table: str) -> dict[str, Row]:
        if table not in self._by_id:
            self._by_id[table] = {row["id"]: row for row in self.population(table)}
        return self._by_id[table]

    # --- property versions ---

    def versions(self, history: str, object_id: str, name: str) -> list[Version]:
        """Versions of one property before run_ts (H1), oldest first, ties by sequence (H7)."""
        return self._history(history).get((object_id, name), [])

    def distinct_versions(self, history: str, object_id: str, name: str) -> list[Version]:
        """The versions that changed the value: equal neighbours collapsed, the first kept (H10)."""
        versions = self.versions(history, object_id, name)
        return [
            version
            for before, version in zip([None, *versions], versions, strict=False)
            if before is None or version.value != before.value
        ]

    def _history(self, history: str) -> dict[tuple[str, str], list[Version]]:
        if history not in self._histories:
            found = defaultdict(list)
            for row in self.rows(history):
                if row["timestamp"] < self.run_ts:  # H1
                    found[row["object_id"], row["name"]].append(_version(row))
            self._histories[history] = {
                key: sorted(versions, key=lambda v: (v.timestamp, v.sequence))
                for key, versions in found.items()
            }
        return self._histories[history]

    def gaps(self, history: str, object_id: str, name: str) -> list[Stretch]:
        """Stretches in which versions are lost to HubSpot's cap (H4, K3).

        Whether one matters for a record that was only created after it is for the caller to say.
        """
        if self._gaps is not None:
            return [
                (gap["gap_from"], gap["gap_to"])
                for gap in self._gaps
                if (gap["table_name"], gap["object_id"], gap["name"]) == (history, object_id, name)
            ]
        retained = self._retained(history).get((object_id, name), [])
        cap = VERSION_CAP[TABLES[history].history_of]
        return [(None, min(retained))] if len(retained) >= cap else []

    def _retained(self, history: str) -> dict[tuple[str, str], list[datetime]]:
        """Timestamps of all delivered versions: before collapsing, before run_ts applies (H4)."""
        if history not in self._retained_times:
            times = self._retained_times[history] = defaultdict(list)
            for row in self.rows(history):
                times[row["object_id"], row["name"]].append(row["timestamp"])
        return self._retained_times[history]

    # --- owners, teams ---

    @cached_property
    def _owners(self) -> dict[str, Row]:
        return {row["id"]: row for row in self.rows("owners")}

    @cached_property
    def teams(self) -> dict[str, Row]:
        return {row["id"]: row for row in self.rows("teams")}

    def owner(self, owner_id: str | None) -> Owner:
        """The owner's key, label and main team (P6, P7)."""
        if owner_id in (None, NONE_ID):
            return Owner(NONE_ID, UNASSIGNED, NONE_ID, NO_TEAM)
        if owner_id.startswith("user:"):  # P8
            return Owner(owner_id, f"User {owner_id.removeprefix('user:')}", NONE_ID, NO_TEAM)
        row = self._owners.get(owner_id)
        if row is None:
            return Owner(owner_id, f"Owner {owner_id}", NONE_ID, NO_TEAM)
        name = trimmed(f"{row['first_name'] or ''} {row['last_name'] or ''}")
        name = name or row["email"] or f"Owner {owner_id}"
        if row["archived"]:
            name += " (deactivated)"
        return Owner(owner_id, name, *self._main_team(owner_id))

    def _main_team(self, owner_id: str) -> tuple[str, str]:
        """owner_teams.is_primary; several: the lowest team id (P6)."""
        primary = [
            row["team_id"]
            for row in self.rows("owner_teams")
            if row["owner_id"] == owner_id and row["is_primary"] and not row.get("archived")
        ]
        if not primary or not (self.teams or self.is_available("teams")):  # P17
            return NONE_ID, NO_TEAM
        return self.team(min(primary))

    def team(self, team_id: str) -> tuple[str, str]:
        """(id, name) of a team; never seen = 'Team <id>' (P6), once seen = with suffix (K2)."""
        row = self.teams.get(team_id)
        if row is None:
            return team_id, f"Team {team_id}"
        return team_id, (row["name"] or f"Team {team_id}") + (" (archived)" if row.get("archived") else "")

    def teams_below(self, team_id: str) -> set[str]:
        """All descendants of a team. A team on a cycle has no parent, like one whose parent is
        unknown (27.2)."""
        parents = {id_: team["parent_team_id"] for id_, team in self.teams.items()}

        def ancestors(id_: str) -> list[str]:
            found: list[str] = []
            while parents.get(id_) in parents and parents[id_] not in found:
                id_ = parents[id_]
                found.append(id_)
            return found

        for on_cycle in [id_ for id_ in parents if id_ in ancestors(id_)]:
            parents[on_cycle] = None
        return {id_ for id_ in parents if team_id in ancestors(id_)}

    def owner_of_user(self, user_id: str | None) -> Owner:
        """The owner behind a user id (P8): active first, then lowest id; none = 'user:<id>'."""
        if user_id is None:
            return self.owner(None)
        known = [row for row in self.rows("owners") if row["user_id"] == user_id]
        if not known:
            return self.owner(f"user:{user_id}")
        return self.owner(min(known, key=lambda row: (bool(row["archived"]), row["id"]))["id"])

    # --- pipelines, stages ---

    def pipeline_label(self, pipeline_id: str | None) -> str:
        """P12."""
        if pipeline_id in (None, NONE_ID):
            return "(No pipeline)"
        for row in self.rows("pipelines"):
            if row["object_type"] == "deal" and row["id"] == pipeline_id:
                return row["label"] or pipeline_id
        return f"(Deleted pipeline {pipeline_id})"

    @cached_property
    def _stage_rows(self) -> dict[tuple[str, str], Row]:
        return {
            (row["pipeline_id"], row["id"]): row
            for row in self.rows("pipeline_stages")
            if row["object_type"] == "deal"
        }

    def stage(self, pipeline_id: str | None, stage_id: str | None) -> Stage:
        """The stage that a (pipeline, stage) pair means, with class and position (C4, P3, P5)."""
        key = (pipeline_id or NONE_ID, stage_id or NONE_ID)
        if key not in self._stages:
            self._stages[key] = self._resolve_stage(*key)
        return self._stages[key]

    def _resolve_stage(self, pipeline_id: str, stage_id: str) -> Stage:
        if (pipeline_id, stage_id) not in self._stage_rows:
            owning = [pipeline for pipeline, stage in self._stage_rows if stage == stage_id]
            if len(owning) != 1:
                label = "(No stage)" if stage_id == NONE_ID else f"(Deleted stage {stage_id})"
                return Stage(pipeline_id, stage_id, label, "unknown")
            pipeline_id = owning[0]
        row = self._stage_rows[pipeline_id, stage_id]
        return Stage(
            pipeline_id,
            stage_id,
            (row["label"] or stage_id) + (" (archived)" if row["archived"] else ""),
            _stage_class(row),
            self._position(row),
            row["probability"],
        )

    def open_stages(self, pipeline_id: str) -> list[str]:
        """Ids of the live open stages of a pipeline in display order: positions 1..N (P5)."""
        rows = [
            row
            for (pipeline, _), row in self._stage_rows.items()
            if pipeline == pipeline_id and _stage_class(row) == "open" and not row["archived"]
        ]
        return [row["id"] for row in sorted(rows, key=_place)]

    def _position(self, row: Row) -> int | None:
        """1-based rank among live open stages; Won = N+1; all others have none (P3, P5)."""
        if row["archived"] or _stage_class(row) not in ("open", "won"):
            return None
        open_stages = self.open_stages(row["pipeline_id"])
        if _stage_class(row) == "won":
            return len(open_stages) + 1
        return open_stages.index(row["id"]) + 1

    # --- associations ---

    @cached_property
    def _associated(self) -> dict[tuple[str, str, str], set[str]]:
        found = defaultdict(set)
        for row in self.rows("associations"):
            ends = (row["from_type"], row["from_id"]), (row["to_type"], row["to_id"])
            for (a_type, a_id), (b_type, b_id) in (ends, ends[::-1]):
                found[a_type, a_id, b_type].add(b_id)
        return found

    def associated(self, record_type: str, record_id: str, other_type: str) -> set[str]:
        """Ids of the associated `other_type` records (deal, contact, call …) that count (P14)."""
        ids = self._associated.get((record_type, record_id, other_type), set())
        return ids & self._population_ids(other_type)

    def _population_ids(self, record_type: str) -> set[str]:
        if record_type not in self._ids:
            table = "companies" if record_type == "company" else record_type + "s"
            self._ids[record_type] = {row["id"] for row in self.population(table)}
        return self._ids[record_type]

    # --- labels of activities ---

    def call_outcome(self, disposition: str | None) -> tuple[str, str]:
        """(id, label) of a call's outcome (§1, 1a)."""
        if disposition is None:
            return NONE_ID, "(No outcome)"
        labels = DEFAULT_CALL_DISPOSITIONS
        if self.is_available("call_dispositions"):
            labels = {row["id"]: row["label"] for row in self.rows("call_dispositions")}
        return disposition, labels.get(disposition) or f"(Deleted outcome {disposition})"

    # --- deals ---

    @cached_property
    def deals(self) -> list[Deal]:
        """The deals of the population, in file order."""
        return [Deal(self, row) for row in self.population("deals")]

    @property
    def historic_deals(self) -> list[Deal]:
        """The deals whose creation instant is known: all that reports on history look at (H2)."""
        return [deal for deal in self.deals if deal.created_at is not None]

    @property
    def closing_deals(self) -> list[Deal]:
        """The deals that have a close date today, open ones too (reports 16 and 19 to 25)."""
        return [deal for deal in self.deals if deal.close_date is not None]


class Deal:
    """One deal of the population: its present (the deal row) and its past (versions only, H6)."""

    def __init__(self, crm: Crm, row: Row) -> None:
        self.crm = crm
        self.row = row
        self.id: str = row["id"]
        self.created_at: datetime | None = crm.creation_instant("deals", row)  # c(d), H2
        self.created_date: date | None = crm.day(self.created_at)

    # --- present: the deal row (H6) ---

    @cached_property
    def pipeline_id(self) -> str:
        return self.row["pipeline"] or NONE_ID

    @cached_property
    def stage(self) -> Stage:
        return self.crm.stage(self.row["pipeline"], self.row["dealstage"])

    @property
    def status(self) -> str:
        return self.stage.status

    @cached_property
    def owner(self) -> Owner:
        return self.crm.owner(self.row["hubspot_owner_id"])

    @property
    def close_at(self) -> datetime | None:
        return self.row["closedate"]

    @cached_property
    def close_date(self) -> date | None:
        return self.crm.day(self.close_at)

    @property
    def rate(self) -> Decimal:
        """Present rate to the company currency; missing = 1 (P9)."""
        rate = self.row["hs_exchange_rate"]
        return Decimal(1) if rate is None else rate

    @cached_property
    def amount(self) -> Decimal | None:
        """A(d): company currency, rounded (P9, P10). None = no amount."""
        if self.row["amount_in_home_currency"] is not None:
            return money(self.row["amount_in_home_currency"])
        return money(self.row["amount"], self.rate)

    @cached_property
    def probability(self) -> Decimal:
        """Class first, then the deal's own, then the stage's, else 0; within 0…1 (19a)."""
        return probability_of(self.stage, self.row["hs_deal_stage_probability"])

    @property
    def weighted_amount(self) -> Decimal | None:
        return money(self.amount, self.probability)

    @property
    def is_valid_cycle(self) -> bool:
        """Created before it closes (reports 23 and 25)."""
        return self.created_at is not None and self.close_at is not None and self.created_at < self.close_at

    @cached_property
    def filter_columns(self) -> Row:
        """The filter columns of deal reports: present owner, main team, present pipeline."""
        return self.owner.columns | {
            "pipeline_id": self.pipeline_id,
            "pipeline_label": self.crm.pipeline_label(self.pipeline_id),
        }

    # --- past: versions ---

    def raw_versions(self, name: str) -> list[Version]:
        return self.crm.versions("deal_property_history", self.id, name)

    def versions(self, name: str) -> list[Version]:
        """The versions that can be seen: from creation on (H8).

        Versions before c only say what the value was at c: the last of them, now at c, and none
        where a version at c itself replaces it.
        """
        versions = self.raw_versions(name)
        before = [v for v in versions if v.timestamp < self.created_at]
        seen = [v for v in versions if v.timestamp >= self.created_at]
        if before and not (seen and seen[0].timestamp == self.created_at):
            seen.insert(0, replace(before[-1], timestamp=self.created_at))
        return seen

    def changes(self, name: str) -> list[tuple[object, Version]]:
        """(old value, version) wherever the value changes after creation (H10: typed, collapsed).

        The first version is a change from nothing only if nothing says that its value held before
        (12c: after max(c, r0), not truncated), and never for pipeline and dealstage (12j).
        """
        versions = self.versions(name)
        if self.is_backfilled(name):
            versions, old = versions[1:], versions[0].value
        else:
            old = None
        found = []
        for version in versions:
            if version.value != old:
                found.append((old, version))
            old = version.value
        return found

    @cached_property
    def first_stage_at(self) -> datetime:
        """r0: the first dealstage version's timestamp; without any, creation (H3, H5)."""
        versions = self.raw_versions("dealstage")
        return versions[0].timestamp if versions else self.created_at

    def is_backfilled(self, name: str) -> bool:
        """Whether p's first retained value also holds before its timestamp (H3, H4)."""
        versions = self.raw_versions(name)
        return bool(versions) and (
            name in ("dealstage", "pipeline")
            or versions[0].timestamp <= max(self.created_at, self.first_stage_at)
            or self.is_truncated(name)
        )

    def unknown_stretches(self, name: str) -> list[Stretch]:
        """Stretches in which p's value is lost (H4, K3)."""
        start = self.created_at
        if name != "dealstage":
            start = max(start, self.first_stage_at)
        gaps = self.crm.gaps("deal_property_history", self.id, name)
        return [(gap_from, gap_to) for gap_from, gap_to in gaps if gap_to > start]

    def is_truncated(self, name: str) -> bool:
        """Whether p's beginning is lost (H4)."""
        return any(gap_from is None for gap_from, _ in self.unknown_stretches(name))

    def is_unknown_at(self, name: str, t: datetime) -> bool:
        """Whether p's value as of t is lost (H4, K3; snapshots only)."""
        return any(
            (gap_from is None or gap_from < t) and t <= gap_to
            for gap_from, gap_to in self.unknown_stretches(name)
        )

    def first_value(self, name: str) -> object:
        """The value right after creation for t up to p's first version (H3, H4, H5)."""
        versions = self.raw_versions(name)
        if not versions:
            return self._present_value(name)  # H5
        return versions[0].value if self.is_backfilled(name) else None

    def _present_value(self, name: str) -> object:
        return self.row[name]

    def value_at(self, name: str, t: datetime) -> object:
        """v(p, t): last version with timestamp < t (C1), else H3/H5."""
        earlier = [v for v in self.raw_versions(name) if v.timestamp < t]
        return earlier[-1].value if earlier else self.first_value(name)

    def value_after(self, name: str, t: datetime) -> object:
        """The value just after t: last version with timestamp <= t (H14), else H3/H5."""
        earlier = [v for v in self.raw_versions(name) if v.timestamp <= t]
        return earlier[-1].value if earlier else self.first_value(name)

    # --- past: states ---

    def exists_at(self, t: datetime) -> bool:
        return self.created_at is not None and self.created_at < t  # H2

    def state_at(self, t: datetime) -> State:
        """As-of state, strict (C1): all versions with timestamp < t."""
        # The same from one version to the next: reports ask at hundreds of instants.
        place = bisect_left(self._version_instants, t)
        if place not in self._states:
            self._states[place] = self._state({name: self.value_at(name, t) for name in STATE_PROPERTIES})
        return self._states[place]

    def state_after(self, t: datetime) -> State:
        """State just after t: all versions of that timestamp applied together (H7, H14)."""
        return self._state({name: self.value_after(name, t) for name in STATE_PROPERTIES})

    def _state(self, values: Row) -> State:
        return State(
            pipeline_id=values["pipeline"] or NONE_ID,
            stage=self.crm.stage(values["pipeline"], values["dealstage"]),
            amount=values["amount"],
            company_amount=money(values["amount"], self.rate),  # P9, P11: present rate throughout
            close_at=values["closedate"],
            close_date=self.crm.day(values["closedate"]),
            owner_id=values["hubspot_owner_id"],
            forecast_category=values["hs_manual_forecast_category"],
            probability=values["hs_deal_stage_probability"],
        )

    @cached_property
    def _version_instants(self) -> list[datetime]:
        return sorted({v.timestamp for name in STATE_PROPERTIES for v in self.raw_versions(name)})

    @cached_property
    def _states(self) -> dict[int, State]:
        """As-of states by the number of version instants before them."""
        return {}

    @cached_property
    def change_instants(self) -> list[datetime]:
        """Where states begin: creation and every later timestamp of a version (H7, H8)."""
        later = {
            version.timestamp
            for name in STATE_PROPERTIES
            for version in self.raw_versions(name)
            if version.timestamp > self.created_at
        }
        return [self.created_at, *sorted(later)]

    @cached_property
    def class_changes(self) -> list[tuple[datetime, str]]:
        """(instant, status from then on): creation and where the as-of status changes (H7, 14f)."""
        changes: list[tuple[datetime, str]] = []
        for instant in self.change_instants:
            status = self.state_after(instant).status
            if not changes or changes[-1][1] != status:
                changes.append((instant, status))
        return changes

    def outcome_changed_at(self, t: datetime) -> datetime | None:
        """Last change into the closed outcome as of t, strict; None if open then (14f)."""
        changes = [change for change in self.class_changes if change[0] < t]
        return changes[-1][0] if changes and changes[-1][1] != "open" else None

    @cached_property
    def visits(self) -> list[Visit]:
        """All stage visits, oldest first (11b), on every version in order (H7)."""
        runs: list[StageEntry] = []
        for entry in self.stage_entries:
            # The first visit starts at the first dealstage version, not at creation (11b).
            if entry.timestamp >= self.first_stage_at and (not runs or runs[-1].stage.key != entry.stage.key):
                runs.append(entry)
        ends = [entry.timestamp for entry in runs[1:]] + [None]
        return [
            Visit(
                entry.stage,
                entry.timestamp,
                left,
                duration_ms(entry.timestamp, left or self.crm.run_ts),
            )
            for entry, left in zip(runs, ends, strict=True)
        ]

    @cached_property
    def stage_entries(self) -> list[StageEntry]:
        """The deal's stage from creation on, at every version of dealstage, in order (H7).

        The pipeline that goes with a dealstage version is the last one with timestamp <= its own
        (H7). A pipeline version without a dealstage version at its timestamp gives an entry with
        the stage of then (11b, 12i). Before the first dealstage version its value holds from
        creation on (H3), without any the present one (H5). Entries before creation shrink to
        one (H8).
        """
        stages = self.raw_versions("dealstage")
        if not stages or stages[0].timestamp > self.created_at:
            first = Version(self.created_at, 0, self.first_value("dealstage"))
            stages = [first, *stages]
        found = [(version.timestamp, version.value, version) for version in stages]
        taken = {version.timestamp for version in stages}
        for pipeline in self.raw_versions("pipeline"):
            timestamp = pipeline.timestamp
            if timestamp > stages[0].timestamp and timestamp not in taken:
                stage_id = self.value_after("dealstage", timestamp)
                found = [entry for entry in found if entry[0] != timestamp]
                found.append((timestamp, stage_id, pipeline))  # the last one of a timestamp stays
        found.sort(key=lambda entry: entry[0])  # stable: the order within a timestamp stays
        entries = [
            StageEntry(
                timestamp,
                self.crm.stage(self.value_after("pipeline", timestamp), stage_id),
                stage_id,
                version,
                timestamp not in taken,
            )
            for timestamp, stage_id, version in found
        ]
        before = [entry for entry in entries if entry.timestamp < self.created_at]
        seen = [entry for entry in entries if entry.timestamp >= self.created_at]
        if before and not (seen and seen[0].timestamp == self.created_at):
            seen.insert(0, replace(before[-1], timestamp=self.created_at))
        return seen


# --- helpers --------------------------------------------------------------------------------------


def _history_table(table: str) -> str:
    return next(name for name in KEPT_HISTORIES if TABLES[name].history_of == table)


def _shown_columns(tables: Mapping[str, list[Row]]) -> set[tuple[str, str]]:
    """Delivered (table, column) pairs: the keys of the rows; an empty table delivers all (K11)."""
    return {
        (name, column)
        for name, rows in tables.items()
        for column in (set().union(*rows) if rows else TABLES[name].columns)
    }


def _accepted_rows(name: str, rows: list[Row]) -> tuple[list[Row], list[RejectedRow]]:
    """Rows with all contract columns, '' as None (P18), each key once, the first one (H9, H11).

    And those that are turned away: without a key, or with the key of an earlier row.
    """
    table = TABLES[name]
    kept: dict[tuple, Row] = {}
    rejected: list[RejectedRow] = []
    order: dict[tuple, int] = defaultdict(int)
    for number, row in enumerate(rows, start=1):
        given = {column: None if value == "" else value for column, value in row.items()}
        row = dict.fromkeys(table.columns) | given
        if table.history_of and row["sequence"] is None:  # H9: file order
            place = row["object_id"], row["name"], row["timestamp"]
            row["sequence"] = order[place]
            order[place] += 1
        key = tuple(row[column] for column in table.key)
        optional = name == "associations"  # its type_id may be missing
        if (optional or None not in key) and key not in kept:
            kept[key] = row
        else:
            rejected.append((name, number, _record_id(name, row)))
    return list(kept.values()), rejected


def _record_id(name: str, row: Row) -> str | None:
    """What people look a row up by: its id, its object's, or its key."""
    if TABLES[name].history_of:
        return row["object_id"]
    parts = [str(row[column]) for column in TABLES[name].key if row[column] is not None]
    return "/".join(parts) or None


def _version(row: Row) -> Version:
    return Version(
        timestamp=row["timestamp"],
        sequence=row["sequence"],
        value=parse_value(row["name"], row["value"]),
        source_type=row["source_type"],
        source_id=row["source_id"],
        updated_by_user_id=row["updated_by_user_id"],
    )


def _place(row: Row) -> tuple:
    """Sort key of stages: by place, those without one last, then by id."""
    return row["display_order"] is None, row["display_order"] or 0, row["id"]


def _stage_class(row: Row) -> str:
    """C4: by the stage's configured probability, never the deal's; NULL = unknown (P3)."""
    probability = row["probability"]
    if probability is None:
        return "unknown"
    if probability >= 1:
        return "won"
    return "lost" if probability <= 0 else "open"
