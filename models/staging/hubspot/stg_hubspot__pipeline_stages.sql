select
    object_type,
    pipeline_id,
    id as stage_id,
    nullif(label, '') as stage_label,
    display_order,
    probability,
    is_closed,
    archived as is_archived
from {{ source('hubspot', 'pipeline_stages') }}
