"""The nights after: derives an account's next files, with a share of its records changed.

Belongs here: what happens to deals, contacts and activities in a night: new versions, new records, a
few deletions, merges and archivings, and edits that are back-dated. Everything else stays as it was,
row by row; present values and histories agree afterwards too. All files are complete (K4).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import duckdb

from orchestration.bench import account as small_tables
from orchestration.bench import activities, deals, people
from orchestration.bench.generator import generated_account, note, scratch, write
from orchestration.bench.numbers import ACTIVITIES_PER_DEAL, FIRST_ID, Account
from orchestration.ingest.values import literal

NEW_SHARE = 0.2
"""New records for each changed one; of activities, most of what a night brings is new."""
NEW_ACTIVITIES_SHARE = 1.0


def changes(folder: Path, share: float, night: int, memory_limit: str = "2GB") -> None:
    """Replace the files of night `night - 1` by those of `night`: its run_ts is a day later.

    `share` of the deals, contacts and activities are changed; with 0 only the day passes. Raises
    ValueError if the folder is not at the night before.
    """
    before = generated_account(folder)
    if before.night != night - 1:
        raise ValueError(f"{folder} is at night {before.night}; the next one is {before.night + 1}")
    if not 0 <= share < 0.5:
        raise ValueError(f"a share of {share} of the records cannot change in a night; give 0 to below 0.5")
    account = replace(before, night=night)
    with scratch(folder, account, memory_limit) as connection:
        if share:
            _Night(connection, folder, account, share).write()
        write(connection, folder, "account", small_tables.queries(account)["account"])
    note(folder, account)


class _Night:
    def __init__(
        self, connection: duckdb.DuckDBPyConnection, folder: Path, account: Account, share: float
    ) -> None:
        self.connection = connection
        self.folder = folder
        self.share = share
        self.first = {table: account.count(table) * account.night for table in FIRST_ID}
        self.end = {
            table: first + round(account.count(table) * share * self.new_share(table))
            for table, first in self.first.items()
        }
        macros = {
            "is_picked(kind, id)": f"u(cast(id as bigint), kind || ' picked {account.night}') < {share}",
            "tonight(id)": f"in_day(end_day() - 1, cast(id as bigint), 'tonight {account.night}')",
            "chance(id)": f"u(cast(id as bigint), 'what happens {account.night}')",
            "other(id)": f"u(cast(id as bigint), 'other value {account.night}')",
            "new_amount(id)": "money(20 + exp(6 + 5 * other(id)))",
        }
        for head, body in macros.items():
            connection.execute(f"create or replace temp macro {head} as {body}")

    @staticmethod
    def new_share(table: str) -> float:
        if table in ACTIVITIES_PER_DEAL:
            return NEW_ACTIVITIES_SHARE
        return 0 if table == "companies" else NEW_SHARE

    def file(self, table: str) -> str:
        return literal(str(self.folder / f"{table}.parquet"))

    def write(self) -> None:
        """All files that change."""
        self.patch("deals", "deal_property_history", _DEAL_EDITS, _DEAL_VERSIONS)
        self.patch("contacts", "contact_property_history", _CONTACT_EDITS, _CONTACT_VERSIONS)
        self.patch("tasks", "task_property_history", _TASK_EDITS, _TASK_VERSIONS)
        deals.create(self.connection, self.first["deals"], self.end["deals"])
        fresh = {name: f"from {name}" for name in ("deals", "deal_property_history")}
        fresh |= people.queries(self.first, self.end) | activities.queries(self.first, self.end)
        for table, query in fresh.items():
            if table == "companies":
                continue
            kept = _KEPT.get(table, "from {file}").format(file=self.file(table))
            write(self.connection, self.folder, table, f"{kept} union all by name ({query})")

    def patch(self, table: str, history: str, edits: str, versions: Mapping[str, str]) -> None:
        """Apply the edits of picked records to their file and its history's.

        An edit is a row with the record's id and its new values, NULL where a value stays.
        """
        self.connection.execute(
            f"create or replace temp table edits as "
            f"{edits.format(file=self.file(table), history=self.file(history))}"
        )
        columns = [
            row[0]
            for row in self.connection.execute("describe edits").fetchall()
            if not row[0].startswith(("id", "old_", "is_"))
        ]
        listed = ", ".join(f"coalesce(edits.{column}, rows.{column}) as {column}" for column in columns)
        write(
            self.connection,
            self.folder,
            table,
            f"select rows.* replace ({listed}) from {self.file(table)} as rows left join edits using (id) "
            f"where edits.is_deleted is not true",
        )
        added = " union all ".join(
            f"select id as object_id, '{name}' as name, cast({value} as varchar) as value, "
            f"updated_at as timestamp, 1000000 as sequence, 'CRM_UI' as source_type "
            f"from edits where {column} is not null and is_deleted is not true"
            for name, (column, value) in versions.items()
        )
        if table == "deals":
            added += f" union all {_BACK_DATED.format(history=self.file(history))}"
        gone = "object_id in (select id from edits where is_deleted)"
        write(
            self.connection,
            self.folder,
            history,
            f"select * from {self.file(history)} where not {gone} union all by name ({added})",
        )


# One thing happens to a picked deal; a close, a move to another stage or a new amount are the most
# common. One that is archived or was merged away stays as it is.
_DEAL_EDITS = """
    with picked as (
        select
            *,
            chance(id) as chance,
            pipeline_number(pipeline) as p,
            cast(floor(other(id) * (open_stages(pipeline_number(pipeline)) + 2)) as integer) + 1
                as other_stage
        from {file}
        where is_picked('deal', id) and archived is not true and merged_into_id is null
    ),

    judged as (
        select *,
            chance < 0.3 as is_staged,
            chance < 0.3 and other_stage > open_stages(p) as is_closing,
            chance between 0.3 and 0.5 as is_repriced,
            chance between 0.5 and 0.75 as is_redated
        from picked
    )

    select
        id,
        tonight(id) as updated_at,
        tonight(id) as hs_lastmodifieddate,
        case when is_staged then stage_id(p, other_stage) end as dealstage,
        case when is_staged then cast(stage_chance(p, other_stage) as decimal(9, 4)) end
            as hs_deal_stage_probability,
        case when is_staged then other_stage = open_stages(p) + 1 end as hs_is_closed_won,
        case when is_staged then is_closing end as hs_is_closed,
        case when is_staged then tonight(id) end as hs_v2_date_entered_current_stage,
        case when is_closing then tonight(id) when is_redated then tonight(id) + ms(90 * other(id)) end
            as closedate,
        case when is_repriced then new_amount(id) end as amount,
        case when is_repriced then money(new_amount(id) * rate_of(cast(id as bigint) - {first_id})) end
            as amount_in_home_currency,
        case when chance between 0.75 and 0.85 then some_owner(other(id)) end as hubspot_owner_id,
        case when chance between 0.85 and 0.89 then true end as archived,
        case when chance between 0.85 and 0.89 then tonight(id) end as archived_at,
        -- Another one was merged into this one.
        case when chance between 0.89 and 0.91
            then concat_ws(';', hs_merged_object_ids,
                record_id('deals', cast(floor(other(id) * count_of('deals')) as bigint))) end
            as hs_merged_object_ids,
        chance between 0.91 and 0.93 as is_deleted,
        chance >= 0.93 as is_back_dated
    from judged
