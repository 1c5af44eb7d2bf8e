"""From raw rows to what the reports count, by another road than the models.

Belongs here: the few relations that invariants about numbers start from, each a select over
`raw_hubspot` alone, written from `decisions.md` without a look at staging, intermediate or core.
`run_invariants` creates those that are needed as temporary tables. What a report makes of them
stands with the report. Instant and time zone of the run are variables (`VARIABLES`): as subqueries
they would be joined to each row of every table.
"""

from __future__ import annotations

from collections.abc import Mapping

RUN_TS = "getvariable('run_ts')"
# The instants that a local day belongs to are told by the account's own zone (C3).
DAY = "cast(timezone(getvariable('time_zone'), {instant}) as date)"

# What a deal shows of its history as it is now (H6).
COMPARED_PROPERTIES = (
    *("dealstage", "pipeline", "amount", "closedate", "hubspot_owner_id"),
    "hs_manual_forecast_category",
)


def day(instant: str) -> str:
    """SQL of the local calendar date of an instant."""
    return DAY.format(instant=instant)


def in_population(alias: str, created_at: str) -> str:
    """SQL predicate of the records that count (C10, P1, H1), but for those merged away by a list."""
    return f"""
        {alias}.archived is not true
        and {alias}.hard_deleted_at is null
        and {alias}.merged_into_id is null
        and coalesce({created_at} < getvariable('run_ts'), true)
    """


def unlike_last_versions(rows: str, values: Mapping[str, str], differs: str) -> str:
    """SQL of the values that differ from the last versions of their properties: id, name, value, last_value.

    `rows` is a relation with deal_id, `values` what it has of each of COMPARED_PROPERTIES, and `differs` the
    predicate over value and last_value. Only rows that differ are taken apart.
    """
    pairs = {name: {"value": values[name], "last_value": f"versions.{name}"} for name in COMPARED_PROPERTIES}
    some = " or ".join(f"(versions.{name} is not null and {differs.format(**pairs[name])})" for name in pairs)
    apart = ", ".join(
        f"{{'name': '{name}', 'value': {pair['value']}, 'last_value': {pair['last_value']}}}"
        for name, pair in pairs.items()
    )
    return f"""
        select * from (
            select deal_id as id, unnest([{apart}], recursive := true)
            from {rows} as compared
            inner join proof_last_versions as versions using (deal_id)
            where {some}
        ) as taken_apart
        where last_value is not null and {differs.format(value="value", last_value="last_value")}
    """


def delivered(table: str, column: str) -> str:
    """SQL predicate: whether the source delivered the column; a report without it is empty (K11)."""
    return f"""exists (
        select 1 from raw_hubspot._available_columns
        where table_name = '{table}' and column_name = '{column}'
    )"""


