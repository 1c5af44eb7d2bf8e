{{ config(materialized='view') }}
-- Versions of contact properties before run_ts (H1) in their order (H7), equal neighbours
-- collapsed (H10). The first version always stays, so that a property has rows here exactly when
-- it has any history. contact_id is the id under which HubSpot kept the version (P2).
with versions as (
    select * from {{ changed(ref('stg_hubspot__contact_property_history'), 'contact_id') }}
),

settings as (
    select * from {{ ref('int_run_settings') }}
),

typed as (
    select
        versions.contact_id,
        versions.property_name,
        versions.changed_at,
        versions.version_sequence,
        versions.instant_value,
        -- An instant is the same however it was written.
        case
            when versions.property_name like 'hs_latest_sequence_%date'
                then cast({{ epoch_ms('versions.instant_value') }} as {{ text_type() }})
            else versions.value
        end as value
    from versions
    cross join settings
    where versions.changed_at < settings.run_ts
),

ordered as (
    select
        *,
        lag(value) over (
            partition by contact_id, property_name order by changed_at, version_sequence
        ) as previous_value,
        row_number() over (
            partition by contact_id, property_name order by changed_at, version_sequence
        ) as version_number
    from typed
),

final as (
    select
        contact_id,
        property_name,
        version_number,
        value,
        instant_value,
        changed_at
    from ordered
    where version_number = 1 or value is distinct from previous_value
)

select * from final
