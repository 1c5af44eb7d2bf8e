{{ config(
    materialized='incremental',
    incremental_strategy='by_key',
    unique_key='deal_id',
    post_hook="{{ funnel_times_to_now(this) if is_in_a_night() else '' }}",
) }}
with

all_deals as (
    select * from {{ changed(ref('fct_deals'), 'deal_id') }}
),

steps as (
    select * from {{ ref('dim_deal_funnel_steps') }}
),

deal_steps as (
    {{ deal_funnel('steps', 'all_deals') | indent(4) }}
),

final as (
    select
        deal_steps.deal_id,
        deals.created_date,
        deal_steps.position,
        deal_steps.stage_id,
        deal_steps.stage_label,
        deals.owner_id,
        deals.owner_name,
        deals.team_id,
        deals.team_name,
        deals.pipeline_id,
        deals.pipeline_label,
        deal_steps.is_entered,
        deal_steps.is_skipped,
        deal_steps.is_skipped_at_creation,
        deal_steps.is_reached,
        deal_steps.is_strict,
        deal_steps.is_next_reached,
        deal_steps.is_lost_here,
        deal_steps.is_open_here,
        deal_steps.is_current_here,
        cast(deal_steps.entered_amount as {{ decimal_type(2) }}) as entered_amount,
        cast(deal_steps.time_in_stage_ms as bigint) as time_in_stage_ms,
        deal_steps.is_timed
    from deal_steps
    inner join all_deals as deals on deal_steps.deal_id = deals.deal_id
)

select * from final
