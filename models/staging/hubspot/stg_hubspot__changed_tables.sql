select table_name
from {{ source('hubspot', '_changed_tables') }}
