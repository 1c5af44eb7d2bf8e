-- Ids of deals that were merged into another one: by the survivor's list of former ids or by the
-- former record's own pointer. A survivor may be archived; its own id in its own list means nothing (P1).
with

deals as (
    select * from {{ ref('stg_hubspot__deals') }}
),

listed as (
    select
        deal_id as survivor_id,
        {{ split_to_rows('hs_merged_object_ids', ';') }} as merged_deal_id
    from deals {{ from_split('hs_merged_object_ids', ';') }}
    where hs_merged_object_ids is not null
),

pairs as (
    select
        {{ trimmed('merged_deal_id') }} as merged_deal_id,
        survivor_id
    from listed
    union distinct
    select
        deal_id as merged_deal_id,
        merged_into_id as survivor_id
    from deals
    where merged_into_id is not null
),

final as (
    select
        merged_deal_id,
        survivor_id
    from pairs
    where merged_deal_id <> ''
        and merged_deal_id <> survivor_id
)

select * from final
