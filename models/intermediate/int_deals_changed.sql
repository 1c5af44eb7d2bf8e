-- The deals that a night computes anew: those of which the source has changed anything since the
-- build before, those of owners that have changed, and those to which time has come: something of theirs
-- lies between the run_ts before and this one. Without a build before there are none, and none is needed.
with

records as (
    select * from {{ ref('stg_hubspot__changed_records') }}
),

deals as (
    select * from {{ ref('stg_hubspot__deals') }}
),

versions as (
    select * from {{ ref('stg_hubspot__deal_property_history') }}
),

settings as (
    select * from {{ ref('int_run_settings') }}
),

final as (
    select record_id as deal_id
    from records
    where object_type = 'deal'
    union
    select deals.deal_id
    from deals
    inner join records on deals.owner_id = records.record_id
    where records.object_type = 'owner'
    union
    -- Created in the future, until now.
    select deals.deal_id
    from deals
    inner join settings
        on coalesce(deals.createdate, deals.hs_createdate, deals.created_at)
        between settings.follows_run_ts and settings.run_ts
    union
    select versions.deal_id
    from versions
    inner join settings on versions.changed_at between settings.follows_run_ts and settings.run_ts
)

select * from final
