{{ config(materialized='view') }}
-- Calls in the columns that all activities share. Every call counts as done, whatever its status (3).
with calls as (
    select * from {{ ref('stg_hubspot__calls') }}
),

dispositions as (
    select * from {{ ref('stg_hubspot__call_dispositions') }}
),

final as (
    select
        'call' as activity_type,
        calls.call_id as activity_id,
        calls.hs_timestamp as activity_at,
        coalesce(calls.hs_createdate, calls.created_at) as created_at,
        calls.owner_id,
        calls.hs_call_title as title,
        coalesce(calls.hs_call_direction, '(No direction)') as direction,
        calls.hs_call_status as status,
        coalesce(calls.hs_call_disposition, 'none') as outcome_id,
        case
            when calls.hs_call_disposition is null then '(No outcome)'
            else coalesce(dispositions.label, '(Deleted outcome ' || calls.hs_call_disposition || ')')
        end as outcome_label,
        coalesce(calls.hs_activity_type, '(No type)') as subtype,
        calls.hs_call_duration as duration_ms,
        cast(null as {{ instant_type() }}) as start_at,
        cast(null as {{ instant_type() }}) as end_at,
        cast(null as {{ instant_type() }}) as due_at,
        true as is_completed,
        calls.hs_timestamp as completed_at,
        calls.hs_timestamp as occurred_at,
        cast(null as bigint) as open_count,
        cast(null as bigint) as click_count,
        cast(null as bigint) as reply_count,
        cast(null as {{ text_type() }}) as sent_via,
        calls.is_archived,
        calls.merged_into_id,
        calls.hard_deleted_at
    from calls
    left join dispositions on calls.hs_call_disposition = dispositions.disposition_id
)

select * from final
