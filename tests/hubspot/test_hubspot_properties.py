"""Whatever happens in an account and to the syncs, in the end the landing equals the account.

Random nights in a simulated account: records are created, changed, archived, restored, merged, deleted and
associated; requests fail in every way; syncs are killed at any request and at any step of a load package.
`pytest tests/hubspot/test_hubspot_properties.py --crms 200` tries many.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestration.hubspot_simulator import Clock, Crm, Faults, Limits, NoSuchRecord, Simulator
from orchestration.ingest.hubspot import records
from orchestration.ingest.hubspot.http import HubSpotError
from tests.hubspot.conftest import NOW, running_account
from tests.hubspot.syncing import (
    TYPES,
    Killed,
    Place,
    burning,
    kept_versions,
    links,
    live_records,
    only,
    set_up,
)

pytestmark = pytest.mark.thorough

PROPERTIES = {
    "deals": ("dealname", "amount", "dealstage", "closedate"),
    "contacts": ("firstname", "lifecyclestage", "hs_lead_status"),
    "calls": ("hs_call_title", "hs_call_disposition"),
}
PAIRS = (("deals", "contacts"), ("calls", "contacts"), ("calls", "deals"))


class Event(NamedTuple):
    """Something that happens to a record of a type: the record and its partner are picked by number."""

    what: str
    type_: str
    pick: int
    other: int
    seconds: int


class Night(NamedTuple):
    """Events, and then a sync with mishaps: the share of faulty requests, and when it is killed."""

    events: list[Event]
    fault_rate: float
    killed_after: int | None
    days: float


EVENTS = st.builds(
    Event,
    st.sampled_from(
        "create create change change flap clear calculate archive restore merge delete associate "
        "dissociate".split()
    ),
    st.sampled_from(TYPES),
    st.integers(0, 30),
    st.integers(0, 30),
    st.sampled_from([0, 0, 1, 40, 700]),
)
NIGHTS = st.builds(
    Night,
    st.lists(EVENTS, min_size=1, max_size=20),
    st.sampled_from([0.0, 0.0, 0.15]),
    st.one_of(st.none(), st.integers(0, 60)),
    st.sampled_from([0.01, 1.0, 8.0]),
)


def let_happen(crm: Crm, event: Event) -> None:
    """One event, if there is a record that it can happen to."""
    crm.clock.advance(event.seconds)
    objects = crm.of(event.type_)
    live, names = sorted(objects.live()), PROPERTIES[event.type_]
    name = names[event.other % len(names)]
    if event.what == "create":
        values = {"pipeline": "default", "dealstage": "new"} if event.type_ == "deals" else {}
        crm.create(event.type_, {**values, names[0]: f"'😀' {event.pick}"})
    elif event.what == "restore":
        archived = sorted(set(objects.records) - set(live))
        if archived:
            crm.restore(event.type_, archived[event.pick % len(archived)])
    elif live:
        id_, partner = live[event.pick % len(live)], live[event.other % len(live)]
        match event.what:
            case "change":
                crm.update(event.type_, id_, {name: str(event.other), names[0]: str(event.pick)})
            case "flap":  # more versions than HubSpot keeps, some of them at one instant
                for number in range(25):
                    crm.update(event.type_, id_, {name: f"{number} {event.other}"})
                    crm.clock.advance(number % 3)
            case "clear":
                crm.update(event.type_, id_, {name: ""})
            case "calculate":
                crm.update(event.type_, id_, {name: objects.records[id_].properties.get(name) or ""},
                           source_type="CALCULATED")  # fmt: skip
            case "archive":
                crm.archive(event.type_, id_)
            case "delete":
                crm.delete(event.type_, id_)
            case "merge" if event.type_ != "calls":
                with suppress(NoSuchRecord):
                    crm.merge(event.type_, id_, partner)
            case "associate" | "dissociate":
                from_type, to_type = PAIRS[event.pick % len(PAIRS)]
                ends = sorted(crm.of(from_type).live()), sorted(crm.of(to_type).live())
                if all(ends):
                    from_id, to_id = (ids[event.other % len(ids)] for ids in ends)
                    if event.what == "associate":
                        crm.associate(from_type, from_id, to_type, to_id, str(1 + event.pick % 2))
                    else:
                        crm.dissociate(from_type, from_id, to_type, to_id)


def live_through(place: Place, night: Night) -> None:
    """The events of a night, then its sync, which may fail or be killed at any point."""
    crm, faults = place.account.crm, place.account.faults
    for event in night.events:
        let_happen(crm, event)
    crm.clock.advance(night.days * 86_400)
    faults.rate = night.fault_rate
    place.fuse.left = night.killed_after
    with suppress(Killed, HubSpotError):
        place.sync()
    place.fuse.left = None
    faults.clear()


def assert_equals_the_account(place: Place) -> None:
    crm, delivery = place.account.crm, place.delivery()
    for type_ in TYPES:
        rows = {row["id"]: row for row in place.rows(type_, delivery)}
        expected = live_records(crm, type_)
        present = {
            id_: row
            for id_, row in rows.items()
            if row["archived"] == "false" and not row["hard_deleted_at"] and not row["merged_into_id"]
        }
        assert set(present) == set(expected), type_
        for id_, properties in expected.items():
            assert {name: present[id_][name] for name in properties} == properties, (type_, id_)
        for id_, record in crm.of(type_).records.items():
            if crm.in_bin(record):
                assert (rows[id_]["archived"], rows[id_]["archived_at"]) == ("true", record.archived_at)
                assert not rows[id_]["hard_deleted_at"], (type_, id_)
        for id_, row in rows.items():
            if id_ in crm.of(type_).merged:
                winner = crm.of(type_).find(id_)
                assert row["merged_into_id"] == winner.id or winner.archived_at, (type_, id_)
    for type_, history in (("deals", "deal"), ("contacts", "contact")):
        in_reach = {id_ for id_, record in crm.of(type_).records.items()
                    if record.archived_at is None or crm.in_bin(record)}  # fmt: skip
        kept = {version for version in kept_versions(crm, type_) if version[0] in in_reach}
        assert kept <= place.versions(history)


def test_in_the_end_the_landing_equals_the_account(request):
    examples = max(2, request.config.getoption("--crms") // 4)  # an example is a dozen syncs

    @settings(
        max_examples=examples,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(NIGHTS, min_size=2, max_size=5), st.integers(0, 1000))
    def holds(nights: list[Night], seed: int) -> None:
        crm = Crm(Clock(NOW), index_lag_ms=60_000, seed=seed)
        set_up(crm)
        faults = Faults(seed=seed, kinds=("429", "5xx", "odd_error", "cut", "partial"))
        app = Simulator(crm, limits=Limits(None, None, None), faults=faults)
        with tempfile.TemporaryDirectory() as folder, running_account(app) as account:
            place = Place(account, Path(folder) / "data")
            with only(), burning(place.fuse), small_windows():
                seen: set[tuple] = set()
                for night in nights:
                    live_through(place, night)
                    if place.has_begun:
                        versions = place.versions("deal")
                        assert seen <= versions, "a version once seen is never deleted"
                        seen = versions
                catch_up(place)

    holds()


def catch_up(place: Place) -> None:
    """The index knows everything and a sweep is due: then all is equal, and stays so."""
    crm = place.account.crm
    crm.clock.advance(8 * 86_400)
    crm.settle()
    place.sync()
    assert_equals_the_account(place)
    before = place.tables()
    crm.clock.advance(3600)
    place.sync()
    assert place.tables() | {"associations": []} == before | {"associations": []}
    place.sync(hubspot_full_refresh=True)
    after = place.tables()
    assert after | {"associations": []} == before | {"associations": []}
    live = {type_: set(crm.of(type_).live()) for type_ in TYPES}
    names = {"deal": "deals", "contact": "contacts", "call": "calls"}
    landed = {
        tuple(row[column] for column in ("from_type", "from_id", "to_type", "to_id", "type_id"))
        for row in place.rows("associations")
        if row["from_id"] in live[names[row["from_type"]]]
    }
    assert landed == links(crm)


@contextmanager
def small_windows() -> Iterator[None]:
    """Load packages of three records, so that an account of thirty has many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records, "read_windows", partial(records.read_windows, size=3))
        yield
