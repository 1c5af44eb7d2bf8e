select
    id as call_id,
    hs_timestamp,
    hs_createdate,
    nullif(hubspot_owner_id, '') as owner_id,
    nullif(hs_call_title, '') as hs_call_title,
    nullif(hs_call_direction, '') as hs_call_direction,
    nullif(hs_call_disposition, '') as hs_call_disposition,
    nullif(hs_call_status, '') as hs_call_status,
    hs_call_duration,
    nullif(hs_activity_type, '') as hs_activity_type,
    nullif(hs_call_source, '') as hs_call_source,
    created_at,
    updated_at,
    archived as is_archived,
    archived_at,
    nullif(merged_into_id, '') as merged_into_id,
    hard_deleted_at
from {{ source('hubspot', 'calls') }}
