-- Which stage each pair of pipeline and stage means that a deal has, had or was stored with (P3): the pair itself; a
-- stage that only one pipeline has is that pipeline's; anything else is unknown.
with

entries as (
    select * from {{ ref('int_deal_stage_entries') }}
),

deals as (
    select * from {{ ref('int_deals_in_population') }}
),

stages_before_creation as (
    select * from {{ ref('int_deal_stages_before_creation') }}
),

stored_snapshots as (
    select * from {{ ref('stg_hubspot__stored_snapshots') }}
),

stages as (
    select * from {{ ref('int_stages_configured') }}
),

pairs as (
    select pipeline_id, stage_id
    from entries
    union distinct
    select pipeline_id, stage_id
    from stages_before_creation
    union distinct
    select pipeline_id, stage_id
    from stored_snapshots
    where stage_id <> 'unknown'
    union distinct
    select coalesce(pipeline_id, 'none') as pipeline_id, coalesce(stage_id, 'none') as stage_id
    from deals
),

matched as (
    select
        pairs.pipeline_id,
        pairs.stage_id,
        coalesce(exact.pipeline_id, sole.pipeline_id) as owning_pipeline_id
    from pairs
    left join stages as exact
        on pairs.pipeline_id = exact.pipeline_id
        and pairs.stage_id = exact.stage_id
    left join stages as sole
        on pairs.stage_id = sole.stage_id
        and sole.pipeline_count = 1
),

final as (
    select
        matched.pipeline_id,
        matched.stage_id,
        coalesce(matched.owning_pipeline_id, matched.pipeline_id) as stage_pipeline_id,
        coalesce(
            stages.stage_label,
            case matched.stage_id when 'none' then '(No stage)' else '(Deleted stage ' || matched.stage_id || ')' end
        ) as stage_label,
        coalesce(stages.stage_class, 'unknown') as stage_class,
        -- A stage of unknown class counts as open (P4).
        case when stages.stage_class in ('won', 'lost') then stages.stage_class else 'open' end as deal_status,
        stages.stage_position,
        stages.probability as stage_probability,
        matched.owning_pipeline_id is not null as is_known
    from matched
    left join stages
        on matched.owning_pipeline_id = stages.pipeline_id
        and matched.stage_id = stages.stage_id
)

select * from final
