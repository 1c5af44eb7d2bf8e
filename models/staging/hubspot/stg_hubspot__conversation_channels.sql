select
    id as channel_id,
    nullif(name, '') as channel_name,
    nullif(kind, '') as channel_kind
from {{ source('hubspot', 'conversation_channels') }}
