-- What is known of a deal's past, in one row per deal with a creation instant: where it begins, and
-- for which properties there are versions at all.
{{ config(materialized='incremental', incremental_strategy='by_key', unique_key='deal_id') }}
with

deals as (
    select * from {{ changed(ref('int_deals_in_population'), 'deal_id') }} where deal_created_at is not null
),

versions as (
    select * from {{ changed(ref('stg_hubspot__deal_property_history'), 'deal_id') }}
),

settings as (
    select * from {{ ref('int_run_settings') }}
),

histories as (
    select
        versions.deal_id,
        min(case when versions.property_name = 'dealstage' then versions.changed_at end) as first_stage_at,
        min(case when versions.property_name = 'deal_currency_code' then versions.value end) as first_currency,
        max(case when versions.property_name = 'deal_currency_code' then versions.value end) as last_currency,
        {%- for property in deal_state_properties() %}
        max(case when versions.property_name = '{{ property }}' then 1 else 0 end) as {{ property }}_flag{{ ',' if not loop.last }}
        {%- endfor %}
    from versions
    cross join settings
    where versions.changed_at < settings.run_ts
        and versions.property_name in ({{ deal_state_properties(quoted=true) }}, 'deal_currency_code')
    group by versions.deal_id
),

final as (
    select
        deals.deal_id,
        deals.deal_created_at,
        -- r0 (H3); without any stage version the present stage holds from the creation on (H5).
        coalesce(histories.first_stage_at, deals.deal_created_at) as first_stage_at,
        coalesce(histories.first_currency <> histories.last_currency, false) as has_changed_currency,
        {%- for property in deal_state_properties() %}
        coalesce(histories.{{ property }}_flag, 0) = 1 as has_{{ property }}_versions{{ ',' if not loop.last }}
        {%- endfor %}
    from deals
    left join histories on deals.deal_id = histories.deal_id
)

select * from final
