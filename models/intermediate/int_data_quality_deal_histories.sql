-- What the histories of deals cannot tell, or tell otherwise than the deals themselves, by the
-- property it is about.
with

deals as (
    select * from {{ ref('fct_deals') }}
),

histories as (
    select * from {{ ref('int_deal_histories') }}
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

visits as (
    select * from {{ ref('fct_deal_stage_visits') }}
),

merged as (
    select * from {{ ref('int_deals_merged') }}
),

found as (
    select issue, property_name, deal_id
    from {{ ref('int_data_quality_deal_versions') }}
    union all
    select 'truncated_history', property_name, deal_id from gaps
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
    -- 13a
    select 'moved_out', 'pipeline', deal_id from visits
    where not is_in_present_pipeline
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
        deals.deal_status
    from found
    inner join deals on found.deal_id = deals.deal_id
    group by found.issue, found.property_name, found.deal_id, deals.deal_status
)

select * from final
