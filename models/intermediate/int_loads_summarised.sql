-- The load behind this build in one row: what it was offered and took, and how fresh the data is.
with

settings as (
    select * from {{ ref('int_run_settings') }}
),

sync_log as (
    select * from {{ ref('stg_hubspot__sync_log') }}
),

rejected_values as (
    select * from {{ ref('stg_hubspot__rejected_values') }}
),

versions as (
    select * from {{ ref('stg_hubspot__deal_property_history') }}
),

counted_rows as (
    select
        coalesce(sum(sync_log.offered_count), 0) as offered_row_count,
        coalesce(sum(sync_log.loaded_count), 0) as loaded_row_count,
        coalesce(sum(sync_log.rejected_count), 0) as rejected_row_count
    from sync_log
    inner join settings on sync_log.load_id = settings.load_id
),

counted_values as (
    select count(*) as rejected_value_count
    from rejected_values
    inner join settings on rejected_values.load_id = settings.load_id
),

newest as (
    select max(versions.changed_at) as newest_change_at
    from versions
    inner join settings on versions.changed_at < settings.run_ts
),

final as (
    select
        cast(counted_rows.offered_row_count as bigint) as offered_row_count,
        cast(counted_rows.loaded_row_count as bigint) as loaded_row_count,
        cast(counted_rows.rejected_row_count as bigint) as rejected_row_count,
        counted_values.rejected_value_count,
        newest.newest_change_at
    from counted_rows
    cross join counted_values
    cross join newest
)

select * from final
