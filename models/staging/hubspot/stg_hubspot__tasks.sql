select
    id as task_id,
    hs_timestamp,
    hs_createdate,
    nullif(hs_task_subject, '') as hs_task_subject,
    nullif(hs_task_status, '') as hs_task_status,
    nullif(hs_task_type, '') as hs_task_type,
    nullif(hs_task_priority, '') as hs_task_priority,
    hs_task_completion_date,
    nullif(hubspot_owner_id, '') as owner_id,
    created_at,
    updated_at,
    archived as is_archived,
    archived_at,
    nullif(merged_into_id, '') as merged_into_id,
    hard_deleted_at
from {{ source('hubspot', 'tasks') }}
