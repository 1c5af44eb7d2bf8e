select
    id as disposition_id,
    nullif(label, '') as label,
    deleted as is_deleted
from {{ source('hubspot', 'call_dispositions') }}
