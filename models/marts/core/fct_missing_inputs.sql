with

missing_inputs as (
    select * from {{ ref('int_missing_inputs') }}
),

final as (
    select
        report,
        issue
    from missing_inputs
)

select * from final
