-- The deals that reports count (C10, P1), with their creation instant (H2). A deal of which nothing
-- says when it was created stays: it counts wherever only present values are read.
{{ config(materialized='incremental', incremental_strategy='by_key', unique_key='deal_id') }}
with

deals as (
    select * from {{ changed(ref('stg_hubspot__deals'), 'deal_id') }}
),

versions as (
    select * from {{ ref('stg_hubspot__deal_property_history') }}
),

merged as (
    select * from {{ ref('int_deals_merged') }}
),

settings as (
    select * from {{ ref('int_run_settings') }}
),

-- By an import of its own: what is read twice, DuckDB first writes down whole.
undated as (
    select deal_id
    from {{ ref('stg_hubspot__deals') }}
    where createdate is null
        and hs_createdate is null
        and created_at is null
),

-- Without a condition on run_ts, so that engines see at once where no deal is undated.
first_versions as (
    select
        versions.deal_id,
        min(versions.changed_at) as first_version_at
    from versions
    inner join undated on versions.deal_id = undated.deal_id
    group by versions.deal_id
),

dated as (
    select
        deals.*,
        coalesce(
            deals.createdate,
            deals.hs_createdate,
            deals.created_at,
            case when first_versions.first_version_at < settings.run_ts then first_versions.first_version_at end
        ) as deal_created_at
    from deals
    cross join settings
    left join first_versions on deals.deal_id = first_versions.deal_id
),

final as (
    select dated.*
    from dated
    cross join settings
    left join merged on dated.deal_id = merged.merged_deal_id
    where dated.is_archived is distinct from true
        and dated.hard_deleted_at is null
        and dated.merged_into_id is null
        and (dated.deal_created_at is null or dated.deal_created_at < settings.run_ts)
        and merged.merged_deal_id is null
)

select * from final
