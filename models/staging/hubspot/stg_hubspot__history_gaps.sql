select
    table_name,
    object_id,
    name as property_name,
    gap_from,
    gap_to
from {{ source('hubspot', '_history_gaps') }}
