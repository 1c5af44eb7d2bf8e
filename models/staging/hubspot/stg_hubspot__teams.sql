select
    id as team_id,
    nullif(name, '') as team_name,
    nullif(parent_team_id, '') as parent_team_id,
    archived as is_archived
from {{ source('hubspot', 'teams') }}
