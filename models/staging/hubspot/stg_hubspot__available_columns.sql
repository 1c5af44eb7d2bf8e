select
    table_name,
    column_name
from {{ source('hubspot', '_available_columns') }}
