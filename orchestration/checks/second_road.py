"""From raw rows to what the reports count, by another road than the models.

Belongs here: the few relations that invariants about numbers start from, each a select over
`raw_hubspot` alone, written from `decisions.md` without a look at staging, intermediate or core.
`run_invariants` creates those that are needed as temporary tables. What a report makes of them
stands with the report.
"""

from __future__ import annotations

# The instants that a local day belongs to are told by the account's own zone (C3).
DAY = "cast(timezone((select time_zone from raw_hubspot._run), {instant}) as date)"


def day(instant: str) -> str:
    """SQL of the local calendar date of an instant."""
    return DAY.format(instant=instant)


def in_population(alias: str, created_at: str) -> str:
    """SQL predicate of the records that count (C10, P1, H1), but for those merged away by a list."""
    return f"""
        {alias}.archived is not true
        and {alias}.hard_deleted_at is null
        and {alias}.merged_into_id is null
        and coalesce({created_at} < (select run_ts from raw_hubspot._run), true)
    """


def delivered(table: str, column: str) -> str:
    """SQL predicate: whether the source delivered the column; a report without it is empty (K11)."""
    return f"""exists (
        select 1 from raw_hubspot._available_columns
        where table_name = '{table}' and column_name = '{column}'
    )"""


RELATIONS: dict[str, str] = {
    # Class by the configured probability (C4); NULL is unknown (P3).
    "proof_stages": """
        select
            pipeline_id,
            id as stage_id,
            case
                when probability >= 1 then 'won'
                when probability <= 0 then 'lost'
                when probability > 0 then 'open'
                else 'unknown'
            end as stage_class
        from raw_hubspot.pipeline_stages
        where object_type = 'deal'
    """,
    # Ids that another record lists as merged into it, whatever became of that one (P1).
    "proof_merged_deals": """
        select distinct trim(former_id) as deal_id
        from (
            select id, unnest(string_split(hs_merged_object_ids, ';')) as former_id
            from raw_hubspot.deals
            where hs_merged_object_ids <> ''
        ) as former
        where trim(former_id) <> id
    """,
    # One row per deal that counts, as its row says today (H6); class by C4, an unknown one open (P4).
    "proof_deals": f"""
        with first_versions as (
            select object_id, min("timestamp") as first_at
            from raw_hubspot.deal_property_history
            where "timestamp" < (select run_ts from raw_hubspot._run)
                and object_id in (
                    select id from raw_hubspot.deals
                    where coalesce(createdate, hs_createdate, created_at) is null
                )
            group by object_id
        ),
        deals as (
            select
                deals.*,
                coalesce(createdate, hs_createdate, created_at, first_at) as creation
            from raw_hubspot.deals
            left join first_versions on deals.id = first_versions.object_id
        ),
        -- A stage id that stands in one pipeline only means that one, wherever the deal is (P3).
        lone_stages as (
            select stage_id, min(stage_class) as stage_class
            from proof_stages
            group by stage_id
            having count(*) = 1
        )
        select
            deals.id as deal_id,
            deals.creation as created_at,
            {day("deals.creation")} as created_date,
            deals.closedate as close_at,
            {day("deals.closedate")} as close_date,
            coalesce(nullif(deals.hubspot_owner_id, ''), 'none') as owner_id,
            coalesce(nullif(deals.pipeline, ''), 'none') as pipeline_id,
            case
                when coalesce(own.stage_class, lone.stage_class) in ('won', 'lost')
                    then coalesce(own.stage_class, lone.stage_class)
                else 'open'
            end as deal_status,
            -- Rounded once per deal, half away from zero (P9, P10).
            cast(round(coalesce(
                deals.amount_in_home_currency,
                deals.amount * cast(coalesce(deals.hs_exchange_rate, 1) as decimal(38, 10))
            ), 2) as decimal(38, 2)) as amount,
            coalesce(nullif(deals.hs_analytics_source, ''), '(No source)') as source,
            deals.closed_lost_reason,
            coalesce(deals.creation < deals.closedate, false) as is_valid,
            epoch_ms(deals.closedate) - epoch_ms(deals.creation) as cycle_ms
        from deals
        left join proof_stages as own
            on deals.pipeline = own.pipeline_id and deals.dealstage = own.stage_id
        left join lone_stages as lone on deals.dealstage = lone.stage_id
        where {in_population("deals", "deals.creation")}
            and deals.id not in (select deal_id from proof_merged_deals)
    """,
    # Owners with name and main team as every report shows them (P6, P7, K2).
    "proof_owners": """
        with main_teams as (
            select
                owner_id,
                min(team_id) as team_id
            from raw_hubspot.owner_teams
            where is_primary
                -- Without any teams nobody is in one (P17).
                and (
                    exists (select 1 from raw_hubspot.teams)
                    or exists (
                        select 1 from raw_hubspot._available_columns where table_name = 'teams'
                    )
                )
            group by owner_id
        )
        select
            owners.id as owner_id,
            coalesce(
                nullif(trim(concat_ws(' ', owners.first_name, owners.last_name)), ''),
                nullif(owners.email, ''),
                'Owner ' || owners.id
            ) || case when owners.archived then ' (deactivated)' else '' end as owner_name,
            coalesce(main_teams.team_id, 'none') as team_id,
            case
                when main_teams.team_id is null then '(No team)'
                when teams.id is null then 'Team ' || main_teams.team_id
                else teams.name || case when teams.archived then ' (archived)' else '' end
            end as team_name
        from raw_hubspot.owners
        left join main_teams on owners.id = main_teams.owner_id
        left join raw_hubspot.teams on main_teams.team_id = teams.id
        union all
        select 'none', '(Unassigned)', 'none', '(No team)'
    """,
    "proof_pipelines": """
        select id as pipeline_id, label as pipeline_label
        from raw_hubspot.pipelines
        where object_type = 'deal'
        union all
        select 'none', '(No pipeline)'
    """,
    "proof_calls": f"""
        select
            calls.id as call_id,
            {day("calls.hs_timestamp")} as activity_date,
            coalesce(nullif(calls.hs_call_direction, ''), '(No direction)') as call_direction,
            coalesce(nullif(calls.hs_call_disposition, ''), 'none') as call_outcome_id,
            coalesce(nullif(calls.hubspot_owner_id, ''), 'none') as owner_id,
            calls.hs_call_duration as duration_ms
        from raw_hubspot.calls
        where {in_population("calls", "coalesce(calls.hs_createdate, calls.created_at)")}
    """,
    # What a property of a deal was from each instant on: the last version of a timestamp holds (H7),
    # read as numbers and instants where it is one (H10); '' is cleared.
    "proof_moments": """
        select
            object_id as deal_id,
            name,
            "timestamp" as moment_at,
            arg_max(value, sequence) as value,
            lag(arg_max(value, sequence)) over (
                partition by object_id, name order by "timestamp"
            ) as value_before
        from (
            select
                object_id,
                name,
                "timestamp",
                sequence,
                coalesce(case
                    when name in ('amount', 'hs_exchange_rate', 'hs_deal_stage_probability')
                        then cast(number_value as varchar)
                    when name = 'closedate' then cast(instant_value as varchar)
                    else trim(value)
                end, '') as value
            from raw_hubspot.deal_property_history
            where "timestamp" < (select run_ts from raw_hubspot._run)
                and object_id in (select deal_id from proof_deals)
        ) as versions
        group by object_id, name, "timestamp"
    """,
}
