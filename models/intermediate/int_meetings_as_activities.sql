{{ config(materialized='view') }}
-- Meetings in the columns that all activities share. A meeting stands at its start; it is done when
-- its outcome starts with COMPLETED or is one that the account names (3, 7a).
with meetings as (
    select * from {{ ref('stg_hubspot__meetings') }}
),

placed as (
    select
        *,
        coalesce(hs_meeting_start_time, hs_timestamp) as placed_at
    from meetings
),

final as (
    select
        'meeting' as activity_type,
        meeting_id as activity_id,
        hs_timestamp as activity_at,
        coalesce(hs_createdate, created_at) as created_at,
        owner_id,
        hs_meeting_title as title,
        cast(null as {{ text_type() }}) as direction,
        cast(null as {{ text_type() }}) as status,
        coalesce(hs_meeting_outcome, 'none') as outcome_id,
        coalesce(hs_meeting_outcome, '(No outcome)') as outcome_label,
        coalesce(hs_activity_type, '(No type)') as subtype,
        {{ duration_ms('placed_at', 'hs_meeting_end_time') }} as duration_ms,
        placed_at as start_at,
        hs_meeting_end_time as end_at,
        cast(null as {{ instant_type() }}) as due_at,
        coalesce(
            hs_meeting_outcome like 'COMPLETED%'
            {%- for outcome in var('completed_meeting_outcomes') %}
            or hs_meeting_outcome = '{{ escape_single_quotes(outcome) }}'
            {%- endfor %},
            false
        ) as is_completed,
        placed_at as completed_at,
        placed_at as occurred_at,
        cast(null as bigint) as open_count,
        cast(null as bigint) as click_count,
        cast(null as bigint) as reply_count,
        cast(null as {{ text_type() }}) as sent_via,
        is_archived,
        merged_into_id,
        hard_deleted_at
    from placed
)

select * from final
