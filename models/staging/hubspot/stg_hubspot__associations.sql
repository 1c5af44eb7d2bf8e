select
    from_type,
    from_id,
    to_type,
    to_id,
    type_id,
    nullif(label, '') as association_label
from {{ source('hubspot', 'associations') }}
