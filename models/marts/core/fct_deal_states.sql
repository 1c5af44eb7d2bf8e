{{ config(materialized='incremental', incremental_strategy='by_key', unique_key='deal_id') }}
with

changes as (
    select * from {{ ref('int_deal_state_changes') }}
),

histories as (
    select * from {{ changed(ref('int_deal_histories'), 'deal_id') }}
),

deals as (
    select * from {{ changed(ref('int_deals_in_population'), 'deal_id') }}
),

stages as (
    select * from {{ ref('int_stage_pairs_resolved') }}
),

settings as (
    select * from {{ ref('int_run_settings') }}
),

-- A property without any version: its present value all along (H5), except for the probability, which
-- then is the stage's (17d).
valued as (
    select
        changes.deal_id,
        changes.state_number,
        changes.valid_from,
        changes.valid_to,
        changes.is_dealstage_unknown,
        changes.is_pipeline_unknown,
        changes.is_amount_unknown,
        changes.is_hs_manual_forecast_category_unknown,
        {%- for property, column in deal_state_properties().items() if property != 'hs_deal_stage_probability' %}
        case when histories.has_{{ property }}_versions then changes.{{ property }} else deals.{{ column }} end as {{ property }},
        {%- endfor %}
        changes.hs_deal_stage_probability as own_probability,
        deals.hs_exchange_rate
    from changes
    inner join histories on changes.deal_id = histories.deal_id
    inner join deals on changes.deal_id = deals.deal_id
),

named as (
    select
        valued.*,
        coalesce(pipeline, 'none') as pipeline_id,
        coalesce(dealstage, 'none') as stage_id,
        coalesce(hubspot_owner_id, 'none') as owner_id,
        coalesce(hs_manual_forecast_category, '(No category)') as forecast_category
    from valued
),

-- At the deal's present rate, so that movements show business and not currency (P9, P11).
judged as (
    select
        named.*,
        stages.stage_pipeline_id,
        stages.stage_class,
        stages.deal_status,
        {{ money('named.amount', 'named.hs_exchange_rate') }} as company_amount,
        {{ deal_probability('stages.deal_status', 'named.own_probability', 'stages.stage_probability') }} as probability
    from named
    inner join stages
        on named.pipeline_id = stages.pipeline_id
        and named.stage_id = stages.stage_id
),

final as (
    select
        judged.deal_id,
        judged.state_number,
        judged.valid_from,
        judged.valid_to,
        {{ local_date('judged.valid_from', 'settings.time_zone') }} as valid_from_date,
        {{ local_date('judged.valid_to', 'settings.time_zone') }} as valid_to_date,
        judged.pipeline_id,
        judged.stage_id,
        judged.stage_pipeline_id,
        judged.stage_class,
        judged.deal_status,
        judged.amount,
        judged.company_amount,
        {{ money('judged.company_amount', 'judged.probability') }} as weighted_amount,
        {{ amount_band('judged.company_amount') }} as amount_band,
        judged.closedate as close_at,
        {{ local_date('judged.closedate', 'settings.time_zone') }} as close_date,
        judged.owner_id,
        judged.forecast_category,
        judged.own_probability,
        judged.probability,
        judged.is_dealstage_unknown as is_stage_unknown,
        judged.is_pipeline_unknown,
        judged.is_amount_unknown,
        judged.is_hs_manual_forecast_category_unknown as is_forecast_category_unknown
    from judged
    cross join settings
)

select * from final
