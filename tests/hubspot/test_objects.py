"""What is known about HubSpot's objects fits the contract, and every table has its scopes."""

from __future__ import annotations

from orchestration.ingest.contract import TABLES
from orchestration.ingest.hubspot import rows
from orchestration.ingest.hubspot.objects import (
    ASSOCIATION_PAIRS,
    NAMES,
    OPTIONAL_SCOPES,
    RECORD_COLUMNS,
    REQUIRED_SCOPES,
    SCOPES,
    crm_objects,
)
from orchestration.settings import how_to_get_a_token

OBJECTS = crm_objects()


def test_every_table_of_the_contract_has_its_scopes():
    assert set(SCOPES) == set(TABLES)
    assert set(REQUIRED_SCOPES) == {"crm.objects.deals.read", "crm.objects.owners.read"}
    assert not set(REQUIRED_SCOPES) & set(OPTIONAL_SCOPES)
    for scopes in SCOPES.values():
        assert set(scopes) <= {*REQUIRED_SCOPES, *OPTIONAL_SCOPES}
    for scope in (*REQUIRED_SCOPES, *OPTIONAL_SCOPES):
        assert scope in how_to_get_a_token()


def test_objects_ask_for_the_contracts_columns_and_no_other_but_merges():
    for name, crm_object in OBJECTS.items():
        table = TABLES[name]
        ours = {*RECORD_COLUMNS, "merged_into_id", "hard_deleted_at", "_loaded_at"}
        assert set(crm_object.properties) - {"hs_merged_object_ids"} == set(table.columns) - ours - {
            "hs_merged_object_ids"
        }
        assert len(set(crm_object.properties)) == len(crm_object.properties)


def test_histories_are_asked_for_where_the_contract_tracks_them():
    for table in TABLES.values():
        if table.history_of:
            assert OBJECTS[table.history_of].history == table.tracked
            assert OBJECTS[table.history_of].history_table == table.name
    assert OBJECTS["companies"].history == ()


def test_all_object_tables_are_read_somewhere():
    elsewhere = {"conversation_threads", "deal_splits"}
    assert set(OBJECTS) == {name for name, table in TABLES.items() if table.is_object} - elsewhere
    assert [*OBJECTS] == [name for name in TABLES if name in OBJECTS]


def test_custom_properties_are_asked_of_deals_once():
    objects = crm_objects(("region", "amount"))
    assert objects["deals"].properties[-1] == "region"
    assert objects["deals"].properties.count("amount") == 1
    assert objects["contacts"].properties == OBJECTS["contacts"].properties


def test_contacts_have_a_modified_date_of_their_own():
    assert {name for name, o in OBJECTS.items() if o.modified != "hs_lastmodifieddate"} == {"contacts"}


def test_association_pairs_are_the_ones_of_the_specification():
    pairs = {(NAMES[from_type], NAMES[to_type]) for from_type, to_type in ASSOCIATION_PAIRS}
    activities = ("call", "meeting", "task", "email", "note")
    assert pairs == {("deal", "contact"), ("deal", "company"), ("contact", "company")} | {
        (activity, to) for activity in activities for to in ("contact", "deal", "company")
    }


def test_rows_have_columns_of_the_contract():
    dates = {"createdAt": "t", "updatedAt": "t"}
    deal = {"id": "1", "splits": [{"id": "2", "properties": {}}]}
    owner = {"id": "1", "teams": [{"id": "2"}]}
    pipeline = {"id": "1", "label": "x", "stages": [{"id": "2", "label": "y"}]}
    message = {"id": "1", "type": "MESSAGE", "createdAt": "t"}
    rate = {"fromCurrencyCode": "USD", "toCurrencyCode": "EUR", "effectiveAt": "t", "conversionRate": 1}
    found = {
        "account": [rows.account_row({"portalId": 1, "timeZone": "UTC", "companyCurrency": "USD"})],
        "owners": [rows.owner_row(owner)],
        "owner_teams": rows.owner_team_rows(owner),
        "teams": [rows.team_row({"id": "1", "name": "x", "parentTeamId": 3})],
        "pipelines": [rows.pipeline_row("deals", pipeline)],
        "pipeline_stages": rows.stage_rows("deals", pipeline),
        "call_dispositions": [rows.call_disposition_row({"id": "1"})],
        "exchange_rates": [rows.exchange_rate_row(rate)],
        "sequences": [rows.sequence_row({"id": 1, "name": "x"})],
        "conversation_channels": [rows.channel_row({"id": "1001"})],
        "conversation_threads": [rows.thread_row({"id": 1} | dates)],
        "conversation_messages": list(rows.message_rows("5", [message])),
        "deal_splits": rows.split_rows(deal),
    }
    for name, some in found.items():
        assert len(some) == 1
        assert set(some[0]) <= set(TABLES[name].columns), name
        assert {*TABLES[name].key, *TABLES[name].required_columns} <= set(some[0]), name
