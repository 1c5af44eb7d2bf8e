"""HubSpot's own SDK, with its validation on, reads the simulator and finds the state as it is.

Belongs here: the SDK as a second client of the simulator. What it reads is compared with the account's
plain state, not with what another client of ours makes of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import import_module

import pytest

from orchestration.hubspot_simulator import Clock, Crm, Limits, Simulator, crm_from_tables
from orchestration.hubspot_simulator.clock import to_iso
from orchestration.ingest import demo
from orchestration.ingest.contract import TABLES
from tests.hubspot.conftest import Account, running_account

hubspot = pytest.importorskip("hubspot")

END = datetime(2026, 7, 1, tzinfo=UTC)
SDK_OBJECTS = {
    "deals": "crm.deals", "contacts": "crm.contacts", "companies": "crm.companies",
    "leads": "crm.objects.leads", "calls": "crm.objects.calls", "meetings": "crm.objects.meetings",
    "tasks": "crm.objects.tasks", "emails": "crm.objects.emails", "notes": "crm.objects.notes",
    "communications": "crm.objects.communications", "goal_targets": "crm.objects.goals",
}  # fmt: skip
HISTORIES = {table.history_of: list(table.tracked) for table in TABLES.values() if table.history_of}


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    """The demo company with 150 deals, and noise in its histories."""
    tables = demo.generate(1, 150, int(END.timestamp() * 1000))
    crm = crm_from_tables(
        {name: rows.to_pylist() for name, rows in tables.items()}, Clock(END), calculated=0.2
    )
    with running_account(Simulator(crm, limits=Limits(None, None, None))) as running:
        yield running


def api(account: Account, module: str, name: str):
    """An endpoint group of the SDK, pointed at the simulator."""
    client = hubspot.Client.create(access_token=account.token)
    part = client
    for step in module.split("."):
        part = getattr(part, step)
    group = getattr(part, name)
    configuration = group.api_client.configuration
    configuration.host = account.url
    configuration.client_side_validation = True
    return group


def model(module: str, name: str):
    return getattr(import_module(f"hubspot.{module}.models"), name)


def pages(ask, **options) -> Iterator:
    """All results of a paged endpoint."""
    after = None
    while True:
        page = ask(after=after, **options) if after else ask(**options)
        yield from page.results
        if page.paging is None:
            return
        after = page.paging.next.after


def versions(record) -> dict[str, list[tuple]]:
    """What the SDK makes of a record's histories, newest first, in our words."""
    return {
        name: [
            (v.value, to_iso(v.timestamp), v.source_type, v.source_id, v.updated_by_user_id) for v in found
        ]
        for name, found in (record.properties_with_history or {}).items()
    }


def state_versions(crm: Crm, kind: str, record_id: str) -> dict[str, list[tuple]]:
    history = crm.of(kind).records[record_id].history
    return {
        name: [
            (v.value, v.timestamp, v.source_type, v.source_id, v.user_id and int(v.user_id))
            for v in reversed(history.get(name, []))
        ]
        for name in HISTORIES[kind]
    }


def columns(kind: str) -> list[str]:
    ours = {"id", "created_at", "updated_at", "archived", "archived_at", "merged_into_id", "hard_deleted_at"}
    return [name for name in TABLES[kind].columns if name not in ours and not name.startswith("_")]


@pytest.mark.parametrize("kind", SDK_OBJECTS)
@pytest.mark.parametrize("archived", [False, True])
def test_lists_hold_the_state(account: Account, kind: str, archived: bool):
    names = columns(kind)
    basic = api(account, SDK_OBJECTS[kind], "basic_api")
    found = {
        record.id: record for record in pages(basic.get_page, limit=100, properties=names, archived=archived)
    }
    objects = account.crm.of(kind)
    expected = {
        key: record
        for key, record in objects.records.items()
        if (account.crm.in_bin(record) if archived else record.archived_at is None)
    }
    assert found.keys() == expected.keys()
    assert expected or archived
    for key, record in found.items():
        state = expected[key]
        assert {name: record.properties[name] for name in names} == {
            name: state.properties.get(name) for name in names
        }
        assert to_iso(record.created_at) == state.created_at
        assert to_iso(record.updated_at) == state.updated_at
        assert (record.archived_at and to_iso(record.archived_at)) == state.archived_at


@pytest.mark.parametrize("kind", HISTORIES)
def test_batches_hold_the_histories(account: Account, kind: str):
    module = SDK_OBJECTS[kind]
    batch = api(account, module, "batch_api")
    ids = list(account.crm.of(kind).live())[:120]
    identity, request = (
        model(module, "SimplePublicObjectId"),
        model(module, "BatchReadInputSimplePublicObjectId"),
    )
    seen = 0
    for start in range(0, len(ids), 50):
        inputs = [identity(id=record_id) for record_id in ids[start : start + 50]]
        answer = batch.read(
            request(inputs=inputs, properties=columns(kind), properties_with_history=HISTORIES[kind]),
            archived=False,
        )
        for record in answer.results:
            seen += 1
            assert versions(record) == state_versions(account.crm, kind, record.id)
    assert seen == len(ids) > 0


