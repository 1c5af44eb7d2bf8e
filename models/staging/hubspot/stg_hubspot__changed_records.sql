select
    object_type,
    record_id,
    concerns_activities,
    concerns_contacts
from {{ source('hubspot', '_changed_records') }}
