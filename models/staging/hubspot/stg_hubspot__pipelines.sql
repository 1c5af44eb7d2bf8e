select
    object_type,
    id as pipeline_id,
    nullif(label, '') as pipeline_label,
    display_order,
    archived as is_archived
from {{ source('hubspot', 'pipelines') }}
