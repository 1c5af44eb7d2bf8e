"""Generated deals and their histories.

Belongs here: the life of a deal in SQL, from its number to its versions, and the row that agrees with
them: present values are the last versions. Made in chunks of numbers, so that memory stays small.
"""

from __future__ import annotations

from collections.abc import Iterator

import duckdb

from orchestration.bench.account import DEAL_PIPELINES, STAGES
from orchestration.ingest.contract import VERSION_CAP

_CHUNK = 200_000
_HISTORY_COLUMNS = (
    "object_id varchar, name varchar, value varchar, timestamp timestamptz, sequence bigint, "
    "source_type varchar, source_id varchar, updated_by_user_id varchar"
)
_TRACKED = {
    "pipeline": "pipeline",
    "dealstage": "dealstage",
    "amount": "amount",
    "closedate": "closedate",
    "hubspot_owner_id": "hubspot_owner_id",
    "hs_manual_forecast_category": "category",
}


def create_macros(connection: duckdb.DuckDBPyConnection) -> None:
    """Pipelines and stages as lists: p is the number of a pipeline from 1, position that of a stage."""
    ids = [[key for key, _, _ in stages] for stages in STAGES.values()]
    chances = [[float(chance) for _, _, chance in stages] for stages in STAGES.values()]
    macros = {
        "pipeline_id(p)": f"{list(DEAL_PIPELINES)}[p]",
        "pipeline_number(id)": f"list_position({list(DEAL_PIPELINES)}, id)",
        "stage_id(p, position)": f"{ids}[p][position]",
        "stage_position(p, id)": f"list_position({ids}[p], id)",
        "stage_chance(p, position)": f"{chances}[p][position]",
        "open_stages(p)": f"{[len(stages) - 2 for stages in STAGES.values()]}[p]",
        "money(x)": "cast(round(x, 2) as decimal(18, 2))",
        "category_at(chance)": "case when chance >= 0.75 then 'COMMIT' when chance >= 0.45 then 'BEST_CASE' "
        "else 'PIPELINE' end",
        "currency_of(n)": "case when u(n, 'currency') < 0.85 then 'USD' "
        "when u(n, 'currency') < 0.95 then 'EUR' else 'GBP' end",
        "rate_of(n)": "case currency_of(n) when 'EUR' then 1.08 when 'GBP' then 1.27 else 1.0 end",
    }
    for head, body in macros.items():
        connection.execute(f"create or replace temp macro {head} as {body}")


def create(connection: duckdb.DuckDBPyConnection, first: int, end: int) -> None:
    """Tables `deals` and `deal_property_history` of the numbers from `first` to before `end`."""
    connection.execute(f"create or replace table deal_property_history ({_HISTORY_COLUMNS})")
    for number, (low, high) in enumerate(_chunks(first, end)):
        connection.execute(f"create or replace temp table lives as {_LIVES.format(low=low, high=high)}")
        connection.execute(f"create or replace temp table versions as {_VERSIONS}")
        connection.execute(_HISTORY)
        target = "create or replace table deals as" if number == 0 else "insert into deals"
        connection.execute(f"{target} {_DEALS}")
    connection.execute("drop table versions; drop table lives")


def _chunks(first: int, end: int) -> Iterator[tuple[int, int]]:
    for low in range(first, max(end, first + 1), _CHUNK):  # one chunk at least: the tables must be there
        yield low, min(low + _CHUNK, end)


# How many events come after the creation, and how long it takes from there to the close. Few deals
# have very many events; some are never closed.
_LIVES = """
    select
        n,
        deal_created(n) as created,
        case when u(n, 'pipeline') < 0.7 then 1 when u(n, 'pipeline') < 0.85 then 2 else 3 end
            as first_pipeline,
        deal_owner(n) as owner,
        20 + exp(6 + 5 * u(n, 'amount')) as amount,
        u(n, 'amount is there') > 0.1 as has_amount,
        cast(least(90, floor(1.75 * pow(1.0000001 - u(n, 'events'), -0.5))) as integer) as event_count,
        least(3 - 45 * ln(1.0000001 - u(n, 'cycle')), 500) as cycle_days,
        u(n, 'never closed') < 0.06 as is_never_closed,
        u(n, 'reopened') < 0.03 as is_reopened,
        u(n, 'won') < case when u(n, 'pipeline') between 0.7 and 0.85 then 0.6 else 0.25 end as is_won
    from range({low}, {high}) as numbers (n)
"""

