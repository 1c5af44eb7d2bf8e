"""Small builds made by hand on a Postgres server, ready to be published.

Belongs here: the least that publication needs. What is done with them does not belong here.
"""

from __future__ import annotations

import psycopg

from orchestration.engines.postgres_publication import BUILD_SCHEMAS, renew_schemas


def build(builder: psycopg.Connection, build_id: str, deals: int = 3) -> str:
    """A build of so many deals, with a function that reads them; its id."""
    with builder.transaction():
        renew_schemas(builder, [*BUILD_SCHEMAS, "core_next", "reports_next"])
        for table in ("raw_hubspot.deals", "intermediate.int_deals", "reports_next.rpt_deals"):
            numbers = f"select n as deal_id from generate_series(1, {deals}) as n"
            builder.execute(f"create table {table} as {numbers}")
        builder.execute(f"create table core_next.build_info as select '{build_id}' as build_id")
        builder.execute(
            "create function reports_next.deals() returns table (deal_id integer) language sql stable "
            "begin atomic select deal_id from reports_next.rpt_deals; end"
        )
    return build_id
