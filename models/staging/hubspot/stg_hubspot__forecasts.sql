select
    id as forecast_id,
    nullif(hubspot_owner_id, '') as owner_id,
    hs_amount,
    nullif(hs_deal_pipeline_id, '') as hs_deal_pipeline_id,
    hs_forecast_start_date,
    hs_forecast_end_date,
    nullif(hs_team_id, '') as hs_team_id,
    created_at,
    updated_at,
    archived as is_archived,
    archived_at,
    nullif(merged_into_id, '') as merged_into_id,
    hard_deleted_at
from {{ source('hubspot', 'forecasts') }}
