-- The standard steps of report 13: each pipeline's live open stages in order, then Won (P5), none optional.
with

stages as (
    select * from {{ ref('dim_stages') }}
),

pipelines as (
    select * from {{ ref('dim_pipelines') }}
),

open_stages as (
    select
        pipeline_id,
        stage_id,
        stage_label,
        stage_position
    from stages
    where stage_class = 'open'
        and stage_position is not null
),

won_steps as (
    select
        pipelines.pipeline_id,
        coalesce(max(open_stages.stage_position), 0) + 1 as stage_position
    from pipelines
    left join open_stages on pipelines.pipeline_id = open_stages.pipeline_id
    group by pipelines.pipeline_id
),

final as (
    select
        pipeline_id,
        stage_position as position,
        stage_id,
        stage_label,
        stage_position,
        false as is_optional,
        false as is_won_step
    from open_stages
    union all
    select
        pipeline_id,
        stage_position as position,
        'won' as stage_id,
        'Won' as stage_label,
        stage_position,
        false as is_optional,
        true as is_won_step
    from won_steps
)

select * from final
