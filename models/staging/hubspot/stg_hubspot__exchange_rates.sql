select
    from_currency,
    to_currency,
    effective_at,
    conversion_rate
from {{ source('hubspot', 'exchange_rates') }}
