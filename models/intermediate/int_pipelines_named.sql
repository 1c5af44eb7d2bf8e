-- Deal pipelines with the label that reports show (P12): those of the account and those that deals,
-- their history, stages or stored snapshots name.
with

pipelines as (
    select * from {{ ref('stg_hubspot__pipelines') }} where object_type = 'deal'
),

named as (
    select pipeline_id from {{ ref('stg_hubspot__deals') }} where pipeline_id is not null
    union distinct
    select value as pipeline_id
    from {{ ref('stg_hubspot__deal_property_history') }}
    where property_name = 'pipeline'
        and value is not null
    union distinct
    select pipeline_id from {{ ref('stg_hubspot__pipeline_stages') }} where object_type = 'deal'
    union distinct
    select pipeline_id from {{ ref('stg_hubspot__stored_snapshots') }} where pipeline_id not in ('none', 'unknown')
),

unknown as (
    select named.pipeline_id
    from named
    left join pipelines on named.pipeline_id = pipelines.pipeline_id
    where pipelines.pipeline_id is null
),

final as (
    select
        pipeline_id,
        coalesce(pipeline_label, pipeline_id) as pipeline_label,
        display_order,
        coalesce(is_archived, false) as is_archived,
        true as is_known
    from pipelines
    union all
    select pipeline_id, '(Deleted pipeline ' || pipeline_id || ')', null, true, false
    from unknown
    union all
    select 'none', '(No pipeline)', null, false, true
)

select * from final
