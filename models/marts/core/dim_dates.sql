with

bounds as (
    select * from {{ ref('int_date_bounds') }}
),

settings as (
    select * from {{ ref('int_run_settings') }}
),

days as (
    select {{ days_between('first_day', 'last_day') }} as day_starts_at
    from bounds
),

-- fiscal_months: months since a month that begins a fiscal year.
counted as (
    select
        cast(days.day_starts_at as date) as date_day,
        cast(date_trunc('month', days.day_starts_at) as date) as month_start,
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
                then cast(date_trunc('week', cast(date_day + 1 as timestamp)) as date) - 1
            else cast(date_trunc('week', cast(date_day as timestamp)) as date)
        end as week_start,
        cast(month_start - fiscal_months % 3 * interval '1 month' as date) as fiscal_quarter_start,
        cast(month_start - fiscal_months % 12 * interval '1 month' as date) as fiscal_year_start
    from counted
),

final as (
    select
        date_day,
        cast(extract(isodow from date_day) as integer) as iso_weekday,
        week_start,
        month_start,
        cast(date_trunc('quarter', cast(date_day as timestamp)) as date) as quarter_start,
        cast(date_trunc('year', cast(date_day as timestamp)) as date) as year_start,
        fiscal_quarter_start,
        fiscal_year_start,
        cast((fiscal_months % 12 - fiscal_months % 3) / 3 + 1 as integer) as fiscal_quarter,
        -- Named after the calendar year in which it ends (27.4).
        cast(extract(year from fiscal_year_start) as integer) + case when fiscal_year_start_month > 1 then 1 else 0 end
            as fiscal_year,
        {{ local_midnight('date_day', 'time_zone') }} as starts_at,
        {{ local_midnight('(date_day + 1)', 'time_zone') }} as ends_at
    from started
)

select * from final
