-- What is missing or unknown on the deals of the population, by the raw column it is about.
with

deals as (
    select * from {{ ref('fct_deals') }}
),

owners as (
    select * from {{ ref('stg_hubspot__owners') }}
),

pipelines as (
    select * from {{ ref('stg_hubspot__pipelines') }} where object_type = 'deal'
),

judged as (
    select
        deals.*,
        deals.owner_id <> 'none' and owners.owner_id is null as has_unknown_owner,
        pipelines.pipeline_id is null as has_unknown_pipeline
    from deals
    left join owners on deals.owner_id = owners.owner_id
    left join pipelines on deals.pipeline_id = pipelines.pipeline_id
),

findings as (
    select 'no_date' as issue, 'createdate' as column_name, deal_id, deal_status from judged
    where created_at is null
    union all
    select 'no_date', 'closedate', deal_id, deal_status from judged
    where close_at is null
    union all
    select 'no_owner', 'hubspot_owner_id', deal_id, deal_status from judged
    where owner_id = 'none'
    union all
    select 'unknown_owner', 'hubspot_owner_id', deal_id, deal_status from judged
    where has_unknown_owner
    union all
    select 'no_amount', 'amount', deal_id, deal_status from judged
    where company_amount is null
    union all
    select 'missing_rate', 'hs_exchange_rate', deal_id, deal_status from judged
    where has_missing_rate and company_amount is not null
    union all
    select 'unknown_pipeline', 'pipeline', deal_id, deal_status from judged
    where has_unknown_pipeline
    union all
    select 'unknown_stage', 'dealstage', deal_id, deal_status from judged
    where stage_class = 'unknown'
    union all
    select 'forecast_conflict', 'hs_manual_forecast_category', deal_id, deal_status from judged
    where has_forecast_conflict
),

final as (
    select
        issue,
        'deals' as table_name,
        column_name,
        deal_id as record_id,
        deal_status
    from findings
)

select * from final
