-- The deal stages of the account's pipelines, those once seen and gone included (K2), with their
-- class by the configured probability (C4) and their place among the steps of the pipeline (P5).
with

stages as (
    select * from {{ ref('stg_hubspot__pipeline_stages') }} where object_type = 'deal'
),

classed as (
    select
        pipeline_id,
        stage_id,
        coalesce(stage_label, stage_id) || case when is_archived then ' (archived)' else '' end as stage_label,
        case
            when probability >= 1 then 'won'
            when probability <= 0 then 'lost'
            when probability is not null then 'open'
            else 'unknown'
        end as stage_class,
        probability,
        display_order,
        coalesce(is_archived, false) as is_archived
    from stages
),

placed as (
    select
        *,
        not is_archived and stage_class = 'open' as is_step,
        count(*) over (partition by stage_id) as pipeline_count
    from classed
),

final as (
    select
        pipeline_id,
        stage_id,
        stage_label,
        stage_class,
        case
            when is_step then row_number() over (
                partition by pipeline_id, is_step order by display_order nulls last, {{ code_points('stage_id') }}
            )
            when stage_class = 'won' and not is_archived
                then count(case when is_step then 1 end) over (partition by pipeline_id) + 1
        end as stage_position,
        probability,
        display_order,
        is_archived,
        pipeline_count
    from placed
)

select * from final
