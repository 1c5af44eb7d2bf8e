{{ config(materialized=spelled_out(), meta={'rows_of': 'contact_id'}) }}
with

engagements as (
    select * from {{ ref('fct_first_engagements') }}
),

missing_inputs as (
    select * from {{ ref('fct_missing_inputs') }}
),

final as (
    select
        contact_id,
        owner_id,
        owner_name,
        team_id,
        team_name,
        assigned_at,
        assigned_date,
        first_engagement_at,
        first_engagement_type,
        first_engagement_id,
        first_engagement_description,
        response_time_ms,
        response_business_ms,
        is_stored_value,
        differs_from_stored
    from engagements
    where not exists (select 1 from missing_inputs where report = 'rpt_lead_response_time')
)

select * from final
