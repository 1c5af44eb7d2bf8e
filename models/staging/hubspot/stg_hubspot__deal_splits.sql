select
    id as deal_split_id,
    nullif(deal_id, '') as deal_id,
    nullif(owner_id, '') as owner_id,
    percentage,
    created_at,
    updated_at,
    archived as is_archived,
    archived_at,
    nullif(merged_into_id, '') as merged_into_id,
    hard_deleted_at
from {{ source('hubspot', 'deal_splits') }}
