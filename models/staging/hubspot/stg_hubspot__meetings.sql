select
    id as meeting_id,
    hs_timestamp,
    hs_createdate,
    hs_meeting_start_time,
    hs_meeting_end_time,
    nullif(hs_meeting_outcome, '') as hs_meeting_outcome,
    nullif(hs_meeting_title, '') as hs_meeting_title,
    nullif(hs_activity_type, '') as hs_activity_type,
    nullif(hs_meeting_source, '') as hs_meeting_source,
    nullif(hubspot_owner_id, '') as owner_id,
    created_at,
    updated_at,
    archived as is_archived,
    archived_at,
    nullif(merged_into_id, '') as merged_into_id,
    hard_deleted_at
from {{ source('hubspot', 'meetings') }}
