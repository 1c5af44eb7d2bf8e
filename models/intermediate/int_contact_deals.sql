{{ config(materialized='view') }}
-- Pairs of a contact and a deal. A pair may come in either direction and with several type_ids: it
-- is one pair here (P14).
with

final as (
    select
        from_id as contact_id,
        to_id as deal_id
    from {{ changed(ref('stg_hubspot__associations'), 'contact_id', columns='from_id') }}
    where from_type = 'contact' and to_type = 'deal'
    union distinct
    select
        to_id as contact_id,
        from_id as deal_id
    from {{ changed(ref('stg_hubspot__associations'), 'contact_id', columns='to_id') }}
    where to_type = 'contact' and from_type = 'deal'
)

select * from final
