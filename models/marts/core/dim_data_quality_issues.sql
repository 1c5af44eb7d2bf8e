with

issues as (
    select * from {{ ref('data_quality_issues') }}
),

final as (
    select
        issue,
        severity,
        meaning
    from issues
)

select * from final
