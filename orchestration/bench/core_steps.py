"""The core of the reports in hand-written SQL, as somebody would write it who needs nothing else.

Belongs here: the yardstick of the benchmark: five steps in one DuckDB database, from the files to
typed tables, deal states, stage visits, first engagements and the open pipeline per day. They follow
the definitions of the models but for rare cases (truncated histories, unknown stages, several merges),
keep no history and check nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb

from orchestration.bench.numbers import FIRST_DAY, Account
from orchestration.ingest import values
from orchestration.ingest.contract import TABLES
from orchestration.ingest.values import literal, quoted

_LOADED = (
    "deals deal_property_history contacts contact_property_history calls meetings tasks emails "
    "task_property_history associations pipeline_stages"
).split()


def steps(folder: Path, account: Account) -> Iterator[tuple[str, list[str], str]]:
    """Name, statements and resulting table of each step, in order."""
    run_ts = f"timestamptz '{account.as_of.isoformat()}'"
    yield "typed load", [_typed_load(folder, table) for table in _LOADED], "deal_property_history"
    for name, table, query in (
        ("deal states", "deal_states", _DEAL_STATES),
        ("stage visits", "stage_visits", _STAGE_VISITS),
        ("first engagement", "first_engagements", _FIRST_ENGAGEMENTS),
        ("open pipeline per day", "open_pipeline", _OPEN_PIPELINE),
    ):
        sql = query.replace("$run_ts", run_ts).replace("$first_day", f"date '{FIRST_DAY.date()}'")
        yield name, [f"create table {table} as {sql}"], table


def _typed_load(folder: Path, name: str) -> str:
    """Statement that creates a typed table of what is in the file."""
    path = literal(str(folder / f"{name}.parquet"))
    with duckdb.connect() as connection:
        found = [row[0] for row in connection.execute(f"describe from {path}").fetchall()]
    typed = ", ".join(
        f"cast({quoted(column)} as {values.SQL_TYPES[TABLES[name].columns[column]]}) as {quoted(column)}"
        for column in found
    )
    return f"create table {name} as select {typed} from {path}"


_DEAL_STATES = """
    with population as (
        select id, createdate, coalesce(hs_exchange_rate, 1) as rate
        from deals
        where archived is not true and merged_into_id is null and createdate < $run_ts
    ),

    changes as (
        select
            object_id,
            timestamp,
            max_by(value, sequence) filter (name = 'pipeline') as pipeline,
            max_by(value, sequence) filter (name = 'dealstage') as dealstage,
            max_by(value, sequence) filter (name = 'amount') as amount,
            max_by(value, sequence) filter (name = 'closedate') as closedate,
            max_by(value, sequence) filter (name = 'hubspot_owner_id') as owner,
            max_by(value, sequence) filter (name = 'hs_manual_forecast_category') as category
        from deal_property_history
        where timestamp < $run_ts
        group by object_id, timestamp
    ),

    carried as (
        select
            object_id,
            timestamp as valid_from,
            lead(timestamp) over in_order as valid_to,
            last_value(pipeline ignore nulls) over so_far as pipeline_id,
            last_value(dealstage ignore nulls) over so_far as stage_id,
            last_value(amount ignore nulls) over so_far as amount,
            last_value(closedate ignore nulls) over so_far as closedate,
            last_value(owner ignore nulls) over so_far as owner_id,
            last_value(category ignore nulls) over so_far as category
        from changes
        window in_order as (partition by object_id order by timestamp),
            so_far as (
                partition by object_id order by timestamp rows between unbounded preceding and current row
            )
    )

    select
        carried.object_id as deal_id,
        valid_from,
        valid_to,
        carried.pipeline_id,
        carried.stage_id,
        coalesce(owner_id, 'none') as owner_id,
        category,
        cast(round(cast(nullif(amount, '') as decimal(18, 4)) * rate, 2) as decimal(18, 2)) as company_amount,
        cast(nullif(closedate, '') as timestamptz) as close_at,
        case when stages.probability >= 1 then 'won' when stages.probability <= 0 then 'lost' else 'open' end
            as deal_status
    from carried
    inner join population on carried.object_id = population.id
    left join pipeline_stages as stages
        on carried.pipeline_id = stages.pipeline_id and carried.stage_id = stages.id
