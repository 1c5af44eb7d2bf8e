-- The outcomes that a call can have: the account's own, and those that calls still name though it has
-- them no more. A deleted outcome that still has its label keeps it (1a).
with

dispositions as (
    select * from {{ ref('stg_hubspot__call_dispositions') }}
),

calls as (
    select * from {{ ref('int_calls_as_activities') }}
),

known as (
    select
        disposition_id as call_outcome_id,
        coalesce(label, '(Deleted outcome ' || disposition_id || ')') as call_outcome,
        label is not null and is_deleted is distinct from true as is_offered
    from dispositions
),

unknown as (
    select
        calls.outcome_id as call_outcome_id,
        calls.outcome_label as call_outcome,
        false as is_offered
    from calls
    left join known on calls.outcome_id = known.call_outcome_id
    where known.call_outcome_id is null
        and calls.outcome_id <> 'none'
    group by calls.outcome_id, calls.outcome_label
),

final as (
    select call_outcome_id, call_outcome, is_offered from known
    union all
    select call_outcome_id, call_outcome, is_offered from unknown
    union all
    select 'none' as call_outcome_id, '(No outcome)' as call_outcome, true as is_offered
)

select * from final
