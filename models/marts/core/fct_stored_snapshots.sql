-- By ids, as they were kept: names, labels and teams are applied at reading (K7).
with

stored as (
    select * from {{ ref('stg_hubspot__stored_snapshots') }}
),

stages as (
    select * from {{ ref('int_stage_pairs_resolved') }}
),

final as (
    select
        stored.snapshot_date,
        stored.owner_id,
        stored.pipeline_id,
        coalesce(stages.stage_pipeline_id, stored.pipeline_id) as stage_pipeline_id,
        stored.stage_id,
        stored.forecast_category,
        stored.amount_band,
        stored.deal_status,
        stored.deal_count,
        stored.total_amount,
        stored.weighted_amount,
        stored.unknown_count
    from stored
    left join stages
        on stored.pipeline_id = stages.pipeline_id
        and stored.stage_id = stages.stage_id
)

select * from final
