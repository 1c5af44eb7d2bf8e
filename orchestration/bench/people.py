"""Generated contacts, companies and chats, with contacts' histories.

Belongs here: queries over a range of numbers, whose rows are functions of their number alone and so
stream into files of any size.
"""

from __future__ import annotations

from collections.abc import Mapping

import duckdb

LIFECYCLE = ["lead", "marketingqualifiedlead", "salesqualifiedlead", "opportunity", "customer"]


def create_macros(connection: duckdb.DuckDBPyConnection) -> None:
    """What several queries start from: `contact_lives` and `chats` of a range of numbers."""
    connection.execute(f"create or replace temp macro lifecycle_stage(step) as {LIFECYCLE}[step + 1]")
    connection.execute(
        "create or replace temp macro happened(t, does_at_all) as "
        "case when does_at_all and t < as_of() then t end"
    )
    connection.execute(f"create or replace temp macro contact_lives(first, upto) as table {_LIVES}")
    connection.execute(f"create or replace temp macro chats(first, upto) as table {_CHATS}")


def queries(first: Mapping[str, int], end: Mapping[str, int]) -> dict[str, str]:
    """A query per table, for the numbers of its records from `first` to before `end`."""
    return {
        name: query.format(first=first[numbers], end=end[numbers])
        for name, numbers, query in (
            ("contacts", "contacts", _CONTACTS),
            ("contact_property_history", "contacts", _HISTORY),
            ("companies", "companies", _COMPANIES),
            ("conversation_threads", "conversation_threads", _THREADS),
            ("conversation_messages", "conversation_threads", _MESSAGES),
        )
    }


# What contacts and their histories both follow from, so that they agree: when what became of them,
# NULL where it has not happened by now.
_LIVES = """
    with owned as (
        select
            m,
            contact_created(m) as created,
            contact_owner(m) as owner,
            contact_created(m) + ms(least(-0.05 * ln(1.0000001 - u(m, 'assigned')), 0.2)) as assigned,
            cast(floor(5 * pow(u(m, 'last stage'), 2.5)) as integer) as last_stage,
            3 + 37 * u(m, 'stage gap') as stage_gap
        from range(first, upto) as numbers (m)
    ),

    worked as (
        select
            *,
            case when owner is not null and u(m, 'attempted') < 0.4 then assigned end as attempted,
            case when owner is not null and u(m, 'sequence') < 0.08 and assigned + ms(1) < as_of()
                then assigned + ms(1) end as enrolled
        from owned
    )

    select
        *,
        least(
            last_stage,
            cast(floor((epoch_ms(as_of()) - epoch_ms(created)) / 86400000.0 / stage_gap) as integer)
        ) as stage,
        happened(attempted + ms(2), u(m, 'connected') < 0.3) as connected,
        happened(enrolled + ms(10), u(m, 'finished') < 0.6) as finished,
        happened(enrolled + ms(6), u(m, 'finished') > 0.8) as unenrolled
    from worked
"""

_CONTACTS = """
    with engaged as (
        select
            *,
            assigned + ms(0.02 + u(m, 'engaged')) as engaged,
            owner is not null and u(m, 'stored engagement') < 0.4
                and assigned + ms(0.02 + u(m, 'engaged')) < as_of() as is_stored
        from contact_lives({first}, {end})
    )

    select
        record_id('contacts', m) as id,
        created as created_at,
        assigned as updated_at,
        u(m, 'archived contact') < 0.01 as archived,
        case when u(m, 'archived contact') < 0.01 then assigned end as archived_at,
        case when m > 0 and u(m, 'merged contact') < 0.003 then record_id('contacts', m - 1) end
            as merged_into_id,
        'contact' || m || '@company' || m // 3 || '.example' as email,
        among(['Ana', 'Ben', 'Chidi', 'Zoë', '李'], u(m, 'first name')) as firstname,
        'Person ' || m as lastname,
        lifecycle_stage(stage) as lifecyclestage,
        case
            when connected is not null then 'CONNECTED'
            when attempted is not null then 'ATTEMPTED_TO_CONTACT'
        end as hs_lead_status,
        owner as hubspot_owner_id,
        case when owner is not null then assigned end as hubspot_owner_assigneddate,
        created as createdate,
        assigned as lastmodifieddate,
        record_id('companies', m // 5) as associatedcompanyid,
        among(['OFFLINE', 'ORGANIC_SEARCH', 'PAID_SEARCH', 'REFERRALS', null], u(m, 'contact source'))
            as hs_analytics_source,
        case when is_stored then engaged end as hs_sa_first_engagement_date,
        case when is_stored then 'EMAIL' end as hs_sa_first_engagement_object_type,
        case when is_stored then 'SENT' end as hs_sa_first_engagement_descr,
        case when is_stored then record_id('emails', m) end as hs_first_engagement_object_id,
        case when is_stored then epoch_ms(engaged) - epoch_ms(assigned) end as hs_time_to_first_engagement,
        case when enrolled is not null then cast(230100 + m % 6 as varchar) end
            as hs_latest_sequence_enrolled,
        enrolled as hs_latest_sequence_enrolled_date,
        finished as hs_latest_sequence_finished_date,
        unenrolled as hs_latest_sequence_unenrolled_date,
        case when u(m + 1, 'merged contact') < 0.003 then record_id('contacts', m + 1) end
            as hs_merged_object_ids
    from engaged
"""