"""

_STAGE_VISITS = """
    with moves as (
        select *,
            lag(stage_id) over in_order is distinct from stage_id
                or lag(pipeline_id) over in_order is distinct from pipeline_id as is_new
        from deal_states
        window in_order as (partition by deal_id order by valid_from)
    )

    select deal_id, pipeline_id, stage_id, valid_from as entered_at,
        row_number() over in_order as visit_number,
        lead(valid_from) over in_order as exited_at,
        epoch_ms(coalesce(lead(valid_from) over in_order, $run_ts)) - epoch_ms(valid_from) as duration_ms
    from moves
    where is_new
    window in_order as (partition by deal_id order by valid_from)
"""

_FIRST_ENGAGEMENTS = """
    with assigned as (
        select contacts.id, contacts.hubspot_owner_id as owner_id,
            coalesce(max(history.timestamp), any_value(contacts.hubspot_owner_assigneddate)) as assigned_at
        from contacts
        left join contact_property_history as history
            on contacts.id = history.object_id
            and history.name = 'hubspot_owner_id'
            and history.value = contacts.hubspot_owner_id
        where contacts.archived is not true and contacts.merged_into_id is null
            and contacts.hubspot_owner_id is not null
        group by contacts.id, contacts.hubspot_owner_id
    ),

    engagements as (
        select 'email' as type, id, hubspot_owner_id as owner_id, hs_timestamp as at from emails
        where archived is not true and hs_email_direction = 'EMAIL'
        union all
        select 'call', id, hubspot_owner_id, hs_timestamp from calls where archived is not true
        union all
        select 'meeting', id, hubspot_owner_id, coalesce(hs_meeting_start_time, hs_timestamp) from meetings
        where archived is not true
        union all
        select 'task', tasks.id, tasks.hubspot_owner_id, history.timestamp
        from tasks
        inner join task_property_history as history on tasks.id = history.object_id
        where tasks.archived is not true and history.value in ('IN_PROGRESS', 'COMPLETED')
    )

    select assigned.id as contact_id, any_value(assigned.owner_id) as owner_id,
        any_value(assigned.assigned_at) as assigned_at,
        min(engagements.at) as engaged_at,
        min_by(engagements.type, engagements.at) as engagement_type,
        min_by(engagements.id, engagements.at) as engagement_id
    from engagements
    inner join associations
        on engagements.type = associations.from_type and engagements.id = associations.from_id
        and associations.to_type = 'contact'
    inner join assigned
        on associations.to_id = assigned.id and engagements.owner_id = assigned.owner_id
    where engagements.at between assigned.assigned_at and $run_ts
    group by assigned.id
"""

_OPEN_PIPELINE = """
    with steps as (
        select cast(valid_from at time zone 'America/New_York' as date) as day,
            owner_id, pipeline_id, stage_id, 1 as deals, coalesce(company_amount, 0) as amount
        from deal_states where deal_status = 'open'
        union all
        select cast(valid_to at time zone 'America/New_York' as date), owner_id, pipeline_id, stage_id,
            -1, -coalesce(company_amount, 0)
        from deal_states where deal_status = 'open' and valid_to is not null
    ),

    levels as (
        select owner_id, pipeline_id, stage_id, day,
            lead(day, 1, cast($run_ts at time zone 'America/New_York' as date)) over in_order as next_day,
            sum(sum(deals)) over in_order as deals,
            sum(sum(amount)) over in_order as amount
        from steps
        group by owner_id, pipeline_id, stage_id, day
        window in_order as (partition by owner_id, pipeline_id, stage_id order by day)
    )

    select owner_id, pipeline_id, stage_id, deals, amount,
        day + cast(unnest(range(next_day - day)) as integer) as day
    from levels
    where deals > 0
"""
