with

changes as (
    select * from {{ ref('int_deal_state_changes') }}
),

property_values as (
    select * from {{ ref('int_deal_property_values') }}
),

deals as (
    select * from {{ ref('int_deals_in_population') }}
),

stages as (
    select * from {{ ref('int_stage_pairs_resolved') }}
),

settings as (
    select * from {{ ref('int_run_settings') }}
),

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
        coalesce(pipeline_values.text_value, 'none') as pipeline_id,
        coalesce(dealstage_values.text_value, 'none') as stage_id,
        amount_values.number_value as amount,
        closedate_values.instant_value as close_at,
        coalesce(hubspot_owner_id_values.text_value, 'none') as owner_id,
        coalesce(hs_manual_forecast_category_values.text_value, '(No category)') as forecast_category,
        hs_deal_stage_probability_values.number_value as own_probability
    from changes
    {%- for property in deal_state_properties() %}
    left join property_values as {{ property }}_values
        on changes.deal_id = {{ property }}_values.deal_id
        and changes.{{ property }}_number = {{ property }}_values.value_number
        and {{ property }}_values.property_name = '{{ property }}'
    {%- endfor %}
),

-- At the deal's present rate, so that movements show business and not currency (P9, P11).
judged as (
    select
        valued.*,
        stages.stage_pipeline_id,
        stages.stage_class,
        stages.deal_status,
        {{ money('valued.amount', 'deals.hs_exchange_rate') }} as company_amount,
        {{ deal_probability('stages.deal_status', 'valued.own_probability', 'stages.stage_probability') }} as probability
    from valued
    inner join deals on valued.deal_id = deals.deal_id
    inner join stages
        on valued.pipeline_id = stages.pipeline_id
        and valued.stage_id = stages.stage_id
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
        judged.close_at,
        {{ local_date('judged.close_at', 'settings.time_zone') }} as close_date,
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
