select
    id as company_id,
    nullif(name, '') as company_name,
    nullif(domain, '') as domain,
    nullif(industry, '') as industry,
    nullif(country, '') as country,
    nullif(hubspot_owner_id, '') as owner_id,
    createdate,
    created_at,
    updated_at,
    archived as is_archived,
    archived_at,
    nullif(merged_into_id, '') as merged_into_id,
    hard_deleted_at
from {{ source('hubspot', 'companies') }}
