-- The pipeline and stage of a deal at every version of its stage, in order (H7): several at one
-- timestamp are several rows. A change of pipeline alone is a row too (11b). The first row stands at
-- the creation (H3, H5, H8). The pipeline that goes with a version is the last one up to its
-- timestamp, so it is applied before the stages of its own timestamp.
{{ config(materialized='incremental', incremental_strategy='by_key', unique_key='deal_id') }}
{% set versions_in_order = '(partition by deal_id order by version_number)' -%}
{% set events_in_order = '(partition by deal_id order by entered_at, is_stage, stage_number)' -%}
{% set events_so_far -%}
(partition by deal_id order by entered_at, is_stage, stage_number rows between unbounded preceding and current row)
{%- endset -%}
with

deals as (
    select * from {{ changed(ref('int_deal_histories'), 'deal_id') }}
),

present as (
    select * from {{ changed(ref('int_deals_in_population'), 'deal_id') }}
),

versions as (
    select versions.*, deals.deal_created_at
    from {{ changed(ref('int_deal_property_versions'), 'deal_id') }} as versions
    inner join deals on versions.deal_id = deals.deal_id
    where versions.property_name in ('dealstage', 'pipeline')
),

stages as (
    -- Of the versions before the creation only the last one is left, unless another replaces it there.
    select
        deal_id,
        version_number,
        greatest(changed_at, deal_created_at) as entered_at,
        text_value as stage_id,
        source_type,
        updated_by_user_id
    from versions
    where property_name = 'dealstage'
        and (
            changed_at >= deal_created_at
            or next_changed_at is null
            or next_changed_at > deal_created_at
        )
    union all
    select deal_id, 0, deal_created_at, text_value, null, null
    from versions
    where property_name = 'dealstage'
        and version_number = 1
        and changed_at > deal_created_at
    union all
    select present.deal_id, 0, present.deal_created_at, present.stage_id, null, null
    from present
    inner join deals on present.deal_id = deals.deal_id
    where not deals.has_dealstage_versions
),

observed_pipelines as (
    select
        *,
        lag(version_number) over {{ versions_in_order }} is null as is_first,
        lag(text_value) over {{ versions_in_order }} as previous_pipeline_id
    from versions
    where property_name = 'pipeline'
        and valid_from is not null
),

pipelines as (
    select deal_id, version_number, valid_from, text_value as pipeline_id, source_type, updated_by_user_id
    from observed_pipelines
    where is_first
        or text_value is distinct from previous_pipeline_id
    union all
    select present.deal_id, 0, present.deal_created_at, present.pipeline_id, null, null
    from present
    inner join deals on present.deal_id = deals.deal_id
    where not deals.has_pipeline_versions
),

events as (
    select
        deal_id,
        entered_at,
        1 as is_stage,
        version_number as stage_number,
        null as pipeline_number,
        stage_id,
        null as pipeline_id,
        source_type,
        updated_by_user_id
    from stages
    union all
    select
        deal_id,
        valid_from,
        0,
        null,
        version_number,
        null,
        pipeline_id,
        source_type,
        updated_by_user_id
    from pipelines
),

-- A pipeline comes first at its instant: with nothing after it there, it changed alone.
carried as (
    select
        deal_id,
        entered_at,
        is_stage,
        stage_number,
        source_type,
        updated_by_user_id,
        {{ value_in_force('stage_id', 'stage_number', events_so_far) }} as stage_id,
        {{ value_in_force('pipeline_id', 'pipeline_number', events_so_far) }} as pipeline_id,
        lead(entered_at) over {{ events_in_order }} as next_entered_at
    from events
),

final as (
    select
        deal_id,
        row_number() over (partition by deal_id order by entered_at, is_stage, stage_number) as entry_number,
        entered_at,
        coalesce(pipeline_id, 'none') as pipeline_id,
        coalesce(stage_id, 'none') as stage_id,
        is_stage = 0 as is_pipeline_only,
        source_type,
        updated_by_user_id
    from carried
    where is_stage = 1
        or next_entered_at is null
        or next_entered_at > entered_at
)

select * from final
