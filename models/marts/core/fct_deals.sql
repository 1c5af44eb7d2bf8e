{#- Custom columns are not in the contract; who asks for some gives its enforcement up for this table. -#}
{{ config(
    materialized='incremental',
    incremental_strategy='by_key',
    unique_key='deal_id',
    contract={'enforced': not var('custom_properties')},
) }}
with

deals as (
    select * from {{ ref('int_deals_judged') }}
),

histories as (
    select * from {{ changed(ref('int_deal_histories_summarised'), 'deal_id') }}
),

merged as (
    select * from {{ ref('int_deals_merged') }}
),

owners as (
    select * from {{ ref('dim_owners') }}
),

pipelines as (
    select * from {{ ref('dim_pipelines') }}
),

settings as (
    select * from {{ ref('int_run_settings') }}
),

survivors as (
    select survivor_id
    from merged
    group by survivor_id
),

final as (
    select
        deals.deal_id,
        deals.dealname as deal_name,
        deals.dealtype as deal_type,
        deals.hs_priority as priority,
        pipelines.pipeline_id,
        pipelines.pipeline_label,
        coalesce(deals.stage_id, 'none') as stage_id,
        deals.stage_label,
        deals.stage_pipeline_id,
        deals.stage_class,
        deals.stage_position,
        deals.deal_status,
        deals.deal_status = 'won' as is_won,
        deals.deal_status = 'lost' as is_lost,
        deals.deal_status <> 'open' as is_closed,
        owners.owner_id,
        owners.owner_name,
        owners.team_id,
        owners.team_name,
        coalesce(histories.owner_id_at_creation, owners.owner_id) as owner_id_at_creation,
        -- Where the history knows another outcome than the deal row, it cannot say who closed it.
        case
            when histories.last_status = deals.deal_status then histories.owner_id_at_last_status
            else owners.owner_id
        end as owner_id_at_close,
        deals.deal_created_at as created_at,
        {{ local_date('deals.deal_created_at', 'settings.time_zone') }} as created_date,
        {{ local_date('coalesce(deals.hs_createdate, deals.created_at)', 'settings.time_zone') }} as hs_created_date,
        deals.closedate as close_at,
        {{ local_date('deals.closedate', 'settings.time_zone') }} as close_date,
        case
            when deals.deal_status <> 'open' and histories.last_status = deals.deal_status then histories.last_status_at
        end as closed_at,
        deals.cycle_ms,
        deals.is_valid_cycle,
        deals.amount,
        deals.deal_currency_code as currency,
        deals.hs_exchange_rate as exchange_rate,
        deals.company_amount,
        deals.company_amount is not null as has_amount,
        deals.probability,
        deals.probability_by_stage,
        deals.weighted_amount,
        deals.weighted_amount_by_stage,
        coalesce(deals.hs_manual_forecast_category, '(No category)') as forecast_category,
        cast(deals.forecast_amount as {{ decimal_type(2) }}) as forecast_amount,
        deals.has_forecast_conflict,
        coalesce(deals.hs_analytics_source, '(No source)') as source,
        deals.hs_analytics_source_data_1 as source_detail,
        deals.closed_lost_reason as loss_reason,
        deals.closed_won_reason as win_reason,
        survivors.survivor_id is not null as is_merged,
        coalesce(histories.is_truncated, false) as is_truncated,
        coalesce(histories.is_backfilled, false) as is_backfilled,
        coalesce(histories.differs_from_history, false) as differs_from_history,
        coalesce(histories.has_changed_currency, false) as has_changed_currency,
        deals.hs_exchange_rate is null
        and coalesce(deals.deal_currency_code <> settings.company_currency, false) as has_missing_rate
        {%- for property in var('custom_properties') %},
        deals.{{ adapter.quote(property) }}
        {%- endfor %}
    from deals
    cross join settings
    inner join owners on coalesce(deals.owner_id, 'none') = owners.owner_id
    inner join pipelines on coalesce(deals.pipeline_id, 'none') = pipelines.pipeline_id
    left join histories on deals.deal_id = histories.deal_id
    left join survivors on deals.deal_id = survivors.survivor_id
)

select * from final
