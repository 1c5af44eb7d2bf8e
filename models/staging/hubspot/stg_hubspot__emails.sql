select
    id as email_id,
    hs_timestamp,
    hs_createdate,
    nullif(hs_email_direction, '') as hs_email_direction,
    nullif(hs_email_status, '') as hs_email_status,
    nullif(hs_email_subject, '') as hs_email_subject,
    nullif(hubspot_owner_id, '') as owner_id,
    hs_email_open_count,
    hs_email_click_count,
    hs_email_reply_count,
    nullif(hs_email_sent_via, '') as hs_email_sent_via,
    created_at,
    updated_at,
    archived as is_archived,
    archived_at,
    nullif(merged_into_id, '') as merged_into_id,
    hard_deleted_at
from {{ source('hubspot', 'emails') }}