# A list per contact, so that the numbers are gone through once.
_HISTORY = """
    select
        record_id('contacts', m) as object_id,
        version.name as name,
        version.value as value,
        version.t as timestamp,
        version.sequence as sequence,
        'CRM_UI' as source_type
    from (
        select m, unnest(
            list_transform(range(0, stage + 1), lambda step: struct_pack(
                name := 'lifecyclestage', value := lifecycle_stage(step),
                t := created + ms(step * stage_gap), sequence := step
            )) || [
                struct_pack(name := 'hubspot_owner_id', value := case
                    when owner is not null and u(m, 'reassigned') < 0.1 then some_owner(u(m, 'owner before'))
                end, t := created, sequence := 0),
                struct_pack(name := 'hubspot_owner_id', value := owner, t := assigned, sequence := 1),
                struct_pack(name := 'hs_lead_status', value := case
                    when attempted is not null then 'ATTEMPTED_TO_CONTACT'
                end, t := attempted, sequence := 0),
                struct_pack(name := 'hs_lead_status', value := case
                    when connected is not null then 'CONNECTED'
                end, t := connected, sequence := 1),
                struct_pack(name := 'hs_latest_sequence_enrolled', value := case
                    when enrolled is not null then cast(230100 + m % 6 as varchar)
                end, t := enrolled, sequence := 0),
                struct_pack(name := 'hs_latest_sequence_enrolled_date', value := iso(enrolled),
                    t := enrolled, sequence := 0),
                struct_pack(name := 'hs_latest_sequence_finished_date', value := iso(finished),
                    t := finished, sequence := 0),
                struct_pack(name := 'hs_latest_sequence_unenrolled_date', value := iso(unenrolled),
                    t := unenrolled, sequence := 0)
            ]
        ) as version
        from contact_lives({first}, {end})
    ) as versions
    where version.value is not null
"""

_COMPANIES = """
    select
        record_id('companies', n) as id,
        day_start(n % 365) as created_at,
        day_start(n % 365) as updated_at,
        false as archived,
        'Company ' || n as name,
        'company' || n || '.example' as domain,
        among(['SOFTWARE', 'CHEMICALS', 'RETAIL', null], u(n, 'industry')) as industry,
        among(['Germany', 'France', 'Spain', 'Japan'], u(n, 'country')) as country,
        some_owner(u(n, 'company owner')) as hubspot_owner_id,
        day_start(n % 365) as createdate
    from range({first}, {end}) as numbers (n)
"""

# New chats of a night are with the account's contacts, on the night's day.
_CHATS = """
    with numbers as (
        select n, skewed(count_of('contacts'), u(n, 'chat contact'), 1.3) as contact
        from range(first, upto) as numbers (n)
    )

    select
        n,
        contact,
        in_day(
            case when n >= count_of('conversation_threads') then end_day() - 1
            else least(contact_day(contact) + floor(30 * u(n, 'chat day')), end_day() - 1) end,
            n, 'chat'
        ) as created,
        'A-' || user_id(cast(coalesce(contact_owner(contact), owner_id(0)) as bigint) - 70000000) as agent,
        u(n, 'closed chat') < 0.85 as is_closed
    from numbers
"""
_THREADS = """
    select
        record_id('conversation_threads', n) as id,
        created as created_at,
        created as updated_at,
        u(n, 'archived chat') < 0.01 as archived,
        case when is_closed then created + ms(0.1) end as closed_at,
        case when is_closed then 'CLOSED' else 'OPEN' end as status,
        among(['1000', '1001', '1002'], pow(u(n, 'channel'), 2)) as original_channel_id,
        case when u(n, 'nobody') > 0.1 then agent end as assigned_to,
        record_id('contacts', contact) as associated_contact_id,
        u(n, 'spam') < 0.03 as spam
    from chats({first}, {end})
"""
_MESSAGES = """
    select
        record_id('conversation_threads', n) as thread_id,
        record_id('conversation_threads', n) || '-' || step as id,
        created + ms(0.01 * step) as created_at,
        case when step % 2 = 0 then 'INCOMING' else 'OUTGOING' end as direction,
        case when step % 2 = 0 then 'V-' || contact else agent end as sender
    from chats({first}, {end}), range(4) as steps (step)
"""
