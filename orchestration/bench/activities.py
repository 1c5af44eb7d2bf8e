"""Generated calls, meetings, tasks, e-mails and notes, and who is associated with whom.

Belongs here: queries over a range of numbers, as in `people.py`. Most activities belong to a deal and
its contact; few deals and contacts have very many.
"""

from __future__ import annotations

from collections.abc import Mapping

import duckdb

from orchestration.bench.numbers import ACTIVITIES_PER_DEAL

SINGULAR = {"calls": "call", "meetings": "meeting", "tasks": "task", "emails": "email", "notes": "note"}
OUTCOMES = [
    "9d9162e7-6cf3-4944-bf63-4dff82258764",
    "f240bbac-87c9-4f6e-bf70-924b57d47db7",
    "73a0d17f-1163-4015-bdd5-ec830791da20",
    "b2cf5968-551e-4856-9783-52b3da59a7d0",
]


def create_macros(connection: duckdb.DuckDBPyConnection) -> None:
    """`activities(kind, first, upto)`: of each number the deal, contact, owner and instant."""
    done = "t + ms(0.1 + 9 * u(n, 'task takes'))"
    connection.execute(
        f"create or replace temp macro task_done(n, t) as "
        f"case when u(n, 'task is done') < 0.85 and {done} < as_of() then {done} end"
    )
    connection.execute(
        "create or replace temp macro email_direction(n) as case "
        "when u(n, 'email direction') < 0.75 then 'EMAIL' "
        "when u(n, 'email direction') < 0.97 then 'INCOMING_EMAIL' else 'FORWARDED_EMAIL' end"
    )
    connection.execute(f"create or replace temp macro activities(kind, first, upto) as table {_ACTIVITIES}")


def queries(first: Mapping[str, int], end: Mapping[str, int]) -> dict[str, str]:
    """A query per table, for the numbers of its records from `first` to before `end`."""
    numbers = {kind: {"first": first[kind], "end": end[kind]} for kind in ACTIVITIES_PER_DEAL}
    return {
        **{kind: _TABLES[kind].format(**numbers[kind]) for kind in ACTIVITIES_PER_DEAL},
        "task_property_history": _TASK_HISTORY.format(**numbers["tasks"]),
        "associations": " union all ".join(
            [
                _OF_DEALS.format(first=first["deals"], end=end["deals"]),
                _OF_CONTACTS.format(first=first["contacts"], end=end["contacts"]),
                *(
                    _OF_ACTIVITIES.format(kind=kind, singular=SINGULAR[kind], **numbers[kind])
                    for kind in ACTIVITIES_PER_DEAL
                ),
            ]
        ),
    }


# New activities of a night are about any deals, on the night's day.
_ACTIVITIES = """
    with drawn as (
        select n, skewed(count_of('deals'), u(n, kind || ' deal'), 1.5) as deal
        from range(first, upto) as numbers (n)
    ),

    met as (
        select
            n,
            deal,
            case
                when u(n, kind || ' cold') < 0.15
                    then skewed(count_of('contacts'), u(n, kind || ' contact'), 2)
                else contact_of(deal) + (u(n, kind || ' contact') < 0.4)::bigint
            end as contact,
            case
                when n >= count_of(kind) then end_day() - 1
                when deal_day(deal) - 30 * ln(1.0000001 - u(n, kind || ' day')) < end_day()
                    then floor(deal_day(deal) - 30 * ln(1.0000001 - u(n, kind || ' day')))
                else deal_day(deal) + floor((end_day() - deal_day(deal)) * u(n, kind || ' other day'))
            end as day
        from drawn
    )

    select
        n,
        deal,
        contact,
        case
            when u(n, kind || ' unassigned') < 0.01 then null
            when u(n, kind || ' colleague') < 0.1 then some_owner(u(n, kind || ' owner'))
            else contact_owner(contact)
        end as owner,
        in_day(day, n, kind || ' instant') as t,
        u(n, kind || ' archived') < 0.01 as is_archived,
        u(n, kind || ' with deal') < 0.7 as has_deal
    from met
"""

