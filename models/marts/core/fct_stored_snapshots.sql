with

stored as (
    select * from {{ ref('int_snapshots_stored') }}
),

final as (
    select
        snapshot_date,
        owner_id,
        pipeline_id,
        stage_pipeline_id,
        stage_id,
        forecast_category,
        amount_band,
        deal_status,
        deal_count,
        total_amount,
        weighted_amount,
        unknown_count
    from stored
)

select * from final
