"""Forgetting people in the landing databases (`make forget`).

Belongs here: what a landing keeps of a person beside the tables of the contract. Whose rows and texts
those are says `ingest/forgotten.py`. HubSpot itself is not told: whoever wants a person gone there deletes
them there; a person who is still there is read again, and taken out again after every sync.
"""

from __future__ import annotations

from collections.abc import Sequence

from orchestration.data_folder import write_anew
from orchestration.ingest.contract import TABLES
from orchestration.ingest.forgotten import take_out
from orchestration.ingest.history import transaction
from orchestration.ingest.hubspot.landing import ASSOCIATION_READS, MERGES, SCHEMA, Landing
from orchestration.settings import Settings


def forget(settings: Settings, forgotten: Sequence[tuple[str, str]]) -> None:
    """Remove people, and the texts that speak of them, from every landing of the data folder.

    `forgotten` is (type, id) of contacts and of records that speak of them.
    """
    for path in sorted((settings.data_dir / "hubspot").glob("*.duckdb")):
        with Landing(path) as landing, transaction(landing.connection):
            relations = {name: f"{SCHEMA}.{name}" for name in TABLES if landing.has(name)}
            gone = sum(take_out(landing.connection, relations, forgotten).values())
            for table, condition in {
                ASSOCIATION_READS: "from_type = 'contact' and from_id in (from forgotten_people)",
                MERGES: "object_type = 'contacts' and (loser_id in (from forgotten_people) "
                "or winner_id in (from forgotten_people))",
            }.items():
                if landing.has(table):
                    landing.connection.execute(f"delete from {SCHEMA}.{table} where {condition}")
        if gone:
            write_anew(path)