_COMMON = """
        t as created_at,
        t as updated_at,
        is_archived as archived,
        case when is_archived then t end as archived_at,
        owner as hubspot_owner_id
"""
_TABLES = {
    "calls": f"""
    select
        record_id('calls', n) as id,
        {_COMMON},
        t as hs_timestamp,
        t as hs_createdate,
        'Call ' || n % 1000 as hs_call_title,
        among(['OUTBOUND', 'OUTBOUND', 'OUTBOUND', 'OUTBOUND', 'INBOUND', null], u(n, 'call direction'))
            as hs_call_direction,
        among({[*OUTCOMES, "gone-outcome"]}, u(n, 'call outcome') * 0.802) as hs_call_disposition,
        'COMPLETED' as hs_call_status,
        cast(floor(1800000 * pow(u(n, 'call duration'), 4)) as bigint) as hs_call_duration,
        among(['Intro', 'Demo', null], u(n, 'call type')) as hs_activity_type,
        'CRM_UI' as hs_call_source
    from activities('calls', {{first}}, {{end}})
""",
    "meetings": f"""
    select
        record_id('meetings', n) as id,
        {_COMMON},
        t + ms(1 + floor(13 * u(n, 'meeting lead'))) as hs_timestamp,
        t as hs_createdate,
        t + ms(1 + floor(13 * u(n, 'meeting lead'))) as hs_meeting_start_time,
        t + ms(1.03 + floor(13 * u(n, 'meeting lead'))) as hs_meeting_end_time,
        case
            when t + ms(1 + floor(13 * u(n, 'meeting lead'))) >= as_of() then 'SCHEDULED'
            else among(['COMPLETED', 'COMPLETED', 'COMPLETED', 'COMPLETED', 'NO_SHOW', 'CANCELED',
                'RESCHEDULED', 'SCHEDULED', null], u(n, 'meeting outcome'))
        end as hs_meeting_outcome,
        'Meeting ' || n % 1000 as hs_meeting_title,
        among(['Demo', 'Review', null], u(n, 'meeting type')) as hs_activity_type,
        'CRM_UI' as hs_meeting_source
    from activities('meetings', {{first}}, {{end}})
""",
    "tasks": f"""
    select
        record_id('tasks', n) as id,
        {_COMMON},
        t + ms(1 + floor(6 * u(n, 'task due'))) as hs_timestamp,
        t as hs_createdate,
        'Task ' || n % 1000 as hs_task_subject,
        case
            when task_done(n, t) is not null then 'COMPLETED'
            when u(n, 'task begun') < 0.3 then 'IN_PROGRESS'
            else 'NOT_STARTED'
        end as hs_task_status,
        among(['TODO', 'CALL', 'EMAIL'], u(n, 'task type')) as hs_task_type,
        among(['NONE', 'MEDIUM', 'HIGH'], u(n, 'task priority')) as hs_task_priority,
        task_done(n, t) as hs_task_completion_date
    from activities('tasks', {{first}}, {{end}})
""",
    "emails": f"""
    select
        record_id('emails', n) as id,
        {_COMMON},
        t as hs_timestamp,
        t as hs_createdate,
        email_direction(n) as hs_email_direction,
        case when email_direction(n) <> 'INCOMING_EMAIL' then among(
            ['SENT', 'SENT', 'SENT', 'SENT', 'SENT', 'SENT', 'SENT', 'SENT', 'BOUNCED', null],
            u(n, 'email status')
        ) end as hs_email_status,
        'Subject ' || n % 1000 as hs_email_subject,
        cast(floor(5 * pow(u(n, 'opens'), 3)) as bigint) as hs_email_open_count,
        cast(floor(3 * pow(u(n, 'clicks'), 5)) as bigint) as hs_email_click_count,
        cast(u(n, 'replies') < 0.1 as bigint) as hs_email_reply_count
    from activities('emails', {{first}}, {{end}})
""",
    "notes": f"""
    select
        record_id('notes', n) as id,
        {_COMMON},
        t as hs_timestamp
    from activities('notes', {{first}}, {{end}})
""",
}
_TASK_HISTORY = """
    select record_id('tasks', n) as object_id, 'hs_task_status' as name, 'NOT_STARTED' as value,
        t as timestamp, 0 as sequence, 'CRM_UI' as source_type
    from activities('tasks', {first}, {end})
    union all
    select record_id('tasks', n), 'hs_task_status', 'COMPLETED', task_done(n, t), 1, 'CRM_UI'
    from activities('tasks', {first}, {end})
    where task_done(n, t) is not null
    union all
    select record_id('tasks', n), 'hs_task_status', 'IN_PROGRESS', t + ms(0.04), 1, 'CRM_UI'
    from activities('tasks', {first}, {end})
    where task_done(n, t) is null and u(n, 'task begun') < 0.3
"""

_OF_DEALS = """
    select 'deal' as from_type, record_id('deals', n) as from_id, 'contact' as to_type,
        record_id('contacts', contact_of(n)) as to_id, '3' as type_id
    from range({first}, {end}) as numbers (n)
    where u(n, 'contact is there') < 0.95
    union all
    select 'contact', record_id('contacts', contact_of(n) + 1), 'deal', record_id('deals', n), '38'
    from range({first}, {end}) as numbers (n)
    where u(n, 'second contact') < 0.4
    union all
    select 'deal', record_id('deals', n), 'company',
        record_id('companies', cast(floor(u(n, 'company') * count_of('companies')) as bigint)), '5'
    from range({first}, {end}) as numbers (n)
"""
_OF_CONTACTS = """
    select 'contact', record_id('contacts', m), 'company', record_id('companies', m // 5), '1'
    from range({first}, {end}) as numbers (m)
    where u(m, 'has company') < 0.8
"""
_OF_ACTIVITIES = """
    select '{singular}', record_id('{kind}', n), 'contact', record_id('contacts', contact), '100'
    from activities('{kind}', {first}, {end})
    where u(n, '{kind} contact is there') < 0.97
    union all
    select '{singular}', record_id('{kind}', n), 'deal', record_id('deals', deal), '200'
    from activities('{kind}', {first}, {end})
    where has_deal
"""
