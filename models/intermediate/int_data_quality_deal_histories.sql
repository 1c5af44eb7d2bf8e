-- What the deals' property histories cannot tell, or tell otherwise than the deals themselves, by
-- the property it is about.
with

deals as (
    select * from {{ ref('int_deals_in_population') }}
),

histories as (
    select * from {{ ref('int_deal_histories') }}
),

versions as (
    select * from {{ ref('int_deal_property_versions') }}
    where property_name in ({{ deal_state_properties(quoted=true) }})
),

gaps as (
    select * from {{ ref('int_deal_history_gaps') }}
),

entries as (
    select * from {{ ref('int_deal_stage_entries') }}
),

stages as (
    select * from {{ ref('int_stage_pairs_resolved') }}
),

merged as (
    select * from {{ ref('int_deals_merged') }}
),

-- H3: the first version says what held before it. Where older ones are lost that is not known (H4).
backfilled as (
    select versions.deal_id, versions.property_name
    from versions
    inner join histories on versions.deal_id = histories.deal_id
    left join gaps
        on versions.deal_id = gaps.deal_id
        and versions.property_name = gaps.property_name
        and gaps.is_beginning_lost
    where versions.version_number = 1
        and versions.changed_at > histories.deal_created_at
        and (versions.property_name in ('dealstage', 'pipeline') or versions.changed_at <= histories.first_stage_at)
        and gaps.deal_id is null
),

numbered as (
    select
        *,
        max(version_number) over (partition by deal_id, property_name) as last_version_number
    from versions
),

-- H6
differing as (
    select numbered.deal_id, numbered.property_name
    from numbered
    inner join deals on numbered.deal_id = deals.deal_id
    where numbered.version_number = numbered.last_version_number
        and case numbered.property_name
            when 'pipeline' then numbered.text_value is distinct from deals.pipeline_id
            when 'dealstage' then numbered.text_value is distinct from deals.stage_id
            when 'amount' then numbered.number_value is distinct from deals.amount
            when 'closedate' then numbered.instant_value is distinct from deals.closedate
            when 'hubspot_owner_id' then numbered.text_value is distinct from deals.owner_id
            when 'hs_manual_forecast_category'
                then numbered.text_value is distinct from deals.hs_manual_forecast_category
            when 'hs_deal_stage_probability'
                then numbered.number_value is distinct from deals.hs_deal_stage_probability
        end
),

found as (
    select 'truncated_history' as issue, property_name, deal_id from gaps
    union all
    select 'backfilled', property_name, deal_id from backfilled
    union all
    select 'last_version_differs', property_name, deal_id from differing
    union all
    select 'unknown_stage', 'dealstage', entries.deal_id
    from entries
    inner join stages
        on entries.pipeline_id = stages.pipeline_id
        and entries.stage_id = stages.stage_id
    where stages.stage_class = 'unknown'
    union all
    select 'currency_changed', 'deal_currency_code', deal_id from histories
    where has_changed_currency
    union all
    -- The paths of both deals lie in the survivor's history (P2).
    select 'merged', 'dealstage', histories.deal_id
    from histories
    inner join merged on histories.deal_id = merged.survivor_id
),

final as (
    select
        found.issue,
        'deal_property_history' as table_name,
        found.property_name as column_name,
        found.deal_id as record_id,
        stages.deal_status
    from found
    inner join deals on found.deal_id = deals.deal_id
    inner join stages
        on coalesce(deals.pipeline_id, 'none') = stages.pipeline_id
        and coalesce(deals.stage_id, 'none') = stages.stage_id
    group by found.issue, found.property_name, found.deal_id, stages.deal_status
)

select * from final
