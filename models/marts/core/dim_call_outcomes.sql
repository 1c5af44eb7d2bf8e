with

outcomes as (
    select * from {{ ref('int_call_outcomes_listed') }}
),

final as (
    select
        call_outcome_id,
        call_outcome,
        is_offered
    from outcomes
)

select * from final
