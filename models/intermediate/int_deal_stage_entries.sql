-- The pipeline and stage of a deal at every version of its stage, in order (H7): several at one
-- timestamp are several rows. A change of pipeline alone is a row too (11b). The first row stands at
-- the creation (H3, H5, H8). The pipeline that goes with a version is the last one up to its
-- timestamp, so it is applied before the stages of its own timestamp.
with

deals as (
    select * from {{ ref('int_deal_histories') }}
),

present as (
    select * from {{ ref('int_deals_in_population') }}
),

versions as (
    select
        versions.deal_id,
        versions.version_number,
        versions.changed_at,
        versions.next_changed_at,
        versions.text_value as stage_id,
        deals.deal_created_at
    from {{ ref('int_deal_property_versions') }} as versions
    inner join deals on versions.deal_id = deals.deal_id
    where versions.property_name = 'dealstage'
),

stages as (
    -- Of the versions before the creation only the last one is left, unless another replaces it there.
    select deal_id, version_number, greatest(changed_at, deal_created_at) as entered_at, stage_id
    from versions
    where changed_at >= deal_created_at
        or next_changed_at is null
        or next_changed_at > deal_created_at
    union all
    select deal_id, 0 as version_number, deal_created_at as entered_at, stage_id
    from versions
    where version_number = 1
        and changed_at > deal_created_at
    union all
    select present.deal_id, 0 as version_number, present.deal_created_at as entered_at, present.stage_id
    from present
    inner join deals on present.deal_id = deals.deal_id
    where not deals.has_dealstage_versions
),

pipelines as (
    select deal_id, value_number, valid_from, text_value as pipeline_id
    from {{ ref('int_deal_property_values') }}
    where property_name = 'pipeline'
),

events as (
    select deal_id, entered_at, 1 as is_stage, version_number as stage_number, null as pipeline_number
    from stages
    union all
    select deal_id, valid_from as entered_at, 0 as is_stage, null as stage_number, value_number as pipeline_number
    from pipelines
),

-- Numbers grow with time, so that a running maximum is the number in force. A pipeline comes first at
-- its instant: with nothing after it there, it changed alone.
carried as (
    select
        deal_id,
        entered_at,
        is_stage,
        max(stage_number) over events_so_far as stage_number,
        max(pipeline_number) over events_so_far as pipeline_number,
        lead(entered_at) over events_in_order as next_entered_at
    from events
    window events_in_order as (partition by deal_id order by entered_at, is_stage, stage_number),
    events_so_far as (
        partition by deal_id
        order by entered_at, is_stage, stage_number
        rows between unbounded preceding and current row
    )
),

final as (
    select
        carried.deal_id,
        row_number() over (
            partition by carried.deal_id order by carried.entered_at, carried.stage_number
        ) as entry_number,
        carried.entered_at,
        coalesce(pipelines.pipeline_id, 'none') as pipeline_id,
        coalesce(stages.stage_id, 'none') as stage_id,
        carried.stage_number as stage_version_number,
        carried.pipeline_number as pipeline_version_number,
        carried.is_stage = 0 as is_pipeline_only
    from carried
    left join stages
        on carried.deal_id = stages.deal_id
        and carried.stage_number = stages.version_number
    left join pipelines
        on carried.deal_id = pipelines.deal_id
        and carried.pipeline_number = pipelines.value_number
    where carried.is_stage = 1
        or carried.next_entered_at is null
        or carried.next_entered_at > carried.entered_at
)

select * from final
