select
    object_type,
    record_id
from {{ source('hubspot', '_changed_records') }}
