-- Properties of deals whose versions say less, or something else, than the deal itself.
{{ config(materialized='incremental', incremental_strategy='by_key', unique_key='deal_id') }}
with

deals as (
    select * from {{ changed(ref('int_deals_in_population'), 'deal_id') }}
),

histories as (
    select * from {{ changed(ref('int_deal_histories'), 'deal_id') }}
),

gaps as (
    select * from {{ ref('int_deal_history_gaps') }} where is_beginning_lost
),

versions as (
    select * from {{ changed(ref('int_deal_property_versions'), 'deal_id') }}
),

-- H3: the first version is taken to say what held before it. Where older ones are lost (H4), that is
-- another issue.
backfilled as (
    select versions.deal_id, versions.property_name
    from versions
    inner join histories on versions.deal_id = histories.deal_id
    left join gaps
        on versions.deal_id = gaps.deal_id
        and versions.property_name = gaps.property_name
    where versions.version_number = 1
        and versions.changed_at > histories.deal_created_at
        and (versions.property_name in ('dealstage', 'pipeline') or versions.changed_at <= histories.first_stage_at)
        and gaps.deal_id is null
),

-- H6
differing as (
    select versions.deal_id, versions.property_name
    from versions
    inner join deals on versions.deal_id = deals.deal_id
    where versions.next_changed_at is null
        and case versions.property_name
            when 'pipeline' then versions.text_value is distinct from deals.pipeline_id
            when 'dealstage' then versions.text_value is distinct from deals.stage_id
            when 'amount' then versions.number_value is distinct from deals.amount
            when 'closedate' then versions.instant_value is distinct from deals.closedate
            when 'hubspot_owner_id' then versions.text_value is distinct from deals.owner_id
            when 'hs_manual_forecast_category'
                then versions.text_value is distinct from deals.hs_manual_forecast_category
            when 'hs_deal_stage_probability'
                then versions.number_value is distinct from deals.hs_deal_stage_probability
        end
),

final as (
    select 'backfilled' as issue, property_name, deal_id from backfilled
    union all
    select 'last_version_differs', property_name, deal_id from differing
)

select * from final
