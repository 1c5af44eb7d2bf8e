{{ helper_function('date_from, date_to, bucket, cumulative') }}

-- One row per bucket of the range, whole range if no bucket is asked: its first day and the day
-- after its last, clipped to the range. Cumulative buckets all begin with the range, so that
-- whatever is computed over them runs on, medians and distinct counts included.
-- Weeks, quarters and years are the account's own (K12).
with

dim_dates as (
    select * from {{ ref('dim_dates') }}
),

days as (
    select
        date_day,
        case bucket
            when 'day' then date_day
            when 'week' then week_start
            when 'month' then month_start
            when 'quarter' then fiscal_quarter_start
            when 'year' then fiscal_year_start
        end as bucket_start
    from dim_dates
    where bucket is not null
        and date_day >= cast(date_from as date)
        and date_day < cast(date_to as date)
),

whole_range as (
    select
        cast(date_from as date) as bucket_start,
        cast(date_from as date) as first_day,
        cast(date_to as date) as end_day
    where bucket is null
),

buckets as (
    select
        bucket_start,
        case when cumulative then cast(date_from as date) else min(date_day) end as first_day,
        max(date_day) + 1 as end_day
    from days
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
