select
    owner_id,
    team_id,
    is_primary
from {{ source('hubspot', 'owner_teams') }}
