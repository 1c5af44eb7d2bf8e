{{ config(materialized='incremental', incremental_strategy='by_key', unique_key=['activity_type', 'activity_id']) }}
with

associations as (
    select * from {{ changed(ref('int_activity_associations'), ['activity_type', 'activity_id']) }}
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
