-- From which to which day the calendar must reach: every day that the data names, planned ones
-- included, but no further than 100 years from the run, because a mistyped year must not make a
-- calendar of millennia.
with

settings as (
    select * from {{ ref('int_run_settings') }}
),

deals as (
    select * from {{ ref('int_deals_in_population') }}
),

close_dates as (
    select * from {{ ref('int_deal_property_versions') }} where property_name = 'closedate'
),

contacts as (
    select * from {{ ref('int_contacts_in_population') }}
),

assignments as (
    select * from {{ ref('int_contact_assignments') }}
),

activities as (
    select * from {{ ref('fct_activities') }}
),

chats as (
    select * from {{ ref('int_chat_threads') }}
),

goals as (
    select * from {{ ref('stg_hubspot__goal_targets') }}
),

instants as (
    select
        min({{ least_known(['deal_created_at', 'closedate']) }}) as first_at,
        max({{ greatest_known(['deal_created_at', 'closedate']) }}) as last_at
    from deals
    union all
    select min(instant_value), max(instant_value) from close_dates
    union all
    select min(contact_created_at), max(contact_created_at) from contacts
    union all
    select min(assigned_at), max(assigned_at) from assignments
    union all
    select
        min({{ least_known(['activity_at', 'start_at', 'completed_at', 'created_at']) }}),
        max({{ greatest_known(['activity_at', 'start_at', 'completed_at', 'created_at']) }})
    from activities
    union all
    select min(created_at), max(created_at) from chats
    union all
    select min(hs_start_datetime), max(hs_end_datetime) from goals
),

named as (
    select
        settings.run_date,
        min({{ local_date('instants.first_at', 'settings.time_zone') }}) as first_day,
        max({{ local_date('instants.last_at', 'settings.time_zone') }}) as last_day
    from instants
    cross join settings
    group by settings.run_date
),

-- Whole calendar years, with one to spare on each side for fiscal years and ranges before.
years as (
    select
        cast(extract(year from run_date) as integer) as run_year,
        cast(extract(year from coalesce(first_day, run_date)) as integer) - 1 as first_year,
        cast(extract(year from coalesce(last_day, run_date)) as integer) + 1 as last_year
    from named
),

final as (
    select
        {{ date_of('least(greatest(first_year, run_year - 100), run_year - 3)', 1, 1) }} as first_day,
        {{ date_of('greatest(least(last_year, run_year + 100), run_year + 3)', 12, 31) }} as last_day
    from years
)

select * from final