def test_partial_batch(account: Account):
    batch = api(account, "crm.deals", "batch_api")
    merged = next(iter(account.crm.of("deals").merged.items()))
    live = next(iter(account.crm.of("deals").live()))
    identity = model("crm.deals", "SimplePublicObjectId")
    answer = batch.read(
        model("crm.deals", "BatchReadInputSimplePublicObjectId")(
            inputs=[identity(id=text) for text in (live, merged[0], "1")],
            properties=["hs_merged_object_ids"],
            properties_with_history=[],
        )
    )
    assert [record.id for record in answer.results] == [live, merged[1]]
    assert answer.num_errors == 1
    assert answer.errors[0].context == {"ids": ["1"]}


def test_search(account: Account):
    since = "2026-05-01T00:00:00.000Z"
    search = api(account, "crm.deals", "search_api")
    part = import_module("hubspot.crm.deals.models")
    modified = part.Filter(property_name="hs_lastmodifieddate", operator="GTE", value=since)
    expected = sorted(
        (
            key
            for key, record in account.crm.of("deals").live().items()
            if (record.properties["hs_lastmodifieddate"] or "") >= since
        ),
        key=int,
    )
    found, last = [], "0"
    while True:
        keyset = part.Filter(property_name="hs_object_id", operator="GT", value=last)
        answer = search.do_search(
            part.PublicObjectSearchRequest(
                filter_groups=[part.FilterGroup(filters=[modified, keyset])],
                sorts=["hs_object_id"],
                properties=["dealname"],
                limit=7,
            )
        )
        assert answer.total == len(expected) - len(found)
        found += [record.id for record in answer.results]
        if not answer.results:
            break
        last = found[-1]
    assert found == expected
    assert len(expected) > 7


def test_associations(account: Account):
    part = import_module("hubspot.crm.associations.v4.models")
    batch = api(account, "crm.associations.v4", "batch_api")
    ids = list(account.crm.of("deals").live())
    inputs = [part.PublicFetchAssociationsBatchRequest(id=record_id) for record_id in ids]
    answer = batch.get_page(
        "deals", "contacts", part.BatchInputPublicFetchAssociationsBatchRequest(inputs=inputs)
    )
    found = {
        result._from.id: [
            (to.to_object_id, str(kind.type_id), kind.label)
            for to in result.to
            for kind in to.association_types
        ]
        for result in answer.results
    }
    expected = {
        record_id: [tuple(link) for link in links]
        for record_id in ids
        if (links := account.crm.links("deals", "contacts", record_id))
    }
    assert found == expected
    assert expected


@pytest.mark.parametrize("archived", [False, True])
def test_owners(account: Account, archived: bool):
    owners = list(pages(api(account, "crm.owners", "owners_api").get_page, limit=3, archived=archived))
    expected = [owner for owner in account.crm.owners if owner["archived"] is archived]
    assert [
        (owner.id, owner.email, owner.user_id, owner.user_id_including_inactive,
         [(team.id, team.name, team.primary) for team in owner.teams or []])
        for owner in owners
    ] == [
        (owner["id"], owner["email"], owner.get("userId"), owner["userIdIncludingInactive"],
         [(team["id"], team["name"], team["primary"]) for team in owner.get("teams", [])])
        for owner in expected
    ]  # fmt: skip
    assert expected


@pytest.mark.parametrize("kind", ["deals", "leads"])
def test_pipelines(account: Account, kind: str):
    pipelines = api(account, "crm.pipelines", "pipelines_api").get_all(kind).results
    assert [
        (pipeline.id, pipeline.label, [(stage.id, stage.metadata) for stage in pipeline.stages])
        for pipeline in pipelines
    ] == [
        (
            pipeline["id"],
            pipeline["label"],
            [(stage["id"], stage["metadata"]) for stage in pipeline["stages"]],
        )
        for pipeline in account.crm.pipelines[kind]
    ]
    assert pipelines


def test_deal_splits(account: Account):
    module = "crm.objects.deal_splits"
    records = account.crm.of("deal_splits").live().values()
    deals = list(dict.fromkeys(str(record.properties["deal_id"]) for record in records))
    answer = api(account, module, "batch_api").read(
        model(module, "BatchInputPublicObjectId")(
            inputs=[model(module, "PublicObjectId")(id=deal) for deal in deals]
        )
    )
    found = {
        (result.id, split.properties["hubspot_owner_id"], split.properties["hs_deal_split_percentage"])
        for result in answer.results
        for split in result.splits
    }
    assert found == {
        (
            record.properties["deal_id"],
            record.properties["hubspot_owner_id"],
            record.properties["hs_deal_split_percentage"],
        )
        for record in records
    }
    assert found


def test_a_wrong_token_and_a_missing_scope_are_the_sdk_s_errors(account: Account):
    from hubspot.crm.deals.exceptions import ApiException

    basic = api(account, "crm.deals", "basic_api")
    account.faults.missing_scopes.add("crm.objects.deals.read")
    try:
        with pytest.raises(ApiException) as refused:
            basic.get_page()
    finally:
        account.faults.missing_scopes.clear()
    assert refused.value.status == 403
    basic.api_client.configuration.access_token = "wrong"
    with pytest.raises(ApiException) as refused:
        basic.get_page()
    assert refused.value.status == 401
