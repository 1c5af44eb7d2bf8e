select
    load_id,
    table_name,
    started_at,
    read_until,
    offered as offered_count,
    loaded as loaded_count,
    rejected as rejected_count,
    status
from {{ source('hubspot', '_sync_log') }}
