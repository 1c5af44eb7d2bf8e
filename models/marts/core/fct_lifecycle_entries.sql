{{ config(materialized='incremental', incremental_strategy='by_key', unique_key='contact_id') }}
with entries as (
    select * from {{ changed(ref('int_lifecycle_entries'), 'contact_id') }}
),

settings as (
    select * from {{ ref('int_run_settings') }}
),

final as (
    select
        entries.contact_id,
        cast(
            row_number() over (
                partition by entries.contact_id
                order by entries.entered_at, {{ id_order('entries.original_contact_id') }}, entries.version_number
            ) as bigint
        ) as entry_number,
        entries.lifecycle_stage,
        entries.entered_at,
        {{ local_date('entries.entered_at', 'settings.time_zone') }} as entered_date,
        entries.original_contact_id
    from entries
    cross join settings
)

select * from final
