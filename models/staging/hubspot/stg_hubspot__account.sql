select
    portal_id,
    nullif(time_zone, '') as time_zone,
    nullif(company_currency, '') as company_currency,
    fiscal_year_start_month,
    nullif(week_starts_on, '') as week_starts_on
from {{ source('hubspot', 'account') }}
