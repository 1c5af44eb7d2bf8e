select
    id as thread_id,
    created_at,
    closed_at,
    nullif(status, '') as status,
    nullif(original_channel_id, '') as original_channel_id,
    nullif(assigned_to, '') as assigned_to,
    nullif(associated_contact_id, '') as contact_id,
    spam as is_spam,
    archived as is_archived,
    updated_at,
    archived_at,
    nullif(merged_into_id, '') as merged_into_id,
    hard_deleted_at
from {{ source('hubspot', 'conversation_threads') }}
