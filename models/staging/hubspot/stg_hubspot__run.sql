select
    build_id,
    source,
    portal_id,
    load_id,
    follows_load_id,
    follows_run_ts,
    run_ts,
    time_zone,
    company_currency,
    fiscal_year_start_month,
    week_starts_on,
    include_personal_data,
    read_until,
    loaded_at,
    settings,
    project_version
from {{ source('hubspot', '_run') }}
