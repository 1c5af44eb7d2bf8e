-- Which contact was merged into which, from either side: the survivor's list of former ids or the
-- former record's own pointer. A survivor may be archived; its own id in its own list means nothing (P1).
with contacts as (
    select * from {{ ref('stg_hubspot__contacts') }}
),

listed as (
    select
        contact_id as survivor_id,
        {{ split_to_rows('hs_merged_object_ids', ';') }} as merged_contact_id
    from contacts {{ from_split('hs_merged_object_ids', ';') }}
    where hs_merged_object_ids is not null
),

pairs as (
    select
        {{ trimmed('merged_contact_id') }} as merged_contact_id,
        survivor_id
    from listed
    union distinct
    select
        contact_id as merged_contact_id,
        merged_into_id as survivor_id
    from contacts
    where merged_into_id is not null
),

final as (
    select
        merged_contact_id,
        survivor_id
    from pairs
    where
        merged_contact_id <> ''
        and merged_contact_id <> survivor_id
)

select * from final
