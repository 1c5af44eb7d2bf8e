with

pipelines as (
    select * from {{ ref('int_pipelines_named') }}
),

final as (
    select
        pipeline_id,
        pipeline_label,
        display_order,
        is_archived,
        is_known
    from pipelines
)

select * from final
