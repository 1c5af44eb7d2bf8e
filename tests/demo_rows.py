"""The demo CRM as rows, for tests that look into it.

Belongs here: reading what the demo generates. What should be in it is said by the tests.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache, cached_property
from itertools import pairwise
from zoneinfo import ZoneInfo

from orchestration.ingest import demo
from orchestration.ingest.contract import TABLES
from orchestration.ingest.demo import clock, company
from orchestration.settings import Settings

ZONE = ZoneInfo(clock.TIME_ZONE)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
END = datetime(2026, 11, 26, tzinfo=ZONE)


class Demo:
    """The demo at one end, as rows."""

    def __init__(self, size: int, end: datetime) -> None:
        self.end = end
        self.arrow = demo.generate(1, size, clock.to_ms(end))
        self.rows = {name: table.to_pylist() for name, table in self.arrow.items()}

    def ids(self, *tables: str) -> set[str]:
        return {row["id"] for table in tables for row in self.rows[table]}

    @cached_property
    def records(self) -> set[tuple[str, str]]:
        """(type, id) of everything that associations can name."""
        kinds = "deal contact lead call meeting task email note".split()
        tables = {kind: f"{kind}s" for kind in kinds} | {"company": "companies"}
        return {(kind, record_id) for kind, table in tables.items() for record_id in self.ids(table)}

    @cached_property
    def histories(self) -> dict[str, dict[tuple[str, str], list[dict]]]:
        """Versions by history table and (object, property), oldest first."""
        found: dict = {name: defaultdict(list) for name in TABLES if TABLES[name].history_of}
        for name, histories in found.items():
            for row in self.rows[name]:
                histories[row["object_id"], row["name"]].append(row)
            for versions in histories.values():
                versions.sort(key=lambda row: (row["timestamp"], row["sequence"]))
        return found

    def versions(self, name: str) -> Iterator[tuple[str, list[dict]]]:
        """(deal id, versions) of one deal property."""
        for (deal_id, property_name), versions in self.histories["deal_property_history"].items():
            if property_name == name:
                yield deal_id, versions

    def steps(self, name: str) -> Iterator[tuple[dict, dict]]:
        """Neighbouring versions of one deal property."""
        for _, versions in self.versions(name):
            yield from pairwise(versions)

    @cached_property
    def deals(self) -> dict[str, dict]:
        return {row["id"]: row for row in self.rows["deals"]}

    @cached_property
    def positions(self) -> dict[str, int]:
        """Of the open stages; ids that stand in two pipelines are last in both."""
        return {
            row["id"]: row["display_order"]
            for row in self.rows["pipeline_stages"]
            if row["object_type"] == "deal" and 0 < row["probability"] < 1 and not row["archived"]
        }


@cache
def default_demo() -> Demo:
    """The demo at its default size."""
    return Demo(Settings().demo_deals, END)


def instant(text: str | None) -> datetime | None:
    """A close date in a history: ISO 8601 or epoch milliseconds (H10)."""
    if not text:
        return None
    if text.isdigit():
        return datetime.fromtimestamp(int(text) / 1000, UTC)
    return datetime.fromisoformat(text)


def day(text: str | None) -> date | None:
    value = instant(text)
    return None if value is None else value.astimezone(ZONE).date()


def stage_class(stage_id: str) -> str:
    for pipeline in company.PIPELINES.values():
        if stage_id in {stage.id for stage in pipeline.won}:
            return "won"
        if stage_id in {stage.id for stage in pipeline.lost}:
            return "lost"
    return "open"
