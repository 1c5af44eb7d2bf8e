select
    id as sequence_id,
    nullif(name, '') as sequence_name
from {{ source('hubspot', 'sequences') }}
