"""The growing CRM: rows and property versions, cut at the end instant, as typed Arrow tables.

Belongs here: what "at the end" means for every kind of row, HubSpot's caps on kept versions, and the
tables of the contract. What happens in the company is none of this module's business.

Inside the demo, instants are milliseconds since 1970 and money is whole cents.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from itertools import islice
from typing import Any, NamedTuple

import pyarrow as pa

from orchestration.ingest import contract

from . import clock
from .columns import column

CENT = Decimal("0.01")

# Which number space a record's id comes from; ids of different objects never collide.
_ID_BASES = {
    "deal": 18_000_000_000,
    "duplicate deal": 19_000_000_000,
    "deal split": 20_000_000_000,
    "company": 21_000_000_000,
    "base company": 22_000_000_000,
    "prospect company": 23_000_000_000,
    "contact": 50_000_000_000,
    "base contact": 52_000_000_000,
    "prospect": 53_000_000_000,
    "duplicate contact": 55_000_000_000,
    "anonymous thread": 8_000_000_000,
}


def record_id(kind: str, number: int) -> str:
    """The id of a numbered record: the same for every end and size."""
    return str(_ID_BASES[kind] + number)


def money(cents: int | None) -> Decimal | None:
    return None if cents is None else Decimal(cents) * CENT


class Version(NamedTuple):
    """One value of a property: native value (cents, milliseconds or text), and who wrote it."""

    timestamp: int
    value: Any
    source: str
    user: str | None


class Timeline(dict[str, list[Version]]):
    """The life of one record: all versions of each property, past the end of the CRM too."""

    def put(
        self, name: str, timestamp: int, value: Any, source: str = "CRM_UI", user: str | None = None
    ) -> None:
        self.setdefault(name, []).append(Version(timestamp, value, source, user))

    def settle(self) -> None:
        """Bring versions into time order; those of one timestamp stay in the order of writing."""
        for versions in self.values():
            versions.sort(key=lambda version: version.timestamp)

    def at(self, name: str, instant: int) -> Any:
        """The value in force before an instant (strict, C1); None where there is none."""
        value = None
        for version in self.get(name, ()):
            if version.timestamp >= instant:
                break
            value = version.value
        return value

    def since(self, name: str, instant: int) -> int | None:
        """Timestamp of the version in force before an instant."""
        past = [version.timestamp for version in self.get(name, ()) if version.timestamp < instant]
        return past[-1] if past else None

    def forget_from(self, instant: int) -> None:
        """Nothing happens to a record from here on."""
        for name, versions in self.items():
            self[name] = [version for version in versions if version.timestamp < instant]

    def last_change(self, instant: int) -> int | None:
        """Timestamp of the last version of any property before an instant."""
        return max(
            (v.timestamp for versions in self.values() for v in versions if v.timestamp < instant),
            default=None,
        )

    def import_before(self, instant: int) -> None:
        """Forget the path before an import: it brings only the values of that moment."""
        for name, versions in self.items():
            before = [version for version in versions if version.timestamp <= instant]
            if before:
                kept = [Version(instant, before[-1].value, "IMPORT", None)]
                self[name] = kept + versions[len(before) :]


def _text(value: Any) -> Any:
    return value


def _cents_text(cents: int | None) -> str | None:
    if cents is None:
        return None
    return str(cents // 100) if cents % 100 == 0 else f"{money(cents):f}"


def _instant_text(instant: int | None) -> str | None:
    return None if instant is None else clock.iso(instant)


_WRITERS: dict[str, Callable[[Any], str | None]] = {
    "amount": _cents_text,
    "closedate": _instant_text,
    "hs_latest_sequence_enrolled_date": _instant_text,
    "hs_latest_sequence_finished_date": _instant_text,
    "hs_latest_sequence_unenrolled_date": _instant_text,
}


class Crm:
    """Everything that has happened before `end`, table by table."""

    def __init__(self, end: int) -> None:
        self.end = end
        self._rows: dict[str, list[dict[str, Any]]] = {name: [] for name in contract.TABLES}
        self._versions: dict[str, list[tuple]] = {name: [] for name in contract.KEPT_HISTORIES}

    def add(self, table: str, **row: Any) -> None:
        """One row that is there whatever the end."""
        self._rows[table].append(row)

    def add_record(self, table: str, born: int, archived_at: int | None = None, **row: Any) -> bool:
        """One row of an object table, if it was born before the end. True if it was."""
        if born >= self.end:
            return False
        archived = archived_at is not None and archived_at < self.end
        row.setdefault("updated_at", born)
        self._rows[table].append(
            {
                "created_at": born,
                "archived": archived,
                "archived_at": archived_at if archived else None,
                **row,
            }
        )
        return True

    def associate(
        self, born: int, start: tuple[str, str], to: tuple[str, str], type_id: int, label: str | None = None
    ) -> None:
        """A link between two records ('deal', id), if both were there before the end."""
        if born < self.end:
            self._rows["associations"].append(
                {
                    "from_type": start[0],
                    "from_id": start[1],
                    "to_type": to[0],
                    "to_id": to[1],
                    "type_id": str(type_id),
                    "label": label,
                }
            )

    def keep_history(
        self, table: str, object_id: str, timeline: Timeline, epoch_values: bool = False
    ) -> None:
        """The versions before the end, at most as many as HubSpot keeps of a property.

        `sequence` is the version's number in its property's whole life, so that it stays the same
        when older versions fall out. `epoch_values` writes instants as epoch milliseconds (H10).
        """
        contracted = contract.TABLES[table]
        cap = contract.VERSION_CAP[contracted.history_of]
        rows = self._versions[table]
        for name in contracted.tracked:
            versions = timeline.get(name)
            if not versions:
                continue
            write = _WRITERS.get(name, _text)
            if epoch_values and write is _instant_text:
                write = _epoch_text
            past = 0
            while past < len(versions) and versions[past].timestamp < self.end:
                past += 1
            first = max(0, past - cap)
            for number, version in enumerate(islice(versions, first, past), first + 1):
                text = write(version.value)
                if text is None and number % 2:
                    text = ""
                source_id = _SOURCE_IDS.get(version.source)
                rows.append(
                    (
                        object_id,
                        name,
                        text,
                        version.timestamp,
                        number,
                        version.source,
                        source_id,
                        version.user,
                    )
                )

    def tables(self) -> dict[str, pa.Table]:
        """Every table of the contract with its columns and types; empty ones too."""
        return {
            name: _history_table(table, self._versions[name])
            if table.history_of
            else _table(table, self._rows[name])
            for name, table in contract.TABLES.items()
        }


_SOURCE_IDS = {
    "IMPORT": "import-20241202",
    "AUTOMATION_PLATFORM": "enrollmentId:48210;actionExecutionIndex:0",
    "INTEGRATION": "1482031",
}


def _epoch_text(instant: int | None) -> str | None:
    return None if instant is None else str(instant)


def _table(table: contract.Table, rows: list[dict[str, Any]]) -> pa.Table:
    return pa.table(
        {
            name: column([row.get(name) for row in rows], kind)
            for name, kind in table.columns.items()
            if name != "_loaded_at"
        }
    )


def _history_table(table: contract.Table, rows: list[tuple]) -> pa.Table:
    names = ("object_id name value timestamp sequence source_type source_id updated_by_user_id").split()
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    return pa.table(
        {name: column(values, table.columns[name]) for name, values in zip(names, columns, strict=True)}
    )
