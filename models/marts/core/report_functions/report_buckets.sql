{{ helper_function('date_from, date_to, bucket, cumulative') }}

-- One row per bucket of the range, whole range if no bucket is asked: its first day and the day
-- after its last, clipped to the range. Cumulative buckets all begin with the range, so that
-- whatever is computed over them runs on, medians and distinct counts included.
-- Weeks, quarters and years are the account's own (K12), as in dim_dates; but its calendar ends where
-- the data does, and a range may not.
with

settings as (
    select
        case week_starts_on when 'sunday' then 1 else 0 end as week_offset_days,
        fiscal_year_start_month - 1 as fiscal_offset_months
    from {{ ref('build_info') }}
),

days as (
    select cast(unnest(generate_series(
        try_cast(date_from as timestamp), try_cast(date_to as timestamp) - interval '1 day', interval '1 day'
    )) as date) as date_day
    where bucket is not null
),

placed as (
    select
        days.date_day,
        cast(case bucket
            when 'day' then days.date_day
            when 'week'
                then date_trunc('week', days.date_day + week_offset_days) - week_offset_days * interval '1 day'
            when 'month' then date_trunc('month', days.date_day)
            else date_trunc(bucket, days.date_day - fiscal_offset_months * interval '1 month')
                + fiscal_offset_months * interval '1 month'
        end as date) as bucket_start
    from days
    cross join settings
),

whole_range as (
    select
        try_cast(date_from as date) as bucket_start,
        try_cast(date_from as date) as first_day,
        try_cast(date_to as date) as end_day
    where bucket is null
),

buckets as (
    select
        bucket_start,
        case when cumulative then try_cast(date_from as date) else min(date_day) end as first_day,
        max(date_day) + 1 as end_day
    from placed
    group by bucket_start
),

all_buckets as (
    select * from whole_range
    union all
    select * from buckets
),

final as (
    select
        all_buckets.*,
        bucket_start = max(bucket_start) over () as is_last_bucket
    from all_buckets
)

select * from final
