select
    load_id,
    table_name,
    row_number as offered_row_number,
    record_id,
    reason,
    raw
from {{ source('hubspot', '_rejected_rows') }}
