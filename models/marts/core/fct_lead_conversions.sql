{{ config(materialized='incremental', incremental_strategy='by_key', unique_key='contact_id') }}
-- What became of each contact: engaged by its owner (5a-1), and its deals. Only deals that are not
-- older than the contact are its conversion (5a-3).
with

contacts as (
    select * from {{ changed(ref('dim_contacts'), 'contact_id') }}
),

contact_deals as (
    select * from {{ ref('int_contact_deals') }}
),

deals as (
    select * from {{ ref('fct_deals') }} where created_at is not null
),

engagements as (
    select * from {{ ref('fct_first_engagements') }}
),

paired as (
    select
        contacts.contact_id,
        deals.created_at,
        deals.close_at,
        deals.is_won,
        deals.created_at >= contacts.created_at as is_conversion
    from contacts
    inner join contact_deals on contacts.contact_id = contact_deals.contact_id
    inner join deals on contact_deals.deal_id = deals.deal_id
    where contacts.created_at is not null
),

converted as (
    select
        contact_id,
        count(case when is_conversion then 1 end) > 0 as has_deal,
        count(case when is_conversion and is_won then 1 end) > 0 as is_won,
        count(case when not is_conversion then 1 end) > 0 as has_earlier_deal,
        min(case when is_conversion then created_at end) as first_deal_at,
        min(case when is_conversion and is_won then close_at end) as first_win_at
    from paired
    group by contact_id
),

final as (
    select
        contacts.contact_id,
        contacts.created_at,
        contacts.created_date,
        contacts.source,
        contacts.owner_id,
        contacts.owner_name,
        contacts.team_id,
        contacts.team_name,
        contacts.owner_id <> 'none' as is_assigned,
        engagements.first_engagement_at is not null as is_worked,
        engagements.response_time_ms,
        coalesce(converted.has_deal, false) as has_deal,
        coalesce(converted.is_won, false) as is_won,
        coalesce(converted.has_earlier_deal, false) as has_earlier_deal,
        converted.first_deal_at,
        converted.first_win_at,
        {{ duration_ms('contacts.created_at', 'converted.first_deal_at') }} as time_to_deal_ms,
        -- A deal that was won on paper before the contact came to be is in no average (5a-3).
        case
            when converted.first_win_at >= contacts.created_at
                then {{ duration_ms('contacts.created_at', 'converted.first_win_at') }}
        end as time_to_win_ms
    from contacts
    left join converted on contacts.contact_id = converted.contact_id
    left join engagements on contacts.contact_id = engagements.contact_id
)

select * from final