# One row per deal, event and property. Event 0 is the creation, event_count + 1 the close, the one
# after it a reopening. Several properties that are saved together share their instant.
_VERSIONS = f"""
    with events as (
        select *, unnest(range(0, event_count + 3)) as event from lives
    ),

    dated as (
        select
            *,
            created + ms(case
                when event = 0 then 0
                when event <= event_count
                    then cycle_days * (event - 0.5 + 0.4 * u(n, 'when' || event)) / (event_count + 1)
                when event = event_count + 1 then cycle_days
                else cycle_days + 20
            end) as t,
            case
                when event = 0 then 'create'
                when event = event_count + 1 then 'close'
                when event = event_count + 2 then 'reopen'
                else among(
                    ['forward', 'forward', 'forward', 'forward', 'push', 'push', 'push', 'amount', 'amount',
                     'back', 'category', case when u(n, 'rare' || event) < 0.2 then 'move' else 'owner' end],
                    u(n, 'kind' || event)
                )
            end as kind
        from events
    ),

    known as (
        select
            *,
            count(*) filter (kind = 'forward') over so_far - count(*) filter (kind = 'back') over so_far
                as steps,
            count(*) filter (kind = 'push') over so_far as pushes,
            count(*) filter (kind = 'move') over so_far as moves
        from dated
        where t < as_of()
            and not (is_never_closed and event > event_count)
            and (is_reopened or event < event_count + 2)
        window so_far as (partition by n order by event)
    ),

    placed as (
        select *, (first_pipeline + moves - 1) % 3 + 1 as p,
            greatest(least(steps + 1, open_stages((first_pipeline + moves - 1) % 3 + 1)), 1) as step
        from known
    ),

    staged as (
        select *,
            case
                when kind <> 'close' then step
                when is_won then open_stages(p) + 1
                else open_stages(p) + 2
            end as position
        from placed
    ),

    named as (
        select *,
            case when kind = 'forward' and u(n, 'deleted stage' || event) < 0.002 then 'deleted_stage_7'
                else stage_id(p, position) end as stage
        from staged
    ),

    saved as (
        select
            n,
            event,
            t,
            case when kind in ('create', 'move') then pipeline_id(p) end as pipeline,
            case
                when kind = 'move'
                    or kind in ('create', 'forward', 'back', 'close', 'reopen')
                    and stage is distinct from lag(stage) over (partition by n order by event)
                    then stage
            end as dealstage,
            case
                when kind = 'create' and has_amount then cast(money(amount) as varchar)
                when kind <> 'amount' then null
                when u(n, 'cleared' || event) < 0.02 then ''
                else cast(money(amount * (0.7 + 0.6 * u(n, 'amount' || event))) as varchar)
            end as amount,
            case
                when kind = 'close' then iso(t)
                when kind in ('create', 'push') and u(n, 'close date is there') > 0.02
                    then iso(created + ms(cycle_days * (0.6 + 0.6 * u(n, 'plan'))
                        + 20 * pushes - 50 * (u(n, 'pulled' || event) < 0.15)::integer))
                when kind = 'reopen' then iso(t + ms(30))
            end as closedate,
            case
                when kind = 'create' then owner
                when kind = 'owner' then some_owner(u(n, 'owner' || event))
            end as hubspot_owner_id,
            case
                when kind = 'close' and u(n, 'forecast') < 0.4
                    then case when is_won then 'CLOSED' else 'OMIT' end
                when kind = 'category' or kind = 'create' and u(n, 'forecast') < 0.25
                    then category_at(stage_chance(p, position))
            end as category,
            case when kind = 'create' and currency_of(n) <> 'USD' then currency_of(n) end as currency,
            case when kind = 'create' and currency_of(n) <> 'USD' then cast(rate_of(n) as varchar) end as rate
        from named
    )

    select n, event, t, property.name as name, property.value as value
    from (
        select n, event, t, unnest([
            {", ".join(f"{{name: '{name}', value: {column}}}" for name, column in _TRACKED.items())},
            {{name: 'deal_currency_code', value: currency}},
            {{name: 'hs_exchange_rate', value: rate}}
        ]) as property
        from saved
    ) as properties
    where property.value is not null
"""

