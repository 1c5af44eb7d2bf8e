with

dates as (
    select * from {{ ref('dim_dates') }}
),

deals as (
    select * from {{ ref('fct_deals') }}
),

stored as (
    select * from {{ ref('fct_stored_snapshots') }}
),

settings as (
    select * from {{ ref('int_run_settings') }}
),

first_deal as (
    select min(created_date) as created_date from deals
),

stored_days as (
    select snapshot_date from stored group by snapshot_date
),

-- What this run will store if it is published: the days that have ended since the last stored one, on
-- a first run the one that has just ended (K7).
newest_day as (
    select
        settings.run_date,
        coalesce(
            (select max(stored_days.snapshot_date) from stored_days),
            {{ days_after('settings.run_date', -2) }}
        ) as snapshot_date
    from settings
),

days as (
    select
        dates.date_day as snapshot_date,
        {{ days_from('dates.date_day', 'settings.run_date') }} as age,
        lead(dates.week_start) over (order by dates.date_day) <> dates.week_start as ends_week,
        lead(dates.month_start) over (order by dates.date_day) <> dates.month_start as ends_month
    from dates
    cross join settings
),

-- Every day for a while, then the ends of weeks, then those of months (17a).
final as (
    select
        days.snapshot_date,
        stored_days.snapshot_date is not null as is_stored,
        stored_days.snapshot_date is null
        and days.snapshot_date > newest_day.snapshot_date
        and days.snapshot_date < newest_day.run_date as is_stored_by_this_run
    from days
    cross join newest_day
    inner join first_deal on days.snapshot_date >= first_deal.created_date
    left join stored_days on days.snapshot_date = stored_days.snapshot_date
    where days.age >= 0
        and (
            days.age < {{ var('snapshot_daily_days') }}
            or (days.ends_week and days.age < {{ var('snapshot_weekly_days') }})
            or days.ends_month
        )
)

select * from final
