-- What a deal's states say in one row: who held it when it began and when it last changed between
-- open, won and lost (C6), and how far the history can be trusted (C11).
{{ config(materialized='incremental', incremental_strategy='by_key', unique_key='deal_id') }}
with

states as (
    select * from {{ changed(ref('fct_deal_states'), 'deal_id') }}
),

histories as (
    select * from {{ changed(ref('int_deal_histories'), 'deal_id') }}
),

gaps as (
    select * from {{ ref('int_deal_history_gaps') }}
),

deals as (
    select * from {{ changed(ref('int_deals_in_population'), 'deal_id') }}
),

compared as (
    select
        *,
        lag(deal_status) over (partition by deal_id order by state_number) as previous_status
    from states
),

outcomes as (
    select
        *,
        row_number() over (partition by deal_id order by state_number desc) as recency
    from compared
    where previous_status is null or deal_status <> previous_status
),

truncated as (
    select deal_id
    from gaps
    where property_name in ({{ deal_state_properties(quoted=true) }})
    group by deal_id
),

final as (
    select
        histories.deal_id,
        first_states.owner_id as owner_id_at_creation,
        outcomes.deal_status as last_status,
        outcomes.valid_from as last_status_at,
        outcomes.owner_id as owner_id_at_last_status,
        histories.first_stage_at > histories.deal_created_at as is_backfilled,
        truncated.deal_id is not null as is_truncated,
        histories.has_changed_currency,
        last_states.pipeline_id <> coalesce(deals.pipeline_id, 'none')
        or last_states.stage_id <> coalesce(deals.stage_id, 'none')
        or last_states.amount is distinct from deals.amount
        or last_states.close_at is distinct from deals.closedate
        or last_states.owner_id <> coalesce(deals.owner_id, 'none')
        or last_states.forecast_category <> coalesce(deals.hs_manual_forecast_category, '(No category)')
            as differs_from_history
    from histories
    inner join deals on histories.deal_id = deals.deal_id
    inner join states as first_states
        on histories.deal_id = first_states.deal_id
        and first_states.state_number = 1
    inner join states as last_states
        on histories.deal_id = last_states.deal_id
        and last_states.valid_to is null
    inner join outcomes
        on histories.deal_id = outcomes.deal_id
        and outcomes.recency = 1
    left join truncated on histories.deal_id = truncated.deal_id
)

select * from final
