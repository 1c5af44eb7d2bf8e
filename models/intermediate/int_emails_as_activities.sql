{{ config(materialized='view') }}
-- E-mails in the columns that all activities share. Done are outgoing ones that left and arrived;
-- one without a status did (3a).
with emails as (
    select * from {{ ref('stg_hubspot__emails') }}
),

final as (
    select
        'email' as activity_type,
        email_id as activity_id,
        hs_timestamp as activity_at,
        coalesce(hs_createdate, created_at) as created_at,
        owner_id,
        hs_email_subject as title,
        hs_email_direction as direction,
        hs_email_status as status,
        cast(null as {{ text_type() }}) as outcome_id,
        cast(null as {{ text_type() }}) as outcome_label,
        cast(null as {{ text_type() }}) as subtype,
        cast(null as bigint) as duration_ms,
        cast(null as {{ instant_type() }}) as start_at,
        cast(null as {{ instant_type() }}) as end_at,
        cast(null as {{ instant_type() }}) as due_at,
        coalesce(hs_email_direction, '') = 'EMAIL'
        and coalesce(hs_email_status, 'SENT') not in ('FAILED', 'BOUNCED', 'SCHEDULED', 'SENDING') as is_completed,
        hs_timestamp as completed_at,
        hs_timestamp as occurred_at,
        hs_email_open_count as open_count,
        hs_email_click_count as click_count,
        hs_email_reply_count as reply_count,
        hs_email_sent_via as sent_via,
        is_archived,
        merged_into_id,
        hard_deleted_at
    from emails
)

select * from final
