with

configured as (
    select * from {{ ref('int_stages_configured') }}
),

pairs as (
    select * from {{ ref('int_stage_pairs_resolved') }}
),

pipelines as (
    select * from {{ ref('int_pipelines_named') }}
),

all_stages as (
    select
        pipeline_id,
        stage_id,
        stage_label,
        stage_class,
        stage_position,
        probability,
        display_order,
        is_archived,
        true as is_known
    from configured
    union all
    -- A pair that no pipeline has resolves to itself.
    select
        pipeline_id,
        stage_id,
        stage_label,
        stage_class,
        null as stage_position,
        null as probability,
        null as display_order,
        true as is_archived,
        false as is_known
    from pairs
    where not is_known
),

final as (
    select
        all_stages.pipeline_id,
        pipelines.pipeline_label,
        all_stages.stage_id,
        all_stages.stage_label,
        all_stages.stage_class,
        all_stages.stage_position,
        all_stages.probability,
        all_stages.display_order,
        all_stages.is_archived,
        all_stages.is_known
    from all_stages
    inner join pipelines on all_stages.pipeline_id = pipelines.pipeline_id
)

select * from final