""".replace("{first_id}", str(FIRST_ID["deals"]))
_DEAL_VERSIONS = {
    "dealstage": ("dealstage", "dealstage"),
    "closedate": ("closedate", "iso(closedate)"),
    "amount": ("amount", "amount"),
    "hubspot_owner_id": ("hubspot_owner_id", "hubspot_owner_id"),
}
# Somebody corrects the past: a version before the last one, so that the present value stays.
_BACK_DATED = """
    select object_id, 'closedate', iso(max(timestamp) + ms(45)), max(timestamp) - ms(0.5 + other(object_id)),
        999999, 'INTEGRATION'
    from {history}
    where name = 'closedate' and object_id in (select id from edits where is_back_dated)
    group by object_id
"""

_CONTACT_EDITS = """
    with picked as (
        select *, chance(id) as chance
        from {file}
        where is_picked('contact', id) and archived is not true and merged_into_id is null
    )

    select
        id,
        tonight(id) as updated_at,
        tonight(id) as lastmodifieddate,
        case when chance < 0.3
            then lifecycle_stage(least(list_position({stages}, lifecyclestage), {last})) end
            as lifecyclestage,
        case when chance between 0.3 and 0.65 then some_owner(other(id)) end as hubspot_owner_id,
        case when chance between 0.3 and 0.65 then tonight(id) end as hubspot_owner_assigneddate,
        case when chance between 0.65 and 0.94 then among(['OPEN', 'IN_PROGRESS', 'CONNECTED'], other(id)) end
            as hs_lead_status,
        case when chance between 0.94 and 0.98 then true end as archived,
        case when chance between 0.94 and 0.98 then tonight(id) end as archived_at,
        chance > 0.98 as is_deleted
    from picked
""".replace("{stages}", str(people.LIFECYCLE)).replace("{last}", str(len(people.LIFECYCLE) - 1))
_CONTACT_VERSIONS = {name: (name, name) for name in ("lifecyclestage", "hubspot_owner_id", "hs_lead_status")}

_TASK_EDITS = """
    select id, tonight(id) as updated_at,
        case when chance(id) < 0.97 then 'COMPLETED' end as hs_task_status,
        case when chance(id) < 0.97 then tonight(id) end as hs_task_completion_date,
        chance(id) >= 0.97 as is_deleted
    from {file}
    where is_picked('task', id) and hs_task_status is distinct from 'COMPLETED'
"""
_TASK_VERSIONS = {"hs_task_status": ("hs_task_status", "hs_task_status")}

# Other activities: outcomes that come late, and a few that somebody deletes.
_KEPT = {
    "meetings": "select * replace (case when is_picked('meeting', id) and hs_meeting_start_time < as_of() "
    "then 'COMPLETED' else hs_meeting_outcome end as hs_meeting_outcome) from {file} "
    "where not (is_picked('meeting', id) and chance(id) > 0.98)",
    "calls": "select * replace (case when is_picked('call', id) "
    "then 1000 * cast(floor(600 * other(id)) as bigint) else hs_call_duration end as hs_call_duration) "
    "from {file} where not (is_picked('call', id) and chance(id) > 0.98)",
    "emails": "select * replace (case when is_picked('email', id) then hs_email_open_count + 1 "
    "else hs_email_open_count end as hs_email_open_count) from {file} "
    "where not (is_picked('email', id) and chance(id) > 0.98)",
}