# HubSpot keeps the last versions of a property only. Some stages are passed in one instant.
_HISTORY = f"""
    insert into deal_property_history
    with long_lives as (
        select n from lives where event_count > {VERSION_CAP["deals"]}
    ),

    kept as (
        select * from versions where n not in (from long_lives)
        union all
        select * from versions where n in (from long_lives)
        qualify row_number() over (partition by n, name order by event desc) <= {VERSION_CAP["deals"]}
    )

    select
        record_id('deals', n) as object_id,
        name,
        value,
        t as timestamp,
        2 * event + 1 as sequence,
        case when event > 0 and u(n, 'source' || event) < 0.1 then 'AUTOMATION_PLATFORM' else 'CRM_UI' end
            as source_type,
        null as source_id,
        user_id(n % 97) as updated_by_user_id
    from kept
    union all
    select
        record_id('deals', n), name, 'deleted_stage_7', t, 2 * event, 'CRM_UI', null, user_id(n % 97)
    from kept
    where name = 'dealstage' and event > 0 and u(n, 'passed' || event) < 0.004
    order by object_id, timestamp, sequence
"""

_PRESENT = ",\n".join(
    f"max_by(value, event) filter (name = '{name}') as {column}" for name, column in _TRACKED.items()
)

_DEALS = f"""
    with present as (
        select
            n,
            {_PRESENT},
            max(t) as modified,
            max(t) filter (name = 'dealstage') as in_stage_since
        from versions
        group by n
    ),

    placed as (
        select
            lives.* exclude (amount, owner),
            present.* exclude (n),
            pipeline_number(pipeline) as p,
            stage_position(pipeline_number(pipeline), dealstage) as position,
            cast(nullif(present.amount, '') as decimal(18, 2)) as present_amount
        from present
        inner join lives on present.n = lives.n
    ),

    judged as (
        select *,
            coalesce(position > open_stages(p), false) as is_closed,
            coalesce(position = open_stages(p) + 1, false) as is_closed_won,
            stage_chance(p, position) as chance
        from placed
    )

    select
        record_id('deals', n) as id,
        created as created_at,
        modified as updated_at,
        u(n, 'archived deal') < 0.01 as archived,
        case when u(n, 'archived deal') < 0.01 then modified end as archived_at,
        case when n > 0 and u(n, 'merged deal') < 0.003 then record_id('deals', n - 1) end
            as merged_into_id,
        'Deal ' || n || case when n % 50 = 0 then ' 🚀 "big"' else '' end as dealname,
        pipeline,
        dealstage,
        present_amount as amount,
        currency_of(n) as deal_currency_code,
        money(present_amount * rate_of(n)) as amount_in_home_currency,
        cast(rate_of(n) as decimal(18, 6)) as hs_exchange_rate,
        cast(closedate as timestamptz) as closedate,
        -- Imports: created long before their history begins.
        case when u(n, 'imported') < 0.02 then created - ms(200) else created end as createdate,
        created as hs_createdate,
        modified as hs_lastmodifieddate,
        hubspot_owner_id,
        among(['newbusiness', 'existingbusiness', null], u(n, 'type')) as dealtype,
        case when is_closed and not is_closed_won then among(
            ['Price', 'price', 'No budget;Timing', 'Competitor', 'No response', null], u(n, 'loss'))
        end as closed_lost_reason,
        case when is_closed_won then among(['Product', 'Service', null], u(n, 'gain')) end
            as closed_won_reason,
        cast(chance as decimal(9, 4)) as hs_deal_stage_probability,
        category as hs_manual_forecast_category,
        case when u(n, 'own forecast') < 0.3 then money(present_amount * rate_of(n) * chance) end
            as hs_forecast_amount,
        among(['OFFLINE', 'ORGANIC_SEARCH', 'PAID_SEARCH', 'REFERRALS', 'DIRECT_TRAFFIC', 'EMAIL_MARKETING',
               'SOCIAL_MEDIA', null], u(n, 'deal source')) as hs_analytics_source,
        is_closed_won as hs_is_closed_won,
        is_closed as hs_is_closed,
        case when u(n + 1, 'merged deal') < 0.003 then record_id('deals', n + 1) end
            as hs_merged_object_ids,
        among(['low', 'medium', 'high', null], u(n, 'priority')) as hs_priority,
        in_stage_since as hs_v2_date_entered_current_stage
    from judged
    order by n
"""
