select
    id as communication_id,
    hs_timestamp,
    nullif(hubspot_owner_id, '') as owner_id,
    nullif(hs_communication_channel_type, '') as hs_communication_channel_type,
    created_at,
    updated_at,
    archived as is_archived,
    archived_at,
    nullif(merged_into_id, '') as merged_into_id,
    hard_deleted_at
from {{ source('hubspot', 'communications') }}
