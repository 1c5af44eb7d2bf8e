-- Every owner that deals name or ever named, or stored snapshots name, so that dim_owners has a row
-- for each (P7).
with

final as (
    select owner_id
    from {{ ref('stg_hubspot__deals') }}
    where owner_id is not null
    union distinct
    select value as owner_id
    from {{ ref('stg_hubspot__deal_property_history') }}
    where property_name = 'hubspot_owner_id'
        and value is not null
    union distinct
    select owner_id
    from {{ ref('stg_hubspot__stored_snapshots') }}
    where owner_id <> 'none'
)

select * from final
