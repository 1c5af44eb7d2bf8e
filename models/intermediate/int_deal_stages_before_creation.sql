-- Pipeline and stage of a deal strictly before its creation instant (C1): what earlier versions left
-- (H8), else the first value (H3), else the present one (H5). Needed where something else changes at
-- that very instant (15c).
{{ config(materialized='incremental', incremental_strategy='by_key', unique_key='deal_id') }}
with

deals as (
    select * from {{ changed(ref('int_deals_in_population'), 'deal_id') }} where deal_created_at is not null
),

versions as (
    select * from {{ changed(ref('int_deal_property_versions'), 'deal_id') }} where property_name in ('pipeline', 'dealstage')
),

last_before as (
    select
        versions.deal_id,
        versions.property_name,
        max(case
            when versions.version_number = 1 or versions.changed_at < deals.deal_created_at
                then versions.version_number
        end) as version_number
    from versions
    inner join deals on versions.deal_id = deals.deal_id
    group by versions.deal_id, versions.property_name
),

before as (
    select
        versions.deal_id,
        max(case when versions.property_name = 'pipeline' then versions.text_value end) as pipeline_id,
        max(case when versions.property_name = 'dealstage' then versions.text_value end) as stage_id,
        max(case when versions.property_name = 'pipeline' then 1 else 0 end) = 1 as has_pipeline,
        max(case when versions.property_name = 'dealstage' then 1 else 0 end) = 1 as has_stage
    from versions
    inner join last_before
        on versions.deal_id = last_before.deal_id
        and versions.property_name = last_before.property_name
        and versions.version_number = last_before.version_number
    group by versions.deal_id
),

final as (
    select
        deals.deal_id,
        coalesce(case when before.has_pipeline then before.pipeline_id else deals.pipeline_id end, 'none')
            as pipeline_id,
        coalesce(case when before.has_stage then before.stage_id else deals.stage_id end, 'none') as stage_id
    from deals
    left join before on deals.deal_id = before.deal_id
)

select * from final
