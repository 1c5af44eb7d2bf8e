"""People who were forgotten: what a load leaves out for good (`make forget`).

Belongs here: which rows and which texts belong to a person, by table of the contract, and taking them
out of a set of tables. Which people were forgotten is kept history's business (`history.py`), and the
whole of forgetting, builds and logs included, is `orchestration/forget.py`'s.

A forgotten person is a contact with all records that were merged with it. Their rows go: the contact,
its history, its associations, what it wrote in chats. Records of others that speak of them stay and
lose their texts: a call was made, by a rep, whoever it was with. Amounts and names of deals stay: a
deal is the company's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import duckdb

from orchestration.ingest.contract import TABLES
from orchestration.ingest.values import quoted

PERSON = "contact"
# Records that speak of a person: their type in associations, their table, the text that names people.
TEXTS = {
    "lead": ("leads", "hs_lead_name"),
    "call": ("calls", "hs_call_title"),
    "meeting": ("meetings", "hs_meeting_title"),
    "task": ("tasks", "hs_task_subject"),
    "email": ("emails", "hs_email_subject"),
}
FORGOTTEN_LISTS = ("forgotten_people", "forgotten_records")
"""The temporary tables that this module makes."""
# Rows of a person by table, as a condition on the ids in `forgotten_people`.
_ROWS = {
    "contacts": "id in (from forgotten_people)",
    "contact_property_history": "object_id in (from forgotten_people)",
    "associations": (
        f"(from_type = '{PERSON}' and from_id in (from forgotten_people)) "
        f"or (to_type = '{PERSON}' and to_id in (from forgotten_people))"
    ),
    "conversation_messages": "sender in (select 'V-' || id from forgotten_people)",
}


def merged_with(
    connection: duckdb.DuckDBPyConnection, contacts: str, contact_ids: Iterable[str]
) -> list[str]:
    """The ids of one person: those given, the records merged into them, and those they went into.

    `contacts` is a relation with the contract's columns. Sorted; ids that are not found are in it too.
    """
    pairs = connection.execute(
        f"select id, merged_into_id from {contacts} where merged_into_id <> '' "
        f"union select trim(loser), id from {contacts}, "
        "unnest(string_split(hs_merged_object_ids, ';')) as losers (loser)"
    ).fetchall()
    person = set(contact_ids)
    found = True
    while found:
        found = {id_ for pair in pairs for id_ in pair if person & set(pair)} - person - {""}
        person |= found
    return sorted(person)


def mentions(
    connection: duckdb.DuckDBPyConnection, associations: str, contact_ids: Iterable[str]
) -> list[tuple[str, str]]:
    """(type, id) of the records whose texts speak of these people; they are then `forgotten_people`."""
    _list(connection, "forgotten_people", contact_ids)
    types = ", ".join(f"'{type_}'" for type_ in TEXTS)
    return connection.execute(
        f"""
        select to_type, to_id from {associations}
        where from_type = '{PERSON}' and from_id in (from forgotten_people) and to_type in ({types})
        union
        select from_type, from_id from {associations}
        where to_type = '{PERSON}' and to_id in (from forgotten_people) and from_type in ({types})
        order by all
        """
    ).fetchall()


def take_out(
    connection: duckdb.DuckDBPyConnection,
    relations: Mapping[str, str],
    forgotten: Iterable[tuple[str, str]],
) -> dict[str, int]:
    """Take forgotten people out of tables; returns the rows that went, by table of the contract.

    `relations` are the tables that are there, by their name in the contract; `forgotten` is (type, id)
    of people and of records that speak of them. Their new associations are followed too.
    """
    forgotten = set(forgotten)
    people = [id_ for type_, id_ in forgotten if type_ == PERSON]
    _list(connection, "forgotten_people", people)
    if "associations" in relations:
        forgotten.update(mentions(connection, relations["associations"], people))
    for type_, (table, text) in TEXTS.items():
        if table in relations:
            _list(connection, "forgotten_records", [id_ for kind, id_ in forgotten if kind == type_])
            _blank(connection, table, relations[table], text)
    if "conversation_threads" in relations:
        connection.execute(
            f"update {relations['conversation_threads']} set associated_contact_id = null "
            "where associated_contact_id in (from forgotten_people)"
        )
    gone = {}
    for table, condition in _ROWS.items():
        if table in relations:
            (gone[table],) = connection.execute(
                f"delete from {relations[table]} where {condition}"
            ).fetchone()
    return gone


def _blank(connection: duckdb.DuckDBPyConnection, table: str, relation: str, text: str) -> None:
    """Records that are listed lose their text and whatever the account itself keeps on them."""
    there = {row[0] for row in connection.execute(f"describe {relation}").fetchall()}
    own = {column for column in there - set(TABLES[table].columns) if not column.startswith("_")}
    columns = sorted(own | ({text} & there))
    if columns:
        connection.execute(
            f"update {relation} set {', '.join(f'{quoted(column)} = null' for column in columns)} "
            "where id in (from forgotten_records)"
        )


def _list(connection: duckdb.DuckDBPyConnection, name: str, ids: Iterable[str]) -> None:
    """A temporary table of ids."""
    ids = sorted(ids)
    connection.execute(f"create or replace temp table {name} (id varchar)")
    if ids:
        connection.execute(f"insert into {name} select unnest($ids)", {"ids": ids})
