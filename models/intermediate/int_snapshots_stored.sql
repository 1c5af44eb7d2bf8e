-- Snapshots that earlier runs kept (K7), with the pipeline that owns each stage (P3).
with

stored as (
    select * from {{ ref('stg_hubspot__stored_snapshots') }}
),

stages as (
    select * from {{ ref('int_stage_pairs_resolved') }}
),

final as (
    select
        stored.*,
        coalesce(stages.stage_pipeline_id, stored.pipeline_id) as stage_pipeline_id
    from stored
    left join stages
        on stored.pipeline_id = stages.pipeline_id
        and stored.stage_id = stages.stage_id
)

select * from final
