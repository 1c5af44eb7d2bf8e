{{ config(materialized='view') }}
-- Notes in the columns that all activities share. Every note counts as done (3).
with notes as (
    select * from {{ ref('stg_hubspot__notes') }}
),

final as (
    select
        'note' as activity_type,
        note_id as activity_id,
        hs_timestamp as activity_at,
        created_at,
        owner_id,
        cast(null as {{ text_type() }}) as title,
        cast(null as {{ text_type() }}) as direction,
        cast(null as {{ text_type() }}) as status,
        cast(null as {{ text_type() }}) as outcome_id,
        cast(null as {{ text_type() }}) as outcome_label,
        cast(null as {{ text_type() }}) as subtype,
        cast(null as bigint) as duration_ms,
        cast(null as {{ instant_type() }}) as start_at,
        cast(null as {{ instant_type() }}) as end_at,
        cast(null as {{ instant_type() }}) as due_at,
        true as is_completed,
        hs_timestamp as completed_at,
        hs_timestamp as occurred_at,
        cast(null as bigint) as open_count,
        cast(null as bigint) as click_count,
        cast(null as bigint) as reply_count,
        cast(null as {{ text_type() }}) as sent_via,
        is_archived,
        merged_into_id,
        hard_deleted_at
    from notes
)

select * from final
