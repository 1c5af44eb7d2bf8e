{{ report_function(
    group_by=['channel'],
    arguments={
        'channels': {'each_of': ['live_chat', 'facebook_messenger']},
    },
    has_pipelines=false,
) }}

with

request as materialized (
    {{ report_request() }}
),

buckets as (
    select buckets.*
    from request
    cross join {{ report_buckets() }} as buckets
),

scope as (
    select * from {{ report_scope() }}
),

asked_channels as (
    select channel
    from (select unnest(['live_chat', 'facebook_messenger']) as channel) as all_channels
    where channels is null or channel in ({{ asked('channels') }})
),

chats as (
    select
        scope.* exclude (group_id, group_label),
        case group_by when 'channel' then mart.channel else scope.group_id end as group_id,
        case group_by when 'channel' then mart.channel else scope.group_label end as group_label,
        buckets.bucket_start,
        mart.channel,
        mart.chat_count,
        mart.open_count,
        mart.closed_count
    from {{ ref('rpt_chats') }} as mart
    inner join asked_channels
        on mart.channel = asked_channels.channel
    inner join scope
        on mart.owner_id = scope.owner_id
    inner join buckets
        on mart.created_date >= buckets.first_day
        and mart.created_date < buckets.end_day
),

spine as (
    {{ report_spine('chats', ['channel'], fixed='asked_channels') }}
),

final as (
    select
        spine.*,
        cast(coalesce(sum(chats.chat_count), 0) as bigint) as chat_count,
        cast(coalesce(sum(chats.open_count), 0) as bigint) as open_count,
        cast(coalesce(sum(chats.closed_count), 0) as bigint) as closed_count
    from spine
    left join chats
        on spine.group_id = chats.group_id
        and spine.bucket_start = chats.bucket_start
        and spine.channel = chats.channel
    group by all
)

select {{ report_columns() }}
from final
order by {{ report_order('chat_count', then=['chat_count desc', 'channel']) }}
