select
    object_id as contact_id,
    name as property_name,
    nullif({{ trimmed('value') }}, '') as value,
    number_value,
    instant_value,
    timestamp as changed_at,
    sequence as version_sequence,
    source_type,
    source_id,
    updated_by_user_id
from {{ source('hubspot', 'contact_property_history') }}
