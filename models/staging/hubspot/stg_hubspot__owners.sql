select
    id as owner_id,
    nullif(user_id, '') as user_id,
    nullif(email, '') as email,
    nullif(first_name, '') as first_name,
    nullif(last_name, '') as last_name,
    nullif(type, '') as owner_type,
    created_at,
    updated_at,
    archived as is_archived,
    archived_at
from {{ source('hubspot', 'owners') }}
