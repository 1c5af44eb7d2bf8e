-- The clock of business hours (K16): on each day the opening and closing instants of the seed, and
-- how much business time lay before the day. Business time between two instants is then a
-- difference of two look-ups, however long the interval.
with dates as (
    select * from {{ ref('dim_dates') }}
),

hours as (
    select * from {{ ref('business_hours') }}
),

settings as (
    select * from {{ ref('int_run_settings') }}
),

minutes as (
    select
        weekday,
        cast({{ text_part('opens', ':', 1) }} as integer) * 60 + cast({{ text_part('opens', ':', 2) }} as integer) as opens_minute,
        cast({{ text_part('closes', ':', 1) }} as integer) * 60 + cast({{ text_part('closes', ':', 2) }} as integer) as closes_minute
    from hours
),

opened as (
    select
        dates.date_day,
        {{ raw_midnight(shifted('cast(dates.date_day as timestamp)', 'minutes.opens_minute', 'minute'), 'settings.time_zone') }} as opens_at,
        {{ raw_midnight(shifted('cast(dates.date_day as timestamp)', 'minutes.closes_minute', 'minute'), 'settings.time_zone') }} as closes_at
    from dates
    cross join settings
    left join minutes on {{ iso_weekday('dates.date_day') }} = minutes.weekday
),

measured as (
    select
        date_day,
        opens_at,
        closes_at,
        coalesce({{ duration_ms('opens_at', 'closes_at') }}, 0) as business_ms
    from opened
),

final as (
    select
        date_day,
        opens_at,
        closes_at,
        business_ms,
        cast(sum(business_ms) over (order by date_day) as bigint) - business_ms as business_ms_before
    from measured
)

select * from final
