{{ config(materialized='view') }}
-- Pairs of an activity and a contact, company or deal. A pair may come in either direction and with
-- several type_ids: it is one pair here (P14).
with

final as (
    select
        from_type as activity_type,
        from_id as activity_id,
        to_type as record_type,
        to_id as record_id
    from {{ changed(ref('stg_hubspot__associations'), ['activity_type', 'activity_id'], columns=['from_type', 'from_id']) }}
    where from_type in ('call', 'meeting', 'task', 'email', 'note')
        and to_type in ('contact', 'company', 'deal')
    union distinct
    select
        to_type as activity_type,
        to_id as activity_id,
        from_type as record_type,
        from_id as record_id
    from {{ changed(ref('stg_hubspot__associations'), ['activity_type', 'activity_id'], columns=['to_type', 'to_id']) }}
    where to_type in ('call', 'meeting', 'task', 'email', 'note')
        and from_type in ('contact', 'company', 'deal')
)

select * from final
