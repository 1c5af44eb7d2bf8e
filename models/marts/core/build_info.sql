with

settings as (
    select * from {{ ref('int_run_settings') }}
),

loads as (
    select * from {{ ref('int_loads_summarised') }}
),

final as (
    select
        settings.build_id,
        settings.project_version,
        settings.source,
        settings.portal_id,
        settings.load_id,
        settings.run_ts,
        settings.run_date,
        settings.time_zone,
        settings.company_currency,
        settings.fiscal_year_start_month,
        settings.week_starts_on,
        settings.include_personal_data,
        settings.read_until,
        settings.loaded_at,
        loads.newest_change_at,
        loads.offered_row_count,
        loads.loaded_row_count,
        loads.rejected_row_count,
        loads.rejected_value_count,
        settings.settings
    from settings
    cross join loads
)

select * from final
