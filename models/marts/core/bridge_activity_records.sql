{{ config(materialized='incremental', incremental_strategy='by_key', unique_key=['activity_type', 'activity_id']) }}
with

-- A pair may come in either direction and with several type_ids: it is one pair here (P14).
associations as (
    select
        from_type as activity_type,
        from_id as activity_id,
        to_type as record_type,
        to_id as record_id
    from {{ changed(ref('stg_hubspot__associations'), ['activity_type', 'activity_id'], columns=['from_type', 'from_id']) }}
    where from_type in ('call', 'meeting', 'task', 'email', 'note')
        and to_type in ('contact', 'company', 'deal')
    union
    select
        to_type as activity_type,
        to_id as activity_id,
        from_type as record_type,
        from_id as record_id
    from {{ changed(ref('stg_hubspot__associations'), ['activity_type', 'activity_id'], columns=['to_type', 'to_id']) }}
    where to_type in ('call', 'meeting', 'task', 'email', 'note')
        and from_type in ('contact', 'company', 'deal')
),

activities as (
    select
        activity_type,
        activity_id
    from {{ ref('fct_activities') }}
),

records as (
    select
        'contact' as record_type,
        contact_id as record_id
    from {{ ref('dim_contacts') }}
    union all
    select
        'company' as record_type,
        company_id as record_id
    from {{ ref('dim_companies') }}
    union all
    select
        'deal' as record_type,
        deal_id as record_id
    from {{ ref('fct_deals') }}
),

final as (
    select
        associations.activity_type,
        associations.activity_id,
        associations.record_type,
        associations.record_id
    from associations
    inner join activities
        on
            associations.activity_type = activities.activity_type
            and associations.activity_id = activities.activity_id
    inner join records
        on
            associations.record_type = records.record_type
            and associations.record_id = records.record_id
)

select * from final
