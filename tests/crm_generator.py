"""Small CRMs that are as nasty as real ones: a pure function of a seed.

Belongs here: rows in the layout of `raw_tables.md`, with every trap of that page and every edge
case that `reports.md` and `decisions.md` name. Each trap is laid on purpose and counted by name in
`HardCrm.traps`, so that a test can see that none of them is missing. What the right answer is does
not belong here: that is `orchestration/reference`.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from orchestration.ingest.contract import DEFAULT_CALL_DISPOSITIONS, TABLES

ZONES = (
    "UTC",
    "America/Santiago",  # midnight does not exist on the first day of summer time
    "America/Havana",  # midnight occurs twice on the last day of summer time
    "Europe/Berlin",
    "Asia/Kolkata",
    "America/New_York",
    "Pacific/Apia",
)
MS = timedelta(milliseconds=1)
DAY = timedelta(days=1)
NASTY_NAMES = ("Acme", "O'Neil & Söhne", 'Say "hi"', "🚀 rocket", "two\nlines", "a;b,c", "", None)

# (pipeline, stage, label, display order, probability, archived). `shared` stands in two pipelines;
# `gone` and `limbo` in none of them; `solo` only in the second.
STAGES = (
    ("default", "new", "New", 0, "0.2", False),
    ("default", "talk", "Talk", 1, "0.4", False),
    ("default", "shared", "Offer", 2, "0.6", False),
    ("default", "sign", "Sign", 2, "0.9", False),  # same display order: the id decides
    ("default", "old", "Old", 1, "0.5", True),
    ("default", "won", "Won", 8, "1", False),
    ("default", "lost", "Lost", 9, "0", False),
    ("second", "start", "New", 0, "0.1", False),  # a label that stands in both pipelines
    ("second", "shared", "Shared", 1, "0.5", False),
    ("second", "solo", "Solo", 2, "0.7", False),
    ("second", "unsure", "Unsure", 3, None, False),  # no probability: class unknown
    ("second", "won2", "Won", 5, "1", False),
    ("second", "won3", "Won again", 6, "1.5", False),
    ("second", "won_old", "Won before", 7, "1", True),
    ("second", "lost2", "Lost", 8, "0", False),
    ("second", "lost3", "No go", 9, "-0.1", False),
)
OPEN = {"default": ["new", "talk", "shared", "sign"], "second": ["start", "shared", "solo"]}
WON = {"default": ["won"], "second": ["won2", "won3", "won_old"]}
LOST = {"default": ["lost"], "second": ["lost2", "lost3"]}
ODD_STAGES = ["old", "unsure", "gone", "limbo", "solo", ""]
ODD_PIPELINES = ["second", "deleted", "archived_pipeline", ""]
OWNERS = ["101", "102", "103", "104", "105", "106", "107"]
ODD_OWNERS = ["999", None, ""]
USERS = {"101": "u1", "102": "u2", "103": "u3", "104": "u4", "105": "u5", "106": "u5"}
REASONS = (
    "Price",
    "price",
    " Price ",
    "PRICE;Timing",
    "timing; ;Timing ",
    "No  budget\tleft",
    "no budget left",
    ";",
    "",
    None,
)
AMOUNTS = (
    "100",
    "100.00",
    " 250 ",
    "0",
    "-75.5",
    "10.005",
    "2.675",
    "999.995",
    "12345.67",
    "60000",
)
ODD_AMOUNTS = ("", None, "not a number", "  ")


@dataclass
class HardCrm:
    """One generated CRM: raw tables as rows, the settings of its run, and the traps laid in it."""

    seed: int
    tables: dict[str, list[dict]]
    settings: dict[str, object]
    traps: Counter = field(default_factory=Counter)


def hard_crm(seed: int, *, is_complete: bool = False) -> HardCrm:
    """The CRM of a seed; a complete one lacks no table and no column."""
    return _Generator(seed, is_complete).build()


class _Generator:
    def __init__(self, seed: int, is_complete: bool) -> None:
        self.seed = seed
        self.is_complete = is_complete
        self.rng = random.Random(seed)
        self.traps: Counter = Counter()
        self.zone = ZoneInfo(self.rng.choice(ZONES))
        self.run_ts = self._run_ts()
        self.start = self.run_ts - timedelta(days=self.rng.choice([45, 200, 420]))
        self.clock_changes = self._clock_changes()
        self.tables: dict[str, list[dict]] = {name: [] for name in TABLES}
        self.history: list[dict] = self.tables["deal_property_history"]
        # What the second half of the story is written around: (activity or deal, contact) pairs,
        # and the instants at which a contact was assigned or enrolled in a sequence.
        self.pairs: list[tuple[tuple[str, str], tuple[str, str]]] = []
        self.assigned: dict[str, list[datetime]] = {}
        self.enrolled: dict[str, list[datetime]] = {}

    def build(self) -> HardCrm:
        settings = {
            "run_ts": self.run_ts,
            "time_zone": self.zone.key,
            "company_currency": "EUR",
            "fiscal_year_start_month": self.rng.choice([1, 1, 2, 4, 7, 12]),
            "week_starts_on": self.rng.choice(["monday", "sunday", "iso"]),
            "include_personal_data": self.chance(0.3),
        }
        self.tables["account"].append(
            {"portal_id": f"hard-{self.seed}"}
            | {key: settings[key] for key in ("time_zone", "company_currency")}
            | {key: settings[key] for key in ("fiscal_year_start_month", "week_starts_on")}
        )
        self.pipelines()
        self.people()
        for number in range(self.rng.randint(5, 30)):
            _DealWriter(self, f"{1000 + number}").write()
        self.goals()
        self.merged("deals")
        self.contacts()
        self.deals_of_contacts()
        self.activities()
        self.chats()
        self.engagements()
        self.sequence_answers()
        self.associations()
        self.finish_histories()
        self.spoil_files()
        return HardCrm(self.seed, self.tables, settings, self.traps)

    # --- chance and time ---

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def trap(self, name: str, probability: float = 1.0) -> bool:
        """Whether to lay the trap here; counted if so."""
        laid = self.chance(probability)
        self.traps[name] += laid
        return laid

    def pick(self, usual: Sequence, odd: Sequence, probability: float, trap: str):
        """Mostly a usual value, sometimes an odd one, which is a trap."""
        return self.rng.choice(odd if self.trap(trap, probability) else usual)

    def _run_ts(self) -> datetime:
        moment = datetime(2026, 1, 3, tzinfo=UTC) + self.rng.random() * timedelta(days=500)
        kind = self.rng.choice(["any", "any", "midnight", "month_start", "clock_change"])
        self.traps[f"run_ts_{kind}"] += 1
        local = moment.astimezone(self.zone)
        if kind == "any":
            return _whole_ms(moment)
        if kind == "clock_change":
            self.run_ts = _whole_ms(moment)
            self.start = moment - timedelta(days=400)
            changes = self._clock_changes()
            return _whole_ms(self.rng.choice(changes) + timedelta(hours=9)) if changes else moment
        day = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
        if kind == "month_start":
            day = day.replace(day=1)
        return day.astimezone(UTC)

    def _clock_changes(self) -> list[datetime]:
        """Local midnights of the days in the CRM's time span that have 23 or 25 hours."""
        day = self.start.astimezone(self.zone).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
        found = []
        while day.astimezone(UTC) < self.run_ts:
            following = (day + DAY).astimezone(UTC)
            if following - day.astimezone(UTC) != DAY:
                found.append(day.astimezone(UTC))
            day += DAY
        return found

    def moment(self, low: datetime, high: datetime) -> datetime:
        """An instant from `low` to `high`, often at or beside a local midnight."""
        found = low + self.rng.random() * max(high - low, timedelta())
        if self.clock_changes and self.trap("clock_change_day", 0.1):
            found = self.rng.choice(self.clock_changes) + timedelta(
                minutes=self.rng.choice([0, 30, 59, 60, 90, 180, 1380])
            )
        elif self.trap("local_midnight", 0.2):
            midnight = found.astimezone(self.zone).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
            found = midnight.astimezone(UTC) + self.rng.choice([-1, 0, 0, 1]) * MS
        return _whole_ms(found)

    def past(self) -> datetime:
        return self.moment(self.start, self.run_ts)

    def around(self) -> datetime:
        """Mostly in the past, sometimes planned."""
        return self.moment(self.start, self.run_ts + timedelta(days=60))

    # --- settings of the account ---

    def pipelines(self) -> None:
        names = [
            ("deal", "default", "Sales", False),
            ("deal", "second", 'Renewals "R"', False),
            ("deal", "archived_pipeline", "Old one", True),
            ("lead", "default", "Leads", False),  # same id, other object type
        ]
        self.tables["pipelines"] = [
            {"object_type": kind, "id": id_, "label": label, "display_order": n, "archived": gone}
            for n, (kind, id_, label, gone) in enumerate(names)
        ]
        self.tables["pipeline_stages"] = [
            {
                "object_type": "deal",
                "pipeline_id": pipeline,
                "id": stage,
                "label": label,
                "display_order": order,
                "probability": probability and Decimal(probability),
                "is_closed": None,
                "archived": archived,
            }
            for pipeline, stage, label, order, probability, archived in STAGES
        ]
        self.tables["pipeline_stages"] += [
            {"object_type": "lead", "pipeline_id": "default", "id": "gone", "label": "Lead stage"}
            | {"display_order": 0, "probability": Decimal(1), "is_closed": None, "archived": False},
            {"object_type": "deal", "pipeline_id": "archived_pipeline", "id": "arch_won"}
            | {"label": "Won there", "display_order": 0, "probability": Decimal(1)}
            | {"is_closed": None, "archived": False},
        ]

    def people(self) -> None:
        rows = [
            ("101", "u1", "ann@x.org", "Ann", "Lee", False),
            ("102", "u2", "bob@x.org", None, "Bob", False),
            ("103", "u3", "cy@x.org", None, None, False),  # name = e-mail
            ("104", "u4", None, "", "", True),  # no name at all, deactivated
            ("105", "u5", "eve@x.org", "Eve", 'O"Hara', True),
            ("106", "u5", "eve2@x.org", "Eve", "Two", False),  # second owner of one user
            ("107", None, "gus@x.org", " Gus ", None, None),
        ]
        names = ("id", "user_id", "email", "first_name", "last_name", "archived")
        self.tables["owners"] = [dict(zip(names, row, strict=True)) for row in rows]
        for owner in self.tables["owners"]:
            is_dated = owner["archived"] and self.trap("owner_archived_at_known", 0.6)
            owner["archived_at"] = self.past() if is_dated else None
        self.tables["teams"] = [
            {"id": "t1", "name": "EMEA", "parent_team_id": None},
            {"id": "t2", "name": "DACH", "parent_team_id": "t1"},
            {"id": "t3", "name": "Loop A", "parent_team_id": "t4"},
            {"id": "t4", "name": "Loop B", "parent_team_id": "t3"},
            {"id": "t5", "name": "Orphan", "parent_team_id": "t99"},
            {"id": "t6", "name": "Closed", "parent_team_id": "t2", "archived": True},
            {"id": "t7", "name": "Below the loop", "parent_team_id": "t3"},
        ]
        members = [
            ("101", "t2", True),
            ("101", "t1", False),
            ("102", "t3", True),
            ("102", "t1", True),  # several main teams: the lowest id
            ("103", "t1", False),  # only an extra team
            ("104", "t6", True),
            ("105", "t98", True),  # a team that nobody knows
            ("106", "t5", True),
            ("107", "t7", True),
            ("999", "t1", True),  # an owner that nobody knows
        ]
        self.tables["owner_teams"] = [
            {"owner_id": owner, "team_id": team, "is_primary": primary} for owner, team, primary in members
        ]

    def owner(self) -> str | None:
        return self.pick(OWNERS, ODD_OWNERS, 0.15, "unknown_or_no_owner")

    # --- records in general ---

    def record(self, table: str, id_: str, created_at: datetime | None, **columns) -> dict:
        """Adds a row with the common columns; now and then archived, restored or deleted."""
        row = {
            "id": id_,
            "created_at": created_at,
            "updated_at": created_at,
            "archived": False,
            "archived_at": None,
            "merged_into_id": None,
            "hard_deleted_at": None,
        } | columns
        if self.trap("archived", 0.04):
            row |= {"archived": True, "archived_at": self.past()}
        if self.trap("restored", 0.04):
            row |= {"archived": False, "archived_at": self.past()}
        if self.trap("archived_is_null", 0.04):
            row |= {"archived": None}
        if self.trap("hard_deleted", 0.03):
            row |= {"hard_deleted_at": self.past()}
        self.tables[table].append(row)
        return row

    def merged(self, table: str) -> None:
        """Merges some records into others: by list (with or without a row), by column."""
        rows = self.tables[table]
        survivor = None
        for _ in range(2):
            if len(rows) < 4 or self.chance(0.3):
                continue
            loser, other = self.rng.sample(rows, 2)
            if survivor and survivor is not other and self.trap(f"merged_{table}_in_turn", 0.3):
                loser = survivor  # the survivor of one merge is merged again
            survivor = other
            # A record's own id in its list means nothing.
            former = [loser["id"], survivor["id"], "no-such-id"]
            self.rng.shuffle(former)
            style = self.rng.choice(["list", "list", "column", "archived_survivor", "versions"])
            self.traps[f"merged_{table}_{style}"] += 1
            if style == "column":
                loser["merged_into_id"] = survivor["id"]
                continue
            survivor["hs_merged_object_ids"] = self.rng.choice([";", "; "]).join(former)
            survivor["archived"] = survivor["archived"] or style == "archived_survivor"
            if style == "versions":  # HubSpot puts both paths under the survivor's id
                history = self.tables[f"{table.removesuffix('s')}_property_history"]
                history += [
                    version | {"object_id": survivor["id"]}
                    for version in history
                    if version["object_id"] == loser["id"]
                ]

    # --- contacts ---

    def contacts(self) -> None:
        for number in range(self.rng.randint(3, 14)):
            self.contact(f"{500 + number}")
        self.merged("contacts")
        for number in range(3):
            self.record(
                "companies",
                f"{700 + number}",
                self.past(),
                name=self.rng.choice(NASTY_NAMES),
                domain="x.org",
                hubspot_owner_id=self.owner(),
            )

    def contact(self, id_: str) -> None:
        created = self.past()
        if self.trap("contact_created_after_run_ts", 0.03):
            created = self.run_ts + self.rng.choice([0, 1]) * MS
        row = self.record(
            "contacts",
            id_,
            created,
            email=f"c{id_}@x.org",
            firstname=self.rng.choice(NASTY_NAMES),
            lastname=self.rng.choice(NASTY_NAMES),
            createdate=created,
            hs_lead_status=self.rng.choice(["NEW", None]),
            hs_analytics_source=self.pick(
                ["EMAIL", "ORGANIC_SEARCH"], ["", None], 0.3, "contact_without_source"
            ),
        )
        if self.trap("contact_createdate_null", 0.08):
            row["createdate"] = None
            if self.trap("contact_created_at_null", 0.5):
                row["created_at"] = None  # the first version says when, if there is any
        self.lifecycle(row, created)
        self.assignments(row, created)
        self.sequences(row, created)

    def lifecycle(self, row: dict, created: datetime) -> None:
        stages = [
            "lead",
            "marketingqualifiedlead",
            "salesqualifiedlead",
            "opportunity",
            "customer",
        ]
        path = sorted(self.rng.sample(range(5), self.rng.randint(1, 5)))
        if 0 not in path:
            self.traps["lifecycle_outside_the_journey"] += 1
        if self.trap("lifecycle_out_of_order", 0.3):
            self.rng.shuffle(path)
        if self.trap("lifecycle_reentered", 0.3):
            path += self.rng.choices(range(5), k=2)
        names = [stages[step] for step in path]
        if self.trap("lifecycle_unknown_stage", 0.1):
            names.insert(0, "evangelist")
        if self.trap("lifecycle_cleared", 0.1):
            names.insert(self.rng.randrange(len(names)), "")
        row["lifecyclestage"] = names[-1]
        if self.trap("lifecycle_now_differs", 0.2):
            row["lifecyclestage"] = self.rng.choice(["lead", "customer", None, ""])
        if self.trap("lifecycle_without_history", 0.15):
            return
        at = created - timedelta(days=self.trap("lifecycle_before_createdate", 0.1) * 3)
        for name in names:
            self.version("contact_property_history", row["id"], "lifecyclestage", name, at)
            if self.trap("lifecycle_saved_again", 0.1):
                at += timedelta(hours=7)
                self.version("contact_property_history", row["id"], "lifecyclestage", name, at)
            if not self.trap("lifecycle_entries_at_one_instant", 0.2):
                at += timedelta(hours=self.rng.choice([1, 30, 300, 2000]))

    def assignments(self, row: dict, created: datetime) -> None:
        path = [self.owner() for _ in range(self.rng.randint(0, 3))]
        if self.trap("owner_back_again", 0.2):
            path += ["101", "102", "101"]
        if self.trap("same_owner_saved_again", 0.2) and path:
            path.append(path[-1])
        row["hubspot_owner_id"] = path[-1] if path else self.owner()
        row["hubspot_owner_assigneddate"] = None
        at = created
        for owner in path:
            self.version("contact_property_history", row["id"], "hubspot_owner_id", owner, at)
            row["hubspot_owner_assigneddate"] = at
            self.assigned.setdefault(row["id"], []).append(at)
            at += timedelta(minutes=self.rng.choice([0, 5, 600, 20_000]))
        if self.trap("owner_without_history", 0.1):
            self.tables["contact_property_history"] = [
                version
                for version in self.tables["contact_property_history"]
                if (version["object_id"], version["name"]) != (row["id"], "hubspot_owner_id")
            ]
            row["hubspot_owner_assigneddate"] = self.rng.choice([None, self.past()])
            if self.trap("assigned_years_ago", 0.2):
                row["hubspot_owner_assigneddate"] = self.start - timedelta(days=2000)
            self.assigned[row["id"]] = [row["hubspot_owner_assigneddate"] or self.past()]
        if self.trap("last_version_differs", 0.1):
            row["hubspot_owner_id"] = self.owner()
        assigned = row["hubspot_owner_assigneddate"]
        if assigned and self.trap("assigned_date_other_than_history", 0.1):
            row["hubspot_owner_assigneddate"] += MS
        if assigned and self.trap("stored_first_engagement", 0.4):
            engaged = assigned + timedelta(hours=self.rng.choice([-2, 0, 3, 100, 5000]))
            row |= {
                "hs_sa_first_engagement_date": engaged,
                "hs_time_to_first_engagement": (engaged - assigned) // MS,
                "hs_sa_first_engagement_object_type": "CALL",
                "hs_sa_first_engagement_descr": "LOGGED_CALL",
                "hs_first_engagement_object_id": "3000",
            }
            if self.trap("stored_first_engagement_stale", 0.4):
                row["hs_time_to_first_engagement"] = self.rng.choice([None, 5])

    def sequences(self, row: dict, created: datetime) -> None:
        """Enrolments one after the other, each with an ending inside or after its window."""
        prefix = "hs_latest_sequence_"
        if self.chance(0.4):
            return
        at = created
        for number in range(self.rng.randint(1, 3)):
            if not self.trap("enrolled_again_on_one_day", 0.3):
                at += timedelta(days=self.rng.choice([1, 20, 90]))
            at += timedelta(seconds=number)
            self.enrolled.setdefault(row["id"], []).append(at)
            values: list[tuple[str, object]] = [
                ("enrolled", self.pick(["81", "82"], ["", "83"], 0.2, "sequence_unknown_or_none")),
                ("enrolled_date", at),
            ]
            if self.trap("enrolled_date_before_sequence", 0.2):
                values.reverse()
            if self.trap("enrolment_saved_again", 0.1):
                values.append(("enrolled_date", at))
            if self.trap("enrolment_cleared", 0.1):
                values += [("enrolled_date", None), ("enrolled_date", at)]
            for ending in ("finished_date", "unenrolled_date"):
                if self.trap(f"sequence_{ending}", 0.4):
                    values.append((ending, at + timedelta(days=self.rng.choice([0, 1, 4, 30]))))
            for name, value in values:
                written = max(at, value) if isinstance(value, datetime) else at
                row[prefix + name] = value
                self.version("contact_property_history", row["id"], prefix + name, value, written)
        lost = []
        if self.trap("sequence_without_history", 0.15):
            lost = ["enrolled", "enrolled_date", "finished_date", "unenrolled_date"]
        elif self.trap("sequence_property_without_history", 0.15):
            lost = [self.rng.choice(["enrolled", "enrolled_date", "finished_date"])]
        gone = {(row["id"], prefix + name) for name in lost}
        self.tables["contact_property_history"] = [
            version
            for version in self.tables["contact_property_history"]
            if (version["object_id"], version["name"]) not in gone
        ]
        self.tables["sequences"] = [{"id": "81", "name": "Warm up"}]  # the others have no row
        self.tables["sequences"] += [{"id": "83", "name": ""}]

    def deals_of_contacts(self) -> None:
        """Contacts about as old as one of their deals, or as its closing (report 5a)."""
        for contact in self.tables["contacts"]:
            if self.chance(0.6):
                continue
            deal = self.rng.choice(self.tables["deals"])
            self.pairs.append((("deal", deal["id"]), ("contact", contact["id"])))
            born = deal["createdate"] or deal["hs_createdate"]
            closed = deal["closedate"]
            if born and self.trap("contact_as_old_as_its_deal", 0.4):
                contact["createdate"] = born + self.rng.choice([-86_400_000, -1, 0, 1]) * MS
            elif closed and self.trap("contact_as_old_as_its_deals_closing", 0.2):
                contact["createdate"] = closed + self.rng.choice([0, 1]) * MS

    # --- activities ---

    def activities(self) -> None:
        custom = {
            "id": "custom-1",
            "label": "Sent to moon 🌙",
            "deleted": self.trap("deleted_outcome_with_label"),
        }
        self.tables["call_dispositions"] = [
            {"id": guid, "label": label, "deleted": False}
            for guid, label in DEFAULT_CALL_DISPOSITIONS.items()
        ] + [custom]
        count = self.rng.randint(2, 14)
        for number in range(count):
            self.call(f"{3000 + number}")
            self.meeting(f"{4000 + number}")
            self.task(f"{5000 + number}")
            self.email(f"{6000 + number}")
            self.record("notes", f"{6500 + number}", self.past(), **self.timing())
        if self.trap("no_activities_of_a_kind", 0.1):
            self.tables[self.rng.choice(["calls", "meetings", "tasks", "emails", "notes"])] = []
        self.record("communications", "6900", self.past(), hs_timestamp=self.past())

    def timing(self) -> dict:
        """hs_timestamp and owner; hs_createdate where the table has it is set by the caller."""
        at = None if self.trap("activity_without_date", 0.05) else self.around()
        if at and at > self.run_ts:
            self.traps["activity_planned"] += 1
        if self.trap("activity_at_run_ts", 0.04):
            at = self.run_ts + self.rng.choice([-1, 0, 1]) * MS
        return {"hs_timestamp": at, "hubspot_owner_id": self.owner()}

    def created(self) -> datetime | None:
        """An activity's own creation instant; some are missing, some lie at or after run_ts."""
        if self.trap("activity_createdate_null", 0.1):
            return None
        if self.trap("created_after_run_ts", 0.04):
            return self.run_ts + self.rng.choice([0, 1, 86_400_000]) * MS
        return self.past()

    def call(self, id_: str) -> None:
        outcomes = [*DEFAULT_CALL_DISPOSITIONS, "custom-1"]
        self.record(
            "calls",
            id_,
            self.past(),
            **self.timing(),
            hs_createdate=self.created(),
            hs_call_title=self.rng.choice(NASTY_NAMES),
            hs_call_direction=self.pick(
                ["OUTBOUND", "OUTBOUND", "INBOUND"], [None, ""], 0.2, "call_without_direction"
            ),
            hs_call_disposition=self.pick(
                outcomes, ["deleted-guid", None, ""], 0.3, "call_outcome_unknown_or_missing"
            ),
            hs_call_status=self.pick(
                ["COMPLETED"], ["FAILED", "CANCELED", "MISSED", None], 0.4, "call_not_completed"
            ),
            hs_call_duration=self.pick([60_000, 90_500], [None, 0], 0.4, "call_duration_0_or_null"),
            hs_activity_type=self.rng.choice(["Demo", None, ""]),
        )

    def meeting(self, id_: str) -> None:
        timing = self.timing()
        start = timing["hs_timestamp"]
        if self.trap("meeting_start_differs", 0.3):
            start = self.around()
        if self.trap("meeting_start_null", 0.2):
            start = None
        outcomes = ["SCHEDULED", "COMPLETED", "NO_SHOW", "CANCELED", "RESCHEDULED"]
        own = ["COMPLETED - PROGRESSED", "CUSTOM", "completed", None, ""]
        outcome = self.pick(outcomes, own, 0.4, "meeting_outcome_own_or_missing")
        at = start or timing["hs_timestamp"]
        if at and at < self.run_ts and outcome in ("SCHEDULED", None, ""):
            self.traps["past_meeting_without_outcome"] += 1
        self.record(
            "meetings",
            id_,
            self.past(),
            **timing,
            hs_createdate=self.created(),
            hs_meeting_start_time=start,
            hs_meeting_end_time=None
            if self.trap("meeting_without_end", 0.1)
            else (at or self.past()) + timedelta(minutes=30),
            hs_meeting_outcome=outcome,
            hs_meeting_title=self.rng.choice(NASTY_NAMES),
            hs_activity_type=self.pick(["Demo", "Intro"], [None, ""], 0.3, "meeting_without_type"),
        )

    def task(self, id_: str) -> None:
        created = self.created()
        steps = ["IN_PROGRESS", "WAITING", "DEFERRED", "COMPLETED"]
        path = ["NOT_STARTED", *self.rng.choices(steps, k=self.rng.randint(0, 3))]
        if self.trap("task_completed_again", 0.2):
            path += ["COMPLETED", "NOT_STARTED", "COMPLETED"]
        status = path[-1]
        if self.trap("task_status_now_differs", 0.25):
            status = self.rng.choice([None, "", "COMPLETED", "NOT_STARTED", "OWN_STATUS"])
        at = created or self.past()
        history = not self.trap("task_without_history", 0.4)
        for step in path:
            at += timedelta(hours=self.rng.choice([0, 1, 50, 1000]))
            if history:
                self.version("task_property_history", id_, "hs_task_status", step, at)
                if self.trap("task_status_saved_again", 0.1):
                    again = at + timedelta(hours=5)
                    self.version("task_property_history", id_, "hs_task_status", step, again)
        completion = at if "COMPLETED" in path else None
        if self.trap("completion_date_on_open_task", 0.2):
            completion = self.around()  # HubSpot stores the due date there while the task is open
        if self.trap("completion_date_missing", 0.2):
            completion = None
        row = self.record(
            "tasks",
            id_,
            self.past(),
            **self.timing(),
            hs_createdate=created,
            hs_task_subject=self.rng.choice(NASTY_NAMES),
            hs_task_status=status,
            hs_task_type=self.pick(["CALL", "TODO"], [None, ""], 0.3, "task_without_type"),
            hs_task_completion_date=completion,
        )
        if completion and self.trap("task_due_about_completion", 0.3):
            row["hs_timestamp"] = completion + self.rng.choice([-1, 0, 1]) * MS
        if self.trap("task_without_updated_at", 0.3):
            row["updated_at"] = None

    def email(self, id_: str) -> None:
        self.record(
            "emails",
            id_,
            self.past(),
            **self.timing(),
            hs_createdate=self.created(),
            hs_email_direction=self.pick(
                ["EMAIL", "INCOMING_EMAIL"],
                ["FORWARDED_EMAIL", None, ""],
                0.2,
                "email_direction_odd",
            ),
            hs_email_status=self.pick(
                ["SENT", "SENT", None],
                ["BOUNCED", "FAILED", "SCHEDULED", "SENDING"],
                0.35,
                "email_not_delivered",
            ),
            hs_email_subject=self.rng.choice(NASTY_NAMES),
            hs_email_open_count=self.rng.choice([None, 0, 2]),
            hs_email_click_count=self.rng.choice([None, 0, 1]),
            hs_email_reply_count=self.rng.choice([None, 0, 1]),
            hs_email_sent_via="SEQUENCE" if self.trap("email_automated", 0.3) else None,
        )

    def chats(self) -> None:
        self.tables["conversation_channels"] = [
            {"id": "1", "name": "Chat", "kind": "LIVE_CHAT"},
            {"id": "2", "name": "FB", "kind": "FB_MESSENGER"},
            {"id": "3", "name": "Mail", "kind": "EMAIL"},
        ]
        for number in range(self.rng.randint(0, 8)):
            id_, created = f"{8000 + number}", self.created() or self.past()
            row = self.record(
                "conversation_threads",
                id_,
                created,
                status=self.pick(["OPEN", "CLOSED"], [None, ""], 0.2, "chat_without_status"),
                original_channel_id=self.pick(
                    ["1", "1", "2"], ["3", "77", None], 0.3, "chat_on_no_chat_channel"
                ),
                assigned_to=self.pick(
                    ["A-u1", "A-u5"],
                    ["A-u404", "B-bot", "S-system", "A-", None, ""],
                    0.4,
                    "chat_of_no_owner",
                ),
                associated_contact_id=self.rng.choice(self.ids("contacts") or [None]),
                spam=self.pick([False], [True, None], 0.3, "chat_spam_or_unknown"),
            )
            if self.trap("chat_without_date", 0.05):
                row["created_at"] = None
            for message in range(self.rng.randint(0, 3)):
                sender = self.rng.choice(["A-u1", "A-u2", "A-u5", "V-9", "B-bot"])
                self.message(row, sender, created + timedelta(minutes=10 * message))

    def message(self, thread: dict, sender: str, at: datetime) -> None:
        messages = self.tables["conversation_messages"]
        messages.append(
            {
                "thread_id": thread["id"],
                "id": f"m{len(messages)}",
                "created_at": at,
                "direction": "OUTGOING",
                "sender": sender,
            }
        )

    # --- what owners do with their contacts ---

    def engagements(self) -> None:
        """Activities of owners with their contacts, right around the assignment (report 6)."""
        kinds = ["call", "email", "meeting", "task", "chat"]
        for contact in self.tables["contacts"]:
            owner, instants = contact["hubspot_owner_id"], self.assigned.get(contact["id"])
            if not owner or not instants or self.chance(0.3):
                continue
            assigned = at = self.rng.choice(instants)
            for kind in self.rng.choices(kinds, k=self.rng.randint(1, 4)):
                if not self.trap("engagements_at_one_instant", 0.3):
                    at = assigned + timedelta(hours=self.rng.choice([1, 20, 70, 400]))
                    if self.trap("engagement_about_assignment", 0.3):
                        at = assigned + self.rng.choice([-1, 0, 1]) * MS
                    elif self.trap("engagement_about_run_ts", 0.1):
                        at = self.run_ts + self.rng.choice([-1, 0, 1]) * MS
                by = owner
                if self.trap("engaged_by_someone_else", 0.2):
                    by = self.rng.choice(OWNERS)
                self.engage(kind, contact, by, at)

    def engage(self, kind: str, contact: dict, owner: str, at: datetime) -> None:
        """Make some activity of a kind the owner's with the contact, at an instant."""
        rows = self.tables["conversation_threads" if kind == "chat" else _table(kind)]
        if not rows:
            return
        self.traps[f"engagement_by_{kind}"] += 1
        row = self.rng.choice(rows)
        if kind == "chat":
            row["associated_contact_id"] = contact["id"]
            self.message(row, f"A-{USERS.get(owner, 'u404')}", at)
            return
        self.pairs.append(((kind, row["id"]), ("contact", contact["id"])))
        row["hubspot_owner_id"] = owner
        if kind == "task":
            status = self.rng.choice(["IN_PROGRESS", "COMPLETED", "WAITING"])
            self.version("task_property_history", row["id"], "hs_task_status", status, at)
        elif kind == "meeting":
            row["hs_meeting_start_time"] = at
        else:
            row["hs_timestamp"] = at
        if kind == "email" and not self.trap("engagement_by_incoming_email", 0.2):
            row["hs_email_direction"] = "EMAIL"

    def sequence_answers(self) -> None:
        """E-mails and meetings at the edges of enrolments (report 8a)."""
        for contact in self.tables["contacts"]:
            for enrolled in self.enrolled.get(contact["id"], []):
                if self.tables["emails"] and self.trap("email_in_a_sequence", 0.5):
                    email = self.rng.choice(self.tables["emails"])
                    email["hs_email_direction"] = "EMAIL"
                    email["hs_timestamp"] = enrolled + self.rng.choice([-1, 0, 1, 3_600_000]) * MS
                    self.answer(contact, "email", email)
                if self.tables["meetings"] and self.trap("meeting_of_a_sequence", 0.3):
                    meeting = self.rng.choice(self.tables["meetings"])
                    month = 30 * 86_400_000
                    after = self.rng.choice([-1, 0, 86_400_000, month - 1, month])
                    meeting["hs_createdate"] = enrolled + after * MS
                    self.answer(contact, "meeting", meeting)

    def answer(self, contact: dict, kind: str, row: dict) -> None:
        self.pairs.append(((kind, row["id"]), ("contact", contact["id"])))
        if not self.trap("answer_of_other_owner", 0.2):
            row["hubspot_owner_id"] = contact["hubspot_owner_id"]

    def ids(self, table: str) -> list[str]:
        return [row["id"] for row in self.tables[table]]

    def associations(self) -> None:
        pairs = [("deal", "contact"), ("deal", "company"), ("contact", "company")]
        pairs += [
            (activity, other)
            for activity in ("call", "meeting", "task", "email", "note")
            for other in ("contact", "company", "deal")
        ]
        chosen = list(self.pairs)
        for from_type, to_type in pairs:
            from_ids, to_ids = (self.ids(_table(kind)) for kind in (from_type, to_type))
            for _ in range(self.rng.randint(0, 3 + len(from_ids)) if from_ids and to_ids else 0):
                to_id = self.rng.choice(to_ids)
                if self.trap("association_of_unknown_record", 0.03):
                    to_id = "0"
                chosen.append(((from_type, self.rng.choice(from_ids)), (to_type, to_id)))
        found = set()
        for pair in chosen:
            ends = list(pair)
            if self.trap("association_other_direction", 0.2):
                ends.reverse()
            found.add((*ends, "1"))
            if self.trap("association_twice", 0.2):
                found.add((*ends, "2"))
                found.add((*ends[::-1], "3"))
        self.tables["associations"] = [
            {
                "from_type": start[0],
                "from_id": start[1],
                "to_type": end[0],
                "to_id": end[1],
                "type_id": type_id,
            }
            for start, end, type_id in sorted(found)
        ]

    # --- goals ---

    def goals(self) -> None:
        """Slices of some goals: by user and by team, gaps, both end conventions, currencies."""
        for number in range(self.rng.randint(0, 4)):
            goal = {
                "hs_goal_name": f"Goal {number}",
                "hs_milestone": "monthly",
                "hs_group_correlation_uuid": self.rng.choice([f"goal-{number}", "goal", None]),
                "hs_assignee_user_id": None,
                "hs_assignee_team_id": None,
            }
            if self.trap("goal_of_a_team", 0.4):
                team = self.pick(["t1", "t2", "t3"], ["t5", "t6", "t9"], 0.3, "goal_of_an_odd_team")
                goal["hs_assignee_team_id"] = team
                if self.trap("goal_of_user_and_team", 0.2):
                    goal["hs_assignee_user_id"] = "u1"
            elif not self.trap("goal_of_nobody", 0.1):
                user = self.pick(["u1", "u4", "u5"], ["u404"], 0.2, "goal_of_a_user_without_owner")
                goal["hs_assignee_user_id"] = user
            first = self.start.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
            for month in range(4):
                if not self.trap("goal_gap", 0.15):
                    slice_id = f"{9000 + 10 * number + month}"
                    self.goal_slice(slice_id, goal, _months_later(first, month))
        for currency, rate in (("USD", "0.9"), ("USD", "0.955")):
            self.tables["exchange_rates"].append(
                {
                    "from_currency": currency,
                    "to_currency": "EUR",
                    "effective_at": self.around(),
                    "conversion_rate": Decimal(rate),
                }
            )

    def goal_slice(self, id_: str, goal: dict, start: datetime) -> None:
        end = _months_later(start, 1)
        self.won_in(goal, start, end)
        if self.trap("goal_end_inclusive", 0.5):
            end -= MS  # 23:59:59.999Z of the last day
        if self.trap("goal_start_within_a_day", 0.1):
            start += timedelta(hours=5)
        if self.trap("goal_without_days", 0.05):
            end = self.rng.choice([None, start])
        kpi = {}
        if self.trap("goal_of_another_kind", 0.1):
            name = self.rng.choice(["metric_type", "property_name", "time_property_name"])
            other = {"metric_type": "COUNT", "property_name": "own_score"}
            kpi[f"hs_kpi_{name}"] = other.get(name, "createdate")
        row = self.record(
            "goal_targets",
            id_,
            self.past(),
            **goal,
            hs_target_amount=Decimal(self.rng.choice(["0", "1000", "2500.125"])),
            hs_start_datetime=start,
            hs_end_datetime=end,
            hs_pipeline_ids=self.rng.choice([None, "default", "default;second", ""]),
            hs_goal_target_currency_code=self.rng.choice([None, "EUR", "USD", "XXX"]),
            hs_kpi_metric_type=self.rng.choice([None, "SUM"]),
            hs_kpi_object_type=self.rng.choice([None, "DEAL"]),
            hs_kpi_property_name=self.rng.choice([None, "amount_in_home_currency"]),
            hs_kpi_is_team_rollup=self.rng.choice([None, "true", "false"]),
        )
        row |= kpi
        if self.trap("goal_target_null", 0.05):
            row["hs_target_amount"] = None
        if self.trap("goal_slice_twice", 0.05):
            twin = {"id": f"{id_}0", "hs_pipeline_ids": self.rng.choice([None, "second"])}
            self.tables["goal_targets"].append(row | twin)

    def won_in(self, goal: dict, start: datetime, end: datetime) -> None:
        """A deal that the assignee won about the edge of a slice, in UTC or on the local clock."""
        owners = {"t1": "101", "t2": "101", "t3": "102", "t5": "106", "t6": "104"}
        owner = owners.get(goal["hs_assignee_team_id"], "101")
        for owner_id, user in USERS.items():
            if user == goal["hs_assignee_user_id"]:
                owner = owner_id
        if end >= self.run_ts or not self.trap("won_about_a_goal", 0.4):
            return
        edge = self.rng.choice([start, end])
        if self.chance(0.6):
            edge = edge.replace(tzinfo=self.zone).astimezone(UTC)
        closed_at = edge + self.rng.choice([-1, 0, 86_400_000]) * MS
        number = len(self.tables["deals"])
        _DealWriter(self, f"{1000 + number}").write_won(owner, closed_at)

    # --- histories and files ---

    def version(self, table: str, object_id: str, name: str, value: object, at: datetime) -> dict:
        """One property version, its value as the text that an API gives."""
        row = {
            "object_id": object_id,
            "name": name,
            "value": self.as_text(value),
            "timestamp": at,
            "source_type": self.rng.choice(["CRM_UI", "API", None]),
            "source_id": None,
            "updated_by_user_id": self.rng.choice(["u1", "u2", None]),
        }
        self.tables[table].append(row)
        return row

    def as_text(self, value: object) -> str | None:
        if not isinstance(value, datetime):
            return value if value is None else str(value)
        kind = self.rng.choice(["z", "z", "epoch", "offset"])
        if kind == "epoch":
            self.traps["instant_as_epoch_ms"] += 1
            return str((value - datetime(1970, 1, 1, tzinfo=UTC)) // MS)
        if kind == "offset":
            return value.astimezone(ZoneInfo("Asia/Kolkata")).isoformat(timespec="milliseconds")
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def finish_histories(self) -> None:
        """Number the versions of a timestamp, or leave it to the order of the file (H9)."""
        numbered = not self.trap("history_without_sequence", 0.4)
        for name, table in TABLES.items():
            if not table.history_of:
                continue
            places: Counter = Counter()
            for row in self.tables[name]:
                place = row["object_id"], row["name"], row["timestamp"]
                row["sequence"] = places[place] if numbered else None
                places[place] += 1
            if numbered:
                self.rng.shuffle(self.tables[name])
            elif name != "deal_property_history":
                continue
            else:  # any order of records and properties, versions of one property as they came
                order = {key: self.rng.random() for key in places}
                self.tables[name].sort(key=lambda r: order[r["object_id"], r["name"], r["timestamp"]])

    def spoil_files(self) -> None:
        """What files get wrong as a whole: duplicates, missing keys, missing tables and columns."""
        deals = self.tables["deals"]
        if self.trap("duplicate_key", 0.4):
            twin = dict(self.rng.choice(deals)) | {"amount": Decimal(4711), "archived": False}
            deals.append(twin)
        if self.trap("missing_key", 0.3):
            deals.append(dict(deals[0]) | {"id": None})
        if self.history and self.trap("duplicate_version", 0.3):
            self.history.append(dict(self.rng.choice(self.history)) | {"source_type": "TWIN"})
            if self.history[-1]["sequence"] is None:
                self.history.pop()  # without a sequence it would be one more version
        if self.is_complete:
            return
        activities = ("calls", "tasks", "meetings", "emails", "notes")
        for table in (
            *activities,
            *("owner_teams", "teams", "call_dispositions", "contacts", "contact_property_history"),
            *("conversation_threads", "conversation_channels", "conversation_messages"),
            *("associations", "goal_targets", "exchange_rates", "task_property_history"),
        ):
            if self.trap(f"missing_table_{table}", 0.06):
                del self.tables[table]
        if self.trap("missing_all_activities", 0.05):
            for table in activities:
                self.tables.pop(table, None)
        for column in (
            "closed_lost_reason",
            "hs_analytics_source",
            "hs_manual_forecast_category",
            "hs_exchange_rate",
        ):
            if self.trap(f"missing_column_{column}", 0.06):
                for row in deals:
                    row.pop(column, None)
        for table in ("account", *TABLES):
            if not self.tables.get(table, True) and not TABLES[table].required and self.chance(0.5):
                del self.tables[table]  # an empty table may as well not be there


class _DealWriter:
    """Writes one deal: a life of events at (often equal) instants, then what goes wrong with it."""

    def __init__(self, crm: _Generator, id_: str) -> None:
        self.crm, self.rng, self.id = crm, crm.rng, id_
        self.now = {}  # property → present value, as Python values
        self.versions: list[dict] = []
        self.pipeline = self.rng.choice(["default", "default", "second"])

    def write(self) -> None:
        crm = self.crm
        self.at = crm.past()
        self.born = self.at
        self.first_values()
        for _ in range(self.rng.randint(0, 12)):
            self.event()
        if crm.trap("currency_changed", 0.06):
            self.set("deal_currency_code", "GBP")
            self.set("deal_currency_code", "EUR")
        row = crm.record("deals", self.id, self.born, **self.columns())
        self.creation(row)
        self.truncate()
        self.lose_history(row)

    def write_won(self, owner: str, closed_at: datetime) -> None:
        """A plain deal that an owner won at an instant."""
        self.at = self.born = closed_at - timedelta(days=30)
        self.set("pipeline", self.pipeline)
        self.set("dealstage", OPEN[self.pipeline][0])
        self.set("amount", self.amount())
        self.set("hubspot_owner_id", owner)
        self.at = closed_at
        self.set("dealstage", WON[self.pipeline][0])
        self.set("closedate", closed_at)
        self.crm.record("deals", self.id, self.born, **self.columns(), createdate=self.born)

    # --- life ---

    def set(self, name: str, value: object, at: datetime | None = None) -> None:
        self.now[name] = value
        version = self.crm.version(
            "deal_property_history", self.id, name, value, self.at if at is None else at
        )
        self.versions.append(version)

    def first_values(self) -> None:
        trap = self.crm.trap
        self.set("pipeline", self.pipeline)
        first = self.rng.choice(OPEN[self.pipeline])
        if trap("created_closed", 0.08):
            first = self.rng.choice(WON[self.pipeline] + LOST[self.pipeline])
        self.set("dealstage", first)
        later = timedelta(days=trap("amount_filled_in_later", 0.2) * 7)
        if not trap("no_amount", 0.15):
            self.set("amount", self.amount(), self.at + later)
        if not trap("no_close_date", 0.1):
            self.set("closedate", self.close_date(), self.at + later)
        self.set("hubspot_owner_id", self.crm.owner())
        if self.crm.chance(0.6):
            self.set("hs_manual_forecast_category", self.category())
        if self.crm.chance(0.6):
            self.set("hs_deal_stage_probability", self.probability())
        if self.crm.chance(0.3):
            self.set("deal_currency_code", "EUR")

    def amount(self) -> str | None:
        return self.crm.pick(AMOUNTS, ODD_AMOUNTS, 0.15, "amount_cleared_or_uncastable")

    def close_date(self) -> datetime:
        return self.crm.moment(self.at - timedelta(days=20), self.at + timedelta(days=120))

    def category(self) -> str:
        return self.rng.choice(
            ["OMIT", "PIPELINE", "BEST_CASE", "COMMIT", "CLOSED", "CLOSED_LOST", "OWN", ""]
        )

    def probability(self) -> str:
        return self.rng.choice(["0.2", "0.55", "1", "0", "1.7", "-0.3", "0.333", ""])

    def event(self) -> None:
        trap = self.crm.trap
        if not trap("same_timestamp", 0.2):
            steps = [1, 59_999, 60_000, 60_001, 3_600_000, 86_400_000, 10 * 86_400_000, 25 * 86_400_000]
            self.at += self.rng.choice([*steps, self.rng.randrange(40 * 86_400_000)]) * MS
            if self.crm.chance(0.2):
                self.at = self.crm.moment(self.at, self.at + timedelta(days=10))
        if self.at >= self.crm.run_ts:
            self.crm.traps["version_after_run_ts"] += 1
            if trap("version_at_run_ts", 0.3):
                self.at = self.crm.run_ts
        action = self.rng.choice(
            [self.move] * 4
            + [self.close] * 2
            + [self.re_price] * 2
            + [self.re_date] * 4
            + [self.reopen, self.change_pipeline, self.odd_stage, self.hand_over]
            + [self.re_forecast, self.there_and_back, self.save_again]
        )
        action()

    def move(self) -> None:
        self.set("dealstage", self.rng.choice(OPEN.get(self.pipeline, ["new"])))

    def close(self) -> None:
        """Closed; HubSpot rewrites the close date with it, at once or some milliseconds apart."""
        outcomes = self.rng.choice([WON, LOST]).get(self.pipeline, ["won", "lost"])
        before = self.now["dealstage"]
        self.set("dealstage", self.rng.choice(outcomes))
        closed = {s for names in (WON, LOST) for stages in names.values() for s in stages}
        if before in closed:
            self.crm.traps["closed_into_other_outcome"] += 1
        if self.crm.trap("closed_without_new_close_date", 0.2):
            return
        offset = self.rng.choice([0, 0, 0, -60_000, 60_000, 60_001, 30_000])
        self.set("closedate", self.at, self.at + offset * MS)

    def reopen(self) -> None:
        self.crm.traps["reopened_or_moved"] += 1
        self.move()
        if self.crm.chance(0.4):
            self.re_date()

    def re_price(self) -> None:
        self.set("amount", self.amount())

    def re_date(self) -> None:
        close_date = self.now.get("closedate")
        if close_date and self.crm.trap("close_date_same_day", 0.1):
            self.set("closedate", close_date + 60_000 * MS)
        elif self.crm.trap("close_date_cleared", 0.08):
            self.set("closedate", self.rng.choice(["", None]))
            self.now["closedate"] = None
        elif close_date and self.crm.chance(0.6):
            days = self.rng.choice([-90, -30, -7, -1, 1, 7, 30, 31, 90])
            self.set("closedate", close_date + timedelta(days=days))
        else:
            self.set("closedate", self.close_date())

    def hand_over(self) -> None:
        self.set("hubspot_owner_id", self.crm.owner())

    def re_forecast(self) -> None:
        self.set("hs_manual_forecast_category", self.category())
        self.set("hs_deal_stage_probability", self.probability())

    def change_pipeline(self) -> None:
        """Two rows at one timestamp, sometimes the pipeline alone (same stage id in both)."""
        trap = self.crm.trap
        self.pipeline = "second" if self.pipeline == "default" else "default"
        if trap("odd_pipeline", 0.2):
            self.pipeline = self.rng.choice(ODD_PIPELINES)
        if trap("stage_written_before_pipeline", 0.4):
            self.move()
            self.set("pipeline", self.pipeline)
        else:
            self.set("pipeline", self.pipeline)
            if not trap("pipeline_changed_alone", 0.4):
                self.move()

    def odd_stage(self) -> None:
        self.crm.traps["odd_stage"] += 1
        self.set("dealstage", self.rng.choice(ODD_STAGES))

    def there_and_back(self) -> None:
        """A → B → A at one timestamp."""
        self.crm.traps["there_and_back_at_one_timestamp"] += 1
        name = self.rng.choice(["dealstage", "amount", "closedate", "pipeline"])
        before = self.now.get(name)
        other = {
            "dealstage": self.rng.choice(["talk", "won", "lost"]),
            "amount": "777",
            "closedate": self.at,
            "pipeline": "second",
        }[name]
        self.set(name, other)
        self.set(name, before)

    def save_again(self) -> None:
        """The same value once more, perhaps spelt differently ('100' = '100.00')."""
        name = self.rng.choice(sorted(self.now))
        value = self.now[name]
        if isinstance(value, str) and value.strip().isdigit() and name == "amount":
            self.crm.traps["equal_number_other_text"] += 1
            value = f" {value.strip()}.000"
        self.set(name, value)

    # --- the deal row ---

    def columns(self) -> dict:
        now, trap = self.now, self.crm.trap
        close_date = now.get("closedate") or None
        foreign = trap("foreign_currency", 0.3)
        rate = Decimal(self.rng.choice(["0.9155", "1.1", "0.333"])) if foreign else None
        if foreign and trap("missing_rate", 0.2):
            rate = None
        amount = _number(now.get("amount"))
        columns = {
            "dealname": self.rng.choice(NASTY_NAMES),
            "pipeline": (now["pipeline"] or "").strip() or self.rng.choice([None, ""]),
            "dealstage": now["dealstage"] or None,
            "amount": amount,
            "deal_currency_code": "USD" if foreign else self.rng.choice(["EUR", None]),
            "hs_exchange_rate": rate,
            "amount_in_home_currency": None,
            "closedate": close_date,
            "hubspot_owner_id": now["hubspot_owner_id"],
            "closed_lost_reason": self.rng.choice(REASONS),
            "hs_deal_stage_probability": _number(now.get("hs_deal_stage_probability")),
            "hs_manual_forecast_category": now.get("hs_manual_forecast_category"),
            "hs_forecast_amount": self.rng.choice([None, None, Decimal("33.335")]),
            "hs_forecast_probability": self.rng.choice([None, Decimal("0.5"), Decimal("0.255")]),
            "hs_analytics_source": self.rng.choice(["OFFLINE", "PAID_SOCIAL", "AI_REFERRALS", "", None]),
            "hs_merged_object_ids": None,
            "dealtype": self.rng.choice(["newbusiness", None]),
        }
        if amount is not None and self.crm.chance(0.6):
            columns["amount_in_home_currency"] = amount * (rate or 1)
        if trap("last_version_differs", 0.06):
            columns["dealstage"] = self.rng.choice(["won", "lost", "new", "won2"])
        if trap("present_close_date_differs", 0.05):
            columns["closedate"] = self.crm.past()
        return columns

    def creation(self, row: dict) -> None:
        """createdate and its substitutes: back-dated, put forward, missing, in the future."""
        trap = self.crm.trap
        row |= {"createdate": self.born, "hs_createdate": self.born}
        if trap("created_back_dated", 0.12):
            row["createdate"] = self.born - timedelta(days=self.rng.choice([1, 40, 400]))
        elif trap("createdate_after_first_versions", 0.12):
            row["createdate"] = (
                self.rng.choice(self.versions)["timestamp"] + self.rng.choice([0, 0, 1, 86_400_000]) * MS
            )
        elif trap("createdate_null", 0.08):
            row["createdate"] = None
            if trap("hs_createdate_null", 0.6):
                row["hs_createdate"] = None
                if trap("created_at_null", 0.6):
                    row["created_at"] = None
        elif trap("created_after_run_ts", 0.03):
            row["createdate"] = self.crm.run_ts + self.rng.choice([0, 1]) * MS

    def truncate(self) -> None:
        """HubSpot keeps the last 20 versions of a property: busy ones lose their beginning."""
        if not self.crm.trap("busy_property", 0.12):
            return
        name = self.rng.choice(["amount", "closedate", "dealstage", "hs_manual_forecast_category"])
        if name == "dealstage" and self.crm.chance(0.5):
            name = "pipeline"
        values = {
            "amount": lambda n: str(100 + n),
            "closedate": lambda n: self.close_date(),
            "dealstage": lambda n: OPEN["default"][n % 4],
            "pipeline": lambda n: ["default", "second"][n % 2],
            "hs_manual_forecast_category": lambda n: ["COMMIT", "PIPELINE"][n % 2],
        }[name]
        mine = [v for v in self.versions if v["name"] == name]
        self.at = max([v["timestamp"] for v in mine], default=self.born)
        kept = self.rng.choice([19, 20, 20, 20])
        for number in range(self.rng.choice([kept - len(mine), kept, kept + 5])):
            self.at += timedelta(minutes=self.rng.choice([0, 7, 600]))
            self.set(name, values(number))
        mine = sorted((v for v in self.versions if v["name"] == name), key=lambda v: v["timestamp"])
        lost = mine[:-kept]
        if len(mine) - len(lost) >= 20:
            self.crm.traps["truncated" if lost else "full_but_complete"] += 1
        self.forget(lost)

    def lose_history(self, row: dict) -> None:
        if self.crm.trap("whole_history_missing", 0.05):
            self.forget(self.versions)
        elif self.crm.trap("property_history_missing", 0.12):
            name = self.rng.choice(sorted({v["name"] for v in self.versions}))
            self.forget([v for v in self.versions if v["name"] == name])

    def forget(self, versions: list[dict]) -> None:
        lost = {id(version) for version in versions}
        history = self.crm.tables["deal_property_history"]
        history[:] = [version for version in history if id(version) not in lost]
        self.versions = [version for version in self.versions if id(version) not in lost]


def _number(text: str | None) -> Decimal | None:
    try:
        return Decimal((text or "").strip())
    except ArithmeticError:
        return None


def _whole_ms(instant: datetime) -> datetime:
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)


def _months_later(day: datetime, months: int) -> datetime:
    total = day.year * 12 + day.month - 1 + months
    return day.replace(year=total // 12, month=total % 12 + 1)


def _table(kind: str) -> str:
    return "companies" if kind == "company" else f"{kind}s"
