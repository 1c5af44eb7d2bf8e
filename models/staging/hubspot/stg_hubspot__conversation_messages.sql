select
    thread_id,
    id as message_id,
    created_at,
    nullif(direction, '') as direction,
    nullif(sender, '') as sender
from {{ source('hubspot', 'conversation_messages') }}
