-- What this build was told from outside, in one row: instant, time zone, currency, calendar.
with

runs as (
    select * from {{ ref('stg_hubspot__run') }}
),

final as (
    select
        *,
        {{ local_date('run_ts', 'time_zone') }} as run_date
    from runs
)

select * from final
