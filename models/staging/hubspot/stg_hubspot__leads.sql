select
    id as lead_id,
    nullif(hs_lead_name, '') as hs_lead_name,
    nullif(hs_pipeline, '') as hs_pipeline,
    nullif(hs_pipeline_stage, '') as hs_pipeline_stage,
    nullif(hubspot_owner_id, '') as owner_id,
    hs_createdate,
    hs_lead_first_outreach_date,
    hs_lead_time_to_first_outreach,
    created_at,
    updated_at,
    archived as is_archived,
    archived_at,
    nullif(merged_into_id, '') as merged_into_id,
    hard_deleted_at
from {{ source('hubspot', 'leads') }}
