-- Present values of a deal (H6: its row, not its history) and what follows from them.
{{ config(materialized='view') }}
with

deals as (
    select * from {{ changed(ref('int_deals_in_population'), 'deal_id') }}
),

stages as (
    select * from {{ ref('int_stage_pairs_resolved') }}
),

staged as (
    select
        deals.*,
        stages.stage_pipeline_id,
        stages.stage_label,
        stages.stage_class,
        stages.stage_position,
        stages.stage_probability,
        stages.deal_status,
        case
            when deals.amount_in_home_currency is not null then {{ money('deals.amount_in_home_currency', '1') }}
            else {{ money('deals.amount', 'deals.hs_exchange_rate') }}
        end as company_amount,
        {{ deal_probability('stages.deal_status', 'deals.hs_deal_stage_probability', 'stages.stage_probability') }}
            as probability,
        {{ deal_probability('stages.deal_status', 'null', 'stages.stage_probability') }} as probability_by_stage
    from deals
    inner join stages
        on coalesce(deals.pipeline_id, 'none') = stages.pipeline_id
        and coalesce(deals.stage_id, 'none') = stages.stage_id
),

final as (
    select
        *,
        {{ money('company_amount', 'probability') }} as weighted_amount,
        {{ money('company_amount', 'probability_by_stage') }} as weighted_amount_by_stage,
        coalesce(
            {{ money('hs_forecast_amount', '1') }},
            case when hs_forecast_probability is not null then {{ money('company_amount', 'hs_forecast_probability') }} end,
            0
        ) as forecast_amount,
        -- CLOSED says won and nothing else does; a lost deal should expect nothing (16a).
        (coalesce(hs_manual_forecast_category, '') = 'CLOSED') <> (deal_status = 'won')
        or (
            deal_status = 'lost'
            and coalesce(hs_manual_forecast_category, 'OMIT') not in ('OMIT', 'CLOSED_LOST')
        ) as has_forecast_conflict,
        {{ duration_ms('deal_created_at', 'closedate') }} as cycle_ms,
        coalesce(deal_created_at < closedate, false) as is_valid_cycle
    from staged
)

select * from final
