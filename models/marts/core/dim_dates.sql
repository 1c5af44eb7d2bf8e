with

bounds as (
    select * from {{ ref('int_date_bounds') }}
),

settings as (
    select * from {{ ref('int_run_settings') }}
),

days as (
    select {{ days_between('first_day', 'last_day') }} as day_starts_at
    from bounds {{ from_days_between('first_day', 'last_day') }}
),

-- fiscal_months: months since a month that begins a fiscal year.
counted as (
    select
        cast(days.day_starts_at as date) as date_day,
        {{ start_of('month', 'days.day_starts_at') }} as month_start,
        cast(
            extract(year from days.day_starts_at) * 12
            + extract(month from days.day_starts_at)
            - settings.fiscal_year_start_month as integer
        ) as fiscal_months,
        settings.fiscal_year_start_month,
        settings.week_starts_on,
        settings.time_zone
    from days
    cross join settings
),

started as (
    select
        date_day,
        month_start,
        fiscal_year_start_month,
        fiscal_months,
        time_zone,
        case
            when week_starts_on = 'sunday'
                then {{ days_after(start_of('week', days_after('date_day', 1)), -1) }}
            else {{ start_of('week', 'date_day') }}
        end as week_start,
        {{ months_after('month_start', '-mod(fiscal_months, 3)') }} as fiscal_quarter_start,
        {{ months_after('month_start', '-mod(fiscal_months, 12)') }} as fiscal_year_start
    from counted
),

final as (
    select
        date_day,
        cast({{ iso_weekday('date_day') }} as integer) as iso_weekday,
        week_start,
        month_start,
        {{ start_of('quarter', 'date_day') }} as quarter_start,
        {{ start_of('year', 'date_day') }} as year_start,
        fiscal_quarter_start,
        fiscal_year_start,
        cast((mod(fiscal_months, 12) - mod(fiscal_months, 3)) / 3 + 1 as integer) as fiscal_quarter,
        -- Named after the calendar year in which it ends (27.4).
        cast(extract(year from fiscal_year_start) as integer) + case when fiscal_year_start_month > 1 then 1 else 0 end
            as fiscal_year,
        {{ local_midnight('date_day', 'time_zone') }} as starts_at,
        {{ local_midnight(days_after('date_day', 1), 'time_zone') }} as ends_at
    from started
)

select * from final
