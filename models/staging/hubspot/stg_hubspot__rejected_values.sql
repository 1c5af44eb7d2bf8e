select
    load_id,
    table_name,
    record_id,
    column_name,
    raw_text,
    reason
from {{ source('hubspot', '_rejected_values') }}