def available(*reports: str) -> str:
    """SQL predicate: whether the source delivered what the reports need; else they are empty (K11)."""
    names = ", ".join(f"'{report}'" for report in reports)
    return f"not exists (select 1 from core.fct_missing_inputs where report in ({names}))"


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
            where "timestamp" < getvariable('run_ts')
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
    "proof_meetings": f"""
        select
            meetings.id as meeting_id,
            coalesce(meetings.hs_createdate, meetings.created_at) as created_at,
            coalesce(meetings.hs_meeting_start_time, meetings.hs_timestamp) as start_at,
            {day("coalesce(meetings.hs_createdate, meetings.created_at)")} as created_date,
            {day("coalesce(meetings.hs_meeting_start_time, meetings.hs_timestamp)")} as start_date,
            coalesce(nullif(meetings.hs_meeting_outcome, ''), 'none') as meeting_outcome_id,
            coalesce(nullif(meetings.hs_activity_type, ''), '(No type)') as meeting_type,
            coalesce(nullif(meetings.hubspot_owner_id, ''), 'none') as owner_id
        from raw_hubspot.meetings
        where {in_population("meetings", "coalesce(meetings.hs_createdate, meetings.created_at)")}
    """,
    # hs_timestamp is the due date.
    "proof_tasks": f"""
        select
            tasks.id as task_id,
            {day("coalesce(tasks.hs_createdate, tasks.created_at)")} as created_date,
            coalesce(nullif(tasks.hs_task_status, ''), 'NOT_STARTED') as task_status,
            coalesce(
                tasks.hs_timestamp < getvariable('run_ts')
                and tasks.hs_task_status is distinct from 'COMPLETED',
                false
            ) as is_overdue,
            coalesce(nullif(tasks.hubspot_owner_id, ''), 'none') as owner_id
        from raw_hubspot.tasks
        where {in_population("tasks", "coalesce(tasks.hs_createdate, tasks.created_at)")}
    """,
    "proof_emails": f"""
        select
            emails.id as email_id,
            {day("emails.hs_timestamp")} as activity_date,
            coalesce(emails.hs_email_direction, '') as direction,
            coalesce(emails.hs_email_status, '') in ('FAILED', 'BOUNCED', 'SCHEDULED', 'SENDING')
                as is_undelivered,
            coalesce(nullif(emails.hubspot_owner_id, ''), 'none') as owner_id
        from raw_hubspot.emails
        where {in_population("emails", "coalesce(emails.hs_createdate, emails.created_at)")}
    """,
    "proof_notes": f"""
        select
            notes.id as note_id,
            {day("notes.hs_timestamp")} as activity_date,
            coalesce(nullif(notes.hubspot_owner_id, ''), 'none') as owner_id
        from raw_hubspot.notes
        where {in_population("notes", "notes.created_at")}
    """,
    # Threads whose original channel is a chat (2a).
    "proof_chats": f"""
        select
            threads.id as thread_id,
            {day("threads.created_at")} as created_date,
            case channels.kind when 'LIVE_CHAT' then 'live_chat' else 'facebook_messenger' end as channel,
            coalesce(threads.status = 'CLOSED', false) as is_closed
        from raw_hubspot.conversation_threads as threads
        inner join raw_hubspot.conversation_channels as channels
            on threads.original_channel_id = channels.id
        where channels.kind in ('LIVE_CHAT', 'FB_MESSENGER')
            and threads.spam is not true
            and {in_population("threads", "threads.created_at")}
    """,
    # One row per contact that counts; merged_here: others were merged into it (P1, P2).
    "proof_contacts": f"""
        with merges as (
            select id as survivor_id, trim(unnest(string_split(hs_merged_object_ids, ';'))) as former_id
            from raw_hubspot.contacts
            where hs_merged_object_ids <> ''
            union
            select merged_into_id, id
            from raw_hubspot.contacts
            where merged_into_id <> ''
        ),
        first_versions as (
            select object_id, min("timestamp") as first_at
            from raw_hubspot.contact_property_history
            where "timestamp" < getvariable('run_ts')
                and object_id in (
                    select id from raw_hubspot.contacts where coalesce(createdate, created_at) is null
                )
            group by object_id
        ),
        contacts as (
            select contacts.*, coalesce(createdate, created_at, first_at) as creation
            from raw_hubspot.contacts
            left join first_versions on contacts.id = first_versions.object_id
        )
        select
            contacts.id as contact_id,
            contacts.creation as created_at,
            {day("contacts.creation")} as created_date,
            coalesce(nullif(contacts.hubspot_owner_id, ''), 'none') as owner_id,
            coalesce(nullif(contacts.hs_analytics_source, ''), '(No source)') as source,
            contacts.hubspot_owner_assigneddate as assigned_at,
            contacts.lifecyclestage,
            contacts.id in (select survivor_id from merges where former_id <> survivor_id) as merged_here
        from contacts
        where {in_population("contacts", "contacts.creation")}
            and contacts.id not in (select former_id from merges where former_id <> survivor_id)
    """,
    # Pairs of a contact and a deal, once each (P14).
    "proof_contact_deals": """
        select from_id as contact_id, to_id as deal_id
        from raw_hubspot.associations
        where from_type = 'contact' and to_type = 'deal'
        union
        select to_id, from_id
        from raw_hubspot.associations
        where from_type = 'deal' and to_type = 'contact'
    """,
    # Versions of contact properties before the run (H1, H10).
    "proof_contact_versions": """
        select
            object_id as contact_id,
            name,
            "timestamp" as changed_at,
            nullif(trim(value), '') as value,
            instant_value,
            sequence
        from raw_hubspot.contact_property_history
        where "timestamp" < getvariable('run_ts')
    """,
    # What a property of a deal was from each instant on: the last version of a timestamp holds (H7),
    # read as numbers and instants where it is one (H10); '' is cleared.
    "proof_moments": """
        select
            object_id as deal_id,
            name,
            "timestamp" as moment_at,
            arg_max(value, sequence) as value,
            lag(arg_max(value, sequence)) over in_order as value_before,
            lead("timestamp") over in_order is null as is_last
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
            where "timestamp" < getvariable('run_ts')
                and object_id in (select deal_id from proof_deals)
        ) as versions
        group by object_id, name, "timestamp"
        window in_order as (partition by object_id, name order by "timestamp")
    """,
    # The last version of each of COMPARED_PROPERTIES, one row per deal; NULL: there is none.
    "proof_last_versions": f"""
        select deal_id,
            {", ".join(f"max(value) filter (where name = '{it}') as {it}" for it in COMPARED_PROPERTIES)}
        from proof_moments
        where is_last
        group by deal_id
    """,
    # Deals whose whole history knows one pipeline: their visits can be told from the stage versions
    # alone. is_early: a stage version is older than the deal.
    "proof_one_pipeline_deals": """
        with moments as (
            select deal_id,
                bool_or(name = 'dealstage') as has_stage,
                bool_or(name = 'pipeline' and value <> value_before) as has_moved,
                min(moment_at) filter (where name = 'dealstage') as first_stage_at
            from proof_moments
            where name in ('dealstage', 'pipeline')
            group by deal_id
        )
        select deal_id, created_at, first_stage_at < created_at as is_early
        from proof_deals
        inner join moments using (deal_id)
        where created_at is not null and has_stage and has_moved is not true
    """,
}
